"""What the table of cases cannot say of continuous families: limits, edges and refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, special, stats

import sojourn_distributions as dist
from sojourn_distributions.gamma_functions import log_gamma_correction, log_gamma_half_step

NORMALS = dist.Normal(np.zeros(3), 1.0)


def test_differences_of_log_gamma_functions(precision):
    x = np.array([1e-3, 0.1, 0.5, 1.0, 3.0, 9.9, 10.1, 50.0])
    expected = special.gammaln(x + 0.5) - special.gammaln(x) - 0.5 * np.log(x)
    tolerance = {"rtol": precision, "atol": precision * 0.1}
    np.testing.assert_allclose(log_gamma_half_step(x), expected, **tolerance)
    stirling = (x - 0.5) * np.log(x) - x + 0.5 * np.log(2 * np.pi)
    np.testing.assert_allclose(log_gamma_correction(x), special.gammaln(x) - stirling, **tolerance)
    # For large arguments by the leading terms of their expansions.
    x = np.array([1e4, 1e8, 1e30])
    np.testing.assert_allclose(log_gamma_half_step(x), -1 / (8 * x), atol=precision * 0.1)
    np.testing.assert_allclose(log_gamma_correction(x), 1 / (12 * x), rtol=max(precision, 1e-9))


def test_student_t_of_many_degrees_of_freedom_is_normal(precision, jit):
    df = np.array([[1e6], [1e9]])
    x = np.array([0.0, 0.5, -3.0])

    def density_and_more(d, x):
        return d.log_prob(x), d.log_cdf(x), d.entropy()

    limit = density_and_more(dist.Normal(), x)
    for actual, expected in zip(jit(density_and_more)(dist.StudentT(df), x), limit, strict=True):
        np.testing.assert_allclose(
            actual, np.broadcast_to(expected, actual.shape), rtol=max(precision, 100 / df.min())
        )
    # d log p / d df vanishes as 1 / df**2.
    slope = jit(jax.grad(lambda df: dist.StudentT(df).log_prob(0.5).sum()))(df)
    assert np.all(abs(slope) < 1e-3 / df)


def test_quantiles_without_a_closed_form(x64, jit):
    q = np.array([1e-12, 0.2, 0.5, 0.7, 1 - 1e-9])
    icdf = jit(lambda d, q: d.icdf(q))
    for d, reference in (
        (dist.StudentT(2.5, 1.0, 2.0), stats.t(2.5, 1.0, 2.0)),
        (dist.Gamma(0.2, 3.0), stats.gamma(0.2, scale=1 / 3)),
        (dist.Gamma(80.0, 3.0), stats.gamma(80.0, scale=1 / 3)),
        (dist.Chi2(1.0), stats.chi2(1.0)),
        (dist.InverseGamma(1.5, 2.0), stats.invgamma(1.5, scale=2.0)),
    ):
        np.testing.assert_allclose(icdf(d, q), reference.ppf(q), rtol=1e-8, atol=1e-12)
    # The quantile function has derivatives: the implicit one of P(a, x(a)) = q.
    slope = jit(jax.grad(lambda a: dist.Gamma(a).icdf(0.3)))(2.0)
    h = 1e-5
    expected = (stats.gamma(2 + h).ppf(0.3) - stats.gamma(2 - h).ppf(0.3)) / (2 * h)
    np.testing.assert_allclose(slope, expected, rtol=1e-7)


def test_polya_gamma_has_its_laplace_transform(x64):
    # E exp(-t x) = 1 / cosh(sqrt(t / 2)) (Polson, Scott & Windle 2013, equation 3); at t = 8 what
    # lies beyond the cut is below 1e-13.
    d = dist.TruncatedPolyaGamma()
    kept = np.exp(d._log_mass())
    density = jax.jit(lambda x: jnp.exp(d.log_prob(x)))
    integral, _ = integrate.quad(lambda x: np.exp(-8 * x) * density(x), 0, 2.5, epsabs=1e-12)
    np.testing.assert_allclose(integral * kept, 1 / np.cosh(2.0), atol=1e-10)


def test_polya_gamma_takes_a_batch_shape(jit):
    d = dist.TruncatedPolyaGamma((2, 3))
    x = jit(lambda key: d.sample(key, (4,)))(jax.random.key(0))
    assert x.shape == (4, 2, 3)
    assert len(np.unique(x)) == 24
    assert jax.eval_shape(d.log_prob, 0.3).shape == (2, 3)


def test_power_law_is_smooth_where_its_integral_is_a_logarithm(x64, jit):
    def log_prob(alpha):
        return dist.DoublyTruncatedPowerLaw(alpha, 1.2, 4.0).log_prob(2.0)

    def slope(alpha):  # log 2 - E log x
        mean = integrate.quad(lambda x: np.log(x) * x**alpha, 1.2, 4.0)[0]
        return np.log(2.0) - mean / integrate.quad(lambda x: x**alpha, 1.2, 4.0)[0]

    gradient = jit(jax.grad(log_prob))
    for alpha in (-1.0, -1 + 1e-9, -1 + 0.0166, -1 + 0.0168, 2.0):
        np.testing.assert_allclose(gradient(alpha), slope(alpha), rtol=1e-6)


def test_power_law_from_zero(x64, jit):
    d, reference = dist.DoublyTruncatedPowerLaw(0.5, 0.0, 2.0), stats.powerlaw(1.5, scale=2.0)
    x = np.array([1e-10, 0.3, 2.0])
    q = np.array([0.0, 0.2, 1.0])

    @jit
    def evaluate(d):
        return d.log_prob(x), d.cdf(x), d.icdf(q), d.mean, d.variance, d.log_prob(0.0)

    expected = (reference.logpdf(x), reference.cdf(x), reference.ppf(q), *reference.stats())
    *actual, at_zero = evaluate(d)
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10)
    assert at_zero == -np.inf
    slope = jit(jax.grad(lambda a: dist.DoublyTruncatedPowerLaw(a, 0.0, 2.0).mean))(0.5)
    np.testing.assert_allclose(slope, 2.0 / 2.5**2, rtol=1e-8)


@pytest.mark.parametrize("concentration", [0.01, 0.9, 1.1, 200.0])
def test_mean_of_gompertz(concentration, x64):
    mean = integrate.quad(lambda y: np.exp(-concentration * np.expm1(y)), 0, 15)[0]
    np.testing.assert_allclose(dist.Gompertz(concentration, 2.0).mean, mean / 2, rtol=1e-8)


def test_moments_that_are_infinite():
    assert dist.Dagum(1.0, 0.9, 1.0).mean == np.inf
    assert dist.Dagum(1.0, 1.5, 1.0).variance == np.inf
    assert dist.Pareto(1.0, 1.0).mean == np.inf
    assert dist.LowerTruncatedPowerLaw(-2.5, 1.0).variance == np.inf
    assert dist.Levy(0.0, 1.0).mean == np.inf
    assert dist.TruncatedCauchy(low=0.0).mean == np.inf
    assert dist.TruncatedCauchy(high=0.0).mean == -np.inf


def test_beta_by_its_mean_broadcasts_its_parameters():
    d = dist.BetaProportion(0.3, np.array([1.0, 5.0]))
    assert d.batch_shape == (2,)
    np.testing.assert_allclose(d.mean, [0.3, 0.3], rtol=1e-6)
    assert d.get_args()["mean"] == 0.3
    np.testing.assert_allclose(d.concentration1 + d.concentration0, [1.0, 5.0])


def test_relaxed_bernoulli_at_the_ends():
    for value, probs in ((0.0, 0.7), (1.0, 0.3)):
        tepid = dist.RelaxedBernoulli(1.0, probs=probs)
        np.testing.assert_allclose(tepid.log_prob(value), np.log(3 / 7), rtol=1e-5)
        assert dist.RelaxedBernoulli(0.5, probs=probs).log_prob(value) == np.inf
        assert dist.RelaxedBernoulli(2.0, probs=probs).log_prob(value) == -np.inf
    certain = dist.RelaxedBernoulli(1.0, probs=np.array([0.0, 1.0]))
    assert np.isfinite(certain.logits).all()
    np.testing.assert_allclose(certain.sample(jax.random.key(0)), [0.0, 1.0], atol=1e-5)


def test_relaxed_bernoulli_exceeds_a_half_as_often_as_the_bernoulli_is_one():
    d = dist.RelaxedBernoulli(0.1, logits=0.8)
    np.testing.assert_allclose(1 - d.cdf(0.5), special.expit(0.8), rtol=1e-6)


def test_truncated_gamma_without_bounds_is_a_gamma_and_far_out_it_stays_exact(jit):
    assert type(dist.TruncatedGamma(2.0, 3.0)) is dist.Gamma
    far = dist.TruncatedGamma(2.0, 1.0, low=500.0)
    x = jit(lambda key: far.sample(key, (2000,)))(jax.random.key(1))
    # Beyond 500 it is an exponential distribution of mean 1 + 1 / 501, nearly.
    excess = np.asarray(x, float) - 500
    assert stats.kstest(excess, stats.expon(scale=1 + 1 / 501).cdf).pvalue > 1e-3
    np.testing.assert_allclose(far.log_prob(500.0), np.log(500 / 501), rtol=1e-3, atol=1e-4)


def test_truncated_student_t_in_its_far_tail(x64, jit):
    df = 3.0
    d = dist.TruncatedDistribution(dist.StudentT(df), low=1e10, high=3e10)
    # The density is a power law there.
    power = dist.DoublyTruncatedPowerLaw(-df - 1, 1e10, 3e10)
    x, q = np.array([1e10, 2e10, 3e10]), np.array([0.1, 0.5, 0.9])

    @jit
    def evaluate(d):
        return d.log_prob(x), d.cdf(x), d.icdf(q)

    for actual, expected in zip(evaluate(d), evaluate(power), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-12)


def test_folding():
    d = dist.FoldedDistribution(dist.Gumbel(np.array([-1.0, 2.0]), 1.0))
    reference = stats.gumbel_r(np.array([-1.0, 2.0]))
    x = np.array([0.3, 1.5])
    expected = np.log(reference.pdf(x) + reference.pdf(-x))
    np.testing.assert_allclose(d.log_prob(x), expected, rtol=1e-5)
    np.testing.assert_allclose(d.cdf(x), reference.cdf(x) - reference.cdf(-x), rtol=1e-5)
    assert d.batch_shape == (2,)
    assert d.sample(jax.random.key(0), (5,)).min() > 0
    # Of a distribution on one side of 0, nothing is folded.
    folded = dist.FoldedDistribution(dist.Exponential(2.0))
    np.testing.assert_allclose(folded.log_prob(0.7), dist.Exponential(2.0).log_prob(0.7))
    assert np.isfinite(jax.grad(folded.log_prob)(0.7))
    assert dist.FoldedDistribution(dist.Uniform(-1.0, 1.0)).log_prob(3.0) == -np.inf


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: dist.FoldedDistribution(2.0), TypeError, "got float"),
        (lambda: dist.FoldedDistribution(NORMALS.to_event(1)), ValueError, "univariate"),
        (lambda: dist.FoldedDistribution(dist.Poisson(1.0)), ValueError, "univariate continuous"),
        (lambda: dist.LeftTruncatedGamma(dist.Normal()), TypeError, "one of Gamma, got Normal"),
        (lambda: dist.TruncatedGamma(low=-1.0), ValueError, "low = -1.0"),
        (lambda: dist.TruncatedGamma(low=2.0, high=1.0), ValueError, "low must be below high"),
        (lambda: dist.TruncatedDistribution(NORMALS.expand((2, 3)), 0.0), TypeError, "Expanded"),
        (lambda: dist.LogUniform(2.0, 1.0), ValueError, "low must be below high"),
        (lambda: dist.LogUniform(0.0, 1.0), ValueError, "low = 0.0"),
        (lambda: dist.LowerTruncatedPowerLaw(-0.5, 1.0), ValueError, "alpha = -0.5"),
        (lambda: dist.DoublyTruncatedPowerLaw(-1.0, 0.0, 1.0), ValueError, "alpha > -1"),
        (lambda: dist.DoublyTruncatedPowerLaw(0.0, 2.0, 1.0), ValueError, "below high"),
        (lambda: dist.BetaProportion(1.0, 2.0), ValueError, "mean = 1.0"),
        (lambda: dist.AsymmetricLaplaceQuantile(quantile=0.0), ValueError, "quantile = 0.0"),
        (lambda: dist.RelaxedBernoulli(1.0), ValueError, "Exactly one of"),
        (lambda: dist.RelaxedBernoulli(1.0, 0.5, 0.5), ValueError, "Exactly one of"),
        (lambda: dist.RelaxedBernoulli(1.0, probs=1.5), ValueError, "probs = 1.5"),
    ],
)
def test_bad_input_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()
