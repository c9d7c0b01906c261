"""HMC and NUTS with their states, from `sojourn_infer` and `sojourn_hmc`."""

from sojourn_hmc import HMCState
from sojourn_infer import HMC, NUTS

__all__ = ["HMC", "NUTS", "HMCState"]
