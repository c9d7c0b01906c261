"""A log density over a dict of arrays, sampled with `sojourn_hmc` alone."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy import stats

from sojourn_hmc import MCMC, NUTS

x = np.linspace(-1.0, 1.0, 20)
y = 1 + 2 * x + 0.5 * np.sin(20 * x)


def log_density(position):
    variance = jnp.exp(position["log_variance"])
    scale = jnp.sqrt(variance)
    fit = position["intercept"] + position["slope"] * x
    return (
        stats.gamma.logpdf(1 / variance, 3.0)  # the variance is inverse-gamma with shape 3, scale 1
        - position["log_variance"]  # |d(1/variance)/d(log variance)|, the Jacobian
        + stats.norm.logpdf(position["intercept"], 0, 10 * scale)
        + stats.norm.logpdf(position["slope"], 0, 10 * scale)
        + stats.norm.logpdf(y, fit, scale).sum()
    )


mcmc = MCMC(
    NUTS(potential_fn=lambda position: -log_density(position)),
    num_warmup=500,
    num_samples=1000,
    num_chains=4,
    progress_bar=False,
)
start = {name: np.zeros(4) for name in ("intercept", "slope", "log_variance")}  # 4 chains
mcmc.run(jax.random.key(0), init_params=start)
mcmc.print_summary()
