"""Draws follow the distribution: against scipy's cdf, and against the distribution's moments."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import sojourn_distributions as dist

SIZE = 20_000
# One test in a thousand suites would fail by chance, were the seeds not fixed.
LEVEL = 1e-3 / 50


@pytest.fixture(scope="module")
def draws(jit):
    """Draws of each case, made once for all tests."""
    made = {}

    def draw(case):
        name = str(case)
        if name not in made:
            sample = jit(lambda d, key: d.sample(key, (SIZE,)))
            made[name] = np.asarray(sample(case.make(), jax.random.key(20260)))
        return made[name]

    return draw


def test_draws_follow_the_reference(case, draws):
    d, reference = case.make(), case.scipy()
    if d.event_shape:
        pytest.skip("vectors are judged by their moments")
    x = draws(case)
    if not d.is_discrete:
        assert stats.kstest(x.astype(float), reference.cdf).pvalue > LEVEL
        return
    values, counts = np.unique(x, return_counts=True)
    edges = np.arange(values[0], values[-1] + 1)
    expected = np.exp(reference.logpmf(edges)) * SIZE
    observed = np.zeros(len(edges))
    observed[values - values[0]] = counts
    # Rare values go into one cell, as do those that were never drawn.
    common = expected >= 10
    rare = SIZE - expected[common].sum()
    observed = np.append(observed[common], SIZE - observed[common].sum())
    expected = np.append(expected[common], rare)
    if expected[-1] < 1e-6 * SIZE:
        assert observed[-1] == 0
        observed, expected = observed[:-1], expected[:-1] * SIZE / expected[:-1].sum()
    assert stats.chisquare(observed, expected).pvalue > LEVEL


def test_moments_agree_with_draws(case, draws):
    if not case.moments:
        pytest.skip("no moments to compare")
    d = case.make()
    x = draws(case).astype(float)
    centered = (x - x.mean(0)) ** 2
    error_of_mean = x.std(0) / SIZE**0.5
    error_of_variance = centered.std(0) / SIZE**0.5
    assert np.shape(d.mean) == d.shape()
    assert np.shape(d.variance) == d.shape()
    assert np.all(abs(x.mean(0) - d.mean) <= 4.5 * error_of_mean)
    assert np.all(abs(x.var(0) - d.variance) <= 4.5 * error_of_variance)


def test_draws_lie_in_the_support(case, draws):
    case.make().validate_sample(draws(case))


def test_moments_agree_with_scipy(case):
    reference = case.scipy()
    if not (case.moments and hasattr(reference, "stats")):
        pytest.skip("no moments to compare")
    d = case.make()
    mean, variance = reference.stats("mv")
    np.testing.assert_allclose(d.mean, mean, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(d.variance, variance, rtol=2e-3 if "tail" in str(case) else 1e-4)


def test_mode_has_the_highest_density(case, log_prob, draws):
    d = case.make()
    try:
        mode = d.mode
    except NotImplementedError:
        pytest.skip("no mode")
    values = np.concatenate([np.asarray(mode)[None], draws(case)[:1000]])
    densities = log_prob(d, values)
    assert np.all(densities[0] >= densities - 1e-5)


def test_covariance_of_vectors():
    matrix = np.array([[2.0, 0.5], [0.5, 1.0]])
    for name, given in (
        ("covariance_matrix", matrix),
        ("precision_matrix", np.linalg.inv(matrix)),
        ("scale_tril", np.linalg.cholesky(matrix)),
    ):
        d = dist.MultivariateNormal(np.zeros(2), **{name: given})
        x = np.asarray(d.sample(jax.random.key(3), (SIZE,)))
        np.testing.assert_allclose(np.cov(x.T), matrix, atol=5 * 2.0 * (2 / SIZE) ** 0.5)
        np.testing.assert_allclose(d.covariance_matrix, matrix, rtol=1e-5)
        np.testing.assert_allclose(d.precision_matrix, np.linalg.inv(matrix), rtol=1e-5)


@pytest.mark.parametrize("dimension", [2, 4])
def test_correlations_of_lkj_are_beta(dimension, jit):
    # Each correlation is 2 Beta(b, b) - 1 with b = concentration + (dimension - 2) / 2
    # (Lewandowski, Kurowicka & Joe 2009, section 2).
    concentrations = np.array([0.7, 2.0])
    d = dist.LKJCholesky(dimension, concentrations)
    factor = np.asarray(jit(lambda d: d.sample(jax.random.key(4), (5000,)))(d), float)
    correlation = factor @ np.swapaxes(factor, -2, -1)
    for which, concentration in enumerate(concentrations):
        b = concentration + (dimension - 2) / 2
        marginal = stats.beta(b, b, loc=-1, scale=2)
        for i in range(1, dimension):
            for j in range(i):
                assert stats.kstest(correlation[:, which, i, j], marginal.cdf).pvalue > LEVEL


def test_lkj_density_of_two_variables_is_that_of_their_correlation(x64):
    # One free number: the correlation r, of density (1 - r^2)^(concentration - 1) / normalizer.
    r = np.linspace(-0.95, 0.95, 7)
    factor = np.zeros((7, 2, 2))
    factor[:, 0, 0], factor[:, 1, 0], factor[:, 1, 1] = 1, r, np.sqrt(1 - r**2)
    expected = stats.beta(1.7, 1.7, loc=-1, scale=2).logpdf(r)
    np.testing.assert_allclose(dist.LKJCholesky(2, 1.7).log_prob(factor), expected, rtol=1e-10)


def test_lkj_density_has_mass_one(x64, jit):
    # Importance sampling of the 3 free numbers of a 3 x 3 factor from a wide normal.
    transform = dist.biject_to(dist.constraints.corr_cholesky)
    proposal = stats.norm(0, 1.2)
    z = proposal.rvs(size=(20_000, 3), random_state=5)

    @jit
    def log_density(z):
        factor = transform(z)
        log_prob = dist.LKJCholesky(3, 1.5).log_prob(factor)
        return log_prob + transform.log_abs_det_jacobian(z, factor)

    log_weight = log_density(z)
    weight = np.exp(np.asarray(log_weight) - proposal.logpdf(z).sum(-1))
    assert abs(weight.mean() - 1) < 4 * weight.std() / len(weight) ** 0.5
    assert weight.std() < 2


def test_far_tail_of_a_truncated_normal_is_sampled(jit):
    d = dist.TruncatedNormal(0.0, 1.0, low=30.0)
    x = np.asarray(jit(lambda d: d.sample(jax.random.key(6), (2000,)))(d), float)
    assert stats.kstest(x, stats.truncnorm(30.0, np.inf).cdf).pvalue > LEVEL


def test_draws_are_differentiable(case, jit):
    d = case.make()
    if not d.has_rsample:
        pytest.skip("not reparametrized")
    leaves, structure = jax.tree.flatten(d)

    @jit
    def derivatives(leaves):
        """Of the draw along each parameter (forward mode: the smaller program)."""

        def sample(leaves):
            return jax.tree.unflatten(structure, leaves).rsample(jax.random.key(0))

        directions = [
            [jnp.full_like(leaf, j == i) for j, leaf in enumerate(leaves)]
            for i in range(len(leaves))
        ]
        return [jax.jvp(sample, (leaves,), (direction,))[1] for direction in directions]

    for derivative in derivatives([np.float32(leaf) for leaf in leaves]):
        assert np.isfinite(derivative).all()
        assert np.any(derivative != 0)
