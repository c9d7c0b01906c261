"""Draws of a subposterior: any pytree of arrays for the user, a matrix for the arithmetic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

PyTree = Any


class Layout(NamedTuple):
    """How a row of numbers stands for one draw.

    Attributes
    ----------
    structure : PyTreeDef
        Of the pytree.
    names : tuple of str
        Where each leaf is, in words.
    shapes : tuple of tuple of int
        Shape of one draw of each leaf.
    dtypes : tuple of dtype
        Type of each leaf.
    """

    structure: Any
    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    dtypes: tuple[Any, ...]

    @property
    def sizes(self) -> list[int]:
        """Numbers in one draw of each leaf."""
        return [math.prod(shape) for shape in self.shapes]

    def column(self, index: int) -> str:
        """Say which number of a draw a column holds."""
        for name, size in zip(self.names, self.sizes, strict=True):
            if index < size:
                return name if size == 1 else f"{name}, element {index}"
            index -= size
        raise IndexError(index)

    def restore(self, rows: Any) -> PyTree:
        """Give rows ``(..., D)`` the structure, shapes and types of the draws."""
        ends = np.cumsum(self.sizes)[:-1]
        parts = np.split(np.asarray(rows), ends, axis=-1)
        leaves = [
            jnp.asarray(part.reshape(*part.shape[:-1], *shape).astype(dtype))
            for part, shape, dtype in zip(parts, self.shapes, self.dtypes, strict=True)
        ]
        return jax.tree.unflatten(self.structure, leaves)


def flatten(subposteriors: Sequence[PyTree]) -> tuple[list[np.ndarray], Layout]:
    """Turn the draws of every subposterior into a matrix ``(draws, D)`` of double precision.

    Parameters
    ----------
    subposteriors : sequence of pytree
        Arrays with a leading axis of draws; all of one structure and one shape of a draw. The
        numbers of draws may differ.

    Returns
    -------
    tuple
        The matrices, and the layout that they share.

    Raises
    ------
    ValueError
        If there are no subposteriors or no draws, structures or shapes differ, or a number is not
        finite. The message names the subposterior and the site.
    TypeError
        If ``subposteriors`` is not a sequence, or a site is not made of real numbers.
    """
    if isinstance(subposteriors, dict) or not isinstance(subposteriors, Sequence):
        raise TypeError(
            "subposteriors must be a list with the draws of one subposterior each, got "
            f"{type(subposteriors).__name__}"
        )
    if not subposteriors:
        raise ValueError("subposteriors is empty: give the draws of at least one subposterior")
    layout = _layout(subposteriors[0], 0)
    matrices = []
    for index, draws in enumerate(subposteriors):
        own = _layout(draws, index)
        if own.structure != layout.structure:
            raise ValueError(
                f"subposterior {index} has the sites {list(own.names)}, but subposterior 0 has "
                f"{list(layout.names)}: all must be draws of the same sites"
            )
        for name, shape, first in zip(own.names, own.shapes, layout.shapes, strict=True):
            if shape != first:
                raise ValueError(
                    f"subposterior {index}: a draw of {name} has shape {shape}, but {first} in "
                    "subposterior 0. Leave out sites that belong to one shard's rows: only what "
                    "all shards share can be combined"
                )
        matrices.append(_matrix(draws, layout, index))
    return matrices, layout


def _layout(draws: PyTree, index: int) -> Layout:
    leaves = jax.tree_util.tree_leaves_with_path(draws)
    names = tuple(jax.tree_util.keystr(path) or "the draws" for path, _ in leaves)
    if not leaves:
        raise ValueError(f"subposterior {index} has no sites")
    for name, (_, leaf) in zip(names, leaves, strict=True):
        if np.ndim(leaf) == 0:
            raise ValueError(
                f"subposterior {index}: {name} is a single number; draws have a leading axis"
            )
        if np.asarray(leaf).dtype.kind not in "biuf":
            raise TypeError(f"subposterior {index}: {name} is not made of real numbers")
    return Layout(
        jax.tree.structure(draws),
        names,
        tuple(np.shape(leaf)[1:] for _, leaf in leaves),
        # Averages of integers are no integers.
        tuple(
            jax.dtypes.canonicalize_dtype(np.result_type(np.asarray(leaf).dtype, np.float32))
            for _, leaf in leaves
        ),
    )


def _matrix(draws: PyTree, layout: Layout, index: int) -> np.ndarray:
    leaves = [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(draws)]
    lengths = {name: len(leaf) for name, leaf in zip(layout.names, leaves, strict=True)}
    if len(set(lengths.values())) > 1:
        raise ValueError(
            f"subposterior {index}: the sites have different numbers of draws, {lengths}"
        )
    if len(leaves[0]) == 0:
        raise ValueError(f"subposterior {index} has no draws")
    matrix = np.concatenate([leaf.reshape(len(leaf), -1) for leaf in leaves], axis=1)
    broken = np.flatnonzero(~np.isfinite(matrix).all(axis=0))
    if broken.size:
        raise ValueError(
            f"subposterior {index}: draws of {layout.column(int(broken[0]))} are not finite"
        )
    return matrix


def generator(rng_key: Any) -> np.random.Generator:
    """A generator that is decided by a JAX key, typed or legacy; the key 0 if there is none."""
    if rng_key is None:
        data = np.zeros(2, np.uint32)
    elif jnp.issubdtype(rng_key.dtype, jax.dtypes.prng_key):
        data = np.asarray(jax.random.key_data(rng_key))
    else:
        data = np.asarray(rng_key)
    return np.random.default_rng(data.ravel().tolist())


def check_num_draws(num_draws: Any) -> None:
    """Raise a ValueError unless a number of draws is a positive integer."""
    if isinstance(num_draws, bool) or not isinstance(num_draws, int | np.integer) or num_draws < 1:
        raise ValueError(f"num_draws must be a positive integer, got {num_draws!r}")


def evenly(rows: np.ndarray, most: int) -> np.ndarray:
    """At most that many rows, evenly spaced: a chain is thinned and not cut off."""
    if len(rows) <= most:
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).round().astype(int)]
