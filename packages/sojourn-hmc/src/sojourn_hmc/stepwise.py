"""How a transition is made in steps of equal cost, which a kernel may offer to the driver.

In a batch that makes whole transitions together every chain waits for the one with the longest. A
kernel that can be asked for one step lets each chain of a batch be at a point of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

State = Any
Progress = Any


class Steps(NamedTuple):
    """Pure functions of one chain, traced by JAX; the driver batches them.

    Attributes
    ----------
    begin : Callable
        ``begin(state, last) -> progress`` of the transition that starts from ``state``. ``last`` is
        the progress of another transition, whose memory it may take over, or None.
    step : Callable
        ``step(state, progress) -> progress``; most of the cost of sampling lies here. It is called
        on complete transitions too, which must stay as they are, as far as `finish` reads them.
    is_complete : Callable
        ``is_complete(state, progress)``, a boolean scalar: whether nothing is left but to finish.
    finish : Callable
        ``finish(state, progress, here)``: where ``here`` holds, the state after the transition;
        elsewhere ``state`` as it is.
    num_steps : Callable
        ``num_steps(state)``, the steps that the last transition took. If chains make their
        transitions together, each of these takes as many as the chain with most of them.
    """

    begin: Callable[[State, Progress | None], Progress]
    step: Callable[[State, Progress], Progress]
    is_complete: Callable[[State, Progress], jax.Array]
    finish: Callable[[State, Progress, jax.Array], State]
    num_steps: Callable[[State], jax.Array]


class Meeting(NamedTuple):
    """When the chains of a batch stop for each other, and what they do then.

    Attributes
    ----------
    is_due : Callable
        ``is_due(state)`` of one chain, a boolean scalar: whether it waits for the others before its
        next transition. The same for all chains that have made as many transitions.
    hold : Callable
        ``hold(states, counts) -> states`` of all chains, with a leading axis; afterwards none is
        due. ``counts`` holds a boolean for each: a chain that is there only to fill a device up
        repeats another, and does not count.
    """

    is_due: Callable[[State], jax.Array]
    hold: Callable[[State, jax.Array], State]

    def of(self, states: State, own: jax.Array) -> State:
        """Hold it for states of which some, ``own``, are no repetition.

        Where all are, on a device with no chain of its own, nobody reads what they learn; they
        count, so that it is finite.
        """
        return self.hold(states, own | ~jnp.any(own))
