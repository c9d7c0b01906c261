"""The last two axes of a batch taken as one where the last is short.

A compiler writes out a loop of few steps, logarithms and exponentials with it, and the elements of
the rows before are then no neighbours. Joined, the rows are one loop over neighbours. Inputs are
joined before they broadcast: a compiler moves a reshape of an elementwise result back behind it.
"""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from jax import lax

__all__ = ["Rows", "join_rows", "part_rows"]

_SHORT, _WORTHWHILE = 16, 64
"""Rows of less than the one entries are joined, if together they have as many as the other."""

Rows = tuple[int, int] | None


def join_rows(*arrays: Any) -> tuple[list[Any], Rows]:
    """Join the last two axes, if the last one is short and every array has both or neither.

    Returns
    -------
    tuple
        The arrays, whose leading axes are as they were; and the two sizes, None if nothing was
        joined.
    """
    shape = np.broadcast_shapes(*(np.shape(x)[-2:] for x in arrays))
    if len(shape) < 2 or shape[0] == 1 or not 1 < shape[1] < _SHORT:
        return list(arrays), None
    if shape[0] * shape[1] < _WORTHWHILE or not all(_is_whole(x, shape) for x in arrays):
        return list(arrays), None
    return [_joined(x) for x in arrays], shape


def part_rows(x: Any, rows: Rows) -> Any:
    """Part the last axis again."""
    return x if rows is None else lax.reshape(x, (*x.shape[:-1], *rows))


def _is_whole(x: Any, shape: tuple[int, ...]) -> bool:
    own = np.shape(x)[-2:]
    return own == shape or all(n == 1 for n in own)


def _joined(x: Any) -> Any:
    *lead, a, b = (1, 1, *np.shape(x))[-max(np.ndim(x), 2) :]
    return (lax if isinstance(x, jax.Array) else np).reshape(x, (*lead, a * b))
