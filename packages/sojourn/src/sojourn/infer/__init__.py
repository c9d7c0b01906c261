"""Inference: the MCMC driver and its kernels, from `sojourn_infer` and `sojourn_hmc`."""

from sojourn.infer import barker, hmc, initialization, inspect, mcmc, sa, util
from sojourn_infer import (
    HMC,
    MCMC,
    NUTS,
    SA,
    BarkerMH,
    MCMCKernel,
    init_to_median,
    init_to_sample,
    init_to_uniform,
    init_to_value,
    log_density,
)

__all__ = [
    "HMC",
    "MCMC",
    "NUTS",
    "SA",
    "BarkerMH",
    "MCMCKernel",
    "barker",
    "hmc",
    "init_to_median",
    "init_to_sample",
    "init_to_uniform",
    "init_to_value",
    "initialization",
    "inspect",
    "log_density",
    "mcmc",
    "sa",
    "util",
]
