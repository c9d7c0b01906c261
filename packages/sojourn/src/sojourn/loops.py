"""Control flow of JAX that runs as Python where it is switched off, and maps in chunks."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import jax
import jax.numpy as jnp
from jax.lax import fori_loop, while_loop

__all__ = [
    "cond",
    "control_flow_prims_disabled",
    "fori_loop",
    "maybe_jit",
    "soft_vmap",
    "while_loop",
]


def control_flow_prims_disabled() -> AbstractContextManager:
    """Run `cond`, `fori_loop`, `while_loop` and compiled functions as Python, to look inside.

    Examples
    --------
    >>> seen = []
    >>> with control_flow_prims_disabled():
    ...     total = fori_loop(0, 3, lambda i, x: (seen.append(int(i)), x + i)[1], 0)
    >>> seen, int(total)
    ([0, 1, 2], 3)
    """
    return jax.disable_jit()


def cond(
    pred: Any,
    true_operand: Any,
    true_fun: Callable[[Any], Any],
    false_operand: Any,
    false_fun: Callable[[Any], Any],
) -> Any:
    """Call one of two functions, each on an operand of its own.

    Examples
    --------
    >>> float(cond(True, 2.0, lambda x: x + 1, 5.0, lambda x: x - 1))
    3.0
    """
    operands = true_operand, false_operand
    return jax.lax.cond(
        pred, lambda both: true_fun(both[0]), lambda both: false_fun(both[1]), operands
    )


def maybe_jit(fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Callable[..., Any]:
    """`jax.jit`, which `control_flow_prims_disabled` switches off."""
    return jax.jit(fn, *args, **kwargs)


def soft_vmap(
    fn: Callable[[Any], Any], xs: Any, batch_ndims: int = 1, chunk_size: int | None = None
) -> Any:
    """Map a function over leading axes, in chunks that are vectorized.

    Parameters
    ----------
    fn : Callable
        A function of one element.
    xs : pytree
        Arrays with ``batch_ndims`` leading axes of the same shape.
    batch_ndims : int
        How many axes to map over; 0 calls ``fn`` on ``xs``.
    chunk_size : int, optional
        Elements at once, which bounds the memory; by default all.

    Examples
    --------
    >>> soft_vmap(lambda x: x.sum(), jnp.ones((4, 5, 3)), batch_ndims=2, chunk_size=7).shape
    (4, 5)
    """
    if batch_ndims == 0:
        return fn(xs)
    batch = jnp.shape(jax.tree.leaves(xs)[0])[:batch_ndims]
    flat = jax.tree.map(lambda x: jnp.reshape(x, (-1, *jnp.shape(x)[batch_ndims:])), xs)
    size = jnp.shape(jax.tree.leaves(flat)[0])[0]
    if chunk_size is None or chunk_size >= size:
        values = jax.vmap(fn)(flat)
    else:
        values = jax.lax.map(fn, flat, batch_size=chunk_size)
    return jax.tree.map(lambda y: jnp.reshape(y, (*batch, *jnp.shape(y)[1:])), values)
