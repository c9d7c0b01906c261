"""Sample Adaptive MCMC with its states, from `sojourn_infer` and `sojourn_hmc`."""

from sojourn_hmc import SAAdaptState, SAState
from sojourn_infer import SA

__all__ = ["SA", "SAAdaptState", "SAState"]
