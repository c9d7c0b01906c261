"""Energy conserving subsampling: HMC on a subsample of the data, which is updated in turn.

The kernel itself, `HMCECS`, is a name of `sojourn_gibbs`; here are the parts that it is made of.
"""

from sojourn_gibbs.ecs.blocks import block_update
from sojourn_gibbs.ecs.estimator import perturbed_method
from sojourn_gibbs.ecs.perturbed_target import Subsample
from sojourn_gibbs.ecs.taylor import (
    Reference,
    TaylorOneProxyState,
    TaylorProxy,
    TaylorTwoProxyState,
    taylor_proxy,
)

__all__ = [
    "Reference",
    "Subsample",
    "TaylorOneProxyState",
    "TaylorProxy",
    "TaylorTwoProxyState",
    "block_update",
    "perturbed_method",
    "taylor_proxy",
]
