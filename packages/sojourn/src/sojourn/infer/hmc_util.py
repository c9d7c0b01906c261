"""What HMC's adaptation carries, from `sojourn_hmc`; merged draws, from `sojourn_parallel`."""

from sojourn_hmc import HMCAdaptState
from sojourn_parallel import consensus, parametric, parametric_draws

__all__ = ["HMCAdaptState", "consensus", "parametric", "parametric_draws"]
