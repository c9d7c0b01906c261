"""Densities and probabilities stay exact at extreme arguments, in both precisions."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from distribution_cases import continuous, intervals, positive
from scipy import special, stats

import sojourn_distributions as dist
from sojourn_distributions.tails import (
    gamma_log_quantile,
    gamma_log_tails,
    student_t_log_tail,
    student_t_quantile,
)

TABLE = [*continuous.CASES, *positive.CASES, *intervals.CASES]


def folded_normal(loc, scale):
    return SimpleNamespace(
        logpdf=lambda x: np.logaddexp(*(stats.norm(m, scale).logpdf(x) for m in (loc, -loc)))
    )


def laplace(loc, scale):
    return SimpleNamespace(logpdf=lambda x: -abs(x - loc) / scale - np.log(2 * scale))


def levy(loc, scale):
    inverse_gamma = stats.invgamma(0.5, loc, 0.5 * scale)
    return SimpleNamespace(logpdf=inverse_gamma.logpdf)


def polya_gamma():
    # The first term of the series for small values.
    return SimpleNamespace(
        logpdf=lambda x: np.where(
            x < 0.01,
            -1 / (8 * x) - 0.5 * np.log(2 * np.pi * x**3) - np.log(intervals.polya_gamma_mass()),
            intervals.polya_gamma().logpdf(x),
        )
    )


def soft_laplace(loc, scale):
    def logpdf(x):
        z = abs(x - loc) / scale
        return np.log(2 / np.pi / scale) - z - np.log1p(np.exp(-2 * z))

    return SimpleNamespace(logpdf=logpdf)


def truncated_soft_laplace(loc, scale, low):
    mass = stats.hypsecant(loc, scale).sf(low)
    return SimpleNamespace(logpdf=lambda x: soft_laplace(loc, scale).logpdf(x) - np.log(mass))


# Where scipy takes the logarithm of a density that underflows.
REFERENCES = {
    "FoldedNormal": folded_normal,
    "Laplace": laplace,
    "Levy": levy,
    "SoftLaplace": soft_laplace,
    "TruncatedPolyaGamma": polya_gamma,
    "TruncatedSoftLaplace": truncated_soft_laplace,
}


def extremes(support):
    """Values of a support at its ends, and the distances to the nearest finite one."""
    lower = float(getattr(support, "lower_bound", -np.inf))
    upper = float(getattr(support, "upper_bound", np.inf))
    if np.isinf(lower) and np.isinf(upper):
        far = np.array([50.0, 1e4, 1e10, 1e30])
        return np.concatenate([-far, far])
    if np.isfinite(lower) and np.isfinite(upper):
        inside = (upper - lower) * np.array([1e-6, 1e-4])
        near = np.array([1e-30, 1e-10]) if lower == 0 else lower + inside
        return np.concatenate([near, upper - inside])
    sign, end = (1, lower) if np.isfinite(lower) else (-1, upper)
    near = np.array([1e-30, 1e-10, 1e-4]) if end == 0 else abs(end) * np.array([1e-6, 1e-4])
    return end + sign * np.concatenate([near, [50.0, 1e4, 1e10, 1e30]])


def bounds(support):
    ends = [getattr(support, name, None) for name in ("lower_bound", "upper_bound")]
    return [float(end) for end in ends if end is not None]


@pytest.mark.parametrize("row", TABLE, ids=str)
def test_log_prob_and_gradients_at_the_ends_of_the_support(row, precision, jit, log_prob):
    d = row.make()
    ends = bounds(d.support)
    x = np.asarray([*extremes(d.support), *ends], jnp.result_type(float))
    inner = slice(0, len(x) - len(ends))
    reference = REFERENCES.get(row.constructor.__name__, row.reference)(**row.parameters)
    with np.errstate(over="ignore", divide="ignore"):
        expected = reference.logpdf(x[inner].astype(float))
    # What this precision can hold: beyond it the density is 0.
    limit = float(jnp.finfo(x.dtype).max)
    held = abs(expected) < limit
    assert held.sum() >= 3
    if x.dtype == np.float64:  # the gradients are judged in the precision that overflows sooner
        actual = np.asarray(log_prob(d, x))
    else:
        leaves, structure = jax.tree.flatten(d)
        gradient = jax.value_and_grad(
            lambda x, leaves: jax.tree.unflatten(structure, leaves).log_prob(x), (0, 1)
        )
        evaluate = jit(jax.vmap(gradient, (0, None)))
        actual, slopes = evaluate(x, [float(leaf) for leaf in leaves])
        # At the very bounds the density may be infinite, its gradient may not.
        for slope in jax.tree.leaves(slopes):
            assert np.isfinite(slope[inner.stop :]).all()
        far = x[inner].astype(float)
        distance = np.min([abs(far - end) for end in [0.0, *ends]], axis=0)
        steep = abs(expected) / distance > limit * 1e-3
        assert np.isfinite(slopes[0][inner][held & ~steep]).all()
        actual = np.asarray(actual)
    actual = actual[inner]
    np.testing.assert_array_equal(actual[~held], -np.inf)
    np.testing.assert_allclose(actual[held], expected[held], rtol=precision, atol=10 * precision)


LOWER_TAILS = [
    (dist.Cauchy(0.0, 1.0), -1e20, stats.cauchy.logcdf),
    (dist.Gumbel(0.0, 1.0), -4.0, stats.gumbel_r.logcdf),
    (dist.Laplace(0.0, 1.0), -500.0, lambda x: x - np.log(2.0)),
    (dist.Logistic(0.0, 1.0), -500.0, stats.logistic.logcdf),
    (dist.Normal(0.0, 1.0), -100.0, stats.norm.logcdf),
    (dist.SoftLaplace(0.0, 1.0), -500.0, lambda x: x + np.log(2 / np.pi)),
    (dist.SoftLaplace(0.0, 1.0), -5.0, stats.hypsecant.logcdf),
    (dist.StudentT(3.0), -1e30, stats.t(3.0).logcdf),
    (dist.Gamma(2.0, 1.0), 1e-30, stats.gamma(2.0).logcdf),
    (dist.InverseGamma(2.0, 1.0), 2e-3, lambda x: -1 / x + np.log1p(1 / x)),
    (dist.Levy(0.0, 1.0), 1e-3, lambda x: np.log(2.0) + special.log_ndtr(-(x**-0.5))),
    (dist.Dagum(0.7, 3.0, 1.0), 1e-30, lambda x: 0.7 * 3.0 * np.log(x)),
]


@pytest.mark.parametrize(("d", "x", "reference"), LOWER_TAILS, ids=lambda part: type(part).__name__)
def test_log_cdf_far_below(d, x, reference, precision, jit):
    log_cdf, slope = jit(jax.value_and_grad(lambda x, d: d.log_cdf(x)))(x, d)
    x = float(np.asarray(x, log_cdf.dtype))
    np.testing.assert_allclose(log_cdf, reference(x), rtol=10 * precision)
    assert np.isfinite(slope)


@pytest.mark.parametrize(
    ("d", "x"), [row[:2] for row in LOWER_TAILS], ids=lambda part: type(part).__name__
)
def test_icdf_from_log_far_below(d, x, x64, jit):
    if type(d).__name__ in ("Cauchy", "InverseGamma", "Levy"):
        x = d.icdf(1e-200)  # the plain quantile function serves as far as it goes
    np.testing.assert_allclose(jit(lambda d, x: d.icdf_from_log(d.log_cdf(x)))(d, x), x, rtol=1e-9)


UPPER_TAILS = [
    (dist.AsymmetricLaplace(0.0, 1.0, 2.0), 900.0, lambda x: -2 * x - np.log(5.0)),
    (dist.Gamma(2.0, 1.0), 1e3, lambda x: -x + np.log1p(x)),
    (dist.Gompertz(0.5, 1.0), 7.0, lambda x: -0.5 * np.expm1(x)),
    (dist.HalfCauchy(1.0), 1e20, stats.halfcauchy.logsf),
    (dist.InverseGamma(2.0, 1.0), 1e15, lambda x: -2 * np.log(x) - np.log(2)),
    (dist.Kumaraswamy(2.0, 60.0), 0.999, lambda x: 60 * np.log1p(-(x**2))),
    (dist.Levy(0.0, 1.0), 1e20, lambda x: 0.5 * np.log(2 / np.pi / x)),
    (dist.LowerTruncatedPowerLaw(-3.0, 1.0), 1e20, lambda x: -2 * np.log(x)),
    (dist.StudentT(3.0), 1e10, stats.t(3.0).logsf),
    (dist.TruncatedNormal(low=30.0), 40.0, lambda x: stats.norm.logsf(x) - stats.norm.logsf(30)),
    (dist.TruncatedGamma(2.0, low=1e2), 1e3, lambda x: 1e2 - x + np.log((1 + x) / 101)),
    (dist.Weibull(1.0, 1.5), 1e4, lambda x: -(x**1.5)),
]


@pytest.mark.parametrize(("d", "x", "reference"), UPPER_TAILS, ids=lambda part: type(part).__name__)
def test_log_survival_far_above(d, x, reference, precision, jit):
    log_tail, slope = jit(jax.value_and_grad(lambda x, d: d.log_survival(x)))(x, d)
    x = float(np.asarray(x, log_tail.dtype))
    np.testing.assert_allclose(log_tail, reference(x), rtol=20 * precision)
    assert np.isfinite(slope)


# By mpmath, at 50 digits.
@pytest.mark.parametrize(
    ("df", "t", "expected"),
    [
        (1e3, 40.0, -481.8866575635933),
        (0.5, 1e30, -35.676022525682208),
        (200.0, 1e10, -4078.9077965445582),
        (3.0, 1e100, -690.67780445916911),
    ],
)
def test_far_tail_of_student_t(df, t, expected, precision, jit):
    if t > float(jnp.finfo(jnp.result_type(float)).max):
        pytest.skip("not representable")
    log_tail = student_t_log_tail(t, df)
    np.testing.assert_allclose(log_tail, expected, rtol=precision)
    np.testing.assert_allclose(student_t_quantile(log_tail, df), t, rtol=20 * precision)
    assert np.isfinite(jit(jax.grad(student_t_log_tail, (0, 1)))(t, df)).all()


@pytest.mark.parametrize(
    ("a", "x", "upper", "expected"),
    [
        (2.0, 1e4, True, -9990.7895596330235),
        (0.3, 900.0, True, -905.85825094366345),
        (50.0, 1e-30, False, -3602.3554064428416),
        (3.0, 1e-200, False, -1383.3428152656555),
        (1e4, 5e3, False, -1936.3029753315976),
        (1e4, 2e4, True, -3074.0525113731376),
    ],
)
def test_far_tails_of_gamma(a, x, upper, expected, precision):
    if x < float(jnp.finfo(jnp.result_type(float)).tiny):
        pytest.skip("not representable")
    below, above = gamma_log_tails(x, a)
    np.testing.assert_allclose(above if upper else below, expected, rtol=precision)
    log_x = gamma_log_quantile(below, above, a)
    np.testing.assert_allclose(log_x, np.log(x), rtol=precision, atol=10 * precision)


def test_tails_of_gamma_over_the_plane(x64):
    a = np.array([0.05, 0.3, 1.0, 1.9, 2.5, 30.0, 1e3])[:, None]
    x = a * np.array([1e-3, 0.3, 0.9, 1.0, 1.1, 2.0, 10.0])
    x = np.concatenate([x, np.broadcast_to([0.5, 1.99, 2.01, 5.0], (len(a), 4))], 1)
    below, above = gamma_log_tails(x, a)
    np.testing.assert_allclose(np.exp(below), special.gammainc(a, x), rtol=1e-11, atol=1e-300)
    np.testing.assert_allclose(np.exp(above), special.gammaincc(a, x), rtol=2e-11, atol=1e-300)
    far = np.minimum(below, above) < -1e-6
    log_x = gamma_log_quantile(below, above, a)
    np.testing.assert_allclose(np.where(far, log_x, 0), np.where(far, np.log(x), 0), atol=1e-9)


def test_tail_of_student_t_has_derivatives_in_every_parameter(x64, jit):
    t, df = np.broadcast_arrays([0.0, 0.3, 2.0, 7.0], np.array([0.4, 3.0, 40.0])[:, None])
    h = 1e-5
    log_tail, slopes = jit(
        lambda t, df: (
            student_t_log_tail(t, df),
            jax.grad(lambda t, df: student_t_log_tail(t, df).sum(), (0, 1))(t, df),
        )
    )(t, df)
    logsf = stats.t.logsf
    np.testing.assert_allclose(log_tail, logsf(t, df), rtol=1e-12)
    np.testing.assert_allclose(slopes[0], -stats.t.pdf(t, df) / stats.t.sf(t, df), rtol=1e-10)
    by_df = (logsf(t, df * (1 + h)) - logsf(t, df * (1 - h))) / (2 * h * df)
    np.testing.assert_allclose(slopes[1], by_df, atol=1e-8)
    # ... and so has the quantile: d t / d df = - (d log S / d df) / (d log S / d t).
    both = jit(jax.grad(student_t_quantile, (0, 1)))(logsf(2.0, 3.0), 3.0)
    np.testing.assert_allclose(both[0], 1 / slopes[0][1, 2], rtol=1e-10)
    np.testing.assert_allclose(both[1], -slopes[1][1, 2] / slopes[0][1, 2], rtol=1e-10)
