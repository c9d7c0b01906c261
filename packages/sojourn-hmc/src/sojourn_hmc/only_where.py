"""A condition that stays one under `jax.vmap`: what no chain of a batch asks for is not computed.

Under `vmap`, `lax.cond` with a condition of each chain's own computes both sides for every chain at
every call. Where one side is rare and dear (a new mass matrix at the end of a window), the batch
should pay for it only when some chain asks for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_batching import custom_vmap
from jax.extend.core import ClosedJaxpr, jaxpr_as_fun

T = TypeVar("T")


def only_where(condition: jax.Array, function: Callable[[], T], otherwise: T) -> T:
    """Call ``function`` where ``condition`` holds; in a batch, for all if it holds for any.

    Parameters
    ----------
    condition : Array
        Boolean scalar; under `jax.vmap` one for each member of the batch.
    function : Callable
        Without arguments; may close over traced values.
    otherwise : pytree
        The result where the condition does not hold, of the types that ``function`` returns.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> def root(x):
    ...     return only_where(x > 0, lambda: jnp.sqrt(x), x)
    >>> jax.vmap(root)(jnp.array([4.0, -1.0])).tolist()
    [2.0, -1.0]
    """
    closed, shape = jax.make_jaxpr(function, return_shape=True)()
    structure = jax.tree.structure(shape)
    otherwise = jax.tree.map(jnp.asarray, otherwise)

    def call(constants: Any) -> T:
        leaves = jaxpr_as_fun(ClosedJaxpr(closed.jaxpr, constants))()
        result: T = jax.tree.unflatten(structure, leaves)
        return result

    @custom_vmap
    def choose(condition: jax.Array, constants: Any, otherwise: T) -> T:
        return lax.cond(condition, lambda: call(constants), lambda: otherwise)

    @choose.def_vmap
    def choose_in_batch(
        size: int, batched: Any, condition: jax.Array, constants: Any, otherwise: T
    ) -> tuple[T, Any]:
        condition_batched, constants_batched, otherwise_batched = batched
        axes = [0 if is_batched else None for is_batched in constants_batched]
        kept = jax.tree.map(
            lambda leaf, is_batched, like: leaf if is_batched else _repeat(leaf, like, size),
            otherwise,
            otherwise_batched,
            shape,
        )

        def call_all() -> T:
            result: T = jax.vmap(call, (axes,), axis_size=size)(constants)
            if not condition_batched:
                return result
            return select_members(condition, result, kept)

        result = lax.cond(jnp.any(condition), call_all, lambda: kept)
        return result, jax.tree.map(lambda _: True, result)

    chosen: T = choose(condition, closed.consts, otherwise)
    return chosen


def _repeat(leaf: Any, like: jax.ShapeDtypeStruct, size: int) -> jax.Array:
    if not isinstance(leaf, jax.Array):  # a literal of the traced program
        leaf = jnp.asarray(leaf, like.dtype)
    return jnp.broadcast_to(leaf, (size, *leaf.shape))


def select_members(condition: jax.Array, if_true: T, if_false: T) -> T:
    """Choose between two states of a batch by member, the leading axis."""

    def choose(a: jax.Array, b: jax.Array) -> jax.Array:
        return jnp.where(condition.reshape(condition.shape + (1,) * (a.ndim - 1)), a, b)

    chosen: T = jax.tree.map(choose, if_true, if_false)
    return chosen
