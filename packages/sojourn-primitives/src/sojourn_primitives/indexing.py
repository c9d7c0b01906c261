"""Indexing in which index arrays broadcast with each other and with the batch dims of the array.

NumPy moves the dims that index arrays make to different places, depending on where slices stand.
Models whose indices may be single numbers, batches, or have dims of their own (plates, enumeration)
need one rule: what is indexed becomes batch dims on the left, what is sliced event dims on the
right. This is the rule of Pyro's ``Vindex``.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax


def vindex(tensor: Any, args: Any) -> Any:
    """Index ``tensor`` with broadcasting.

    Parameters
    ----------
    tensor : array
        What is indexed.
    args : tuple
        One entry for each dim from the left: an integer, an array of integers or a slice; dims that
        are not mentioned are sliced whole. A leading ``...`` instead lets the entries count from
        the right, and the dims to their left are batch dims, which broadcast with the index arrays.

    Returns
    -------
    array
        Shape ``broadcast(batch dims, index arrays) + sliced dims``.

    Raises
    ------
    IndexError
        If there are more entries than dims, or ``...`` stands elsewhere than first.

    Examples
    --------
    >>> import numpy as np
    >>> from sojourn_primitives import vindex
    >>> rows = np.arange(12).reshape(3, 4)
    >>> vindex(rows, (..., np.array([0, 1, 3]))).tolist()  # one entry of each row
    [0, 5, 11]
    """
    args = args if isinstance(args, tuple) else (args,)
    shape = np.shape(tensor)
    has_batch = bool(args) and args[0] is Ellipsis
    entries = args[1:] if has_batch else args
    if any(entry is Ellipsis for entry in entries):
        raise IndexError(f"vindex: '...' may only stand first, got the index {args}")
    if len(entries) > len(shape):
        raise IndexError(f"vindex: {len(entries)} entries for an array of shape {shape}")
    num_batch = len(shape) - len(entries) if has_batch else 0
    if not has_batch:
        entries += (slice(None),) * (len(shape) - len(entries))

    tensor = jnp.asarray(tensor)
    index: dict[int, Any] = {
        dim: np.arange(shape[dim]).reshape((-1,) + (1,) * (num_batch - 1 - dim))
        for dim in range(num_batch)
    }
    slices = [slice(None)] * num_batch
    for dim, entry in enumerate(entries, start=num_batch):
        slices.append(entry if isinstance(entry, slice) else slice(None))
        if not isinstance(entry, slice):
            index[dim] = entry
    if any(one != slice(None) for one in slices):
        tensor = tensor[tuple(slices)]
    return _take(tensor, index)


def _take(tensor: jax.Array, index: dict[int, Any]) -> jax.Array:
    """Index some dims by arrays that broadcast; the other dims stay, on the right."""
    kept = [dim for dim in range(tensor.ndim) if dim not in index]
    batch = np.broadcast_shapes(*map(np.shape, index.values()))
    counted = _counted_dims(tensor.shape, index)
    looked_up = [dim for dim in index if dim not in counted]
    if len(looked_up) > 1:
        # Every dim is indexed by an array, reshaped so that index arrays line up on the left and
        # each dim that stays has a place of its own on the right.
        everything = [
            jnp.reshape(index[dim], np.shape(index[dim]) + (1,) * len(kept))
            if dim in index
            else np.arange(tensor.shape[dim]).reshape(
                (-1,) + (1,) * (len(kept) - 1 - kept.index(dim))
            )
            for dim in range(tensor.ndim)
        ]
        return tensor[tuple(everything)]
    # Dims that are counted through need no look-up, only their place.
    rank = len(batch)
    if not looked_up:
        order = sorted(counted, key=lambda dim: counted[dim])
        shape = [1] * rank
        for dim in order:
            shape[counted[dim]] = tensor.shape[dim]
        moved = _in_order(tensor, [*order, *kept])
        return _reshaped(moved, [*shape, *moved.shape[len(order) :]])
    (dim,) = looked_up
    own = jnp.reshape(index[dim], (1,) * (rank - np.ndim(index[dim])) + np.shape(index[dim]))
    axes = [axis for axis in range(rank) if own.shape[axis] != 1]
    before = sorted((d for d in counted if axes and counted[d] < axes[0]), key=counted.__getitem__)
    after = sorted((d for d in counted if d not in before), key=counted.__getitem__)
    moved = _in_order(tensor, [*before, dim, *after, *kept])
    taken = take_rows(moved, own.reshape([own.shape[axis] for axis in axes]), len(before))
    places = [*(counted[d] for d in before), *axes, *(counted[d] for d in after)]
    events = range(len(places), len(places) + len(kept))
    taken = _in_order(taken, [*np.argsort(places).tolist(), *events])
    size_of = dict(zip(sorted(places), taken.shape, strict=False))
    sizes = [size_of.get(axis, 1) for axis in range(rank)]
    return _reshaped(taken, [*sizes, *taken.shape[len(places) :]])


def _in_order(x: jax.Array, axes: list[int]) -> jax.Array:
    return x if axes == sorted(axes) else lax.transpose(x, axes)


def _reshaped(x: jax.Array, shape: Sequence[int]) -> jax.Array:
    return x if x.shape == tuple(shape) else lax.reshape(x, shape)


def _counted_dims(shape: Sequence[int], index: dict[int, Any]) -> dict[int, int]:
    """Find the dims whose index counts 0, 1, ... along an axis that no other index has.

    Returns
    -------
    dict
        For each of them the axis, from the left, of what all indices broadcast to.
    """
    rank = max((np.ndim(entry) for entry in index.values()), default=0)
    shapes = {d: (1,) * (rank - np.ndim(e)) + np.shape(e) for d, e in index.items()}
    counted: dict[int, int] = {}
    for dim, entry in index.items():
        axes = [axis for axis, size in enumerate(shapes[dim]) if size != 1]
        if len(axes) != 1 or shapes[dim][axes[0]] != shape[dim]:
            continue
        alone = all(shapes[d][axes[0]] == 1 for d in index if d != dim)
        if alone and _is_known(entry) and np.array_equal(np.ravel(entry), np.arange(shape[dim])):
            counted[dim] = axes[0]
    return counted


def _is_known(entry: Any) -> bool:
    if isinstance(entry, jax.Array):
        return not isinstance(entry, jax.core.Tracer) and entry.is_fully_addressable
    return True


_MOST_ROWS = 64

_MOST_CONSTANTS = 2**16
"""The matrix for a known index is a constant of the program up to this number of entries."""


def take_rows(table: jax.Array, index: jax.Array, axis: int) -> jax.Array:
    """Look up entries of one axis by an array of integers, whose dims take the axis's place.

    The gradient for a table of few rows is a product with a matrix that tells which entry is which
    row: adding entries up where the index says is slow on processors, one after another.
    """
    if table.shape[axis] > _MOST_ROWS or not jnp.issubdtype(table.dtype, jnp.floating):
        return table[(slice(None),) * axis + (index,)]
    size = table.shape[axis]
    if _is_known(index) and np.size(index) * size <= _MOST_CONSTANTS:
        row = np.asarray(index)
        row = np.where(row < 0, row + size, row)
        if np.all((row >= 0) & (row < size)):
            is_row = _is_row(np, row, size, table.dtype)
            return _take_known_rows(table, row[..., None], is_row, axis)
    return _take_few_rows(table, index, axis)


@functools.partial(jax.custom_jvp, nondiff_argnums=(3,))
def _take_known_rows(table: jax.Array, row: Any, is_row: Any, axis: int) -> jax.Array:
    """Look up rows that there are, whose numbers have one more axis, of size 1."""
    own, others = row.ndim - 1, table.ndim - axis - 1
    dims = lax.GatherDimensionNumbers(
        offset_dims=(*range(axis), *range(axis + own, axis + own + others)),
        collapsed_slice_dims=(axis,),
        start_index_map=(axis,),
    )
    sizes = (*table.shape[:axis], 1, *table.shape[axis + 1 :])
    return lax.gather(table, row, dims, sizes, mode=lax.GatherScatterMode.PROMISE_IN_BOUNDS)


@_take_known_rows.defjvp
def _take_known_rows_jvp(
    axis: int, primals: tuple[Any, Any, Any], tangents: tuple[Any, Any, Any]
) -> tuple[Any, Any]:
    (table, row, is_row), (tangent, _, _) = primals, tangents
    return _take_known_rows(table, row, is_row, axis), _sum_of_rows(tangent, is_row, axis)


@functools.partial(jax.custom_jvp, nondiff_argnums=(2,))
def _take_few_rows(table: jax.Array, index: jax.Array, axis: int) -> jax.Array:
    return table[(slice(None),) * axis + (index,)]


@_take_few_rows.defjvp
def _take_few_rows_jvp(
    axis: int, primals: tuple[Any, Any], tangents: tuple[Any, Any]
) -> tuple[Any, Any]:
    (table, index), (tangent, _) = primals, tangents
    size = table.shape[axis]
    is_row = _is_row(jnp, jnp.where(index < 0, index + size, index), size, table.dtype)
    return _take_few_rows(table, index, axis), _sum_of_rows(tangent, is_row, axis)


def _is_row(xp: Any, row: Any, size: int, dtype: Any) -> Any:
    """Tell by 1 which row is meant."""
    return xp.equal(row[..., None], np.arange(size)).astype(dtype)


def _sum_of_rows(table: jax.Array, is_row: Any, axis: int) -> jax.Array:
    """Look up rows by a product, whose transpose is another."""
    own = is_row.ndim - 1
    rows = lax.dot_general(
        table,
        is_row,
        (((axis,), (own,)), ((), ())),
        precision=lax.Precision.HIGHEST,
    )
    others = table.ndim - axis - 1
    order = [*range(axis), *range(axis + others, axis + others + own), *range(axis, axis + others)]
    return _in_order(rows, order)


class Vindex:
    """Give an array the indexing of `vindex`: ``Vindex(x)[..., i, :]``.

    Examples
    --------
    >>> import numpy as np
    >>> from sojourn_primitives import Vindex
    >>> x = np.zeros((3, 4, 5))
    >>> i = np.array([[0], [2]])
    >>> Vindex(x)[..., i, :].shape  # batch (3,) broadcasts with (2, 1)
    (2, 3, 5)
    """

    def __init__(self, tensor: Any) -> None:
        self._tensor = tensor

    def __getitem__(self, args: Any) -> Any:
        return vindex(self._tensor, args)
