"""Transforms between unconstrained vectors, triangular factors and the matrices they factor."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_distributions import constraints
from sojourn_distributions.arrays import ArrayLike
from sojourn_distributions.constraints import Constraint
from sojourn_distributions.transforms.elementwise import (
    log_sech_squared,
    log_softplus,
    softplus_inverse,
)
from sojourn_distributions.transforms.transform import Transform

__all__ = [
    "CholeskyTransform",
    "CorrCholeskyTransform",
    "CorrMatrixCholeskyTransform",
    "LowerCholeskyAffine",
    "LowerCholeskyTransform",
    "ScaledUnitLowerCholeskyTransform",
    "SoftplusLowerCholeskyTransform",
]

Shape = tuple[int, ...]


def tril_from_vector(x: Any, size: int, diagonal: int = 0) -> Any:
    """Lower triangle of a ``size x size`` matrix, filled row by row from the last dimension."""
    rows, columns = np.tril_indices(size, diagonal)
    # One gather with a constant index: entries above the diagonal read the appended zero.
    index = np.full((size, size), len(rows))
    index[rows, columns] = np.arange(len(rows))
    padded = jnp.concatenate([x, jnp.zeros_like(x, shape=(*x.shape[:-1], 1))], axis=-1)
    return padded[..., index]


def vector_from_tril(y: Any, diagonal: int = 0) -> Any:
    """Entries of the lower triangle, row by row."""
    rows, columns = np.tril_indices(y.shape[-1], diagonal)
    return y[..., rows, columns]


def diagonal_of(y: Any) -> Any:
    """Diagonals of the last two dimensions."""
    return jnp.diagonal(y, axis1=-2, axis2=-1)


def with_diagonal(strict: Any, diagonal: Any) -> Any:
    """Matrices of zero diagonal with another; chosen, not added: 0 times infinity is NaN."""
    return jnp.where(np.eye(diagonal.shape[-1], dtype=bool), diagonal[..., None], strict)


def triangle_size(length: int, diagonal: int) -> int:
    """Side of the square matrix whose lower triangle from `diagonal` on has `length` entries."""
    size = (math.isqrt(1 + 8 * length) - 1) // 2 - diagonal
    if (size + diagonal) * (size + diagonal + 1) // 2 != length:
        raise ValueError(f"a vector of length {length} does not fill a lower triangle")
    return size


@dataclass(frozen=True, eq=False)
class _TriangularTransform(Transform):
    """Vectors of length n (n + 1) / 2 to lower triangular n x n matrices.

    The first n (n - 1) / 2 entries fill the strict triangle row by row, the last n the diagonal
    after a positive map.
    """

    @property
    def domain(self) -> Constraint:
        return constraints.real_vector

    def forward_shape(self, shape: Shape) -> Shape:
        size = triangle_size(shape[-1], 0)
        return (*shape[:-1], size, size)

    def inverse_shape(self, shape: Shape) -> Shape:
        size = shape[-1]
        return (*shape[:-2], size * (size + 1) // 2)

    def _split(self, x: Any) -> tuple[Any, Any]:
        size = triangle_size(np.shape(x)[-1], 0)
        x = jnp.asarray(x)
        return tril_from_vector(x[..., : x.shape[-1] - size], size, -1), x[..., -size:]


@dataclass(frozen=True, eq=False)
class LowerCholeskyTransform(_TriangularTransform):
    """Vectors to Cholesky factors, with an exponential on the diagonal."""

    @property
    def codomain(self) -> Constraint:
        return constraints.lower_cholesky

    def __call__(self, x: ArrayLike) -> Any:
        strict, free = self._split(x)
        return with_diagonal(strict, jnp.exp(free))

    def _inverse(self, y: ArrayLike) -> Any:
        return jnp.concatenate([vector_from_tril(y, -1), jnp.log(diagonal_of(y))], axis=-1)

    def log_abs_det_jacobian(self, x: ArrayLike, y: ArrayLike, intermediates: Any = None) -> Any:
        return jnp.sum(self._split(x)[1], axis=-1)


@dataclass(frozen=True, eq=False)
class SoftplusLowerCholeskyTransform(_TriangularTransform):
    """Vectors to Cholesky factors, with a softplus on the diagonal."""

    @property
    def codomain(self) -> Constraint:
        return constraints.softplus_lower_cholesky

    def __call__(self, x: ArrayLike) -> Any:
        strict, free = self._split(x)
        return with_diagonal(strict, jax.nn.softplus(free))

    def _inverse(self, y: ArrayLike) -> Any:
        free = softplus_inverse(diagonal_of(y))
        return jnp.concatenate([vector_from_tril(y, -1), free], axis=-1)

    def log_abs_det_jacobian(self, x: ArrayLike, y: ArrayLike, intermediates: Any = None) -> Any:
        return -jnp.sum(jax.nn.softplus(-self._split(x)[1]), axis=-1)


@dataclass(frozen=True, eq=False)
class ScaledUnitLowerCholeskyTransform(_TriangularTransform):
    """Vectors to Cholesky factors: a unit triangular matrix whose rows a softplus scales."""

    @property
    def codomain(self) -> Constraint:
        return constraints.scaled_unit_lower_cholesky

    def __call__(self, x: ArrayLike) -> Any:
        strict, free = self._split(x)
        unit = strict + np.eye(free.shape[-1], dtype=free.dtype)
        return unit * jax.nn.softplus(free)[..., None]

    def _inverse(self, y: ArrayLike) -> Any:
        scale = diagonal_of(y)
        strict = vector_from_tril(y / scale[..., None], -1)
        return jnp.concatenate([strict, softplus_inverse(scale)], axis=-1)

    def log_abs_det_jacobian(self, x: ArrayLike, y: ArrayLike, intermediates: Any = None) -> Any:
        free = self._split(x)[1]
        # Row i has i strict entries, each scaled by the row's softplus.
        entries = np.arange(free.shape[-1]).astype(free.dtype)
        terms = log_softplus(free) * entries - jax.nn.softplus(-free)
        return jnp.sum(terms, axis=-1)


@dataclass(frozen=True, eq=False)
class CorrCholeskyTransform(Transform):
    """Vectors of length n (n - 1) / 2 to Cholesky factors of n x n correlation matrices.

    Entries are canonical partial correlations ``tanh(x)``; each row breaks a stick of squared
    length 1 with them (Lewandowski, Kurowicka & Joe 2009; Stan Reference Manual).
    """

    @property
    def domain(self) -> Constraint:
        return constraints.real_vector

    @property
    def codomain(self) -> Constraint:
        return constraints.corr_cholesky

    def __call__(self, x: ArrayLike) -> Any:
        size = triangle_size(np.shape(x)[-1], -1)
        partial = tril_from_vector(jnp.tanh(jnp.asarray(x)), size, -1)
        log_left = _log_rest(tril_from_vector(jnp.asarray(x), size, -1))
        identity = np.eye(size, dtype=partial.dtype)
        # Row i, column j: partial correlation (1 on the diagonal) times what j breaks left.
        return (partial + identity) * jnp.exp(0.5 * log_left)

    def _inverse(self, y: ArrayLike) -> Any:
        squares = jnp.tril(jnp.square(y))
        # What is left of the row before column j, summed from the diagonal inwards.
        left = jnp.flip(jnp.cumsum(jnp.flip(squares, -1), axis=-1), -1)
        left = jnp.where(left > 0, left, 1.0)
        partial = vector_from_tril(y / jnp.sqrt(left), -1)
        largest = 1.0 - float(jnp.finfo(partial.dtype).eps)  # rounding reaches 1 before x is large
        return jnp.arctanh(jnp.clip(partial, -largest, largest))

    def log_abs_det_jacobian(self, x: ArrayLike, y: ArrayLike, intermediates: Any = None) -> Any:
        size = triangle_size(np.shape(x)[-1], -1)
        rest = _log_rest(tril_from_vector(jnp.asarray(x), size, -1))
        strict = np.tril(np.ones((size, size)), -1).astype(rest.dtype)
        tanh = jnp.sum(log_sech_squared(jnp.asarray(x)), axis=-1)
        return tanh + 0.5 * jnp.sum(rest * strict, axis=(-2, -1))

    def forward_shape(self, shape: Shape) -> Shape:
        size = triangle_size(shape[-1], -1)
        return (*shape[:-1], size, size)

    def inverse_shape(self, shape: Shape) -> Shape:
        size = shape[-1]
        return (*shape[:-2], size * (size - 1) // 2)


def _log_rest(strict: Any) -> Any:
    """Log of the squared length left before each column, for strictly lower triangular x."""
    terms = log_sech_squared(strict)  # 0 where strict is 0, on and above the diagonal too
    summed = jnp.cumsum(terms, axis=-1)
    return jnp.concatenate([jnp.zeros_like(summed[..., :1]), summed[..., :-1]], axis=-1)


@dataclass(frozen=True, eq=False)
class CholeskyTransform(Transform):
    """Positive definite matrices to their Cholesky factors."""

    @property
    def domain(self) -> Constraint:
        return constraints.positive_definite

    @property
    def codomain(self) -> Constraint:
        return constraints.lower_cholesky

    def __call__(self, x: ArrayLike) -> Any:
        return jnp.linalg.cholesky(x)

    def _inverse(self, y: ArrayLike) -> Any:
        return y @ jnp.swapaxes(y, -2, -1)

    def log_abs_det_jacobian(self, x: ArrayLike, y: ArrayLike, intermediates: Any = None) -> Any:
        # dX/dL has determinant 2^n prod_i L_ii^(n - i), i from 0 (Muirhead 1982, thm 2.1.9).
        size = np.shape(y)[-1]
        power = np.arange(size, 0, -1).astype(jnp.result_type(y))
        return -size * math.log(2.0) - jnp.sum(power * jnp.log(diagonal_of(y)), axis=-1)


@dataclass(frozen=True, eq=False)
class CorrMatrixCholeskyTransform(CholeskyTransform):
    """Correlation matrices to their Cholesky factors."""

    @property
    def domain(self) -> Constraint:
        return constraints.corr_matrix

    @property
    def codomain(self) -> Constraint:
        return constraints.corr_cholesky

    def log_abs_det_jacobian(self, x: ArrayLike, y: ArrayLike, intermediates: Any = None) -> Any:
        # The strict triangles of L and X: dX_ij/dL_ij = L_jj, for i > j.
        size = np.shape(y)[-1]
        power = np.arange(size - 1, -1, -1).astype(jnp.result_type(y))
        return -jnp.sum(power * jnp.log(diagonal_of(y)), axis=-1)


@dataclass(frozen=True, eq=False)
class LowerCholeskyAffine(Transform):
    """``y = loc + scale_tril @ x`` on vectors, with one Cholesky factor and a vector `loc`."""

    loc: ArrayLike
    scale_tril: ArrayLike

    def __post_init__(self) -> None:
        if np.ndim(self.scale_tril) < 2:
            raise ValueError(f"scale_tril must be a matrix, got shape {np.shape(self.scale_tril)}")

    @property
    def domain(self) -> Constraint:
        return constraints.real_vector

    @property
    def codomain(self) -> Constraint:
        return constraints.real_vector

    def __call__(self, x: ArrayLike) -> Any:
        return self.loc + jnp.squeeze(jnp.matmul(self.scale_tril, x[..., None]), -1)

    def _inverse(self, y: ArrayLike) -> Any:
        rest = y - self.loc
        shape = np.broadcast_shapes(rest.shape[:-1], np.shape(self.scale_tril)[:-2])
        factor = jnp.broadcast_to(self.scale_tril, shape + np.shape(self.scale_tril)[-2:])
        rest = jnp.broadcast_to(rest, shape + rest.shape[-1:])
        solved = jax.scipy.linalg.solve_triangular(factor, rest[..., None], lower=True)
        return jnp.squeeze(solved, -1)

    def log_abs_det_jacobian(self, x: ArrayLike, y: ArrayLike, intermediates: Any = None) -> Any:
        log_det = jnp.sum(jnp.log(diagonal_of(jnp.asarray(self.scale_tril))), axis=-1)
        return jnp.broadcast_to(log_det, self.forward_shape(np.shape(x))[:-1])

    def forward_shape(self, shape: Shape) -> Shape:
        return np.broadcast_shapes(shape, np.shape(self.loc), np.shape(self.scale_tril)[:-1])

    def inverse_shape(self, shape: Shape) -> Shape:
        return self.forward_shape(shape)
