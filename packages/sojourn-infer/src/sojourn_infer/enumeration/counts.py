"""Log densities of categorical data summed over plates, by counting categories.

Where one row of probabilities serves many labels, the sum of their log densities is the row of log
masses times the numbers of labels of each category: a matrix product, whose gradient is another.
Looking each label up instead makes a table of labels by categories by discrete values, forwards
and backwards.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import sojourn_distributions as dist
from sojourn_distributions.arrays import float_dtype, is_concrete
from sojourn_distributions.discrete.categorical import CategoricalBase

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
    masks = []
    while isinstance(fn, dist.ExpandedDistribution | dist.MaskedDistribution):
        mask = getattr(fn, "mask_value", True)
        if mask is False:
            return None
        if mask is not True:
            masks.append(mask)
        fn = fn.base_dist
    if not isinstance(fn, CategoricalBase):
        return None
    *rows, size = np.broadcast_shapes((*fn.batch_shape, 1), (_size(fn),))
    labels = np.broadcast_shapes(np.shape(value), *map(np.shape, masks))
    rank = len(batch)
    if math.prod(batch) < 2 * math.prod(rows):
        return None  # no row serves several labels
    if size > MOST_CATEGORIES or math.prod(labels) * size > MOST_ENTRIES:
        return None
    dtype = float_dtype(*jax.tree.leaves(fn))
    if jnp.finfo(dtype).maxexp < 100:
        return None  # half precision has no room for what stands for minus infinity
    rows = [1] * (rank - len(rows)) + rows
    labels = (1,) * (rank - len(labels)) + labels
    if any(rows[d] > labels[d] for d in dims):
        return None
    # Stands for minus infinity, which times 0 is not 0; a billion of it are still finite.
    lowest = float(jnp.finfo(dtype).min) * 2.0**-30
    table, log_total = fn.log_weights(lowest)
    table = jnp.reshape(table, (*rows, size))
    repeats = math.prod(batch[d] for d in dims if labels[d] == 1)
    here = [d for d in dims if rows[d] == 1]
    counts, others = _counts(value, masks, labels, size, here, table.dtype)
    counts = counts if repeats == 1 else counts * repeats
    if log_total is not None:
        number = counts.sum(-1, keepdims=True)
        log_total = jnp.reshape(log_total, (*rows, 1))
    if others is not None:
        table = jnp.concatenate([table, jnp.full((*rows, 1), lowest, table.dtype)], -1)
        counts = jnp.concatenate([counts, others], -1)
    over = [d for d in dims if rows[d] > 1]
    total = _product(table, counts, over)
    if log_total is not None:
        total = total - _product(log_total, number, over)
    # A category without probability, or a value that is none, has taken part.
    impossible = total < lowest / 2
    return total + jax.lax.select(impossible, jnp.full_like(total, -jnp.inf), jnp.zeros_like(total))


def _size(fn: CategoricalBase) -> int:
    return np.shape(fn.enumerate_support(expand=False))[0]


def _counts(
    value: Any, masks: list[Any], shape: tuple[int, ...], size: int, dims: list[int], dtype: Any
) -> tuple[Any, Any]:
    """Count the labels of each category over some dims, and those of none, if there may be such."""
    length = math.prod(1 if d - len(shape) in dims else n for d, n in enumerate(shape))
    known = is_concrete(value) and all(map(is_concrete, masks))
    # What is known already is counted now, unless it would make the program large.
    xp: Any = np if known and length * size <= MOST_CONSTANTS else jnp
    value = xp.asarray(value)
    is_category = (value >= 0) & (value < size) & (value == xp.floor(value))
    index = xp.where(is_category, value, size)
    for mask in masks:
        index = xp.where(mask, index, -1)
    hits = xp.equal(xp.broadcast_to(index, shape)[..., None], np.arange(size + 1))
    counts = xp.sum(hits, tuple(d - 1 for d in dims), dtype, keepdims=True)
    counts, others = counts[..., :size], counts[..., size:]
    return counts, None if xp is np and not others.any() else others


def _product(table: jax.Array, counts: Any, dims: list[int]) -> jax.Array:
    """Sum the product over the categories and over dims that both have; the latter stay."""
    rank = table.ndim - 1
    over = [*(rank + d for d in dims), rank]
    both = [d for d in range(rank) if table.shape[d] != 1 and counts.shape[d] != 1]
    if set(both) - set(over):
        total = jnp.sum(table * counts, tuple(over), keepdims=True)
        return jnp.squeeze(total, rank)
    sides = []
    for side in (table, counts):
        axes = [d for d in range(rank) if side.shape[d] != 1 or d in over]
        side = jnp.reshape(side, [side.shape[d] for d in (*axes, rank)])
        contracting = [i for i, d in enumerate((*axes, rank)) if d in over]
        sides.append((side, contracting, [d for d in axes if d not in over]))
    (left, left_over, left_axes), (right, right_over, right_axes) = sides
    product = jax.lax.dot_general(
        left,
        right,
        ((left_over, right_over), ((), ())),
        precision=jax.lax.Precision.HIGHEST,
    )
    axes = [*left_axes, *right_axes]
    product = jnp.transpose(product, np.argsort(axes).tolist())
    shape = dict(zip(sorted(axes), product.shape, strict=True))
    return jnp.reshape(product, [shape.get(d, 1) for d in range(rank)])
