"""A mass matrix of blocks: some sites share a dense block, the others are diagonal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_hmc.mass_matrix import MassMatrix, Metric

Names = tuple[str, ...]


@dataclass(frozen=True)
class Blocks:
    """How the flat position is cut into the blocks of its mass matrix.

    Attributes
    ----------
    indices : dict
        For each block, by the names of its sites, the components ``(d,)`` that it holds.
    dense : dict
        Whether the block is dense.
    """

    indices: Mapping[Names, np.ndarray]
    dense: Mapping[Names, bool]

    @property
    def size(self) -> int:
        """Number of components of all blocks."""
        return sum(map(len, self.indices.values()))

    def split(self, flat: jax.Array) -> dict[Names, jax.Array]:
        """Cut ``(D,)`` into one vector for each block."""
        return {names: flat[index] for names, index in self.indices.items()}

    def join(self, parts: Mapping[Names, jax.Array]) -> jax.Array:
        """Undo `split`."""
        order = np.argsort(np.concatenate(list(self.indices.values())))
        return jnp.concatenate([parts[names] for names in self.indices])[order]


@dataclass(frozen=True)
class BlockMassMatrix(Metric):
    """Independent mass matrices of the blocks."""

    parts: Mapping[Names, MassMatrix]
    blocks: Blocks

    def momentum(self, key: jax.Array) -> jax.Array:
        dtype = next(iter(self.parts.values())).inverse_mass_matrix.dtype
        noise = self.blocks.split(jax.random.normal(key, (self.blocks.size,), dtype))
        return self.blocks.join(
            {names: part.scale_noise(noise[names]) for names, part in self.parts.items()}
        )

    def velocity(self, momentum: jax.Array) -> jax.Array:
        vectors = self.blocks.split(momentum)
        return self.blocks.join(
            {names: part.velocity(vectors[names]) for names, part in self.parts.items()}
        )

    def mass_times(self, vector: jax.Array) -> jax.Array:
        vectors = self.blocks.split(vector)
        return self.blocks.join(
            {names: part.mass_times(vectors[names]) for names, part in self.parts.items()}
        )


def check_names(dense_mass: Sequence[Any], inverse_mass_matrix: Any) -> None:
    """Raise unless blocks are disjoint tuples of names, the same in both settings."""
    for names in dense_mass:
        if not isinstance(names, tuple) or not all(isinstance(name, str) for name in names):
            raise TypeError(
                "dense_mass must be a bool or a list of tuples of site names such as "
                f"[('x', 'y')], got the entry {names!r}"
            )
    given = list(inverse_mass_matrix) if isinstance(inverse_mass_matrix, Mapping) else []
    for blocks, setting in ((dense_mass, "dense_mass"), (given, "inverse_mass_matrix")):
        sites = [name for names in blocks for name in names]
        repeated = sorted({name for name in sites if sites.count(name) > 1})
        if repeated:
            raise ValueError(
                f"{setting}: sites {repeated} are in more than one block; a site belongs to one"
            )
    for names in given:
        if not isinstance(names, tuple):
            raise TypeError(
                "inverse_mass_matrix: the keys of a dict are tuples of site names such as "
                f"('x', 'y'), got {names!r}"
            )
        clashing = [block for block in dense_mass if block != names and set(block) & set(names)]
        if clashing:
            raise ValueError(
                f"inverse_mass_matrix has a block {names}, but dense_mass has {clashing[0]}: "
                "blocks that share a site must be the same"
            )


def cut_into_blocks(
    position: Any, dense_mass: Sequence[Names], inverse_mass_matrix: Any = None
) -> Blocks:
    """Find the components of each block in the flattened ``position``.

    Parameters
    ----------
    position : dict
        Arrays (or shapes) by site name, in the order in which they are flattened.
    dense_mass : sequence of tuple of str
        Sites of the dense blocks.
    inverse_mass_matrix : dict, optional
        Given blocks by their sites; a matrix is a dense block, a vector a diagonal one.

    Returns
    -------
    Blocks
        The sites that are in none form one diagonal block, the last.

    Raises
    ------
    ValueError
        If a site is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> position = {"a": np.zeros(2), "b": np.zeros(()), "c": np.zeros(3)}
    >>> blocks = cut_into_blocks(position, [("c", "b")])
    >>> {names: index.tolist() for names, index in blocks.indices.items()}
    {('c', 'b'): [3, 4, 5, 2], ('a',): [0, 1]}
    """
    if not isinstance(position, Mapping):
        raise ValueError(
            "blocks of the mass matrix are named by sites, so a position must be a dict of "
            f"arrays by site, got {type(position).__name__}"
        )
    first, where = 0, {}
    for name in sorted(position):
        size = int(np.prod(position[name].shape, dtype=int))
        where[name] = np.arange(first, first + size)
        first += size
    dense = {tuple(names): True for names in dense_mass}
    if isinstance(inverse_mass_matrix, Mapping):
        dense |= {names: np.ndim(block) == 2 for names, block in inverse_mass_matrix.items()}
    taken = {name for names in dense for name in names}
    unknown = sorted(taken - where.keys())
    if unknown:
        raise ValueError(
            f"dense_mass or inverse_mass_matrix names sites {unknown}, but the latent sites are "
            f"{sorted(where)}"
        )
    rest = tuple(name for name in where if name not in taken)
    if rest:
        dense[rest] = False
    indices = {names: np.concatenate([where[name] for name in names]) for names in dense}
    return Blocks(indices, dense)
