"""A batch of chains that make each transition together: all wait for the one with most steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from sojourn_hmc.chunk import Effort, Plan, advance
from sojourn_hmc.fields import Fields
from sojourn_hmc.stepwise import Meeting


def advance_together(
    sample: Callable[[Any], Any],
    count: Callable[[Any], jax.Array] | None,
    meeting: Meeting | None,
    fields: Fields,
    num_rows: int,
    states: Any,
    plan: Plan,
    own: jax.Array,
) -> tuple[Any, tuple, Effort | None]:
    """Make the transitions of a plan; as `sojourn_hmc.chunk.advance`, for a batch.

    Parameters
    ----------
    sample : Callable
        Makes one transition of one chain.
    count : Callable or None
        Steps that the last transition of a chain took, if the kernel counts them.
    meeting : Meeting or None
        Where chains stop for each other, beyond the end of every transition.
    fields, num_rows, states, plan
        As for `advance`; ``states`` has a leading axis of chains.
    own : Array
        Which chains are there for their own sake, and not to fill a device up.

    Returns
    -------
    tuple
        The new states, the rows ``(num_rows, chains, ...)``, and the `Effort`, if steps are
        counted.
    """

    def step(carry: tuple) -> tuple:
        states, effort = carry
        states = jax.vmap(sample)(states)
        if count is not None:
            counts = jax.vmap(count)(states)
            effort = Effort(
                effort.useful + jnp.sum(counts, where=own, dtype=jnp.int32),
                effort.executed + counts.shape[0] * jnp.max(counts),
            )
        if meeting is not None:
            states = lax.cond(
                jnp.all(jax.vmap(meeting.is_due)(states)),
                lambda states: meeting.of(states, own),
                lambda same: same,
                states,
            )
        return states, effort

    effort = None if count is None else Effort(jnp.int32(0), jnp.int32(0))
    (states, effort), rows = advance(
        step, lambda carry: fields.select(carry[0]), num_rows, (states, effort), plan
    )
    return states, rows, effort
