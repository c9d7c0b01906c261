"""Simulation-based calibration: posteriors of data simulated from the prior are right on average.

Source: Talts, Betancourt, Simpson, Vehtari, Gelman 2018, "Validating Bayesian inference algorithms
with simulation-based calibration". The rank of a true parameter among independent posterior draws
is uniform; so is the rank of the log likelihood, which sees faults that the parameters do not show
(Modrák et al. 2023).
"""

import jax
import numpy as np
import pytest
from scipy import stats

import sojourn
import sojourn.distributions as dist
from sojourn.infer import HMC, MCMC, NUTS

SIGMA = np.array([0.5, 1.0, 1.0, 2.0])
REPLICATIONS = 1000
DRAWS = 63  # 64 possible ranks, in 16 bins of 4
BINS = 16


def hierarchy(y=None):
    mu = sojourn.sample("mu", dist.Normal(1.0, 1.0))
    tau = sojourn.sample("tau", dist.LogNormal(0.0, 0.5))
    with sojourn.plate("group", len(SIGMA)):
        z = sojourn.sample("z", dist.Normal(0.0, 1.0))
        theta = sojourn.deterministic("theta", mu + tau * z)
        sojourn.sample("y", dist.Normal(theta, SIGMA), obs=y)


def simulate(generator):
    """One draw from the joint distribution, by NumPy alone: parameters and data."""
    mu, tau = generator.normal(1, 1), generator.lognormal(0, 0.5)
    theta = mu + tau * generator.normal(size=len(SIGMA))
    return {"mu": mu, "tau": tau, "theta": theta}, generator.normal(theta, SIGMA)


def quantities(values, y):
    """Named scalars of one parameter set or of many; their ranks are looked at."""
    log_likelihood = stats.norm.logpdf(y, values["theta"], SIGMA).sum(-1)
    return {
        "mu": values["mu"],
        "tau": values["tau"],
        "theta[0]": values["theta"][..., 0],
        "theta[3]": values["theta"][..., 3],
        "log likelihood": log_likelihood,
    }


@pytest.mark.statistics
@pytest.mark.filterwarnings("ignore:.*transitions diverged")
@pytest.mark.parametrize(
    "kernel",
    [
        pytest.param(NUTS(hierarchy, target_accept_prob=0.9), id="nuts"),
        pytest.param(HMC(hierarchy, target_accept_prob=0.9, trajectory_length=2.0), id="hmc"),
    ],
)
def test_ranks_are_uniform(kernel):
    thinning = 10
    mcmc = MCMC(
        kernel,
        num_warmup=500,
        num_samples=DRAWS * thinning,
        thinning=thinning,
        progress_bar=False,
    )
    generator = np.random.default_rng(31)
    ranks = []
    for replication in range(REPLICATIONS):
        true, y = simulate(generator)
        mcmc.run(jax.random.key(replication), y=y)
        draws = {name: np.asarray(x, float) for name, x in mcmc.get_samples().items()}
        truth, drawn = quantities(true, y), quantities(draws, y)
        ranks.append({name: int(np.sum(drawn[name] < truth[name])) for name in truth})
    for name in ranks[0]:
        counts = np.bincount([rank[name] * BINS // (DRAWS + 1) for rank in ranks], minlength=BINS)
        assert stats.chisquare(counts).pvalue > 1e-3, (name, counts)
