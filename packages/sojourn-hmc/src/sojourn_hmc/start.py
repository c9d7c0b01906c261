"""Where a chain starts: a position at which potential and gradient are finite."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.flatten_util import ravel_pytree

from sojourn_hmc.differentiate import Gradient

MAX_ATTEMPTS = 100


class StartPoint(NamedTuple):
    """A starting position ``(D,)`` with what is known of the potential there."""

    position: jax.Array
    potential_energy: jax.Array
    potential_gradient: jax.Array


def is_finite(point: StartPoint) -> jax.Array:
    """Whether a chain can start here."""
    return jnp.isfinite(point.potential_energy) & jnp.all(jnp.isfinite(point.potential_gradient))


def flattening(
    draw_position: Callable[[jax.Array], Any], key: jax.Array
) -> tuple[Any, Callable[[jax.Array], Any]]:
    """Shapes of a position, and the map from its flat form ``(D,)`` back; nothing is drawn."""
    shape = jax.eval_shape(draw_position, key)
    _, unravel = ravel_pytree(jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shape))
    return shape, unravel


def find_start(
    draw_position: Callable[[jax.Array], jax.Array],
    gradient: Gradient,
    key: jax.Array,
    max_attempts: int,
) -> StartPoint:
    """Draw positions until potential and gradient are finite, at most ``max_attempts`` times.

    Parameters
    ----------
    draw_position : Callable
        ``draw_position(key)`` gives a flat position ``(D,)``.
    gradient : Callable
        From `value_and_gradient`.
    key : Array
        A key; attempt ``n`` uses ``fold_in(key, n)``.
    max_attempts : int
        The bound. The last attempt is returned if all fail: whoever reads it tests `is_finite`.
    """

    def attempt(index: jax.Array) -> StartPoint:
        position = draw_position(jax.random.fold_in(key, index))
        return StartPoint(position, *gradient(position))

    # One loop with one copy of the gradient: it enters with a point that is not finite.
    shape = jax.eval_shape(attempt, jnp.int32(0))
    nowhere = StartPoint(*(jnp.full(leaf.shape, jnp.nan, leaf.dtype) for leaf in shape))
    return lax.while_loop(
        lambda carry: (carry[0] < max_attempts) & ~is_finite(carry[1]),
        lambda carry: (carry[0] + 1, attempt(carry[0])),
        (jnp.int32(0), nowhere),
    )[1]
