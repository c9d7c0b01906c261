"""Draws of NUTS and HMC from models without data follow the distributions that the models state.

The targets are asymmetric, skewed, bounded, with heavy tails, and with supports that do not start
at zero. Errors are judged by Monte Carlo standard errors from effective sample sizes.
"""

import jax
import numpy as np
import pytest
from arviz_stats.base import array_stats
from scipy import integrate, stats

import sojourn
import sojourn.distributions as dist
from sojourn.distributions import constraints
from sojourn.infer import HMC, MCMC, NUTS

MOST_ERRORS = 4
PROBABILITIES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


def sample(kernel, seed, num_samples=20_000, thinning=10):
    """Draws of four chains, nearly independent by thinning, shaped ``(chains, draws, ...)``."""
    mcmc = MCMC(
        kernel,
        num_warmup=1000,
        num_samples=num_samples,
        num_chains=4,
        thinning=thinning,
        progress_bar=False,
    )
    mcmc.run(jax.random.key(seed))
    samples = mcmc.get_samples(group_by_chain=True)
    return {site: np.asarray(draws, float) for site, draws in samples.items()}


def errors(draws, expected):
    """Difference of the mean of ``(chains, draws)`` from its expectation, in standard errors."""
    mcse = array_stats.mcse(draws, chain_axis=0, draw_axis=1, method="mean")
    return abs(draws.mean() - expected) / float(mcse)


# --- one-dimensional targets: moments, quantiles, Kolmogorov-Smirnov ----------------------------

UNIVARIATE = {
    "beta": (dist.Beta(0.5, 3.0), stats.beta(0.5, 3)),
    "exponential": (dist.Exponential(2.0), stats.expon(scale=0.5)),
    "gamma": (dist.Gamma(2.0, 3.0), stats.gamma(2, scale=1 / 3)),
    "gumbel": (dist.Gumbel(1.0, 2.0), stats.gumbel_r(1, 2)),
    "half_cauchy": (dist.HalfCauchy(2.0), stats.halfcauchy(scale=2)),
    "inverse_gamma": (dist.InverseGamma(6.0, 5.0), stats.invgamma(6, scale=5)),
    "laplace": (dist.Laplace(-1.0, 0.5), stats.laplace(-1, 0.5)),
    "log_normal": (dist.LogNormal(0.5, 0.7), stats.lognorm(0.7, scale=np.exp(0.5))),
    "student_t": (dist.StudentT(5.0, 1.0, 2.0), stats.t(5, 1, 2)),
    "truncated_above": (
        dist.TruncatedNormal(0.0, 2.0, high=-1.0),
        stats.truncnorm(-np.inf, -0.5, 0, 2),
    ),
    "truncated_below": (
        dist.TruncatedNormal(0.0, 1.0, low=1.5),
        stats.truncnorm(1.5, np.inf, 0, 1),
    ),
    "truncated_twice": (
        dist.TruncatedNormal(3.0, 2.0, low=2.0, high=2.5),
        stats.truncnorm(-0.5, -0.25, 3, 2),
    ),
    "uniform": (dist.Uniform(3.0, 7.0), stats.uniform(3, 4)),
}
WITHOUT_MOMENTS = {"half_cauchy"}


def univariate():
    """All targets as independent sites of one model."""
    for name, (distribution, _) in UNIVARIATE.items():
        sojourn.sample(name, distribution)


@pytest.fixture(scope="module", params=["nuts", "hmc"])
def draws(request):
    kernel = {
        "nuts": lambda: NUTS(univariate),
        "hmc": lambda: HMC(univariate, trajectory_length=2.0),
    }[request.param]
    return sample(kernel(), seed=11)


@pytest.mark.parametrize("name", UNIVARIATE)
def test_draws_follow_the_distribution(draws, name):
    x, truth = draws[name], UNIVARIATE[name][1]
    for probability in PROBABILITIES:
        below = (x <= truth.ppf(probability)).astype(float)
        assert errors(below, probability) <= MOST_ERRORS, probability
    assert stats.kstest(x.ravel(), truth.cdf).pvalue > 1e-3


@pytest.mark.parametrize("name", sorted(UNIVARIATE.keys() - WITHOUT_MOMENTS))
def test_draws_have_the_moments(draws, name):
    x, truth = draws[name], UNIVARIATE[name][1]
    assert errors(x, truth.mean()) <= MOST_ERRORS
    assert errors((x - truth.mean()) ** 2, truth.var()) <= MOST_ERRORS


@pytest.mark.parametrize("name", ["gamma", "inverse_gamma", "log_normal"])
def test_the_jacobian_is_in_the_density(draws, name):
    """Without the Jacobian's term the draws would follow p(x) / |dx/du| and be told apart."""
    x, (distribution, truth) = draws[name], UNIVARIATE[name]
    transform = dist.biject_to(distribution.support)

    def density_without(x):
        u = transform.inv(x)
        return truth.pdf(x) * np.exp(-float(transform.log_abs_det_jacobian(u, x)))

    end = truth.ppf(1 - 1e-9)
    mass = integrate.quad(density_without, 0, end, limit=200)[0]
    mean_without = integrate.quad(lambda x: x * density_without(x), 0, end, limit=200)[0] / mass
    assert errors(x, truth.mean()) <= MOST_ERRORS
    assert errors(x, mean_without) > 5 * MOST_ERRORS


# --- vectors: means, variances, correlations ----------------------------------------------------

MEAN = np.array([1.0, -2.0, 0.5])
SDS = np.array([0.1, 1.0, 5.0])
CORRELATIONS = np.array([[1.0, 0.9, -0.3], [0.9, 1.0, 0.0], [-0.3, 0.0, 1.0]])
COVARIANCE = CORRELATIONS * SDS * SDS[:, None]
CONCENTRATION = np.array([0.7, 2.0, 5.0])
ORDERED_MEAN, ORDERED_VARIANCE, ORDERED_COVARIANCE = 1 / np.sqrt(np.pi), 1 - 1 / np.pi, 1 / np.pi


def normal():
    sojourn.sample("x", dist.MultivariateNormal(MEAN, COVARIANCE))


def dirichlet():
    sojourn.sample("x", dist.Dirichlet(CONCENTRATION))


def ordered_pair():
    """The smaller and the larger of two standard normals."""
    support = constraints.ordered_vector
    x = sojourn.sample("x", dist.ImproperUniform(support, (), (2,)))
    sojourn.factor("density", dist.Normal(0.0, 1.0).log_prob(x).sum())


DIRICHLET = stats.dirichlet(CONCENTRATION)
VECTORS = {
    "normal": (NUTS(normal), MEAN, COVARIANCE),
    "normal-dense": (NUTS(normal, dense_mass=True), MEAN, COVARIANCE),
    "normal-hmc-dense": (HMC(normal, dense_mass=True, trajectory_length=2.0), MEAN, COVARIANCE),
    "dirichlet": (NUTS(dirichlet), DIRICHLET.mean(), DIRICHLET.cov()),
    "ordered": (
        NUTS(ordered_pair, target_accept_prob=0.95),
        np.array([-ORDERED_MEAN, ORDERED_MEAN]),
        np.array([[ORDERED_VARIANCE, ORDERED_COVARIANCE], [ORDERED_COVARIANCE, ORDERED_VARIANCE]]),
    ),
}


@pytest.mark.parametrize("name", VECTORS)
def test_vectors_have_means_and_covariances(name):
    kernel, mean, covariance = VECTORS[name]
    x = sample(kernel, seed=3, num_samples=8000, thinning=4)["x"]
    centred = x - mean
    for i in range(len(mean)):
        assert errors(x[..., i], mean[i]) <= MOST_ERRORS
        for j in range(i + 1):
            product = centred[..., i] * centred[..., j]
            assert errors(product, covariance[i, j]) <= MOST_ERRORS, (i, j)
    correlations = np.corrcoef(x.reshape(-1, len(mean)).T)
    sds = np.sqrt(np.diag(covariance))
    assert np.allclose(correlations, covariance / sds / sds[:, None], atol=0.06)
