"""Hamiltonian Monte Carlo for any log density on JAX: kernels, adaptation, the chain driver."""

from sojourn_hmc._version import __version__
from sojourn_hmc.adaptation.pooled import Pooled
from sojourn_hmc.adaptation.saved import Adaptation
from sojourn_hmc.adaptation.shared import Poolable, SharedWarmup
from sojourn_hmc.adaptation.warmup import HMCAdaptState, Observation, Warmup, WarmupSettings
from sojourn_hmc.barker import BarkerMH, BarkerMHState
from sojourn_hmc.checkpoint import CheckpointError
from sojourn_hmc.collect import fori_collect
from sojourn_hmc.compilation_cache import enable_compilation_cache
from sojourn_hmc.diagnostics import (
    SamplingWarning,
    autocorrelation,
    autocovariance,
    e_bfmi,
    effective_sample_size,
    ess_bulk,
    ess_tail,
    gelman_rubin,
    hpdi,
    mcse_mean,
    mcse_quantile,
    print_summary,
    rhat,
    split_gelman_rubin,
    summary,
)
from sojourn_hmc.fixed_length import HMC
from sojourn_hmc.functional import hmc
from sojourn_hmc.hamiltonian import HamiltonianKernel
from sojourn_hmc.hmc_state import HMCState
from sojourn_hmc.integrator import (
    Splitting,
    three_stage,
    three_stage_minimum_error,
    two_stage,
    two_stage_minimum_error,
    velocity_verlet,
)
from sojourn_hmc.kernel import MCMCKernel
from sojourn_hmc.kinetic import KineticFn
from sojourn_hmc.low_rank import LowRank
from sojourn_hmc.mcmc import MCMC
from sojourn_hmc.nuts import NUTS
from sojourn_hmc.pathfinding import Pathfinder, pathfinder
from sojourn_hmc.sa import SA, SAAdaptState, SAState
from sojourn_hmc.stepwise import Meeting, Steps
from sojourn_hmc.stopping import EffectiveSampleSize, RHat, StoppingRule, WallTime
from sojourn_hmc.stores import DrawStore, NumpyStore, ZarrStore
from sojourn_hmc.target import ModelBased, Potential, PotentialTarget, Setup, Target
from sojourn_hmc.target_kernel import TargetKernel
from sojourn_hmc.view import RunView

__all__ = [
    "HMC",
    "MCMC",
    "NUTS",
    "SA",
    "Adaptation",
    "BarkerMH",
    "BarkerMHState",
    "CheckpointError",
    "DrawStore",
    "EffectiveSampleSize",
    "HMCAdaptState",
    "HMCState",
    "HamiltonianKernel",
    "KineticFn",
    "LowRank",
    "MCMCKernel",
    "Meeting",
    "ModelBased",
    "NumpyStore",
    "Observation",
    "Pathfinder",
    "Poolable",
    "Pooled",
    "Potential",
    "PotentialTarget",
    "RHat",
    "RunView",
    "SAAdaptState",
    "SAState",
    "SamplingWarning",
    "Setup",
    "SharedWarmup",
    "Splitting",
    "Steps",
    "StoppingRule",
    "Target",
    "TargetKernel",
    "WallTime",
    "Warmup",
    "WarmupSettings",
    "ZarrStore",
    "__version__",
    "autocorrelation",
    "autocovariance",
    "e_bfmi",
    "effective_sample_size",
    "enable_compilation_cache",
    "ess_bulk",
    "ess_tail",
    "fori_collect",
    "gelman_rubin",
    "hmc",
    "hpdi",
    "mcse_mean",
    "mcse_quantile",
    "pathfinder",
    "print_summary",
    "rhat",
    "split_gelman_rubin",
    "summary",
    "three_stage",
    "three_stage_minimum_error",
    "two_stage",
    "two_stage_minimum_error",
    "velocity_verlet",
]
