"""Sojourn: Markov chain Monte Carlo for probabilistic programs on JAX.

The names and places are those of NumPyro, so that ``import sojourn as numpyro`` serves programs
that draw by MCMC. Importing creates no array and starts no backend; it asks XLA for native loops on
the CPU (see `sojourn_hmc.native_loops`; ``SOJOURN_NATIVE_LOOPS=0`` turns that off).
"""

from sojourn import diagnostics, distributions, handlers, infer, ops, primitives, util
from sojourn._version import __version__
from sojourn.util import enable_x64, set_host_device_count, set_platform
from sojourn_distributions import enable_validation, validation_enabled
from sojourn_hmc import native_loops
from sojourn_primitives import (
    deterministic,
    factor,
    get_mask,
    param,
    plate,
    plate_stack,
    print_model,
    prng_key,
    render_model,
    sample,
    subsample,
)

native_loops.enable()

__all__ = [
    "__version__",
    "deterministic",
    "diagnostics",
    "distributions",
    "enable_validation",
    "enable_x64",
    "factor",
    "get_mask",
    "handlers",
    "infer",
    "native_loops",
    "ops",
    "param",
    "plate",
    "plate_stack",
    "primitives",
    "print_model",
    "prng_key",
    "render_model",
    "sample",
    "set_host_device_count",
    "set_platform",
    "subsample",
    "util",
    "validation_enabled",
]
