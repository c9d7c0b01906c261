"""Barker's Metropolis-Hastings with its state, from `sojourn_infer` and `sojourn_hmc`."""

from sojourn_hmc import BarkerMHState
from sojourn_infer import BarkerMH

__all__ = ["BarkerMH", "BarkerMHState"]
