"""The multivariate normal distribution, by covariance, precision or Cholesky factor."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import cho_solve, solve_triangular

from sojourn_distributions import constraints
from sojourn_distributions.arrays import (
    Array,
    ArrayLike,
    float_dtype,
    is_concrete,
    namespace,
    on_host,
)
from sojourn_distributions.distribution import Distribution
from sojourn_distributions.parameters import derived_parameter

__all__ = ["MultivariateNormal", "mahalanobis_squared"]

Shape = tuple[int, ...]

_LOG_2PI = math.log(2 * math.pi)


def mahalanobis_squared(scale_tril: Any, difference: Any) -> Any:
    """``|L^-1 x|**2`` for factors of shape (*B, n, n) and vectors of shape (*S, *B, n).

    The dimensions S become columns of one triangular solve, so that L is not copied over them.
    """
    batch = np.shape(scale_tril)[:-2]
    size = difference.shape[-1]
    lead = difference.shape[:-1]
    sample, inner = lead[: len(lead) - len(batch)], lead[len(lead) - len(batch) :]
    inner = np.broadcast_shapes(inner, batch)
    difference = jnp.broadcast_to(difference, (*sample, *inner, size))
    columns = jnp.moveaxis(difference.reshape(-1, *inner, size), 0, -1)
    factor = jnp.broadcast_to(scale_tril, (*inner, size, size))
    solved = solve_triangular(factor, columns, lower=True)
    squared = jnp.sum(jnp.square(solved), axis=-2)
    return jnp.moveaxis(squared, -1, 0).reshape(*sample, *inner)


class MultivariateNormal(Distribution):
    """Normal distribution on vectors.

    Exactly one of the three matrices must be given. A concrete covariance or precision matrix is
    factored on the host, once; a traced one in the program.

    Parameters
    ----------
    loc
        Mean; shape batch_shape + event_shape, or a number for all elements.
    covariance_matrix, precision_matrix
        Positive definite; shape batch_shape + event_shape + event_shape.
    scale_tril
        Lower Cholesky factor of the covariance matrix.
    """

    arg_constraints: ClassVar = {
        "loc": constraints.real_vector,
        "covariance_matrix": constraints.positive_definite,
        "precision_matrix": constraints.positive_definite,
        "scale_tril": constraints.lower_cholesky,
    }
    support = constraints.real_vector
    reparametrized_params = ("loc", "covariance_matrix", "precision_matrix", "scale_tril")

    loc: ArrayLike

    def __init__(
        self,
        loc: ArrayLike = 0.0,
        covariance_matrix: ArrayLike | None = None,
        precision_matrix: ArrayLike | None = None,
        scale_tril: ArrayLike | None = None,
        *,
        validate_args: bool | None = None,
    ) -> None:
        matrices = {
            "covariance_matrix": covariance_matrix,
            "precision_matrix": precision_matrix,
            "scale_tril": scale_tril,
        }
        given = [name for name, matrix in matrices.items() if matrix is not None]
        if len(given) != 1:
            raise ValueError(f"Exactly one of {list(matrices)} must be specified; got {given}.")
        matrix: Any = matrices[given[0]]
        if np.ndim(loc) == 0:
            # A NumPy broadcast of a number is a view; only a traced one needs an operation.
            xp = namespace(loc)
            loc = xp.broadcast_to(loc, np.shape(matrix)[-1:])
        if np.shape(loc)[-1] != np.shape(matrix)[-1]:
            raise ValueError(
                f"MultivariateNormal: loc of shape {np.shape(loc)} does not match {given[0]} of "
                f"shape {np.shape(matrix)}"
            )
        self._set_parameters(validate_args, loc=loc, **matrices)

    def _event_shape(self) -> Shape:
        return np.shape(self.loc)[-1:]

    @derived_parameter
    def scale_tril(self) -> Any:
        """Lower Cholesky factor of the covariance matrix."""
        factor = self.__dict__.get("_host_factor")
        if factor is None:
            args = self.get_args()
            if "covariance_matrix" in args:
                factor = cholesky(args["covariance_matrix"])
            else:
                factor = cholesky_of_inverse(args["precision_matrix"])
            if is_concrete(factor):  # a traced one must not outlive its trace
                self.__dict__["_host_factor"] = factor
        return factor

    @derived_parameter
    def covariance_matrix(self) -> Any:
        """Covariance matrix."""
        return self.scale_tril @ jnp.swapaxes(self.scale_tril, -2, -1)

    @derived_parameter
    def precision_matrix(self) -> Any:
        """Inverse of the covariance matrix."""
        identity = jnp.broadcast_to(jnp.eye(self.event_shape[0]), np.shape(self.scale_tril))
        return cho_solve((self.scale_tril, True), identity)

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        noise = jax.random.normal(key, self.shape(sample_shape), self._dtype)
        return self.loc + jnp.squeeze(jnp.matmul(self.scale_tril, noise[..., None]), -1)

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        squared = mahalanobis_squared(self.scale_tril, value - self.loc)
        diagonal = jnp.diagonal(self.scale_tril, axis1=-2, axis2=-1)
        half_log_det = jnp.sum(jnp.log(diagonal), axis=-1)
        return -0.5 * squared - half_log_det - 0.5 * self.event_shape[0] * _LOG_2PI

    @property
    def mean(self) -> Any:
        return jnp.broadcast_to(self.loc, self.shape())

    @property
    def variance(self) -> Any:
        return jnp.broadcast_to(jnp.sum(jnp.square(self.scale_tril), axis=-1), self.shape())

    @property
    def mode(self) -> Any:
        return self.mean

    def entropy(self) -> Any:
        diagonal = jnp.diagonal(self.scale_tril, axis1=-2, axis2=-1)
        entropy = jnp.sum(jnp.log(diagonal), axis=-1) + 0.5 * self.event_shape[0] * (1 + _LOG_2PI)
        return jnp.broadcast_to(entropy, self.batch_shape)


def cholesky(matrix: Any) -> Any:
    """Lower Cholesky factor; of a concrete matrix by NumPy in double precision."""
    if not is_concrete(matrix):
        return jnp.linalg.cholesky(matrix)
    factor = np.linalg.cholesky(np.asarray(matrix, dtype=np.float64))
    return factor.astype(float_dtype(matrix))


def cholesky_of_inverse(matrix: Any) -> Any:
    """Lower Cholesky factor of the inverse.

    With ``P`` reversed in rows and columns, ``R P R = K K^T``, hence ``P^-1 = M^T M`` for the
    upper triangular ``R K^-1 R``; its transpose is the lower factor.
    """
    xp = namespace(matrix)
    matrix = on_host(matrix) if xp is np else matrix
    reverse = cholesky(xp.flip(matrix, (-2, -1)))
    size = np.shape(matrix)[-1]
    factor = xp.swapaxes(xp.flip(reverse, (-2, -1)), -2, -1)
    if xp is np:
        return np.tril(np.linalg.solve(factor, np.eye(size, dtype=factor.dtype)))
    identity = jnp.broadcast_to(jnp.eye(size, dtype=factor.dtype), np.shape(matrix))
    return solve_triangular(factor, identity, lower=True)
