"""What HMC's adaptation carries from one transition to the next."""

from sojourn_hmc import HMCAdaptState

__all__ = ["HMCAdaptState"]
