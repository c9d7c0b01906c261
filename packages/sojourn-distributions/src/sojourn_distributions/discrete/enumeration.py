"""List the integers of a finite support along a new leading dimension."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from sojourn_distributions.arrays import is_concrete

__all__ = ["common_bound", "support_values"]


def support_values(low: int, high: int, batch_shape: tuple[int, ...], expand: bool) -> Any:
    """Integers from `low` to `high`, of shape ``(size,) + batch_shape`` (ones if not `expand`).

    A NumPy array: the support is known without the values of the parameters.
    """
    values = np.arange(low, high + 1, dtype=jnp.result_type(int))
    values = values.reshape(values.shape + (1,) * len(batch_shape))
    return np.broadcast_to(values, values.shape[:1] + tuple(batch_shape)) if expand else values


def common_bound(owner: str, name: str, value: Any) -> int:
    """Single integer that a bound of the support must be for the support to be listed."""
    if not is_concrete(value):
        raise NotImplementedError(
            f"{owner}: the support can be enumerated only if {name} is a concrete number, "
            "but it is traced; pass it as a Python or NumPy integer"
        )
    distinct = np.unique(np.asarray(value))
    if distinct.size != 1:
        raise NotImplementedError(
            f"{owner}: the support can be enumerated only if {name} is the same over the batch, "
            f"but it takes the values {distinct.tolist()}"
        )
    return int(distinct[0])
