"""The chain driver and the contract of kernels, from `sojourn_hmc`."""

from sojourn_hmc import MCMC, MCMCKernel

__all__ = ["MCMC", "MCMCKernel"]
