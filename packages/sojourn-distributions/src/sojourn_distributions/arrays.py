"""Decide where a value lives: on the host, where NumPy can examine it, or inside a JAX trace."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

__all__ = ["Array", "ArrayLike", "float_dtype", "is_concrete", "namespace", "on_host"]

Array = jax.Array
# Anything a parameter or a value may be: Python number, NumPy array or scalar, JAX array, tracer.
ArrayLike = Any

_HOST_TYPES = (bool, int, float, complex, np.ndarray, np.generic)


def is_concrete(value: Any) -> bool:
    """Whether the numbers can be read now, without running a JAX operation.

    Tracers cannot, nor can arrays of which another process holds a part.
    """
    if isinstance(value, _HOST_TYPES):
        return True
    return (
        isinstance(value, jax.Array)
        and not isinstance(value, jax.core.Tracer)
        and value.is_fully_addressable
    )


def on_host(value: Any) -> Any:
    """Bring a concrete value to NumPy in the precision JAX would use for it.

    Python numbers stay as they are, because NumPy and JAX both give them the type of the array
    they meet; this keeps a comparison such as ``x <= 0.1`` the same in both.
    """
    if isinstance(value, bool | int | float | complex):
        return value
    array = np.asarray(value)
    return array.astype(jnp.result_type(array), copy=False)


def namespace(*values: Any) -> Any:
    """`numpy` if every value is concrete, else `jax.numpy`."""
    return np if all(map(is_concrete, values)) else jnp


def float_dtype(*values: Any) -> np.dtype[Any]:
    """Floating type that JAX promotion gives to the values together; runs nothing."""
    return np.dtype(jnp.result_type(*values, 0.0))
