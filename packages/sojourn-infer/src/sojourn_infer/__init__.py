"""Where a model becomes a target: densities, initial values, and the kernels that users name."""

from sojourn_hmc import MCMC, MCMCKernel, Target
from sojourn_infer._version import __version__
from sojourn_infer.barker import BarkerMH
from sojourn_infer.density import log_density
from sojourn_infer.initialization import (
    init_to_median,
    init_to_sample,
    init_to_uniform,
    init_to_value,
)
from sojourn_infer.kernels import HMC, NUTS
from sojourn_infer.sa import SA
from sojourn_infer.target import ModelTarget

__all__ = [
    "HMC",
    "MCMC",
    "NUTS",
    "SA",
    "BarkerMH",
    "MCMCKernel",
    "ModelTarget",
    "Target",
    "__version__",
    "init_to_median",
    "init_to_sample",
    "init_to_uniform",
    "init_to_value",
    "log_density",
]
