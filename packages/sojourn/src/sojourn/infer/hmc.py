"""HMC and NUTS with their states, from `sojourn_infer` and `sojourn_hmc`."""

from sojourn_hmc import HMCAdaptState, HMCState, hmc
from sojourn_infer import HMC, NUTS

__all__ = ["HMC", "NUTS", "HMCAdaptState", "HMCState", "hmc"]
