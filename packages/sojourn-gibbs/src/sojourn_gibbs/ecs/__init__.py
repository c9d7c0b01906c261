"""Energy conserving subsampling: HMC on a subsample of the data, which is updated in turn."""

from sojourn_gibbs.ecs.blocks import block_update
from sojourn_gibbs.ecs.estimator import perturbed_method
from sojourn_gibbs.ecs.hmcecs import HMCECS, HMCECSState
from sojourn_gibbs.ecs.perturbed_target import Subsample
from sojourn_gibbs.ecs.taylor import (
    Reference,
    TaylorOneProxyState,
    TaylorProxy,
    TaylorTwoProxyState,
    taylor_proxy,
)

__all__ = [
    "HMCECS",
    "HMCECSState",
    "Reference",
    "Subsample",
    "TaylorOneProxyState",
    "TaylorProxy",
    "TaylorTwoProxyState",
    "block_update",
    "perturbed_method",
    "taylor_proxy",
]
