"""Cholesky factors of parameters: found on the host where concrete, solved with in batches."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import cho_solve, solve_triangular

from sojourn_distributions.arrays import float_dtype, is_concrete, namespace
from sojourn_distributions.parameters import derived_parameter

__all__ = [
    "cholesky",
    "cholesky_of_inverse",
    "derived_factor",
    "derived_inverse",
    "derived_product",
    "log_diagonal",
    "mahalanobis_squared",
    "only_given",
    "solve_factor",
    "vector_loc",
]


def only_given(**parameters: Any) -> str:
    """Name of the one parameter that is not None; ValueError if there is none or several."""
    given = [name for name, value in parameters.items() if value is not None]
    if len(given) != 1:
        raise ValueError(f"Exactly one of {list(parameters)} must be specified; got {given}.")
    return given[0]


def vector_loc(loc: Any, matrix: Any) -> Any:
    """A location as a vector: a number is repeated for each row of `matrix`, in their common type.

    The broadcast of a NumPy number is a view; only a traced one needs an operation.
    """
    if np.ndim(loc):
        return loc
    xp = namespace(loc)
    dtype = float_dtype(loc, jnp.result_type(matrix))
    return xp.broadcast_to(xp.asarray(loc, dtype), np.shape(matrix)[-1:])


def derived_factor(matrix: str, inverse: str | None = None) -> derived_parameter:
    """Lower Cholesky factor of the parameter `matrix`, or of the inverse of `inverse`.

    That of a concrete parameter is found once.
    """

    def compute(self: Any) -> Any:
        factor = self.__dict__.get("_host_factor")
        if factor is None:
            args = self.get_args()
            if matrix in args:
                factor = cholesky(args[matrix], matrix)
            else:
                assert inverse is not None
                factor = cholesky_of_inverse(args[inverse], inverse)
            if is_concrete(factor):  # a traced one must not outlive its trace
                self.__dict__["_host_factor"] = factor
        return factor

    compute.__doc__ = f"Lower Cholesky factor of `{matrix}`."
    return derived_parameter(compute)


def derived_product(factor: str) -> derived_parameter:
    """The matrix of which `factor` is the lower Cholesky factor."""

    def compute(self: Any) -> Any:
        lower = getattr(self, factor)
        return jnp.matmul(lower, jnp.swapaxes(lower, -2, -1))

    compute.__doc__ = f"Product of `{factor}` with its transpose."
    return derived_parameter(compute)


def derived_inverse(factor: str) -> derived_parameter:
    """The inverse of the matrix of which `factor` is the lower Cholesky factor."""

    def compute(self: Any) -> Any:
        lower = getattr(self, factor)
        identity = np.eye(lower.shape[-1], dtype=float_dtype(lower))
        return cho_solve((lower, True), jnp.broadcast_to(identity, lower.shape))

    compute.__doc__ = f"Inverse of the product of `{factor}` with its transpose."
    return derived_parameter(compute)


def log_diagonal(factor: Any) -> Any:
    """Logarithms of the diagonals of matrices."""
    return jnp.log(jnp.diagonal(factor, axis1=-2, axis2=-1))


def cholesky(matrix: Any, name: str = "matrix") -> Any:
    """Lower Cholesky factor; of a concrete matrix by NumPy in double precision.

    Raises ValueError if a concrete matrix has none; that of a traced one is then NaN.
    """
    if not is_concrete(matrix):
        return jnp.linalg.cholesky(matrix)
    return _host_cholesky(matrix, name).astype(float_dtype(matrix))


def _host_cholesky(matrix: Any, name: str) -> Any:
    host = np.asarray(matrix, dtype=np.float64)
    try:
        return np.linalg.cholesky(host)
    except np.linalg.LinAlgError as error:
        smallest = np.linalg.eigvalsh(host).min() if np.isfinite(host).all() else np.nan
        raise ValueError(
            f"{name} of shape {host.shape} has no Cholesky factor: its smallest eigenvalue is "
            f"{smallest:.3g}; it must be symmetric and positive definite beyond rounding error "
            "(adding a small multiple of the identity to the matrix helps)"
        ) from error


def cholesky_of_inverse(matrix: Any, name: str = "matrix") -> Any:
    """Lower Cholesky factor of the inverse.

    With ``P`` reversed in rows and columns, ``R P R = K K^T``, hence ``P^-1 = M^T M`` for the
    upper triangular ``R K^-1 R``; its transpose is the lower factor.
    """
    xp = namespace(matrix)
    matrix = xp.asarray(matrix)  # NumPy's functions on an array of JAX would run JAX operations
    reverse = xp.flip(matrix, (-2, -1))
    reverse = _host_cholesky(reverse, name) if xp is np else cholesky(reverse)
    factor = xp.swapaxes(xp.flip(reverse, (-2, -1)), -2, -1)
    identity = np.eye(factor.shape[-1], dtype=factor.dtype)
    if xp is np:
        return np.tril(np.linalg.solve(factor, identity)).astype(float_dtype(matrix))
    return solve_triangular(factor, jnp.broadcast_to(identity, factor.shape), lower=True)


def _columns(factor: Any, vectors: Any) -> tuple[Any, Any, tuple[int, ...]]:
    """Factors, vectors as columns, and the dimensions that became columns."""
    batch = np.shape(factor)[:-2]
    size = vectors.shape[-1]
    lead = vectors.shape[:-1]
    sample, inner = lead[: len(lead) - len(batch)], lead[len(lead) - len(batch) :]
    inner = np.broadcast_shapes(inner, batch)
    vectors = jnp.broadcast_to(vectors, (*sample, *inner, size))
    columns = jnp.moveaxis(vectors.reshape(-1, *inner, size), 0, -1)
    return jnp.broadcast_to(factor, (*inner, size, size)), columns, sample


def solve_factor(factor: Any, vectors: Any, *, lower: bool = True, transposed: bool = False) -> Any:
    """``L^-1 x`` (or ``L^-T x``) for triangular (*B, n, n) and vectors of shape (*S, *B, n).

    The dimensions S become columns of one triangular solve, so that L is not copied over them.
    """
    factor, columns, sample = _columns(factor, vectors)
    solved = solve_triangular(factor, columns, lower=lower, trans=1 if transposed else 0)
    return jnp.moveaxis(solved, -1, 0).reshape(*sample, *solved.shape[:-1])


def mahalanobis_squared(scale_tril: Any, difference: Any) -> Any:
    """``|L^-1 x|**2`` for factors of shape (*B, n, n) and vectors of shape (*S, *B, n).

    The dimensions S become columns of one triangular solve, so that L is not copied over them.
    """
    factor, columns, sample = _columns(scale_tril, difference)
    squared = jnp.sum(jnp.square(solve_triangular(factor, columns, lower=True)), axis=-2)
    return jnp.moveaxis(squared, -1, 0).reshape(*sample, *squared.shape[:-1])
