"""A chunk: one compiled function that makes any number of transitions and collects their draws.

Lengths are traced, so that warmup and sampling of any length, with progress or without, are calls
of one program. A *lane* is what one call advances: one chain, or a batch of chains.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from sojourn_hmc.chain import require_same_types, strong
from sojourn_hmc.program import num_bytes

ROWS_BYTES = 1 << 18  # small enough to stay in cache and in natively compiled loops
MAX_ROWS = 8192
LONG_CHUNK_ROWS = 256  # where the end of a chunk is where chains wait for each other
LEAST_ROWS = 64  # so that a call is worth its while for a lane of many chains,
LARGE_ROWS_BYTES = 1 << 26  # unless that takes more memory than this


class Plan(NamedTuple):
    """What one chunk does, all traced integers.

    Attributes
    ----------
    num_transitions : int
        Transitions to make.
    first_kept : int
        Transition (from 0) that is the first to be kept; ``num_transitions`` keeps none.
    thinning : int
        Every ``thinning``-th from there on is kept.
    """

    num_transitions: Any
    first_kept: Any
    thinning: Any

    def as_arrays(self) -> Plan:
        """The plan as an argument of a program, of one type in every mode of JAX."""
        return Plan(*(np.asarray(number, np.int32) for number in self))

    def num_kept(self) -> int:
        """How many transitions are kept."""
        return max(0, math.ceil((self.num_transitions - self.first_kept) / self.thinning))


class Effort(NamedTuple):
    """The work of a batch of chains, in steps of its kernel.

    Attributes
    ----------
    useful : Array
        Steps that transitions were made of.
    executed : Array
        Steps that were computed: each of the batch's, for every chain of it.
    """

    useful: Any
    executed: Any

    def plus(self, other: Effort) -> Effort:
        """Both together."""
        return Effort(self.useful + other.useful, self.executed + other.executed)

    def of_all(self) -> Effort:
        """The whole of it, where its numbers are those of several devices: two integers."""
        return Effort(*(int(np.asarray(numbers, np.int64).sum()) for numbers in self))


NO_EFFORT = Effort(0, 0)


def rows_that_fit(sample_shape: Any, least: int = LEAST_ROWS) -> int:
    """Rows of a chunk's buffer for samples of these shapes; ``least``, if memory admits them."""
    each = max(num_bytes(sample_shape), 1)
    least = min(least, LARGE_ROWS_BYTES // each)
    return min(MAX_ROWS, max(1, least, ROWS_BYTES // each))


def advance(
    step: Callable[[Any], Any],
    select: Callable[[Any], tuple],
    num_rows: int,
    state: Any,
    plan: Plan,
) -> tuple[Any, tuple]:
    """Make the transitions of a plan.

    Parameters
    ----------
    step : Callable
        Makes one transition of a lane.
    select : Callable
        Picks the fields that are collected out of a state.
    num_rows : int
        Size of the buffer; a plan keeps no more than that, and exactly that many only if the last
        transition is kept.
    state : pytree
        The lane's state.
    plan : Plan
        What to do.

    Returns
    -------
    tuple
        The new state, and for each field a buffer with ``num_rows`` rows, of which the first
        ``plan.num_kept()`` hold the kept values.
    """

    def transition(carry: tuple) -> tuple:
        index, row, state, rows = carry
        before, state = state, strong(step(state))
        require_same_types(before, state)
        # Every state is written; the row is passed by only if the state is to be kept.
        rows = jax.tree.map(
            lambda buffer, value: lax.dynamic_update_index_in_dim(buffer, value, row, 0),
            rows,
            select(state),
        )
        since = index - plan.first_kept
        kept = (since >= 0) & (since % plan.thinning == 0)
        return index + 1, row + kept.astype(row.dtype), state, rows

    rows = jax.tree.map(
        lambda value: jnp.zeros((num_rows, *value.shape), value.dtype), select(state)
    )
    zero = jnp.int32(0)
    carry = lax.while_loop(
        lambda carry: carry[0] < plan.num_transitions, transition, (zero, zero, state, rows)
    )
    return carry[2], carry[3]
