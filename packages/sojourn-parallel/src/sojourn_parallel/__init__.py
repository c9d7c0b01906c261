"""Posterior samples from shards of the data, combined into samples of the whole posterior.

The package is the place of consensus and parametric combination of draws, and of running a model on
each shard through an executor. None of them is in this release.
"""

from sojourn_parallel._version import __version__

__all__ = ["__version__"]
