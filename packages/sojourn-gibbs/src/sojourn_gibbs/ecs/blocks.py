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
from typing import Any

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
    """Return the block of each slot of a subsample, ``(m,)``; sizes differ by one at most.

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


def block_update(
    plate_sizes: Mapping[str, tuple[int, int]],
    num_blocks: int,
    rng_key: jax.Array,
    gibbs_sites: Indices,
    gibbs_state: Any,
) -> tuple[Indices, Any]:
    """Do what `redraw_block` does, in the form of a Gibbs update.

    Parameters
    ----------
    plate_sizes : dict
        Size and subsample size of each plate.
    num_blocks, rng_key, gibbs_sites
        As for `redraw_block`.
    gibbs_state
        Whatever else is carried; returned as it is.

    Examples
    --------
    >>> old = {"N": jnp.arange(4)}
    >>> new, carried = block_update({"N": (9, 4)}, 2, jax.random.key(0), old, ())
    >>> int(jnp.sum(new["N"] == old["N"])) >= 2, carried
    (True, ())
    """
    plates = {name: PlateSize(*sizes) for name, sizes in plate_sizes.items()}
    return redraw_block(plates, num_blocks, rng_key, gibbs_sites), gibbs_state


def _uniform(plate: PlateSize, key: jax.Array) -> jax.Array:
    return jax.random.randint(key, (plate.subsample_size,), 0, plate.size, jnp.int32)
