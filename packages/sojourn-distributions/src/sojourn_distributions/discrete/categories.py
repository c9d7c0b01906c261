"""Tables over a few categories: how they lie, the entry of one category, and weighted sums.

Side by side, a few categories would be gone through one after another. In front of the dims of a
batch they are not: a processor takes many elements of the batch at once. The rules give gradients
as products with a mask or with weights, where the chain rule would put together what it has taken
apart.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from sojourn_distributions.broadcasting import broadcast, where
from sojourn_distributions.numerics import log_sum_exp, shares
from sojourn_distributions.short_rows import Rows, join_rows, part_rows

__all__ = ["few_first", "log_softmax_at", "pick", "pick_at", "weigh", "with_categories_at"]

_FEW = 64
"""Up to this many categories `few_first` moves them."""

_MOST_WRITTEN_OUT = 8
"""Up to this many categories are written out one by one: a kernel with what surrounds them."""


def few_first(table: Any, index: Any) -> tuple[Any, Any, int, Rows]:
    """Move the last axis, if it has few entries, in front of the dims that `index` has, too.

    Returns
    -------
    tuple
        The table and the index, short rows of the batch joined; where the axis is, counted from
        the right, negative; and the rows, into which to part what has been computed.
    """
    place = -1 - min(np.ndim(index), np.ndim(table) - 1) if table.shape[-1] <= _FEW else -1
    table = with_categories_at(place, table)
    if place > -3:
        return table, index, place, None
    (table, index), rows = join_rows(table, index)
    return table, index, place + (rows is not None), rows


def with_categories_at(place: int, table: Any) -> Any:
    """Move the last axis to a place, counted from the right, negative."""
    table = jnp.asarray(table)
    *batch, last = range(table.ndim)
    order = [*batch[: table.ndim + place], last, *batch[table.ndim + place :]]
    return table if place == -1 else lax.transpose(table, order)


def pick(table: Any, index: Any) -> Any:
    """``table[..., index]`` with broadcast batch dimensions; 0 <= index < table.shape[-1]."""
    table, index, place, rows = few_first(table, index)
    return part_rows(pick_at(table, index, place), rows)


@functools.partial(jax.custom_jvp, nondiff_argnums=(2,))
def pick_at(table: Any, index: Any, place: int) -> Any:
    """Pick an entry along axis `place`, from the right; the index broadcasts with the others."""
    return _entry(table, index, place)


@pick_at.defjvp
def _pick_at_jvp(
    place: int, primals: tuple[Any, Any], tangents: tuple[Any, Any]
) -> tuple[Any, Any]:
    (table, index), (tangent, _) = primals, tangents
    hit = _is_entry(table, index, place)
    return _entry(table, index, place), _sum(where(hit, tangent, 0.0), place)


@functools.partial(jax.custom_jvp, nondiff_argnums=(2,))
def log_softmax_at(logits: Any, index: Any, place: int) -> Any:
    """Pick an entry of the log of the softmax along axis `place`, as `pick_at` does."""
    return _entry(logits, index, place) - log_sum_exp(logits, (logits.ndim + place,), bounded=True)


@log_softmax_at.defjvp
def _log_softmax_at_jvp(
    place: int, primals: tuple[Any, Any], tangents: tuple[Any, Any]
) -> tuple[Any, Any]:
    (logits, index), (tangent, _) = primals, tangents
    axes = (logits.ndim + place,)
    log_total = log_sum_exp(logits, axes, bounded=True)
    hit = _is_entry(logits, index, place)
    own, rest = where(hit, tangent, 0.0), shares(logits, log_total, axes) * tangent
    slope = _sum(own, place) - _sum(rest, place)
    return _entry(logits, index, place) - log_total, slope


def _sum(x: Any, place: int) -> Any:
    return lax.reduce_sum(x, (x.ndim + place,))


def _entry(table: Any, index: Any, place: int) -> Any:
    """Entry along one axis: the other axes of table and index broadcast."""
    if table.shape[place] <= _MOST_WRITTEN_OUT:
        return _selected(table, _is_entry(table, index, place), place)
    return _looked_up(table, index, place)


def _selected(table: Any, hit: Any, place: int) -> Any:
    shape = _shape_of_entries(place, table, hit)
    *others, result = (broadcast(entry, shape) for entry in _entries(table, place))
    for entry, is_it in zip(others, _entries(hit, place), strict=False):
        result = lax.select(broadcast(is_it, shape), entry, result)
    return lax.squeeze(result, [len(shape) + place])


def _looked_up(table: Any, index: Any, place: int) -> Any:
    if not jnp.issubdtype(index.dtype, jnp.integer):
        index = index.astype(int)
    index = lax.expand_dims(index, [index.ndim + 1 + place])
    rank = max(index.ndim, table.ndim)
    sizes, counts = ((1,) * (rank - x.ndim) + x.shape for x in (table, index))
    # An axis that the index lacks is taken whole; of one that both have, each entry looks into its
    # own part of the table.
    own = [axis for axis in range(rank) if counts[axis] != 1]
    whole = [axis for axis in range(rank) if counts[axis] == 1 and axis != rank + place]
    both = [axis for axis in own if sizes[axis] != 1]
    dims = lax.GatherDimensionNumbers(
        offset_dims=tuple(axis - (axis > rank + place) for axis in whole),
        collapsed_slice_dims=tuple(sorted({*own, rank + place} - {*both})),
        start_index_map=(rank + place,),
        operand_batching_dims=tuple(both),
        start_indices_batching_dims=tuple(own.index(axis) for axis in both),
    )
    return lax.gather(
        lax.reshape(table, sizes),
        lax.reshape(index, (*(counts[axis] for axis in own), 1)),
        dims,
        [size if axis in whole else 1 for axis, size in enumerate(sizes)],
        mode=lax.GatherScatterMode.PROMISE_IN_BOUNDS,
    )


def _is_entry(table: Any, index: Any, place: int) -> Any:
    size = table.shape[place]
    category = np.arange(size, dtype=index.dtype).reshape((-1,) + (1,) * (-1 - place))
    index = lax.expand_dims(index, [index.ndim + 1 + place])
    shape = np.broadcast_shapes(index.shape, category.shape)
    return lax.eq(broadcast(index, shape), broadcast(category, shape))


@functools.partial(jax.custom_jvp, nondiff_argnums=(2, 3))
def weigh(table: Any, weights: Any, place: int, floor: float) -> Any:
    """Sum the product with weights, which are constants, along axis `place`, from the right.

    ``floor`` stands for what is less: infinity times 0 is not 0.
    """
    return _weigh(table, weights, place, floor)


@weigh.defjvp
def _weigh_jvp(
    place: int, floor: float, primals: tuple[Any, Any], tangents: tuple[Any, Any]
) -> tuple[Any, Any]:
    (table, weights), (tangent, _) = primals, tangents
    shape = np.broadcast_shapes(tangent.shape, weights.shape)
    slope = _sum(lax.mul(broadcast(tangent, shape), broadcast(weights, shape)), place)
    return _weigh(table, weights, place, floor), slope


def _weigh(table: Any, weights: Any, place: int, floor: float) -> Any:
    if table.shape[place] > _MOST_WRITTEN_OUT:
        return _sum(jnp.maximum(table, floor) * weights, place)
    shape = _shape_of_entries(place, table, weights)
    terms = [
        lax.mul(broadcast(lax.max(x, lax.full_like(x, floor)), shape), broadcast(weight, shape))
        for x, weight in zip(_entries(table, place), _entries(weights, place), strict=True)
    ]
    return lax.squeeze(functools.reduce(lax.add, terms), [len(shape) + place])


def _shape_of_entries(place: int, *tables: Any) -> tuple[int, ...]:
    axes = [table.ndim + place for table in tables]
    shapes = [table.shape for table in tables]
    return np.broadcast_shapes(
        *((*n[:axis], 1, *n[axis + 1 :]) for n, axis in zip(shapes, axes, strict=True))
    )


def _entries(table: Any, place: int) -> Sequence[Any]:
    """Part an axis into axes of size 1."""
    return lax.split(table, (1,) * table.shape[place], table.ndim + place)
