"""Pathfinder's starts on models: in the support, in the bulk, and taken by a run."""

import jax
import numpy as np
import pytest
from scipy import stats

import sojourn_distributions as dist
from sojourn_infer import MCMC, NUTS, constrain_fn, pathfinder
from sojourn_primitives import sample

Y = np.random.default_rng(0).gamma(2.0, 1 / 0.01, 40).astype(np.float32)


def model(y):
    """A skewed posterior with bounds, far from where uniform starts are."""
    shape = sample("shape", dist.Exponential(0.1))
    top = sample("top", dist.Uniform(1000.0, 4000.0))
    rate = sample("rate", dist.LogNormal(0.0, 5.0))
    sample("y", dist.Gamma(shape, rate), obs=y)
    sample("largest", dist.Normal(top, 100.0), obs=3000.0)


@pytest.mark.filterwarnings("ignore:.*Pareto k")
def test_starts_of_a_bounded_skewed_model():
    found = pathfinder(jax.random.key(0), model, model_args=(Y,), num_chains=4)
    assert set(found.init_params) == {"rate", "shape", "top"}
    starts = constrain_fn(model, (Y,), {}, found.init_params, batch_ndims=1)
    assert np.all(np.abs(starts["top"] - 3000) < 600)
    mean = starts["shape"] / starts["rate"]
    assert np.all(np.abs(np.log(mean / Y.mean())) < 0.7)
    assert np.all((starts["shape"] > 0.7) & (starts["shape"] < 6))
    kernel = NUTS(model, adaptation=found.adaptation)
    mcmc = MCMC(kernel, num_warmup=150, num_samples=150, num_chains=4, progress_bar=False)
    mcmc.run(jax.random.key(1), Y, init_params=found.init_params)
    top = np.asarray(mcmc.get_samples()["top"])
    assert abs(top.mean() - 3000) < 4 * 100 / np.sqrt(150)
    assert stats.kstest(top[::4], stats.norm(3000, 100).cdf).pvalue > 1e-3


def test_what_cannot_be_sampled_is_said_first(compilations):
    compilations.settle().clear()
    with pytest.raises(ValueError, match=r"'y'.*outside"):
        pathfinder(jax.random.key(0), model, model_args=(-Y,))
    with pytest.raises(TypeError, match="model function"):
        pathfinder(jax.random.key(0), None)
