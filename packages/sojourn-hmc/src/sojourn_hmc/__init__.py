"""Hamiltonian Monte Carlo for any log density on JAX: kernels, adaptation, the chain driver."""

from sojourn_hmc._version import __version__
from sojourn_hmc.adaptation.warmup import HMCAdaptState
from sojourn_hmc.diagnostics import (
    SamplingWarning,
    effective_sample_size,
    hpdi,
    print_summary,
    split_gelman_rubin,
    summary,
)
from sojourn_hmc.hamiltonian import HamiltonianKernel, HMCState
from sojourn_hmc.hmc import HMC
from sojourn_hmc.kernel import MCMCKernel
from sojourn_hmc.mcmc import MCMC
from sojourn_hmc.nuts import NUTS
from sojourn_hmc.target import Potential, PotentialTarget, Setup, Target

__all__ = [
    "HMC",
    "MCMC",
    "NUTS",
    "HMCAdaptState",
    "HMCState",
    "HamiltonianKernel",
    "MCMCKernel",
    "Potential",
    "PotentialTarget",
    "SamplingWarning",
    "Setup",
    "Target",
    "__version__",
    "effective_sample_size",
    "hpdi",
    "print_summary",
    "split_gelman_rubin",
    "summary",
]
