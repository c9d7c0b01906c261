"""MCMC kernels that move some sites of a model given the others."""

from sojourn_gibbs._version import __version__
from sojourn_gibbs.conditional_target import Given, conditional_target, conditioned
from sojourn_gibbs.custom_gibbs import CustomGibbs, CustomGibbsState, GibbsUpdateFn
from sojourn_gibbs.discrete_gibbs import DiscreteGibbs, DiscreteGibbsState
from sojourn_gibbs.ecs import taylor_proxy
from sojourn_gibbs.ecs.hmcecs import HMCECS, HMCECSState
from sojourn_gibbs.gibbs import Gibbs, GibbsState
from sojourn_gibbs.hmc_gibbs import DiscreteHMCGibbs, HMCGibbs, HMCGibbsState
from sojourn_gibbs.latents import discrete_latent_sites
from sojourn_gibbs.mixed_hmc import MixedHMC, MixedHMCState

__all__ = [
    "HMCECS",
    "CustomGibbs",
    "CustomGibbsState",
    "DiscreteGibbs",
    "DiscreteGibbsState",
    "DiscreteHMCGibbs",
    "Gibbs",
    "GibbsState",
    "GibbsUpdateFn",
    "Given",
    "HMCECSState",
    "HMCGibbs",
    "HMCGibbsState",
    "MixedHMC",
    "MixedHMCState",
    "__version__",
    "conditional_target",
    "conditioned",
    "discrete_latent_sites",
    "taylor_proxy",
]
