"""The examples of the document that the project was made from, under its own names.

Each is as it stands there, its asserts among it, with `numpyro` read as `sojourn`; what it does not
assert is compared with the closed form. The examples of HMCECS, of chains inside a parallel map and
of TFP's kernels are among the tests of these.
"""

from collections import namedtuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import random

import sojourn as numpyro
import sojourn.distributions as dist
from sojourn.infer import (
    HMC,
    MCMC,
    NUTS,
    BarkerMH,
    DiscreteHMCGibbs,
    HMCGibbs,
    MixedHMC,
    Predictive,
)
from sojourn.infer.hmc import hmc
from sojourn.infer.util import initialize_model
from sojourn.util import fori_collect
from sojourn_hmc import effective_sample_size

# Some examples draw too little for a posterior, which a run says.
pytestmark = pytest.mark.filterwarnings("ignore::sojourn_hmc.SamplingWarning")


def test_mcmc_kernel(capsys):
    MHState = namedtuple("MHState", ["u", "rng_key"])

    class MetropolisHastings(numpyro.infer.mcmc.MCMCKernel):
        sample_field = "u"

        def __init__(self, potential_fn, step_size=0.1):
            self.potential_fn = potential_fn
            self.step_size = step_size

        def init(self, rng_key, num_warmup, init_params, model_args, model_kwargs):
            return MHState(init_params, rng_key)

        def sample(self, state, model_args, model_kwargs):
            u, rng_key = state
            rng_key, key_proposal, key_accept = random.split(rng_key, 3)
            u_proposal = dist.Normal(u, self.step_size).sample(key_proposal)
            accept_prob = jnp.exp(self.potential_fn(u) - self.potential_fn(u_proposal))
            u_new = jnp.where(dist.Uniform().sample(key_accept) < accept_prob, u_proposal, u)
            return MHState(u_new, rng_key)

    def f(x):
        return ((x - 2) ** 2).sum()

    kernel = MetropolisHastings(f)
    mcmc = MCMC(kernel, num_warmup=1000, num_samples=1000)
    mcmc.run(random.PRNGKey(0), init_params=jnp.array([1.0, 2.0]))
    posterior_samples = mcmc.get_samples()
    mcmc.print_summary()

    assert "Param:0[1]" in capsys.readouterr().out
    effective = effective_sample_size(np.asarray(posterior_samples)[None])
    error = np.sqrt(0.5 / effective)
    assert (abs(posterior_samples.mean(0) - 2) < 4.5 * error).all()


def test_barker_mh():
    def model():
        x = numpyro.sample("x", dist.Normal().expand([10]))
        numpyro.sample("obs", dist.Normal(x, 1.0), obs=jnp.ones(10))

    kernel = BarkerMH(model)
    mcmc = MCMC(kernel, num_warmup=1000, num_samples=1000, progress_bar=True)
    mcmc.run(jax.random.PRNGKey(0))
    mcmc.print_summary()

    x = np.asarray(mcmc.get_samples()["x"])
    effective = np.asarray(effective_sample_size(x[None]))
    assert (abs(x.mean(0) - 0.5) < 4.5 * np.sqrt(0.5 / effective)).all()


def test_hmc_gibbs():
    def model():
        x = numpyro.sample("x", dist.Normal(0.0, 2.0))
        y = numpyro.sample("y", dist.Normal(0.0, 2.0))
        numpyro.sample("obs", dist.Normal(x + y, 1.0), obs=jnp.array([1.0]))

    def gibbs_fn(rng_key, gibbs_sites, hmc_sites):
        y = hmc_sites["y"]
        new_x = dist.Normal(0.8 * (1 - y), jnp.sqrt(0.8)).sample(rng_key)
        return {"x": new_x}

    hmc_kernel = NUTS(model)
    kernel = HMCGibbs(hmc_kernel, gibbs_fn=gibbs_fn, gibbs_sites=["x"])
    mcmc = MCMC(kernel, num_warmup=100, num_samples=100, progress_bar=False)
    mcmc.run(random.PRNGKey(0))
    mcmc.print_summary()

    samples = mcmc.get_samples()
    both = np.asarray(samples["x"] + samples["y"])
    # The sum has mean 8 / 9 and variance 8 / 9; x and y by themselves mix slowly.
    effective = float(effective_sample_size(both[None]))
    assert abs(both.mean() - 8 / 9) < 4.5 * np.sqrt(8 / 9 / effective)


def mixture(probs, locs):
    c = numpyro.sample("c", dist.Categorical(probs))
    numpyro.sample("x", dist.Normal(locs[c], 0.5))


PROBS = jnp.array([0.15, 0.3, 0.3, 0.25])
LOCS = jnp.array([-2, 0, 2, 4])


def test_discrete_hmc_gibbs():
    kernel = DiscreteHMCGibbs(NUTS(mixture), modified=True)
    mcmc = MCMC(kernel, num_warmup=1000, num_samples=100000, progress_bar=False)
    mcmc.run(random.PRNGKey(0), PROBS, LOCS)
    mcmc.print_summary()
    samples = mcmc.get_samples()["x"]
    assert abs(jnp.mean(samples) - 1.3) < 0.1
    assert abs(jnp.var(samples) - 4.36) < 0.5


def test_mixed_hmc():
    kernel = MixedHMC(HMC(mixture, trajectory_length=1.2), num_discrete_updates=20)
    mcmc = MCMC(kernel, num_warmup=1000, num_samples=100000, progress_bar=False)
    mcmc.run(random.PRNGKey(0), PROBS, LOCS)
    mcmc.print_summary()
    samples = mcmc.get_samples()
    assert "x" in samples and "c" in samples
    assert abs(jnp.mean(samples["x"]) - 1.3) < 0.1
    assert abs(jnp.var(samples["x"]) - 4.36) < 0.5


def test_hmc_as_functions():
    true_coefs = jnp.array([1.0, 2.0, 3.0])
    data = random.normal(random.PRNGKey(2), (2000, 3))
    labels = dist.Bernoulli(logits=(true_coefs * data).sum(-1)).sample(random.PRNGKey(3))

    def model(data, labels):
        coefs = numpyro.sample("coefs", dist.Normal(jnp.zeros(3), jnp.ones(3)))
        intercept = numpyro.sample("intercept", dist.Normal(0.0, 10.0))
        return numpyro.sample(
            "y", dist.Bernoulli(logits=(coefs * data + intercept).sum(-1)), obs=labels
        )

    model_info = initialize_model(random.PRNGKey(0), model, model_args=(data, labels))
    init_kernel, sample_kernel = hmc(model_info.potential_fn, algo="NUTS")
    hmc_state = init_kernel(model_info.param_info, trajectory_length=10, num_warmup=300)
    samples = fori_collect(
        0,
        500,
        sample_kernel,
        hmc_state,
        transform=lambda state: model_info.postprocess_fn(state.z),
    )
    mean = jnp.mean(samples["coefs"], axis=0)
    # What the document prints; its standard deviations are 0.06 to 0.1, and of 500 draws the first
    # 300 were the warmup.
    np.testing.assert_allclose(mean, [0.9153987, 2.0754058, 2.9621222], atol=0.1)


def normal():
    numpyro.sample("z", dist.Normal(1.0, 2.0))


def test_a_run_after_a_run():
    mcmc = MCMC(NUTS(normal), num_warmup=100, num_samples=100)
    mcmc.run(random.PRNGKey(0))
    first_100_samples = mcmc.get_samples()
    mcmc.post_warmup_state = mcmc.last_state
    mcmc.run(mcmc.post_warmup_state.rng_key)  # or mcmc.run(random.PRNGKey(1))
    second_100_samples = mcmc.get_samples()

    assert first_100_samples["z"].shape == second_100_samples["z"].shape == (100,)
    assert not np.intersect1d(first_100_samples["z"], second_100_samples["z"]).size
    mcmc.post_warmup_state = mcmc.last_state
    mcmc.run(random.PRNGKey(1))
    assert int(mcmc.last_state.i) == 400


def test_samples_go_to_predictive():
    def model(x, y=None):
        slope = numpyro.sample("slope", dist.Normal(0.0, 1.0))
        numpyro.sample("y", dist.Normal(slope * x, 0.1), obs=y)

    mcmc = MCMC(NUTS(model), num_warmup=200, num_samples=200, progress_bar=False)
    mcmc.run(random.PRNGKey(0), jnp.ones(4), y=0.7 * jnp.ones(4))
    rng_key1, model_args, model_kwargs = random.PRNGKey(1), (2 * jnp.ones(3),), {}

    posterior_samples = mcmc.get_samples()
    predictive = Predictive(model, posterior_samples=posterior_samples)
    samples = predictive(rng_key1, *model_args, **model_kwargs)

    # The slope has precision 1 + 400 and mean 280 / 401.
    assert samples["y"].shape == (200, 3)
    spread = np.sqrt(0.01 + 4 / 401)
    assert (abs(samples["y"].mean(0) - 2 * 280 / 401) < 4.5 * spread / np.sqrt(50)).all()
