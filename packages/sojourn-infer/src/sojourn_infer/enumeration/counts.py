"""Log densities of categorical data summed over plates, by counting categories.

Where one row of probabilities serves many labels, the sum of their log densities is the row of log
masses times the numbers of labels of each category: a matrix product, whose gradient is another.
Looking each label up instead makes a table of labels by categories by discrete values, forwards
and backwards.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

import sojourn_distributions as dist
from sojourn_distributions.arrays import float_dtype, is_concrete
from sojourn_distributions.broadcasting import broadcast
from sojourn_distributions.discrete.categorical import CategoricalBase
from sojourn_distributions.discrete.categories import weigh

MOST_CATEGORIES = 64
"""With more, a table of labels by categories costs more than looking labels up."""

MOST_ENTRIES = 2**24
"""The table of labels by categories has at most as many entries."""

MOST_CONSTANTS = 2**16
"""Counts of data that are known while tracing are constants of the program up to this number."""


def summed_log_prob(fn: Any, value: Any, dims: Collection[int]) -> jax.Array | None:
    """Sum the log densities of categorical data over batch dims, which stay with size 1.

    Parameters
    ----------
    fn : Distribution
        A categorical distribution, perhaps masked or expanded.
    value : array
        The data; their dims and those of the distribution broadcast.
    dims : collection of int
        The dims to sum over, negative.

    Returns
    -------
    array or None
        The sum; None where the distribution is another, or there is nothing to gain.
    """
    batch = np.broadcast_shapes(fn.batch_shape, np.shape(value))
    fn, masks = _unwrapped(fn)
    if not isinstance(fn, CategoricalBase) or masks is None:
        return None
    *rows, size = np.broadcast_shapes((*fn.batch_shape, 1), (_size(fn),))
    labels = np.broadcast_shapes(np.shape(value), *map(np.shape, masks))
    if math.prod(batch) < 2 * math.prod(rows):
        return None  # no row serves several labels
    if size > MOST_CATEGORIES or math.prod(labels) * size > MOST_ENTRIES:
        return None
    dtype = float_dtype(*jax.tree.leaves(fn))
    if jnp.finfo(dtype).maxexp < 100:
        return None  # half precision has no room for what stands for minus infinity
    rank = len(batch)
    rows = [1] * (rank - len(rows)) + rows
    labels = (1,) * (rank - len(labels)) + labels
    if any(rows[d] > labels[d] for d in dims):
        return None
    # Where each row has labels of its own, there is no matrix of labels that serves all rows; the
    # categories then stand before all dims that labels have.
    apart = any(rows[d] > 1 and labels[d] > 1 and d not in dims for d in range(-rank, 0))
    own = [0, *(rank - d for d, n in enumerate(labels) if n != 1), *(-d for d in dims)]
    place = -1 - max(own) if apart else -1
    # What is known already is counted now, unless it would make the program large.
    known = all(map(is_concrete, [value, *masks])) and math.prod(labels) * size <= MOST_CONSTANTS
    index = _labels(np if known else jnp, value, masks, size)
    here = [d for d in dims if rows[d] == 1]
    counts = _counts(np if known else jnp, index, labels, place, size, here, dtype)
    repeats = math.prod(batch[d] for d in dims if labels[d] == 1)
    counts = counts if repeats == 1 else counts * repeats
    # Stands for minus infinity, which times 0 is not 0; a billion of it are still finite.
    lowest = float(jnp.finfo(dtype).min) * 2.0**-30
    floor = -math.inf if apart else lowest
    table, log_total = fn.log_weights(floor, max(place, -1 - len(fn.batch_shape)))
    table = lax.reshape(table, _insert(rows, place, size))
    if counts.shape[place] > size:
        none = jnp.full(_insert(rows, place, 1), lowest, dtype)
        table = jnp.concatenate([table, none], place)
    over = [d for d in dims if rows[d] > 1]
    if apart:
        total = weigh(table, counts, place, lowest)
    else:
        total = _matrix_product(table, counts, place, over)
    if log_total is not None:
        log_total = lax.reshape(log_total, _insert(rows, place, 1))
        of_categories = counts[(..., slice(size), *(slice(None),) * (-1 - place))]
        number = of_categories.sum(place, keepdims=True)
        if apart:
            shape = np.broadcast_shapes(log_total.shape, number.shape)
            numbers = lax.mul(broadcast(log_total, shape), broadcast(number, shape))
            of_totals = lax.squeeze(numbers, [numbers.ndim + place])
        else:
            of_totals = _matrix_product(log_total, number, place, over)
        total = lax.sub(total, broadcast(of_totals, total.shape))
    total = jnp.sum(total, tuple(over), keepdims=True) if apart and over else total
    # A category without probability, or a value that is none, has taken part. What is added has no
    # gradient that a program would have to select.
    impossible = lax.lt(total, lax.full_like(total, lowest / 2))
    return lax.add(
        total,
        lax.select(impossible, lax.full_like(total, -math.inf), lax.full_like(total, 0)),
    )


def _unwrapped(fn: Any) -> tuple[Any, list[Any] | None]:
    """Return what has been expanded and masked, and the masks, None if all is masked."""
    masks = []
    while isinstance(fn, dist.ExpandedDistribution | dist.MaskedDistribution):
        mask = getattr(fn, "mask_value", True)
        if mask is False:
            return fn, None
        if mask is not True:
            masks.append(mask)
        fn = fn.base_dist
    return fn, masks


def _insert(shape: Sequence[int], place: int, size: int) -> tuple[int, ...]:
    """Return a shape with one more axis, which is then the axis ``place``, negative."""
    axis = len(shape) + 1 + place
    return (*shape[:axis], size, *shape[axis:])


def _beside(dims: Collection[int], place: int) -> tuple[int, ...]:
    """Where the dims of a batch are, from the right, beside one more axis at ``place``."""
    return tuple(d if d > place else d - 1 for d in dims)


def _size(fn: CategoricalBase) -> int:
    return np.shape(fn.enumerate_support(expand=False))[0]


def _labels(xp: Any, value: Any, masks: list[Any], size: int) -> Any:
    """Return the labels as integers: those that are no category are `size`, masked ones -1."""
    value = xp.asarray(value)
    is_category = (value >= 0) & (value < size) & (value == xp.floor(value))
    index = xp.where(is_category, value, size)
    for mask in masks:
        index = xp.where(mask, index, -1)
    return index


def _counts(
    xp: Any, index: Any, shape: tuple[int, ...], place: int, size: int, dims: list[int], dtype: Any
) -> Any:
    """Count the labels of each category over some dims, at last those of none if there may be such.

    The categories get an axis of their own at ``place``.
    """
    size += xp is jnp or bool(np.any(index == size))
    index = xp.reshape(xp.broadcast_to(index, shape), _insert(shape, place, 1))
    category = np.arange(size).reshape((-1,) + (1,) * (-1 - place))
    return xp.sum(xp.equal(index, category), _beside(dims, place), dtype, keepdims=True)


def _matrix_product(table: jax.Array, counts: Any, place: int, dims: list[int]) -> jax.Array:
    """Sum the product over the categories and over some dims that both have."""
    rank = table.ndim
    over = [rank + d for d in (place, *_beside(dims, place))]
    sides = []
    for side in (table, counts):
        axes = [d for d in range(rank) if side.shape[d] != 1 or d in over]
        side = lax.reshape(side, [side.shape[d] for d in axes])
        contracting = [i for i, d in enumerate(axes) if d in over]
        sides.append((side, contracting, [d for d in axes if d not in over]))
    (left, left_over, left_axes), (right, right_over, right_axes) = sides
    product = lax.dot_general(
        left,
        right,
        ((left_over, right_over), ((), ())),
        precision=lax.Precision.HIGHEST,
    )
    axes = [*left_axes, *right_axes]
    product = lax.transpose(product, np.argsort(axes).tolist())
    shape = dict(zip(sorted(axes), product.shape, strict=True))
    return lax.reshape(product, [shape.get(d, 1) for d in range(rank) if d != rank + place])
