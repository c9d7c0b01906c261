"""Moments without closed forms, which are integrals over quantiles or sums of series."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats

import sojourn_distributions as dist


@pytest.fixture
def moments(jit):
    return lambda d: jit(lambda d: (d.mean, d.variance))(d)


def truncate(base, low, high):
    return dist.TruncatedDistribution(base(0.3, 2.0), low, high)


@pytest.mark.parametrize("low, high", [(1.0, None), (None, -1.0), (-1.0, 2.5), (9.0, 9.5)])
@pytest.mark.parametrize(
    "base, reference",
    [
        (dist.Laplace, stats.laplace),
        (dist.Logistic, stats.logistic),
        (dist.SoftLaplace, stats.hypsecant),
        (lambda loc, scale: dist.StudentT(2.6, loc, scale), lambda a, b: stats.t(2.6, a, b)),
    ],
    ids=["laplace", "logistic", "soft", "t"],
)
def test_truncated(base, reference, low, high, moments, x64):
    pdf = reference(0.3, 2.0).pdf
    ends = (-np.inf if low is None else low, np.inf if high is None else high)

    def integral(f):
        # In pieces: at the kink of a density, and where a tail begins.
        points = [x for x in (-60.0, 0.3, 60.0) if ends[0] < x < ends[1]]
        edges = [ends[0], *points, ends[1]]
        pieces = itertools.pairwise(edges)
        with np.errstate(over="ignore"):  # of a hyperbolic cosine far out
            return sum(integrate.quad(f, a, b, epsabs=0, epsrel=1e-12)[0] for a, b in pieces)

    mass = integral(pdf)
    mean = integral(lambda x: x * pdf(x)) / mass
    variance = integral(lambda x: (x - mean) ** 2 * pdf(x)) / mass
    found = moments(truncate(base, low, high))
    np.testing.assert_allclose(found, (mean, variance), rtol=1e-8)


@pytest.mark.parametrize("width", [1e-3, 0.2999, 0.3001, 3.0, 100.0])
def test_laplace_in_a_narrow_and_a_wide_interval(width, moments, x64):
    # Beyond its mode it is an exponential variable that is cut off.
    d = dist.TruncatedDistribution(dist.Laplace(-1.0, 1.0), 0.0, width)
    reference = stats.truncexpon(width)
    # SciPy's formula for the variance cancels in a narrow interval, where it is nearly uniform.
    variance = width**2 / 12 if width < 0.01 else reference.var()
    np.testing.assert_allclose(moments(d), (reference.mean(), variance), rtol=1e-6)


def test_heavy_tails_that_are_not_cut(moments):
    df = np.array([0.8, 1.5, 2.5])
    mean, variance = moments(dist.TruncatedDistribution(dist.StudentT(df), None, 1.0))
    np.testing.assert_array_equal(np.isneginf(mean), [True, False, False])
    np.testing.assert_array_equal(np.isinf(variance), [True, True, False])
    mean, variance = moments(dist.FoldedDistribution(dist.StudentT(df)))
    np.testing.assert_array_equal(np.isinf(mean), [True, False, False])
    np.testing.assert_array_equal(np.isinf(variance), [True, True, False])
    # A folded t variable about 0 is half of a t variable.
    half = dist.TruncatedDistribution(dist.StudentT(2.5), 0.0)
    np.testing.assert_allclose([mean[2], variance[2]], moments(half), rtol=1e-4)


@pytest.mark.parametrize("loc", [-30.0, -1.0, 0.0, 0.4, 30.0])
def test_folded_normal(loc, moments, x64):
    reference = stats.foldnorm(abs(loc) / 1.3, scale=1.3)
    found = moments(dist.FoldedDistribution(dist.Normal(loc, 1.3)))
    np.testing.assert_allclose(found, (reference.mean(), reference.var()), rtol=1e-11)


@pytest.mark.parametrize("concentration", [1e-6, 0.4, 50.0])
def test_gompertz(concentration, moments, x64):
    def age(x):
        return np.log1p(x / concentration) / 1.5

    # Over the logarithm of the cumulated hazard, whose density is that of a Gumbel variable.
    def integral(f):
        return integrate.quad(lambda s: f(age(np.exp(s))) * np.exp(s - np.exp(s)), -40, 4)[0]

    mean = integral(lambda x: x)
    variance = integral(lambda x: (x - mean) ** 2)
    found = moments(dist.Gompertz(concentration, 1.5))
    np.testing.assert_allclose(found, (mean, variance), rtol=1e-7)


@pytest.mark.parametrize("logits", [-9.0, 0.4, 9.0])
@pytest.mark.parametrize("temperature", [0.05, 0.999, 1.0, 7.0])
def test_relaxed_bernoulli(temperature, logits, moments, x64):
    # Over the log odds of the value, from their density as scipy has it.
    log_odds = stats.logistic(logits / temperature, 1 / temperature)
    points = logits / temperature + np.array([-800, -40, -1, 0, 1, 40, 800]) / temperature
    points = np.unique(np.concatenate([points, [-40.0, 0.0, 40.0]]))

    def integral(f):
        def integrand(s):
            return f(1 / (1 + np.exp(-s))) * log_odds.pdf(s)

        pieces = itertools.pairwise(points)
        return sum(integrate.quad(integrand, a, b, epsabs=0, epsrel=1e-11)[0] for a, b in pieces)

    with np.errstate(over="ignore", under="ignore"):
        mean = integral(lambda x: x)
        variance = integral(lambda x: (x - mean) ** 2)
    found = moments(dist.RelaxedBernoulliLogits(temperature, logits))
    np.testing.assert_allclose(found, (mean, variance), rtol=1e-7)


def test_moments_by_quadrature_have_gradients_and_batches(jit, x64):
    def variance(scale):
        base = dist.StudentT(3.5, 0.2, scale)
        return dist.TruncatedDistribution(base, jnp.array([[-1.0], [0.5]]), 2.0).variance

    scale = jnp.array([0.7, 1.0, 3.0])
    value, slope = jit(lambda scale: jax.jvp(variance, (scale,), (jnp.ones(3),)))(scale)
    assert value.shape == slope.shape == (2, 3)
    step = 1e-5
    difference = (variance(scale + step) - variance(scale - step)) / (2 * step)
    np.testing.assert_allclose(slope, difference, rtol=1e-6)
