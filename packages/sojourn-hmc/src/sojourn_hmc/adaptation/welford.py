"""Welford's running covariance, diagonal or dense, and Stan's regularisation of it.

Source: Welford 1962; Stan Reference Manual, "HMC algorithm parameters" (regularisation).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class WelfordState(NamedTuple):
    """Attributes.

    Attributes
    ----------
    mean : Array
        ``(D,)``, mean of the positions so far.
    sum_squares : Array
        Sum of squared deviations, ``(D,)``, or of outer products, ``(D, D)``.
    num_positions : Array
        Number of positions.
    """

    mean: jax.Array
    sum_squares: jax.Array
    num_positions: jax.Array


def init(like: jax.Array) -> WelfordState:
    """Empty accumulator for an inverse mass matrix shaped ``like``, ``(D,)`` or ``(D, D)``."""
    return WelfordState(
        jnp.zeros(like.shape[:1], like.dtype),
        jnp.zeros(like.shape, like.dtype),
        jnp.zeros((), jnp.int32),
    )


def update(state: WelfordState, position: jax.Array) -> WelfordState:
    """Take in one position ``(D,)``."""
    count = state.num_positions + 1
    before = position - state.mean
    mean = state.mean + before / count.astype(position.dtype)
    after = position - mean
    product = before * after if state.sum_squares.ndim == 1 else jnp.outer(after, before)
    return WelfordState(mean, state.sum_squares + product, count)


def merge(a: WelfordState, b: WelfordState) -> WelfordState:
    """The accumulator of the positions of both."""
    return pool(jax.tree.map(lambda x, y: jnp.stack([x, y]), a, b))


def pool(states: WelfordState) -> WelfordState:
    """Make one accumulator of several, which have a leading axis.

    Source: Chan, Golub, LeVeque 1983, "Algorithms for computing the sample variance".

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> def of(*positions):
    ...     state = init(jnp.ones(1))
    ...     for x in positions:
    ...         state = update(state, jnp.array([x]))
    ...     return state
    >>> both = merge(of(1.0, 2.0), of(6.0))
    >>> int(both.num_positions), float(covariance(both, regularize=False)[0])
    (3, 7.0)
    """
    counts = states.num_positions.astype(states.mean.dtype)
    total = jnp.maximum(jnp.sum(counts), 1)
    mean = counts @ states.mean / total
    away = states.mean - mean[None]
    if states.sum_squares.ndim == 2:
        between = counts @ away**2
    else:
        between = (counts[:, None] * away).T @ away
    return WelfordState(
        mean,
        jnp.sum(states.sum_squares, 0) + between,
        jnp.sum(states.num_positions, dtype=jnp.int32),
    )


def covariance(state: WelfordState, regularize: bool) -> jax.Array:
    """Sample covariance (divisor ``n - 1``); shrunk towards ``1e-3 I`` if ``regularize``.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> state = init(jnp.ones(1))
    >>> for x in (1.0, 2.0, 6.0):
    ...     state = update(state, jnp.array([x]))
    >>> float(covariance(state, regularize=False)[0])
    7.0
    """
    n = state.num_positions.astype(state.mean.dtype)
    estimate = state.sum_squares / (n - 1)
    if not regularize:
        return estimate
    shrinkage = 1e-3 * (5 / (n + 5))
    target = shrinkage if estimate.ndim == 1 else shrinkage * jnp.eye(estimate.shape[0])
    return (n / (n + 5)) * estimate + target
