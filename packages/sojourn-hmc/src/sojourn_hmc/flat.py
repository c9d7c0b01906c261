"""A batch of chains advanced step by step, each at a point of its own transition.

Every turn of the loop takes one step of every chain. A chain that has completed its transition
begins the next one while others are still in the middle of theirs; only at the end of the plan,
or where a meeting of all chains is due, do the first wait for the last. So every chain makes as
many transitions as the plan says: short ones are not favoured.

Source: Dance, Glaser, Orbanz and Adams 2025, "Efficiently vectorized MCMC on modern accelerators"
(arXiv:2503.17405).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from sojourn_hmc.chunk import Effort, Plan
from sojourn_hmc.fields import Fields
from sojourn_hmc.only_where import select_members
from sojourn_hmc.stepwise import Meeting, Steps

FINISH_SHARE = 8
"""Finishing is put off until one in this many of the chains that move has completed its transition.

It costs about as much as a step does without the gradient, whether one chain needs it or all.
"""


class Batch(NamedTuple):
    """Where the chains of a batch are; every array has a leading axis of chains.

    Attributes
    ----------
    states : pytree
        Their states after the last transition that is finished.
    progress : pytree
        Their transitions under way.
    made : Array
        Transitions made, of the plan.
    row : Array
        Where the next state is written.
    begins : Array
        Whether the chain is yet to begin its transition.
    due : Array
        Whether the chain waits for a meeting.
    rows : tuple
        What is collected, ``(num_rows, chains, ...)``.
    effort : Effort
        Steps so far.
    """

    states: Any
    progress: Any
    made: jax.Array
    row: jax.Array
    begins: jax.Array
    due: jax.Array
    rows: tuple
    effort: Effort


def advance_flat(
    steps: Steps,
    meeting: Meeting | None,
    fields: Fields,
    num_rows: int,
    states: Any,
    plan: Plan,
    own: jax.Array,
) -> tuple[Any, tuple, Effort]:
    """Make the transitions of a plan; as `sojourn_hmc.chunk.advance`, for a batch.

    Parameters
    ----------
    steps : Steps
        How a transition is made.
    meeting : Meeting or None
        Where chains stop for each other.
    fields, num_rows, states, plan
        As for `advance`; ``states`` has a leading axis of chains.
    own : Array
        Which chains are there for their own sake, and not to fill a device up.

    Returns
    -------
    tuple
        The new states, the rows ``(num_rows, chains, ...)``, and the `Effort`.
    """
    num_chains = jax.tree.leaves(states)[0].shape[0]
    zeros = jnp.zeros(num_chains, jnp.int32)
    rows = jax.tree.map(
        lambda value: jnp.zeros((num_rows, *value.shape), value.dtype), fields.select(states)
    )

    def moves(batch: Batch) -> jax.Array:
        return (batch.made < plan.num_transitions) & ~batch.due

    def begin(batch: Batch) -> Batch:
        # The one place where transitions begin: rounded the same wherever a plan ends.
        fresh = jax.vmap(steps.begin)(batch.states, batch.progress)
        return batch._replace(
            progress=select_members(batch.begins, fresh, batch.progress),
            begins=jnp.zeros_like(batch.due),
        )

    def turn(batch: Batch) -> Batch:
        batch = lax.cond(jnp.any(batch.begins), begin, lambda same: same, batch)
        progress = jax.vmap(steps.step)(batch.states, batch.progress)
        effort = batch.effort._replace(executed=batch.effort.executed + num_chains)
        batch = batch._replace(progress=progress, effort=effort)
        moving = moves(batch)
        complete = moving & jax.vmap(steps.is_complete)(batch.states, progress)
        waiting, all_moving = (jnp.sum(x, dtype=jnp.int32) for x in (complete, moving))
        enough = (waiting * FINISH_SHARE >= all_moving) & (waiting > 0)
        batch = lax.cond(enough, lambda: finish(batch, complete), lambda: batch)
        return batch if meeting is None else meet(batch, meeting)

    def finish(batch: Batch, here: jax.Array) -> Batch:
        states = jax.vmap(steps.finish)(batch.states, batch.progress, here)
        chains = jnp.arange(num_chains, dtype=jnp.int32)
        # Every state is written; the row is passed by only if the state is to be kept.
        rows = jax.tree.map(
            lambda buffer, value: buffer.at[batch.row, chains].set(
                value, mode="drop", unique_indices=True
            ),
            batch.rows,
            fields.select(states),
        )
        since = batch.made - plan.first_kept
        kept = here & (since >= 0) & (since % plan.thinning == 0)
        due = here & jax.vmap(meeting.is_due)(states) if meeting else jnp.zeros_like(here)
        count = jnp.where(here & own, jax.vmap(steps.num_steps)(states), 0)
        return batch._replace(
            states=states,
            made=batch.made + here.astype(jnp.int32),
            row=batch.row + kept.astype(jnp.int32),
            begins=batch.begins | here,
            due=batch.due | due,
            rows=rows,
            effort=batch.effort._replace(
                useful=batch.effort.useful + jnp.sum(count, dtype=jnp.int32)
            ),
        )

    def meet(batch: Batch, meeting: Meeting) -> Batch:
        def hold() -> Batch:
            return batch._replace(
                states=meeting.of(batch.states, own),
                begins=jnp.ones_like(batch.begins),
                due=jnp.zeros_like(batch.due),
            )

        return lax.cond(jnp.all(batch.due), hold, lambda: batch)

    nothing = jax.tree.map(
        lambda leaf: jnp.zeros(leaf.shape, leaf.dtype),
        jax.eval_shape(jax.vmap(lambda state: steps.begin(state, None)), states),
    )
    batch = lax.while_loop(
        lambda batch: jnp.any(moves(batch)),
        turn,
        Batch(
            states,
            nothing,
            made=zeros,
            row=zeros,
            begins=jnp.ones_like(zeros, bool),
            due=jnp.zeros_like(zeros, bool),
            rows=rows,
            effort=Effort(jnp.int32(0), jnp.int32(0)),
        ),
    )
    return batch.states, batch.rows, batch.effort
