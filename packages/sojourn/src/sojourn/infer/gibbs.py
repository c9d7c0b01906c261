"""Compositions of blocks, from `sojourn_gibbs`."""

from sojourn_gibbs import (
    CustomGibbs,
    CustomGibbsState,
    DiscreteGibbs,
    DiscreteGibbsState,
    Gibbs,
    GibbsState,
    GibbsUpdateFn,
    discrete_latent_sites,
)

__all__ = [
    "CustomGibbs",
    "CustomGibbsState",
    "DiscreteGibbs",
    "DiscreteGibbsState",
    "Gibbs",
    "GibbsState",
    "GibbsUpdateFn",
    "discrete_latent_sites",
]
