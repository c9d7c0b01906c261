"""PyMC's own sampling function with Sojourn in NumPyro's place."""

import sys

import numpy as np
import pymc as pm

import sojourn

sys.modules["numpyro"] = sojourn  # PyMC asks for numpyro.infer.MCMC and NUTS
sys.modules["numpyro.infer"] = sojourn.infer

x = np.linspace(-1.0, 1.0, 20)
y = 1 + 2 * x + 0.5 * np.sin(20 * x)

with pm.Model() as model:
    variance = pm.InverseGamma("variance", alpha=3, beta=1)
    intercept = pm.Normal("intercept", 0, 10 * variance**0.5)
    slope = pm.Normal("slope", 0, 10 * variance**0.5)
    pm.Normal("y", intercept + slope * x, variance**0.5, observed=y)

    idata = pm.sample(
        draws=1000, tune=500, chains=4, nuts_sampler="numpyro", random_seed=1, progressbar=False
    )

print(idata.posterior.mean())
