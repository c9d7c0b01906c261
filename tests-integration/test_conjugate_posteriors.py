"""Posteriors that are known in closed form, through conditioning, plates, scales and masks."""

import jax
import numpy as np
import pytest
from arviz_stats.base import array_stats
from scipy import stats

import sojourn
import sojourn.distributions as dist
from sojourn import handlers
from sojourn.infer import MCMC, NUTS

MOST_ERRORS = 4
COUNTS = np.array([3, 0, 1, 4, 2, 2])
GROUPS = np.array([[1.2, 0.7, 2.0], [-0.3, 0.1, 0.4]])  # two groups, three measurements each


def rate_of_counts(y=None):
    rate = sojourn.sample("rate", dist.Gamma(3.0, 2.0))
    with sojourn.plate("count", len(COUNTS)):
        sojourn.sample("y", dist.Poisson(rate), obs=y)


def share_of_successes(successes):
    share = sojourn.sample("share", dist.Beta(0.5, 2.0))
    sojourn.sample("successes", dist.Binomial(10, share), obs=successes)


def means_of_groups(y=None):
    with sojourn.plate("group", 2, dim=-2):
        mean = sojourn.sample("mean", dist.Normal(1.0, 2.0))
        with sojourn.plate("measurement", 3, dim=-1):
            sojourn.sample("y", dist.Normal(mean, 0.5), obs=y)


def shares_of_kinds(y=None):
    shares = sojourn.sample("shares", dist.Dirichlet(np.array([0.8, 2.0, 1.0])))
    with sojourn.plate("observation", len(COUNTS)):
        sojourn.sample("y", dist.Categorical(shares), obs=y)


def precision_and_mean(y):
    """Normal-gamma: the marginal of the mean is a Student t."""
    precision = sojourn.sample("precision", dist.Gamma(2.0, 1.0))
    mean = sojourn.sample("mean", dist.Normal(0.0, 1 / np.sqrt(2.0) / precision**0.5))
    with sojourn.plate("observation", y.size):
        sojourn.sample("y", dist.Normal(mean, precision**-0.5), obs=y)


def weighted_rate(y):
    rate = sojourn.sample("rate", dist.Gamma(3.0, 2.0))
    with sojourn.plate("count", len(y)), handlers.scale(scale=2.5):
        sojourn.sample("y", dist.Poisson(rate), obs=y)


def rate_of_the_seen(y, seen):
    rate = sojourn.sample("rate", dist.Gamma(3.0, 2.0))
    with sojourn.plate("count", len(y)), handlers.mask(mask=seen):
        sojourn.sample("y", dist.Poisson(rate), obs=y)


def normal_posterior(data, prior_mean=1.0, prior_sd=2.0, sd=0.5):
    precision = 1 / prior_sd**2 + data.size / sd**2
    mean = (prior_mean / prior_sd**2 + data.sum() / sd**2) / precision
    return stats.norm(mean, precision**-0.5)


def normal_gamma_posterior(data, shape=2.0, rate=1.0, weight=2.0):
    """Prior mean 0; see Murphy 2007, "Conjugate Bayesian analysis of the Gaussian", section 3."""
    n, mean = data.size, data.mean()
    shape_n, weight_n = shape + n / 2, weight + n
    spread = ((data - mean) ** 2).sum() / 2 + weight * n * mean**2 / (2 * weight_n)
    rate_n = rate + spread
    return {
        "precision": stats.gamma(shape_n, scale=1 / rate_n),
        "mean": stats.t(2 * shape_n, n * mean / weight_n, np.sqrt(rate_n / shape_n / weight_n)),
    }


def kinds_posterior():
    alpha = np.array([0.8, 2.0, 1.0]) + np.bincount(COUNTS % 3, minlength=3)
    return [stats.beta(a, alpha.sum() - a) for a in alpha]


SEEN = np.array([True, False, True, True, False, True])
GAMMA = stats.gamma(3 + COUNTS.sum(), scale=1 / (2 + COUNTS.size))
CASES = {
    "gamma-poisson": (rate_of_counts, (COUNTS,), {"rate": GAMMA}),
    "gamma-poisson-conditioned": (
        handlers.condition(rate_of_counts, data={"y": COUNTS}),
        (),
        {"rate": GAMMA},
    ),
    "gamma-poisson-weighted": (
        weighted_rate,
        (COUNTS,),
        {"rate": stats.gamma(3 + 2.5 * COUNTS.sum(), scale=1 / (2 + 2.5 * COUNTS.size))},
    ),
    "gamma-poisson-masked": (
        rate_of_the_seen,
        (COUNTS, SEEN),
        {"rate": stats.gamma(3 + COUNTS[SEEN].sum(), scale=1 / (2 + SEEN.sum()))},
    ),
    "beta-binomial": (share_of_successes, (8,), {"share": stats.beta(8.5, 4)}),
    "normal-normal": (
        means_of_groups,
        (GROUPS,),
        {"mean": [normal_posterior(group) for group in GROUPS]},
    ),
    "dirichlet-categorical": (shares_of_kinds, (COUNTS % 3,), {"shares": kinds_posterior()}),
    "normal-gamma": (precision_and_mean, (GROUPS.ravel(),), normal_gamma_posterior(GROUPS)),
}


@pytest.mark.parametrize(
    "name, chain_method",
    [*((name, "parallel") for name in CASES), ("gamma-poisson", "vectorized")],
)
def test_posterior(name, chain_method):
    model, arguments, truths = CASES[name]
    mcmc = MCMC(
        NUTS(model, target_accept_prob=0.9),
        num_warmup=500,
        num_samples=8000,
        num_chains=2,
        thinning=4,
        chain_method=chain_method,
        progress_bar=False,
    )
    mcmc.run(jax.random.key(5), *arguments)
    samples = mcmc.get_samples(group_by_chain=True)
    assert samples.keys() == truths.keys()
    for site, truth in truths.items():
        marginals = truth if isinstance(truth, list) else [truth]
        draws = np.asarray(samples[site], float).reshape(2, 2000, len(marginals))
        for component, marginal in enumerate(marginals):
            assert_follows(draws[..., component], marginal)


def assert_follows(draws, truth):
    statistics = {
        "mean": (draws, truth.mean()),
        "variance": ((draws - truth.mean()) ** 2, truth.var()),
    }
    for probability in (0.05, 0.5, 0.95):
        statistics[f"q{probability}"] = (
            (draws <= truth.ppf(probability)).astype(float),
            probability,
        )
    for name, (values, expected) in statistics.items():
        mcse = float(array_stats.mcse(values, chain_axis=0, draw_axis=1, method="mean"))
        assert abs(values.mean() - expected) <= MOST_ERRORS * mcse, name
