"""Posterior samples from shards of the data, combined into samples of the whole posterior.

It knows no model and no sampler: draws are pytrees of arrays, and a function samples a shard.
"""

from sojourn_parallel._version import __version__
from sojourn_parallel.barycenter import barycenter
from sojourn_parallel.consensus import consensus
from sojourn_parallel.parametric import parametric, parametric_draws
from sojourn_parallel.semiparametric import semiparametric
from sojourn_parallel.shards import Merged, ShardError, shards, split

__all__ = [
    "Merged",
    "ShardError",
    "__version__",
    "barycenter",
    "consensus",
    "parametric",
    "parametric_draws",
    "semiparametric",
    "shards",
    "split",
]
