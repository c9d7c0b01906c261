"""The multivariate normal distribution, by covariance, precision or Cholesky factor."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike
from sojourn_distributions.distribution import Distribution
from sojourn_distributions.multivariate.cholesky import (
    derived_factor,
    derived_inverse,
    derived_product,
    log_diagonal,
    mahalanobis_squared,
    only_given,
    vector_loc,
)

__all__ = ["MultivariateNormal"]

Shape = tuple[int, ...]

_LOG_2PI = math.log(2 * math.pi)


class MultivariateNormal(Distribution):
    """Normal distribution on vectors.

    The density is ``exp(-(x - loc)^T P (x - loc) / 2) / sqrt(det(2 pi C))`` with the covariance
    matrix C and its inverse P.

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
        given = only_given(**matrices)
        matrix: Any = matrices[given]
        loc = vector_loc(loc, matrix)
        if np.shape(loc)[-1] != np.shape(matrix)[-1]:
            raise ValueError(
                f"MultivariateNormal: loc of shape {np.shape(loc)} does not match {given} of "
                f"shape {np.shape(matrix)}"
            )
        self._set_parameters(validate_args, loc=loc, **matrices)

    def _event_shape(self) -> Shape:
        return np.shape(self.loc)[-1:]

    scale_tril = derived_factor("covariance_matrix", "precision_matrix")
    covariance_matrix = derived_product("scale_tril")
    precision_matrix = derived_inverse("scale_tril")

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        noise = jax.random.normal(key, self.shape(sample_shape), self._dtype)
        return self.loc + jnp.squeeze(jnp.matmul(self.scale_tril, noise[..., None]), -1)

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        squared = mahalanobis_squared(self.scale_tril, value - self.loc)
        half_log_det = jnp.sum(log_diagonal(self.scale_tril), axis=-1)
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
        half_log_det = jnp.sum(log_diagonal(self.scale_tril), axis=-1)
        entropy = half_log_det + 0.5 * self.event_shape[0] * (1 + _LOG_2PI)
        return jnp.broadcast_to(entropy, self.batch_shape)
