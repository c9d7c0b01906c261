"""The parameters of an Equinox module, and a variance beside them, as one position."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy import stats

from sojourn_hmc import MCMC, NUTS

x = np.linspace(-1.0, 1.0, 20)
y = 1 + 2 * x + 0.5 * np.sin(20 * x)

module = eqx.nn.Linear("scalar", "scalar", key=jax.random.key(1))
parameters, static = eqx.partition(module, eqx.is_inexact_array)


def log_density(position):
    parameters, log_variance = position
    line = eqx.combine(parameters, static)
    variance = jnp.exp(log_variance)
    scale = jnp.sqrt(variance)
    log_prior = stats.gamma.logpdf(1 / variance, 3.0) - log_variance
    for leaf in jax.tree.leaves(parameters):
        log_prior += stats.norm.logpdf(leaf, 0, 10 * scale).sum()
    return log_prior + stats.norm.logpdf(y, jax.vmap(line)(x), scale).sum()


mcmc = MCMC(
    NUTS(potential_fn=lambda position: -log_density(position)),
    num_warmup=500,
    num_samples=1000,
    num_chains=4,
    progress_bar=False,
)
start = jax.tree.map(lambda leaf: np.stack([leaf] * 4), (parameters, np.float32(0)))  # 4 chains
mcmc.run(jax.random.key(0), init_params=start)
mcmc.print_summary()

sampled, _ = mcmc.get_samples()  # a module whose parameters have a leading axis of draws
lines = jax.vmap(lambda parameters: jax.vmap(eqx.combine(parameters, static))(x))(sampled)
