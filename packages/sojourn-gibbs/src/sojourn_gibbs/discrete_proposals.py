"""Proposals for a discrete variable, given the log density of each value that it may take.

Sources: Liu 1996, "Peskun's theorem and a modified discrete-state Gibbs sampler" (Biometrika 83);
Hastings 1970.

Invariant: with the acceptance probability ``min(1, exp(log_ratio))`` each of the four moves is
reversible with respect to the weights.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import logsumexp


class Move(NamedTuple):
    """A proposed move.

    Attributes
    ----------
    choice : Array
        Index of the proposed candidate.
    log_ratio : Array or None
        Logarithm of the Metropolis-Hastings ratio; None where the move is always made.
    """

    choice: jax.Array
    log_ratio: jax.Array | None


Propose = Callable[[jax.Array, jax.Array, jax.Array, jax.Array], Move]
"""``propose(key, log_weights, allowed, current)``; arrays ``(..., K)``, ``(..., K)``, ``(...)``.

``log_weights`` are log densities of the candidates, up to a constant and never NaN; ``allowed``
says which of them are values of the variable at all; ``current`` is the index of the present one.
"""


def gibbs(key: jax.Array, log_weights: jax.Array, allowed: jax.Array, current: jax.Array) -> Move:
    """Draw from the conditional law; the present value may be drawn again."""
    log_weights = jnp.where(allowed, log_weights, -jnp.inf)
    return Move(_draw(key, log_weights, current), None)


def modified_gibbs(
    key: jax.Array, log_weights: jax.Array, allowed: jax.Array, current: jax.Array
) -> Move:
    """Draw one of the other values by weight (Liu 1996): moves at least as often as `gibbs`."""
    log_weights = jnp.where(allowed, log_weights, -jnp.inf)
    others = _without(log_weights, current)
    index = _draw(key, others, current)
    # Both sums leave one value out: subtracting its weight from the total would cancel.
    log_ratio = logsumexp(others, axis=-1) - logsumexp(_without(log_weights, index), axis=-1)
    return Move(index, _no_nan(log_ratio))


def random_walk(
    key: jax.Array, log_weights: jax.Array, allowed: jax.Array, current: jax.Array
) -> Move:
    """Propose any of the values, all alike."""
    index = _draw(key, jnp.where(allowed, 0.0, -jnp.inf), current)
    return Move(index, _gain(log_weights, current, index))


def modified_random_walk(
    key: jax.Array, log_weights: jax.Array, allowed: jax.Array, current: jax.Array
) -> Move:
    """Propose any of the other values, all alike."""
    index = _draw(key, _without(jnp.where(allowed, 0.0, -jnp.inf), current), current)
    return Move(index, _gain(log_weights, current, index))


def choose_proposal(random_walk_: bool, modified: bool) -> Propose:
    """Return the proposal that two switches name.

    Examples
    --------
    >>> choose_proposal(False, True).__name__
    'modified_gibbs'
    """
    if random_walk_:
        return modified_random_walk if modified else random_walk
    return modified_gibbs if modified else gibbs


def _draw(key: jax.Array, log_weights: jax.Array, current: jax.Array) -> jax.Array:
    """Draw an index by weight, from one uniform number; stay where no weight is left."""
    largest = jnp.max(log_weights, axis=-1, keepdims=True)
    some = largest > -jnp.inf
    weights = jnp.exp(log_weights - jnp.where(some, largest, 0.0))
    sums = jnp.cumsum(weights, axis=-1)
    uniform = jax.random.uniform(key, current.shape, sums.dtype)
    index = jnp.sum(sums <= (uniform * sums[..., -1])[..., None], axis=-1, dtype=current.dtype)
    # Rounding up to the whole sum must not give an index behind the last that has weight.
    number = log_weights.shape[-1]
    last = number - 1 - jnp.argmax(jnp.flip(weights > 0, -1), axis=-1).astype(current.dtype)
    return jnp.where(some[..., 0], jnp.minimum(index, last), current)


def _without(log_weights: jax.Array, index: jax.Array) -> jax.Array:
    here = jnp.arange(log_weights.shape[-1], dtype=index.dtype) == index[..., None]
    return jnp.where(here, -jnp.inf, log_weights)


def _gain(log_weights: jax.Array, current: jax.Array, index: jax.Array) -> jax.Array:
    before, after = (
        jnp.take_along_axis(log_weights, i[..., None], axis=-1)[..., 0] for i in (current, index)
    )
    return _no_nan(after - before)


def _no_nan(log_ratio: jax.Array) -> jax.Array:
    """Never move between two values of weight zero."""
    return jnp.where(jnp.isnan(log_ratio), -jnp.inf, log_ratio)
