"""A step along a direction of descent that satisfies the weak Wolfe conditions, by bisection.

The second condition makes ``s.z`` positive, so that every step teaches L-BFGS of the curvature.

Source: Burke, Lewis, Overton 2005, "A robust gradient sampling algorithm for nonsmooth, nonconvex
optimization", §4 (the bracketing of Lemaréchal 1981); constants from Nocedal and Wright 2006, §3.1.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from sojourn_hmc.differentiate import Gradient
from sojourn_hmc.start import StartPoint

SUFFICIENT_DECREASE = 1e-4
CURVATURE = 0.9
MAX_EVALUATIONS = 30


class _Bracket(NamedTuple):
    """Step lengths that are too short and too long, and what the last one tried gave."""

    low: jax.Array
    high: jax.Array
    length: jax.Array
    point: StartPoint
    found: jax.Array
    evaluations: jax.Array


def search_line(
    gradient: Gradient, start: StartPoint, direction: jax.Array, first_length: jax.Array
) -> tuple[StartPoint, jax.Array]:
    """Move from ``start`` along ``direction``.

    Parameters
    ----------
    gradient : Callable
        From `value_and_gradient`.
    start : StartPoint
        Where potential and gradient are finite.
    direction : Array
        ``(D,)``, a direction of descent.
    first_length : Array
        The first length tried, in units of ``direction``.

    Returns
    -------
    tuple
        The new point, and whether it satisfies the conditions; if none was found, the last tried.
    """
    slope = start.potential_gradient @ direction

    def body(state: _Bracket) -> _Bracket:
        position = start.position + state.length * direction
        point = StartPoint(position, *gradient(position))
        bound = start.potential_energy + SUFFICIENT_DECREASE * state.length * slope
        new_slope = point.potential_gradient @ direction
        # A potential that is NaN satisfies nothing: the step was too long.
        too_long = ~(point.potential_energy <= bound) | ~jnp.isfinite(new_slope)
        too_short = ~too_long & (new_slope < CURVATURE * slope)
        low = jnp.where(too_short, state.length, state.low)
        high = jnp.where(too_long, state.length, state.high)
        middle = jnp.where(jnp.isfinite(high), 0.5 * (low + high), 2 * low)
        return _Bracket(low, high, middle, point, ~too_long & ~too_short, state.evaluations + 1)

    zero = jnp.zeros_like(first_length)
    begin = _Bracket(
        zero,
        jnp.full_like(first_length, jnp.inf),
        first_length,
        start,
        jnp.asarray(False),
        jnp.zeros((), jnp.int32),
    )
    end = lax.while_loop(
        lambda state: ~state.found & (state.evaluations < MAX_EVALUATIONS), body, begin
    )
    return end.point, end.found
