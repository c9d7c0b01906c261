"""When, along a trajectory of unit length, which discrete element is offered a move.

Source: Zhou 2020, "Mixed Hamiltonian Monte Carlo for mixed discrete and continuous variables".

Invariant: a schedule and its mirror image, times ``1 - t`` in reverse order, are equally likely.
The reverse of a trajectory is then proposed as often as the trajectory itself, which its acceptance
test relies on. The last event is therefore followed by a stretch without one, as the first is
preceded by one.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp


class Schedule(NamedTuple):
    """Events in the order of time.

    Attributes
    ----------
    times : Array
        Increasing, between 0 and 1, ``(L,)``.
    elements : Array
        Which element each event is for, ``(L,)``.
    """

    times: jax.Array
    elements: jax.Array


def draw_schedule(key: jax.Array, num_elements: int, num_events: int, dtype: jnp.dtype) -> Schedule:
    """Spread events over the elements as evenly as can be, those of one element evenly in time.

    An element with ``n`` events has them at ``(u + 0) / n, ..., (u + n - 1) / n`` with ``u``
    uniform. Where ``num_events`` is no multiple of ``num_elements``, which elements have one more
    is drawn.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> schedule = draw_schedule(jax.random.key(0), 2, 5, jnp.float32)
    >>> bool((jnp.diff(schedule.times) > 0).all()), sorted(jnp.bincount(schedule.elements).tolist())
    (True, [2, 3])
    """
    key_order, key_phase = jax.random.split(key)
    # Event l is number l // num_elements of its element.
    order = jax.random.permutation(key_order, num_elements)
    event = jnp.arange(num_events)
    elements = order[event % num_elements]
    count = num_events // num_elements + (event % num_elements < num_events % num_elements)
    phase = jax.random.uniform(key_phase, (num_elements,), dtype)[elements]
    times = (phase + (event // num_elements).astype(dtype)) / count.astype(dtype)
    sequence = jnp.argsort(times)
    return Schedule(times[sequence], elements[sequence])
