"""Subsamples of plates: their first draw, and the proposal that draws one block of them anew.

Source: Tran, Kohn, Quiroz and Villani 2017, "The block pseudo-marginal sampler". With ``G`` blocks
successive estimates of the log likelihood have a correlation of about ``1 - 1/G``, so that their
difference, by which a proposal is accepted or not, varies less than they do.

Invariant: slots belong to blocks once and for all, the block is chosen and its indices are drawn
without looking at the present ones. So a proposal is as likely as its reverse, and its acceptance
probability is the ratio of the target's densities.
"""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_gibbs.ecs.likelihood import Indices, PlateSize


def first_subsamples(plates: Mapping[str, PlateSize], key: jax.Array) -> Indices:
    """Draw every plate's indices uniformly, with replacement.

    Examples
    --------
    >>> drawn = first_subsamples({"N": PlateSize(100, 5)}, jax.random.key(0))
    >>> drawn["N"].shape
    (5,)
    """
    return {
        name: _uniform(plate, jax.random.fold_in(key, n))
        for n, (name, plate) in enumerate(sorted(plates.items()))
    }


def block_of_slots(subsample_size: int, num_blocks: int) -> np.ndarray:
    """Return the block of each slot of a subsample, ``(m,)``; sizes of blocks differ by one at most.

    Examples
    --------
    >>> block_of_slots(7, 3).tolist()
    [0, 0, 0, 1, 1, 2, 2]
    """
    return np.arange(subsample_size) * num_blocks // subsample_size


def redraw_block(
    plates: Mapping[str, PlateSize], num_blocks: int, key: jax.Array, indices: Indices
) -> Indices:
    """Draw one block of each plate's indices anew.

    Parameters
    ----------
    plates : dict
        The plates.
    num_blocks : int
        Number of blocks, at most the size of the smallest subsample.
    key : Array
        Randomness.
    indices : dict
        The present indices.

    Examples
    --------
    >>> old = {"N": jnp.full(6, 1000)}  # as nothing is drawn
    >>> new = redraw_block({"N": PlateSize(100, 6)}, 3, jax.random.key(0), old)
    >>> int(jnp.sum(new["N"] != old["N"]))
    2
    """
    proposed = {}
    for n, (name, plate) in enumerate(sorted(plates.items())):
        key_block, key_indices = jax.random.split(jax.random.fold_in(key, n))
        block = jax.random.randint(key_block, (), 0, num_blocks)
        chosen = block_of_slots(plate.subsample_size, num_blocks) == block
        proposed[name] = jnp.where(chosen, _uniform(plate, key_indices), indices[name])
    return proposed


def _uniform(plate: PlateSize, key: jax.Array) -> jax.Array:
    return jax.random.randint(key, (plate.subsample_size,), 0, plate.size, jnp.int32)
