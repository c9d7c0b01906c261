"""Mixed Hamiltonian Monte Carlo, from `sojourn_gibbs`."""

from sojourn_gibbs import MixedHMC, MixedHMCState

__all__ = ["MixedHMC", "MixedHMCState"]
