"""The parameters of a Flax NNX module, and a variance beside them, as one position."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.scipy import stats

from sojourn_hmc import MCMC, NUTS

x = np.linspace(-1.0, 1.0, 20)
y = 1 + 2 * x + 0.5 * np.sin(20 * x)

module = nnx.Linear(1, 1, rngs=nnx.Rngs(0))
graph, parameters = nnx.split(module, nnx.Param)


def log_density(position):
    line = nnx.merge(graph, position["parameters"])
    variance = jnp.exp(position["log_variance"])
    scale = jnp.sqrt(variance)
    log_prior = stats.gamma.logpdf(1 / variance, 3.0) - position["log_variance"]
    for leaf in jax.tree.leaves(position["parameters"]):
        log_prior += stats.norm.logpdf(leaf, 0, 10 * scale).sum()
    return log_prior + stats.norm.logpdf(y, line(x[:, None])[:, 0], scale).sum()


mcmc = MCMC(
    NUTS(potential_fn=lambda position: -log_density(position)),
    num_warmup=500,
    num_samples=1000,
    num_chains=4,
    progress_bar=False,
)
one = {"parameters": parameters, "log_variance": np.float32(0)}
start = jax.tree.map(lambda leaf: np.stack([leaf] * 4), one)  # 4 chains
mcmc.run(jax.random.key(0), init_params=start)
mcmc.print_summary()

sampled = mcmc.get_samples()["parameters"]  # a leading axis of draws in every leaf
lines = jax.vmap(lambda parameters: nnx.merge(graph, parameters)(x[:, None])[:, 0])(sampled)
