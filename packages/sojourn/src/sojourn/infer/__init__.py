"""Inference: the MCMC driver and its kernels, of the packages that `sojourn` stands on."""

from sojourn.infer import barker, hmc, hmc_gibbs, hmc_util, initialization, inspect, mcmc, sa, util
from sojourn_gibbs import HMCECS
from sojourn_infer import (
    HMC,
    MCMC,
    NUTS,
    SA,
    BarkerMH,
    MCMCKernel,
    Predictive,
    init_to_feasible,
    init_to_mean,
    init_to_median,
    init_to_sample,
    init_to_uniform,
    init_to_value,
    log_density,
    log_likelihood,
)

__all__ = [
    "HMC",
    "HMCECS",
    "MCMC",
    "NUTS",
    "SA",
    "BarkerMH",
    "MCMCKernel",
    "Predictive",
    "barker",
    "hmc",
    "hmc_gibbs",
    "hmc_util",
    "init_to_feasible",
    "init_to_mean",
    "init_to_median",
    "init_to_sample",
    "init_to_uniform",
    "init_to_value",
    "initialization",
    "inspect",
    "log_density",
    "log_likelihood",
    "mcmc",
    "sa",
    "util",
]
