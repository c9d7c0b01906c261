"""Which chains run together and which at the same time.

Chains on a CPU with one JAX device run on threads: a compiled program releases the interpreter, so
threads use all cores without any configuration. No choice is made silently; `Placement` says it.
"""

import os
import warnings
from typing import Any, NamedTuple

import jax
import numpy as np

METHODS = ("parallel", "sequential", "vectorized")


class Placement(NamedTuple):
    """How the chains of a run are laid out.

    Attributes
    ----------
    lanes : tuple of tuple of int
        Chains that one program call advances together.
    workers : int
        How many lanes advance at the same time.
    batched : bool
        Whether a lane is a batch of chains (with a leading axis) or a single chain.
    description : str
        What was done, in words.
    """

    lanes: tuple[tuple[int, ...], ...]
    workers: int
    batched: bool
    description: str

    def chains_of(self, lane: tuple[int, ...]) -> np.ndarray:
        """The chains of a lane as a program takes them: an array of them, or the one index."""
        return np.asarray(lane if self.batched else lane[0], np.int32)

    def part(self, lane: tuple[int, ...], state: Any) -> Any:
        """The lane's part of a state with a leading axis of all chains."""
        index = slice(lane[0], lane[-1] + 1) if self.batched else lane[0]
        return jax.tree.map(lambda leaf: leaf[index], state)


def place(chain_method: str, num_chains: int) -> Placement:
    """Lay out ``num_chains`` chains by ``chain_method``.

    Examples
    --------
    >>> place("sequential", 3).lanes
    ((0,), (1,), (2,))
    >>> place("vectorized", 3).lanes
    ((0, 1, 2),)
    """
    singles = tuple((chain,) for chain in range(num_chains))
    if chain_method == "vectorized":
        text = f"{num_chains} chains as one batch"
        return Placement((tuple(range(num_chains)),), 1, True, text)
    if chain_method == "sequential" or num_chains == 1:
        return Placement(singles, 1, False, f"{num_chains} chains taking turns on one thread")
    if jax.default_backend() != "cpu":
        warnings.warn(
            f"chain_method='parallel' runs {num_chains} chains on threads that share one "
            f"{jax.default_backend()} device, where they wait for each other: "
            "chain_method='vectorized' is faster there",
            stacklevel=4,
        )
    workers = min(num_chains, available_cores())
    return Placement(singles, workers, False, f"{num_chains} chains on {workers} threads")


def available_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
