"""Where a model becomes a target: densities, initial values, and the kernels that users name."""

from sojourn_hmc import MCMC, MCMCKernel, Target
from sojourn_infer._version import __version__
from sojourn_infer.barker import BarkerMH
from sojourn_infer.density import log_density
from sojourn_infer.dependencies import get_dependencies
from sojourn_infer.initialization import (
    init_to_feasible,
    init_to_mean,
    init_to_median,
    init_to_sample,
    init_to_uniform,
    init_to_value,
)
from sojourn_infer.kernels import HMC, NUTS
from sojourn_infer.log_likelihood import log_likelihood
from sojourn_infer.log_probs import compute_log_probs
from sojourn_infer.model_info import (
    ModelInfo,
    ParamInfo,
    find_valid_initial_params,
    initialize_model,
)
from sojourn_infer.pathfinding import pathfinder
from sojourn_infer.potential import get_potential_fn, potential_energy
from sojourn_infer.predictive import Predictive
from sojourn_infer.sa import SA
from sojourn_infer.spaces import constrain_fn, transform_fn, unconstrain_fn
from sojourn_infer.target import ModelTarget
from sojourn_infer.tempering import TemperedDistribution, temper

__all__ = [
    "HMC",
    "MCMC",
    "NUTS",
    "SA",
    "BarkerMH",
    "MCMCKernel",
    "ModelInfo",
    "ModelTarget",
    "ParamInfo",
    "Predictive",
    "Target",
    "TemperedDistribution",
    "__version__",
    "compute_log_probs",
    "constrain_fn",
    "find_valid_initial_params",
    "get_dependencies",
    "get_potential_fn",
    "init_to_feasible",
    "init_to_mean",
    "init_to_median",
    "init_to_sample",
    "init_to_uniform",
    "init_to_value",
    "initialize_model",
    "log_density",
    "log_likelihood",
    "pathfinder",
    "potential_energy",
    "temper",
    "transform_fn",
    "unconstrain_fn",
]
