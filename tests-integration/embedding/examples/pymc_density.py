"""A PyMC model by its own JAX density: PyMC states it, Sojourn draws."""

import jax
import numpy as np
import pymc as pm
from pymc.sampling.jax import get_jaxified_graph, get_jaxified_logp

from sojourn_hmc import MCMC, NUTS

x = np.linspace(-1.0, 1.0, 20)
y = 1 + 2 * x + 0.5 * np.sin(20 * x)

with pm.Model() as model:
    variance = pm.InverseGamma("variance", alpha=3, beta=1)
    intercept = pm.Normal("intercept", 0, 10 * variance**0.5)
    slope = pm.Normal("slope", 0, 10 * variance**0.5)
    pm.Normal("y", intercept + slope * x, variance**0.5, observed=y)

log_density = get_jaxified_logp(model)  # of a list of values on the unconstrained space
outputs = [var for var in model.unobserved_value_vars if not var.name.endswith("__")]
constrain = get_jaxified_graph(inputs=model.value_vars, outputs=outputs)

mcmc = MCMC(
    NUTS(potential_fn=lambda position: -log_density(position)),
    num_warmup=500,
    num_samples=1000,
    num_chains=4,
    postprocess_fn=lambda position: {
        var.name: value for var, value in zip(outputs, constrain(*position), strict=True)
    },
    progress_bar=False,
)
start = [np.stack([value] * 4) for value in model.initial_point().values()]  # 4 chains
mcmc.run(jax.random.key(0), init_params=start)
mcmc.print_summary()
