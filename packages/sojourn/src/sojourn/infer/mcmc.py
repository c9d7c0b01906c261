"""The chain driver and the contract of kernels, from `sojourn_hmc`."""

from sojourn_hmc import (
    MCMC,
    CheckpointError,
    DrawStore,
    EffectiveSampleSize,
    MCMCKernel,
    NumpyStore,
    RHat,
    RunView,
    StoppingRule,
    WallTime,
    ZarrStore,
)

__all__ = [
    "MCMC",
    "CheckpointError",
    "DrawStore",
    "EffectiveSampleSize",
    "MCMCKernel",
    "NumpyStore",
    "RHat",
    "RunView",
    "StoppingRule",
    "WallTime",
    "ZarrStore",
]
