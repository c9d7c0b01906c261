"""The first inverse mass matrix of a chain: what a user gave, checked, or the identity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_hmc.blocks import Blocks, Names
from sojourn_hmc.low_rank import LowRank


def check_inverse_mass_matrix(given: Any) -> None:
    """Raise ValueError unless every concrete block is a positive vector or positive definite."""
    if isinstance(given, LowRank):
        _check_positive("inverse_mass_matrix.scale", given.scale)
        _check_positive("inverse_mass_matrix.values", given.values)
    elif isinstance(given, Mapping):
        for names, block in given.items():
            _check_block(f"inverse_mass_matrix[{names!r}]", block)
    elif given is not None:
        _check_block("inverse_mass_matrix", given)


def _check_block(name: str, block: Any) -> None:
    if isinstance(block, jax.core.Tracer):
        return
    matrix = np.asarray(block)
    if matrix.ndim == 2 and matrix.shape[0] == matrix.shape[1]:
        if not np.isfinite(matrix).all():
            raise ValueError(f"{name} holds numbers that are not finite")
        if not np.allclose(matrix, matrix.T, rtol=1e-4, atol=1e-6 * np.abs(matrix).max(initial=0)):
            raise ValueError(f"{name} must be symmetric")
        smallest = np.linalg.eigvalsh(matrix.astype(float)).min()
        if not smallest > 0:
            raise ValueError(
                f"{name} must be positive definite, an estimate of the posterior covariance; its "
                f"smallest eigenvalue is {smallest:g}"
            )
    elif matrix.ndim == 1:
        _check_positive(name, matrix)
    else:
        raise ValueError(
            f"{name} must be a vector (diagonal) or a square matrix, got shape {matrix.shape}"
        )


def _check_positive(name: str, vector: Any) -> None:
    if isinstance(vector, jax.core.Tracer):
        return
    vector = np.asarray(vector)
    bad = ~((vector > 0) & np.isfinite(vector))
    if bad.any():
        index = int(np.flatnonzero(bad)[0])
        raise ValueError(
            f"{name} must be positive and finite, estimates of posterior variances; "
            f"entry {index} is {vector[index]:g}"
        )


def first_inverse_mass_matrix(
    given: Any, dense_mass: bool | Sequence[Names], blocks: Blocks | None, position: jax.Array
) -> Any:
    """The inverse mass matrix that a chain starts with, in the structure that it keeps.

    Parameters
    ----------
    given : array, dict, LowRank or None
        What the user gave; blocks that are not given are the identity.
    dense_mass : bool or sequence
        As for `HamiltonianKernel`.
    blocks : Blocks or None
        How the position is cut, if it is.
    position : Array
        ``(D,)``, for its size and type.

    Raises
    ------
    ValueError
        If a shape does not fit.
    """
    size, dtype = position.shape[0], position.dtype
    if isinstance(given, LowRank):
        _check_shape("inverse_mass_matrix.scale", given.scale, (size,), "")
        return LowRank(*(jnp.asarray(part, dtype) for part in given))
    if blocks is None:
        return _block("inverse_mass_matrix", given, bool(dense_mass), size, dtype)
    if given is not None and not isinstance(given, Mapping):
        raise ValueError(
            "with dense_mass as a list of blocks, inverse_mass_matrix is a dict from tuples of "
            f"site names to blocks, got shape {np.shape(given)}"
        )
    given = given or {}
    return {
        names: _block(
            f"inverse_mass_matrix[{names!r}]",
            given.get(names),
            blocks.dense[names],
            len(index),
            dtype,
        )
        for names, index in blocks.indices.items()
    }


def _block(name: str, given: Any, dense: bool, size: int, dtype: Any) -> jax.Array:
    if given is None:
        return jnp.eye(size, dtype=dtype) if dense else jnp.ones(size, dtype)
    block = jnp.asarray(given, dtype)
    if dense and block.ndim == 1:
        block = jnp.diag(block)
    expected = (size, size) if dense else (size,)
    _check_shape(name, block, expected, f" with a {'dense' if dense else 'diagonal'} mass matrix")
    return block


def _check_shape(name: str, array: Any, expected: tuple[int, ...], where: str) -> None:
    if array.shape != expected:
        raise ValueError(
            f"{name} has shape {array.shape}, but the position has {expected[0]} unconstrained "
            f"components there: give shape {expected}{where} (see dense_mass)"
        )
