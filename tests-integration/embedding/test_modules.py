"""Neural networks of Equinox and Flax NNX: positions that are modules, with parts not sampled."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy import stats

from sojourn_hmc import MCMC, NUTS

pytestmark = [
    pytest.mark.filterwarnings("default"),  # what the libraries say of their own use of JAX
    pytest.mark.filterwarnings("ignore::sojourn_hmc.SamplingWarning"),  # weights have many modes
]

X = np.linspace(-2, 2, 24, dtype=np.float32)
Y = np.abs(X).astype(np.float32)
NOISE = np.float32(0.2)


def log_density(predict, parameters):
    log_prior = sum(stats.norm.logpdf(leaf).sum() for leaf in jax.tree.leaves(parameters))
    return log_prior + stats.norm.logpdf(Y, predict(parameters), NOISE).sum()


def equinox_network(foreign):
    """A network with an activation, a function, among its leaves."""
    eqx = foreign("equinox")
    network = eqx.nn.MLP("scalar", "scalar", 6, 1, activation=jnp.tanh, key=jax.random.key(0))
    parameters, static = eqx.partition(network, eqx.is_inexact_array)
    assert any(callable(leaf) for leaf in jax.tree.leaves(static))
    return parameters, lambda parameters: jax.vmap(eqx.combine(parameters, static))(X)


def flax_network(foreign):
    """A network with a batch normalisation, whose statistics are no parameters."""
    nnx = foreign("flax.nnx")

    class Network(nnx.Module):
        def __init__(self, rngs):
            self.hidden = nnx.Linear(1, 6, rngs=rngs)
            self.norm = nnx.BatchNorm(6, use_running_average=True, rngs=rngs)
            self.output = nnx.Linear(6, 1, rngs=rngs)

        def __call__(self, x):
            return self.output(jnp.tanh(self.norm(self.hidden(x))))

    graph, parameters, rest = nnx.split(Network(nnx.Rngs(0)), nnx.Param, ...)
    assert jax.tree.leaves(rest)

    def predict(parameters):
        return nnx.merge(graph, parameters, rest)(X[:, None])[:, 0]

    return parameters, predict


@pytest.mark.parametrize("network", [equinox_network, flax_network])
def test_the_parameters_of_a_network(network, foreign):
    parameters, predict = network(foreign)
    kernel = NUTS(potential_fn=lambda position: -log_density(predict, position), max_tree_depth=5)
    start = jax.tree.map(lambda leaf: np.stack([leaf] * 2), parameters)
    drawn = {}
    for method in ("parallel", "sequential", "vectorized"):
        mcmc = MCMC(
            kernel,
            num_warmup=200,
            num_samples=100,
            num_chains=2,
            chain_method=method,
            progress_bar=False,
        )
        mcmc.run(jax.random.key(1), init_params=start)
        samples = mcmc.get_samples(group_by_chain=True)
        assert type(samples) is type(parameters)
        assert jax.tree.structure(samples) == jax.tree.structure(parameters)
        shapes = [(2, 100, *leaf.shape) for leaf in jax.tree.leaves(parameters)]
        assert [leaf.shape for leaf in jax.tree.leaves(samples)] == shapes
        fits = jax.jit(jax.vmap(jax.vmap(predict)))(samples)
        # The network bends at 0, which no line does: a line leaves errors of 0.35 and more.
        assert np.sqrt(np.mean((np.asarray(fits).mean((0, 1)) - Y) ** 2)) < 0.2, method
        drawn[method] = jax.tree.leaves(samples)
    for both in zip(drawn["parallel"], drawn["sequential"], strict=True):
        np.testing.assert_array_equal(*both)
