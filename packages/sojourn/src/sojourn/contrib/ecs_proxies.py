"""Proxies of the likelihood for subsampled data, from `sojourn_gibbs`."""

from sojourn_distributions import biject_to
from sojourn_gibbs.ecs import (
    TaylorOneProxyState,
    TaylorTwoProxyState,
    block_update,
    perturbed_method,
    taylor_proxy,
)

__all__ = [
    "TaylorOneProxyState",
    "TaylorTwoProxyState",
    "biject_to",
    "block_update",
    "perturbed_method",
    "taylor_proxy",
]
