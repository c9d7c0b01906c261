"""Stan's warmup windows, as arithmetic on a traced length so that any length shares one program.

Source: Stan Reference Manual, "HMC algorithm parameters": a start buffer for the step size alone,
windows of doubling length for the mass matrix, an end buffer for the step size alone.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

START_BUFFER, FIRST_WINDOW, END_BUFFER = 75, 25, 50
MIN_WARMUP = 20  # below this the mass matrix is left as it is
MAX_WINDOWS = 26  # 25 * 2**26 transitions exceed an int32


class Schedule(NamedTuple):
    """The boundaries of one warmup, integers; computed once, carried as they are.

    Attributes
    ----------
    num_warmup : Array
        Number of warmup transitions.
    start : Array
        First transition of the first mass-matrix window.
    end : Array
        One past the last transition of the last mass-matrix window.
    window_ends : Array
        ``(MAX_WINDOWS,)``, last transition of each window; repeated when there are fewer.
    """

    num_warmup: jax.Array
    start: jax.Array
    end: jax.Array
    window_ends: jax.Array


def schedule(num_warmup: jax.Array) -> Schedule:
    """Windows for a warmup of ``num_warmup`` transitions, counted from 0.

    Examples
    --------
    >>> import numpy as np
    >>> plan = schedule(1000)
    >>> int(plan.start), np.unique(plan.window_ends).tolist(), int(plan.end)
    (75, [99, 149, 249, 449, 949], 950)
    >>> plan = schedule(150)
    >>> int(plan.start), np.unique(plan.window_ends).tolist(), int(plan.end)
    (75, [99], 100)
    """
    length = jnp.asarray(num_warmup, jnp.int32)
    roomy = length >= START_BUFFER + FIRST_WINDOW + END_BUFFER
    # 15% and 10%, rounded down: exact in integers where floats could round up.
    start = jnp.where(roomy, START_BUFFER, (15 * length) // 100)
    end_buffer = jnp.where(roomy, END_BUFFER, length // 10)
    end = length - end_buffer
    first = jnp.where(roomy, FIRST_WINDOW, end - start)

    def window(last_end: jax.Array, index: jax.Array) -> tuple[jax.Array, jax.Array]:
        size = jnp.minimum(first, end) << jnp.minimum(index, 30)
        begin = last_end + 1
        # A window is kept at its size only if one of twice the size fits after it.
        fits = (size > 0) & (size <= (end - begin) // 3)
        this_end = jnp.where(fits, begin + size - 1, end - 1)
        return this_end, this_end

    _, window_ends = jax.lax.scan(window, start - 1, jnp.arange(MAX_WINDOWS, dtype=jnp.int32))
    return Schedule(length, start, end, window_ends)


def in_window(plan: Schedule, step: jax.Array) -> jax.Array:
    """Whether transition ``step`` feeds the mass matrix."""
    return (plan.num_warmup >= MIN_WARMUP) & (step >= plan.start) & (step < plan.end)


def closes_window(plan: Schedule, step: jax.Array) -> jax.Array:
    """Whether the mass matrix is renewed after transition ``step``."""
    return in_window(plan, step) & jnp.any(step == plan.window_ends)
