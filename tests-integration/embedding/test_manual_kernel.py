"""The reference manual's example of a kernel, word for word, with Sojourn in NumPyro's place."""

from collections import namedtuple

import jax.numpy as jnp
import numpy as np
import pytest
from jax import random

import sojourn as numpyro
import sojourn.distributions as dist
from sojourn.infer import MCMC

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


@pytest.mark.filterwarnings("ignore::sojourn_hmc.SamplingWarning")  # steps of 0.1 are small
def test_the_example_as_it_stands(capsys):
    kernel = MetropolisHastings(f)
    mcmc = MCMC(kernel, num_warmup=1000, num_samples=1000, progress_bar=False)
    mcmc.run(random.PRNGKey(0), init_params=jnp.array([1.0, 2.0]))
    posterior_samples = mcmc.get_samples()
    mcmc.print_summary()
    assert posterior_samples.shape == (1000, 2)
    table = capsys.readouterr().out
    assert "Param:0[0]" in table and "Param:0[1]" in table


def test_every_chain_method_draws_the_target_alike():
    kernel = MetropolisHastings(f, step_size=1.5)
    drawn = []
    for method in ("parallel", "sequential", "vectorized"):
        mcmc = MCMC(
            kernel,
            num_warmup=200,
            num_samples=5000,
            num_chains=3,
            chain_method=method,
            progress_bar=False,
        )
        mcmc.run(random.PRNGKey(0), init_params=jnp.ones((3, 2)))
        drawn.append(np.asarray(mcmc.get_samples(group_by_chain=True), float))
    np.testing.assert_array_equal(drawn[0], drawn[1])
    np.testing.assert_allclose(drawn[0], drawn[2], rtol=1e-5)
    draws = drawn[0].reshape(-1, 2)
    error = np.sqrt(0.5 / (len(draws) / 10))  # an autocorrelation time of less than 10
    assert (abs(draws.mean(0) - 2) < 4.5 * error).all()
    assert (abs(draws.var(0) - 0.5) < 4.5 * np.sqrt(2) * error * np.sqrt(0.5)).all()
