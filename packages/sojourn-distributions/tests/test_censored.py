"""Censored observations count by the probability of what is known of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import sojourn_distributions as dist

BASES = [
    (dist.Normal(0.3, 1.2), stats.norm(0.3, 1.2)),
    (dist.Laplace(0.3, 1.2), stats.laplace(0.3, 1.2)),
    (dist.Logistic(0.3, 1.2), stats.logistic(0.3, 1.2)),
    (dist.Cauchy(0.3, 1.2), stats.cauchy(0.3, 1.2)),
    (dist.Gumbel(0.3, 1.2), stats.gumbel_r(0.3, 1.2)),
    (dist.StudentT(3.0, 0.3, 1.2), stats.t(3.0, 0.3, 1.2)),
    (dist.Exponential(0.5), stats.expon(scale=2.0)),
    (dist.LogNormal(0.3, 1.2), stats.lognorm(1.2, scale=np.exp(0.3))),
    (dist.Uniform(-1.0, 2.0), stats.uniform(-1.0, 3.0)),
    (dist.Poisson(2.0), stats.poisson(2.0)),
    (dist.Geometric(0.3), stats.geom(0.3, -1)),
    (dist.Binomial(30, 0.3), stats.binom(30, 0.3)),
    (dist.NegativeBinomial2(2.0, 3.0), stats.nbinom(3.0, 0.6)),
    (dist.DiscreteUniform(-2, 5), stats.randint(-2, 6)),
]
# In the middle, in both tails, and beyond the support of those that are bounded.
BOUNDS = np.array([-100.0, -20.0, -1.0, 0.0, 2.0, 5.0, 20.0])


@pytest.mark.parametrize(("base", "reference"), BASES, ids=lambda x: type(x).__name__)
def test_a_bound_counts_by_its_tail(base, reference, jit):
    @jit
    def evaluate(base, bounds):
        left = dist.LeftCensoredDistribution(base, True).log_prob(bounds)
        return left, dist.RightCensoredDistribution(base, True).log_prob(bounds)

    with np.errstate(divide="ignore"):
        below, above = reference.logcdf(BOUNDS), reference.logsf(BOUNDS)
    actual_below, actual_above = evaluate(base, BOUNDS)
    np.testing.assert_allclose(actual_below, below, rtol=2e-5, atol=1e-6)
    np.testing.assert_allclose(actual_above, above, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize(
    "base",
    [dist.Normal(0.3, 1.2), dist.Exponential(0.5), dist.LogNormal(0.3, 1.2), dist.Uniform(-1.0)],
    ids=lambda d: type(d).__name__,
)
def test_gradients_are_finite_at_every_bound(base, jit):
    def total(base, value):
        single = [
            kind(base, flag).log_prob(value)
            for kind in (dist.LeftCensoredDistribution, dist.RightCensoredDistribution)
            for flag in (True, False)
        ]
        pairs = jnp.stack([value, value + 1.0], axis=-1)
        double = [
            dist.IntervalCensoredDistribution(base, left, right).log_prob(pairs)
            for left in (False, True)
            for right in (False, True)
        ]
        return sum(jnp.where(jnp.isfinite(x), x, 0.0).sum() for x in single + double)

    for slope in jax.tree.leaves(jit(jax.grad(total, (0, 1)))(base, BOUNDS.astype(np.float32))):
        assert np.isfinite(slope).all()


def test_flags_choose_element_by_element():
    x = np.array([0.4, 0.4, 0.4])
    flags = np.array([[False], [True]])
    base = dist.Normal(np.array([0.0, 1.0, 2.0]), 1.0)
    d = dist.RightCensoredDistribution(base, flags)
    assert d.batch_shape == (2, 3)
    expected = [stats.norm(base.loc, 1.0).logpdf(x), stats.norm(base.loc, 1.0).logsf(x)]
    np.testing.assert_allclose(d.log_prob(x), expected, rtol=1e-5)


def interval(base, left, right, lower, upper):
    d = dist.IntervalCensoredDistribution(base, left, right)
    return float(d.log_prob(np.array([lower, upper])))


def test_the_four_kinds_of_interval():
    base, reference = dist.Normal(0.3, 1.2), stats.norm(0.3, 1.2)
    low, high = reference.cdf(-1.0), reference.cdf(2.0)
    expected = {
        (False, False): np.log(high - low),
        (True, False): np.log(high),
        (False, True): np.log(1 - low),
        (True, True): np.log(low + 1 - high),
    }
    for flags, log_prob in expected.items():
        assert interval(base, *flags, -1.0, 2.0) == pytest.approx(log_prob, rel=1e-5)
    # What a flag makes unnecessary may be missing.
    assert interval(base, True, False, np.nan, 2.0) == pytest.approx(np.log(high), rel=1e-5)
    assert interval(base, False, True, -1.0, np.inf) == pytest.approx(np.log(1 - low), rel=1e-5)
    assert interval(base, False, False, np.nan, 2.0) == -np.inf
    assert interval(base, False, False, 2.0, -1.0) == -np.inf


def test_intervals_in_the_tails_at_the_ends_and_of_no_length():
    normal, reference = dist.Normal(0.0, 1.0), stats.norm()
    assert interval(normal, False, False, 20.0, 21.0) == pytest.approx(reference.logsf(20.0))
    assert interval(normal, False, False, -21.0, -20.0) == pytest.approx(reference.logsf(20.0))
    assert interval(normal, False, False, -np.inf, 2.0) == pytest.approx(reference.logcdf(2.0))
    assert interval(normal, False, False, 1.0, 1.0) == pytest.approx(reference.logpdf(1.0))
    poisson = stats.poisson(2.0)
    assert interval(dist.Poisson(2.0), False, False, 1, 3) == pytest.approx(
        np.log(poisson.pmf(2) + poisson.pmf(3)), rel=1e-5
    )
    assert interval(dist.Exponential(1.0), False, False, -1.0, 2.0) == pytest.approx(
        np.log1p(-np.exp(-2.0)), rel=1e-5
    )


@pytest.mark.parametrize("width", [1e-4, 1e-3, 1e-2, 0.1])
def test_short_intervals_keep_their_digits(width):
    # A reading rounded to `width`: in float32 the difference of cdfs has few digits left.
    lower, upper = (float(np.float32(x)) for x in (1.5, 1.5 + width))
    points, weights = np.polynomial.legendre.leggauss(8)
    x = lower + (upper - lower) * (points + 1) / 2
    expected = np.log(np.sum(weights * stats.norm(0.3, 1.2).pdf(x)) * (upper - lower) / 2)
    actual = interval(dist.Normal(0.3, 1.2), False, False, lower, upper)
    assert actual == pytest.approx(expected, abs=1e-4)


def test_draws_of_an_interval_are_exact_observations():
    d = dist.IntervalCensoredDistribution(dist.Normal(np.zeros(3), 1.0), False, np.zeros((2, 1)))
    assert (d.batch_shape, d.event_shape) == ((2, 3), (2,))
    x = d.sample(jax.random.key(0), (4,))
    assert x.shape == d.shape((4,))
    assert np.all(x[..., 0] == x[..., 1])
    np.testing.assert_allclose(
        dist.IntervalCensoredDistribution(dist.Normal(), False, False).log_prob(x),
        dist.Normal().log_prob(x[..., 0]),
        rtol=1e-5,
    )


def test_values_are_judged_where_they_were_observed():
    d = dist.RightCensoredDistribution(dist.Exponential(1.0), np.array([True, False]))
    d.validate_sample(np.array([0.0, 1.0]))
    with pytest.raises(ValueError, match=r"outside its support.*value\[1\]"):
        d.validate_sample(np.array([0.0, -1.0]))
    pair = dist.IntervalCensoredDistribution(dist.Normal(), False, False)
    pair.validate_sample(np.array([-np.inf, 1.0]))
    with pytest.raises(ValueError, match=r"value\[1\] = \[2\.0, 1\.0\]"):
        pair.validate_sample(np.array([[0.0, 1.0], [2.0, 1.0]]))
    with pytest.raises(ValueError, match="a pair"):
        pair.validate_sample(np.zeros(3))


@pytest.mark.parametrize(
    ("base", "error", "message"),
    [
        (3.0, TypeError, "must be a distribution .* got float"),
        (dist.Dirichlet(np.ones(3)), ValueError, "scalar events"),
        (dist.BetaBinomial(1.0, 1.0, 3), TypeError, "BetaBinomial has no cumulative"),
    ],
)
def test_bases_without_tails_are_refused(base, error, message):
    with pytest.raises(error, match=message):
        dist.LeftCensoredDistribution(base)
    with pytest.raises(error, match=message):
        dist.IntervalCensoredDistribution(base, False, False)
    with pytest.raises(ValueError, match="invalid censored parameter"):
        dist.LeftCensoredDistribution(dist.Normal(), 2, validate_args=True)
