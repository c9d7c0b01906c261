"""A class with the methods of `sojourn_hmc.Target`: data, constraints, explanations."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy import stats

from sojourn_hmc import MCMC, NUTS, Setup


class Regression:
    """A line with normal noise; conjugate priors. Its arguments are those of `MCMC.run`."""

    def check(self, model_args, model_kwargs, init_params):
        """Refuse what cannot be sampled, before anything is compiled."""
        x, y = model_args
        if np.shape(x) != np.shape(y):
            raise ValueError(f"x and y differ in shape: {np.shape(x)} and {np.shape(y)}")

    def setup(self, model_args, model_kwargs, init_params):
        """Bind the data: where chains start, the potential, and what a user reads."""
        x, y = model_args

        def start(key):
            if init_params is not None:
                return init_params
            position = jax.random.uniform(key, (3,), minval=-2.0, maxval=2.0)
            return {"line": position[:2], "log_variance": position[2]}

        def potential(position):
            variance, line = jnp.exp(position["log_variance"]), position["line"]
            scale = jnp.sqrt(variance)
            log_prior = (
                stats.gamma.logpdf(1 / variance, 3.0)
                - position["log_variance"]
                + stats.norm.logpdf(line, 0, 10 * scale).sum()
            )
            return -log_prior - stats.norm.logpdf(y, line[0] + line[1] * x, scale).sum()

        def constrain(position):
            line = position["line"]
            variance = jnp.exp(position["log_variance"])
            return {"intercept": line[0], "slope": line[1], "variance": variance}

        return Setup(start, potential, constrain)

    def explain(self, position, model_args, model_kwargs):
        """Complete the message when a chain cannot start."""
        bad = np.flatnonzero(~np.isfinite(model_args[1]))
        if bad.size:
            return f"y is not finite at {bad.size} places, first at index {bad[0]}"
        return f"the data are finite; look at the starting position {position}"


x = np.linspace(-1.0, 1.0, 20)
y = 1 + 2 * x + 0.5 * np.sin(20 * x)

mcmc = MCMC(NUTS(Regression()), num_warmup=500, num_samples=1000, num_chains=4, progress_bar=False)
mcmc.run(jax.random.key(0), x, y)
mcmc.print_summary()
