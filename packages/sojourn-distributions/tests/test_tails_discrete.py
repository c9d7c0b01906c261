"""Log masses of counts at the ends of what numbers hold: large counts, probabilities 0 and 1."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sojourn_distributions as dist

# By mpmath at 50 digits, at parameters that float32 holds exactly; the textbook formulas lose
# everything but the sign of most of these in float32.
LARGE = [
    (dist.Poisson(1e6), 1_001_500, -8.95188125495289007),
    (dist.Poisson(2.0**-20), 3, -43.38059125649909),
    (dist.Poisson(3.0), 1_000_000, -11716909.0959900599),
    (dist.Binomial(1_000_000, 0.375), 375_900, -8.82920398579405066),
    (dist.Binomial(1_000_000, 2.0**-20), 2, -1.74168715083405718),
    (dist.Binomial(1_000_000, logits=-0.5), 377_000, -7.72440511078867748),
    (dist.Binomial(1_000_000, logits=-30.0), 1, -16.1844895356119556),
    (dist.NegativeBinomial2(1e6, 4.0), 1_000_000, -14.0620945827091),
    (dist.NegativeBinomial2(10.0, 2.0**30), 12, -2.35619338345862823),
    (dist.NegativeBinomial2(1e6, 2.0**-10), 0, -0.0202607249653713767),
    (dist.GammaPoisson(1e6, 0.5), 1_998_000, -9.05525858526836737),
    (dist.NegativeBinomial(1e6, 0.25), 333_000, -7.54565582004589967),
    (dist.NegativeBinomial(5.0, logits=12.0), 900_000, -13.8672474009564753),
    (dist.BetaBinomial(2.0, 6.0, 1_000_000), 250_000, -12.90254966304659),
    (dist.BetaBinomial(2e6, 6e6, 1_000_000), 251_000, -9.4181092451145459),
    (dist.BetaBinomial(2.0**-10, 1e6, 1000), 3, -28.7578816692269756),
    (dist.BetaNegativeBinomial(1e5, 2e5, 1e6), 500_000, -8.57873351520457646),
    (
        dist.Multinomial(1_000_000, np.array([0.25, 0.625, 0.125])),
        [250_400, 624_200, 125_400],
        -15.1586417885369896,
    ),
    (
        dist.Multinomial(1_000_000, logits=np.array([0.5, -1.0, 0.0])),
        [545_000, 122_000, 333_000],
        -19.3492973778065082,
    ),
    (
        dist.DirichletMultinomial(np.array([3e5, 1e5, 5.0]), 1_000_000),
        [749_000, 250_985, 15],
        -11.4104280981530494,
    ),
]


@pytest.mark.parametrize(("d", "value", "expected"), LARGE, ids=lambda x: type(x).__name__)
def test_masses_of_large_counts_are_exact(d, value, expected, precision, log_prob):
    # In float32 what rounding the mean by half a unit does is left: some 1e-4 three standard
    # deviations away from a mean of a million.
    tolerance = 5e-4 if precision > 1e-6 else 1e-11
    actual = float(log_prob(d, np.array(value)))
    assert actual == pytest.approx(expected, rel=tolerance / 10, abs=tolerance)


@pytest.mark.parametrize(
    ("make", "parameter", "value", "expected"),
    [
        # d/d(concentration) = digamma(k + c) - digamma(c) + log(c / (c + m)) + (m - k) / (c + m)
        (lambda c: dist.NegativeBinomial2(1e6, c), 1e6, 1_001_000, 1.24998e-7),
        (lambda m: dist.Poisson(m), 1e6, 1_001_000, 1e-3),
        (lambda p: dist.Binomial(1_000_000, p), 0.25, 250_500, 500 / 0.1875),
        (lambda x: dist.Binomial(1_000_000, logits=x), 0.0, 500_500, 500.0),
    ],
)
def test_slopes_at_large_counts_are_exact(make, parameter, value, expected, jit):
    slope = jit(jax.grad(lambda x: make(x).log_prob(value)))(parameter)
    np.testing.assert_allclose(slope, expected, rtol=2e-3)


IMPOSSIBLE = [
    (dist.Bernoulli, 0.0, 1),
    (dist.Bernoulli, 1.0, 0),
    (lambda p: dist.Binomial(5, p), 0.0, 2),
    (lambda p: dist.Binomial(5, p), 1.0, 2),
    (dist.Geometric, 0.0, 2),
    (dist.Geometric, 1.0, 2),
    (dist.Poisson, 0.0, 2),
    (lambda p: dist.NegativeBinomial(2.5, p), 0.0, 2),
    (lambda p: dist.NegativeBinomial(2.5, p), 1.0, 2),
    (lambda m: dist.NegativeBinomial2(m, 2.0), 0.0, 2),
    (lambda p: dist.Categorical(jnp.stack([p, 1 - p])), 0.0, 0),
    (lambda p: dist.Multinomial(3, jnp.stack([p, 1 - p])), 0.0, np.array([1, 2])),
    (lambda x: dist.Categorical(logits=jnp.stack([x, 0.0])), -np.inf, 0),
    (lambda x: dist.Multinomial(3, logits=jnp.stack([x, 0.0])), -np.inf, np.array([1, 2])),
    (lambda g: dist.ZeroInflatedPoisson(g, 2.0), 1.0, 3),
    (lambda g: dist.ZeroInflatedDistribution(dist.DiscreteUniform(2, 4), gate=g), 0.0, 0),
    (lambda g: dist.HurdlePoisson(g, 2.0), 0.0, 0),
    (lambda g: dist.HurdlePoisson(g, 2.0), 1.0, 3),
    (lambda p: dist.MixtureSameFamily(dist.Categorical(jnp.stack([p, 1 - p])),
                                      dist.DiscreteUniform(np.array([0, 5]), np.array([3, 8]))),
     0.0, 2),
]  # fmt: skip


@pytest.mark.parametrize("row", range(len(IMPOSSIBLE)))
def test_impossible_values_have_mass_zero_and_finite_gradients(row, jit):
    make, parameter, value = IMPOSSIBLE[row]
    mass, slope = jit(jax.value_and_grad(lambda x: make(x).log_prob(value)))(parameter)
    assert mass == -np.inf
    assert np.isfinite(slope)


@pytest.mark.parametrize(
    ("make", "value", "slope"),
    [
        (lambda x: dist.Bernoulli(logits=x), 1, 1.0),
        (lambda x: dist.Binomial(5, logits=x), 2, 2.0),
        (lambda x: dist.Geometric(logits=x), 2, 1.0),
        (lambda x: dist.NegativeBinomial(2.5, logits=x), 2, 2.0),
        (lambda x: dist.Categorical(logits=jnp.stack([x, 0.0])), 0, 1.0),
        (lambda x: dist.Multinomial(3, logits=jnp.stack([x, 0.0])), np.array([2, 1]), 2.0),
        (lambda x: dist.OrderedLogistic(x, np.array([-1.0, 2.0])), 2, 1.0),
        (lambda x: dist.ZeroInflatedDistribution(dist.DiscreteUniform(2, 4), gate_logits=x), 0, 1),
        (lambda x: dist.HurdleDistribution(dist.Poisson(1.0), gate_logits=x), 0, 1.0),
    ],
)
def test_far_logits_keep_their_slope(make, value, slope, jit):
    mass, actual = jit(jax.value_and_grad(lambda x: make(x).log_prob(value)))(-1e4)
    np.testing.assert_allclose(mass, -1e4 * slope, rtol=1e-3)
    np.testing.assert_allclose(actual, slope, rtol=1e-6)


@pytest.mark.parametrize(
    "d",
    [
        dist.Bernoulli(0.3),
        dist.Binomial(5, 0.3),
        dist.Categorical(logits=np.zeros(3)),
        dist.Categorical(np.full(100, 0.01)),
        dist.DiscreteUniform(0, 3),
        dist.Geometric(0.3),
        dist.HurdlePoisson(0.3, 2.0),
        dist.NegativeBinomial2(2.0, 3.0),
        dist.BetaBinomial(1.0, 1.0, 3),
        dist.BetaNegativeBinomial(1.0, 1.0, 3.0),
        dist.Poisson(2.0),
        dist.ZeroInflatedPoisson(0.3, 2.0),
    ],
    ids=lambda d: type(d).__name__,
)
def test_only_integers_of_the_support_have_mass(d, log_prob):
    others = np.array([0.5, -1.0, np.nan, np.inf, -np.inf])
    np.testing.assert_array_equal(log_prob(d, others), -np.inf)


def test_counts_of_narrow_types_do_not_overflow():
    counts = np.array([3, 250], np.uint8)
    wide = dist.Binomial(1000, 0.2).log_prob(counts.astype(int))
    np.testing.assert_allclose(dist.Binomial(1000, 0.2).log_prob(counts), wide, rtol=1e-6)
    assert dist.Poisson(np.float32(3.0)).log_prob(np.int8(5)).dtype == np.float32


def test_sparse_counts_have_the_same_mass_and_spare_the_formula():
    counts = np.array([[0, 0, 3], [0, 1, -1]])
    rate = np.array([0.5, 2.0, 0.0])
    dense, sparse = dist.Poisson(rate), dist.Poisson(rate, is_sparse=True)
    np.testing.assert_allclose(sparse.log_prob(counts), dense.log_prob(counts), rtol=1e-6)
    np.testing.assert_allclose(jax.jit(sparse.log_prob)(counts), dense.log_prob(counts), rtol=1e-6)

    def slopes(is_sparse):
        return jax.grad(
            lambda rate: dist.Poisson(rate, is_sparse=is_sparse).log_prob(counts[0, :2]).sum()
        )(2.0)

    np.testing.assert_allclose(slopes(True), slopes(False), rtol=1e-6)
    # Only the three counts that are not 0 reach the long formula.
    program = jax.make_jaxpr(lambda rate: dist.Poisson(rate, is_sparse=True).log_prob(counts))(rate)
    sizes = {
        eqn.outvars[0].aval.shape
        for eqn in program.eqns
        if "log_mass" in str(eqn.params.get("name"))
    }
    assert sizes == {(3,)}


def test_quantiles_are_the_smallest_values_that_reach_a_probability():
    for d in (dist.DiscreteUniform(-3, 7), dist.Geometric(0.3), dist.DiscreteUniform(0, 48)):
        values = np.arange(-3, 7) if d.support.lower_bound < 0 else np.arange(7)
        below = d.cdf(values)
        np.testing.assert_array_equal(d.icdf(below), values)
        np.testing.assert_array_equal(d.icdf(below * (1 + 1e-5)), values + 1)


def test_a_wide_uniform_has_its_variance():
    wide = dist.DiscreteUniform(np.int32(0), jnp.int32(10**6))
    np.testing.assert_allclose(wide.variance, ((10**6 + 1) ** 2 - 1) / 12, rtol=1e-6)
