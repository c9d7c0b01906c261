"""Arrays that broadcast, selected from and summed in `jax.lax`.

These operations are the quickest to trace: the functions of `jax.numpy` are compiled functions of
their own, and each is differentiated on its own where a density is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

__all__ = ["broadcast", "sum_over", "where"]


def broadcast(x: Any, shape: tuple[int, ...]) -> Any:
    """Repeat an array to a shape."""
    x = jnp.asarray(x)
    if x.shape == shape:
        return x
    first = len(shape) - x.ndim
    own = [axis for axis, n in enumerate(x.shape) if n == shape[first + axis]]
    x = lax.squeeze(x, [axis for axis in range(x.ndim) if axis not in own])
    return lax.broadcast_in_dim(x, shape, [first + axis for axis in own])


def where(condition: Any, x: Any, otherwise: float) -> Any:
    """Take ``x`` where the condition, which broadcasts with it, holds; elsewhere a number."""
    shape = np.broadcast_shapes(np.shape(condition), np.shape(x))
    x = broadcast(x, shape)
    return lax.select(broadcast(condition, shape), x, lax.full_like(x, otherwise))


def sum_over(x: Any, axes: Sequence[int] | None = None) -> Any:
    """Sum over axes, without any over all; half precision is summed in a wider one."""
    x = jnp.asarray(x)
    axes = range(x.ndim) if axes is None else axes
    if x.dtype not in (np.float32, np.float64):
        return jnp.sum(x, tuple(axes))
    return lax.reduce_sum(x, [axis % x.ndim for axis in axes]) if axes else x
