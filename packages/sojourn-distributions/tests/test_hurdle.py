"""Hurdles over counts and over continuous amounts, and supports that gain a zero."""

import jax
import numpy as np
import pytest
from scipy import stats

import sojourn_distributions as dist
from sojourn_distributions import constraints

SIZE = 20_000


@pytest.mark.parametrize(
    ("d", "reference"),
    [
        (dist.HurdleGamma(0.3, 2.5, 1.7), stats.gamma(2.5, scale=1 / 1.7)),
        (dist.HurdleLogNormal(0.3, 0.2, 0.4), stats.lognorm(0.4, scale=np.exp(0.2))),
        (dist.HurdleDistribution(dist.Normal(1.0, 2.0), gate=0.3), stats.norm(1.0, 2.0)),
    ],
    ids=lambda x: type(x).__name__,
)
def test_continuous_amounts_have_an_atom_at_zero(d, reference, jit):
    points = reference.ppf([0.001, 0.3, 0.9, 0.999])
    np.testing.assert_allclose(
        d.log_prob(points), np.log(0.7) + reference.logpdf(points), rtol=1e-5, atol=1e-5
    )
    np.testing.assert_allclose(d.log_prob(0.0), np.log(0.3), rtol=1e-6)
    mean, variance = 0.7 * reference.mean(), 0.7 * (reference.var() + 0.3 * reference.mean() ** 2)
    np.testing.assert_allclose([d.mean, d.variance], [mean, variance], rtol=1e-5)
    x = np.asarray(jit(lambda d: d.sample(jax.random.key(5), (SIZE,)))(d), float)
    zeros = np.mean(x == 0)
    assert abs(zeros - 0.3) < 4 * (0.21 / SIZE) ** 0.5
    assert stats.kstest(x[x != 0], reference.cdf).pvalue > 1e-4
    d.validate_sample(x.astype(np.float32))
    slopes = jax.tree.leaves(jit(jax.grad(lambda d: d.log_prob(0.0)))(d))
    assert all(np.isfinite(slope) for slope in slopes)
    assert not d.is_discrete


def test_amounts_below_zero_have_no_mass():
    for d in (dist.HurdleGamma(0.3, 2.5), dist.HurdleLogNormal(0.3)):
        assert d.support == constraints.nonnegative
        density, slope = jax.value_and_grad(d.log_prob)(-1.0)
        assert density == -np.inf
        assert np.isfinite(slope)


@pytest.mark.parametrize(
    "base",
    [
        dist.Poisson(1e-5),
        dist.NegativeBinomial2(1e-5, 0.5),
        dist.NegativeBinomial2(3.0, 0.4),
        dist.Geometric(0.999),
        dist.BetaBinomial(1.0, 2.0, 4),
        dist.Poisson(1e4),
    ],
    ids=lambda d: f"{type(d).__name__}-{float(d.mean):.0e}",
)
def test_draws_past_the_hurdle_are_never_zero_and_have_their_mean(base, jit):
    d = dist.HurdleDistribution(base, gate=0.0)
    x = np.asarray(jit(lambda d: d.sample(jax.random.key(6), (SIZE,)))(d), float)
    assert x.min() >= 1
    error = (float(d.variance) / SIZE) ** 0.5
    # Draws of hardly any variance may all be 1: then the mean is off by what they missed.
    assert abs(x.mean() - float(d.mean)) < 4.5 * error + 5 / SIZE * (error * SIZE**0.5 < 0.01)


def test_a_base_that_is_always_zero_passes_no_hurdle():
    d = dist.HurdleDistribution(dist.Binomial(3, 0.0), gate=0.25)
    np.testing.assert_allclose(np.exp(d.log_prob(np.arange(2))), [0.25, 0.0], rtol=1e-6)
    assert np.all(d.sample(jax.random.key(0), (5,)) == 0)


@pytest.mark.parametrize("make", [dist.HurdleDistribution, dist.ZeroInflatedDistribution])
def test_supports_without_zero_gain_it(make):
    d = make(dist.DiscreteUniform(2, 4), gate=0.25)
    np.testing.assert_array_equal(d.enumerate_support(), [0, 2, 3, 4])
    np.testing.assert_allclose(np.exp(d.log_prob(d.enumerate_support())), 0.25, rtol=1e-6)
    d.validate_sample(np.array([0, 2]))
    with pytest.raises(ValueError, match="outside its support"):
        d.validate_sample(1)
    batch = make(dist.DiscreteUniform(2, 4), gate=np.array([[0.1], [0.2]])).expand((2, 3))
    assert batch.enumerate_support(expand=False).shape == (4, 1, 1)


def test_a_shut_gate_leaves_the_base_and_has_the_slope_of_the_sum():
    def log_mass(gate):
        return dist.ZeroInflatedPoisson(gate, 2.0).log_prob(0)

    value, slope = jax.value_and_grad(log_mass)(0.0)
    np.testing.assert_allclose([value, slope], [-2.0, np.expm1(2.0)], rtol=1e-5)


def test_gates_and_bases_make_the_batch_together():
    d = dist.HurdleDistribution(dist.Poisson(np.ones(3)), gate=np.full((2, 1), 0.5))
    assert d.batch_shape == (2, 3)
    assert d.sample(jax.random.key(0), (4,)).shape == (4, 2, 3)
    assert np.shape(d.mean) == np.shape(d.variance) == (2, 3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: dist.HurdleDistribution(dist.Poisson(1.0)), "Exactly one of"),
        (lambda: dist.HurdleDistribution(2.0, gate=0.5), "scalar events, got 2.0"),
        (lambda: dist.HurdleProbs(dist.Dirichlet(np.ones(2)), 0.5), "scalar events"),
        (lambda: dist.ZeroInflatedProbs(dist.Normal(), 0.5), "distribution on integers"),
        (lambda: dist.HurdlePoisson(1.5, 1.0), "invalid gate parameter"),
        (lambda: dist.HurdlePoisson(0.5, 0.0), "invalid rate parameter"),
        (lambda: dist.Multinomial(5, np.full(2, 0.5), total_count_max=4), "total_count_max = 4"),
        (lambda: dist.OrderedLogistic(0.0, np.array([1.0, 0.0])), "invalid cutpoints parameter"),
        (lambda: dist.OrderedLogistic(0.0, 1.0), "cutpoints needs a dimension"),
        (lambda: dist.DirichletMultinomial(1.0, 3), "concentration needs a dimension"),
        (lambda: dist.BetaBinomial(1.0, -1.0, 3), "invalid concentration0 parameter"),
    ],
)
def test_bad_input_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
