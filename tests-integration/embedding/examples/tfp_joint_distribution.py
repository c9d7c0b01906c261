"""A joint distribution of TensorFlow Probability on JAX, pinned at data, with its bijectors."""

import jax
import jax.numpy as jnp
import numpy as np
from tensorflow_probability.substrates.jax import distributions as tfd

from sojourn_hmc import MCMC, NUTS

x = np.linspace(-1.0, 1.0, 20, dtype=np.float32)
y = 1 + 2 * x + np.float32(0.5) * np.sin(20 * x)

joint = tfd.JointDistributionNamedAutoBatched(
    {
        "variance": tfd.InverseGamma(3.0, 1.0),
        "intercept": lambda variance: tfd.Normal(0.0, 10 * jnp.sqrt(variance)),
        "slope": lambda variance: tfd.Normal(0.0, 10 * jnp.sqrt(variance)),
        "y": lambda variance, intercept, slope: tfd.Normal(
            intercept + slope * x, jnp.sqrt(variance)
        ),
    }
)
posterior = joint.experimental_pin(y=y)
bijector = posterior.experimental_default_event_space_bijector()


def potential(position):
    log_jacobian = bijector.forward_log_det_jacobian(position)
    return -posterior.unnormalized_log_prob(bijector.forward(position)) - log_jacobian


mcmc = MCMC(
    NUTS(potential_fn=potential),
    num_warmup=500,
    num_samples=1000,
    num_chains=4,
    postprocess_fn=bijector.forward,
    progress_bar=False,
)
prior_draws = posterior.sample_unpinned(4, seed=jax.random.key(1))  # where 4 chains start
mcmc.run(jax.random.key(0), init_params=bijector.inverse(prior_draws))
mcmc.print_summary()
