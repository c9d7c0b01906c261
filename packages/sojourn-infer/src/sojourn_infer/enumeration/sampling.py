"""Values of eliminated variables: drawn from their joint posterior, or its mode.

An elimination leaves, for each variable, its factor given what was eliminated after it. In reverse
order each is drawn from that factor at the values drawn already (forward filtering, backward
sampling, on any graph). With `maximum` in place of `log_sum_exp` in the elimination and the largest
entry in place of a draw here, the values are the joint mode (Viterbi's algorithm on a chain).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from sojourn_infer.enumeration.factors import Draw, Draws, Factor, Variable, add, align, condition

Choose = Callable[[Any, jax.Array], jax.Array]


def choose_at_random(key: Any, log_weights: jax.Array) -> jax.Array:
    """Draw a position along the leading axis with these weights."""
    return jax.random.categorical(key, log_weights, axis=0)


def choose_largest(key: Any, log_weights: jax.Array) -> jax.Array:
    """Return the position of the largest entry along the leading axis, the first of equal ones."""
    return jnp.argmax(log_weights, axis=0)


def draw(
    key: Any,
    factors: Sequence[Factor],
    variables: tuple[Variable, ...],
    draws: Draws,
    choose: Choose,
) -> dict[Variable, Draw]:
    """Choose values of variables from the product of their factors, given other variables' values.

    Parameters
    ----------
    key : key
        Randomness.
    factors : sequence of Factor
        Their variables are those to choose and those that have values.
    variables : tuple of Variable
        What to choose, all of the plates that the factors have together.
    draws : mapping
        Values of the other variables.
    choose : Callable
        `choose_at_random` or `choose_largest`.
    """
    joint = add([condition(factor, draws) for factor in factors])
    table = align(joint, variables, joint.plates)
    sizes = table.shape[: len(variables)]
    flat = table.reshape((-1, *table.shape[len(variables) :]))
    positions = jnp.unravel_index(choose(key, flat), sizes)
    return {v: Draw(index, joint.plates) for v, index in zip(variables, positions, strict=True)}
