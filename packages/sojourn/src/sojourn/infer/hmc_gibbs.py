"""Kernels that move some sites given the others, from `sojourn_gibbs`."""

from sojourn_gibbs import (
    HMCECS,
    CustomGibbs,
    DiscreteGibbs,
    DiscreteHMCGibbs,
    Gibbs,
    GibbsState,
    GibbsUpdateFn,
    HMCECSState,
    HMCGibbs,
    HMCGibbsState,
    discrete_latent_sites,
    taylor_proxy,
)

__all__ = [
    "HMCECS",
    "CustomGibbs",
    "DiscreteGibbs",
    "DiscreteHMCGibbs",
    "Gibbs",
    "GibbsState",
    "GibbsUpdateFn",
    "HMCECSState",
    "HMCGibbs",
    "HMCGibbsState",
    "discrete_latent_sites",
    "taylor_proxy",
]
