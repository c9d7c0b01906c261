"""The Wishart distribution, on matrices and on their Cholesky factors."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike
from sojourn_distributions.distribution import Distribution
from sojourn_distributions.multivariate.bartlett import (
    WishartFamily,
    bartlett_factor,
    mean_log_chi,
    root_chi2_moment,
)
from sojourn_distributions.multivariate.cholesky import log_diagonal, mahalanobis_squared
from sojourn_distributions.numerics import log_power
from sojourn_distributions.transformed import TransformedDistribution
from sojourn_distributions.transforms import CholeskyTransform, Transform

__all__ = ["Wishart", "WishartCholesky"]

Shape = tuple[int, ...]


class WishartCholesky(WishartFamily):
    """Lower Cholesky factor of a Wishart matrix: the scale's factor times Bartlett's.

    Exactly one of the three matrices must be given.

    Parameters
    ----------
    concentration
        Degrees of freedom, above the size of the matrix less 1; shape batch_shape.
    scale_matrix, rate_matrix
        The scale matrix or its inverse, positive definite; shape batch_shape + event_shape.
    scale_tril
        Lower Cholesky factor of the scale matrix; shape batch_shape + event_shape.
    """

    support = constraints.lower_cholesky

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        df = self._concentration_of_rows - self._row
        factor = bartlett_factor(key, df, self.shape(sample_shape), self._dtype)
        return jnp.matmul(self.scale_tril, factor)

    def _log_normalizer(self) -> Any:
        size, concentration = self._size, self.concentration
        log_scale = 0.5 * size * math.log(2.0) + jnp.sum(log_diagonal(self.scale_tril), axis=-1)
        return concentration * log_scale + self._log_multivariate_gamma() - size * math.log(2.0)

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        # |X|^((nu - p - 1) / 2) with the volume 2^p prod L_ii^(p - i) of X = L L^T.
        power = self._concentration_of_rows - 1 - self._row
        log_powers = log_power(jnp.diagonal(value, axis1=-2, axis2=-1), power)
        # The columns of the value, moved to the front, are solved for as vectors of a full batch.
        value = jnp.broadcast_to(
            value, np.broadcast_shapes(np.shape(value), np.shape(self.scale_tril))
        )
        trace = jnp.sum(mahalanobis_squared(self.scale_tril, jnp.moveaxis(value, -1, 0)), axis=0)
        return jnp.sum(log_powers, axis=-1) - 0.5 * trace - self._log_normalizer()

    @property
    def mean(self) -> Any:
        root = root_chi2_moment(self._concentration_of_rows - self._row, 1)
        return jnp.broadcast_to(self.scale_tril * root[..., None, :], self.shape())

    @property
    def variance(self) -> Any:
        # Entry ij is a sum over k >= j of T_ik A_kj, with a chi variable for k = j.
        df = self._concentration_of_rows - self._row
        squares = jnp.square(self.scale_tril)
        after = jnp.flip(jnp.cumsum(jnp.flip(squares, -1), axis=-1), -1) - squares
        spread = df - jnp.square(root_chi2_moment(df, 1))
        variance = jnp.tril(after + squares * spread[..., None, :])
        return jnp.broadcast_to(variance, self.shape())

    def _mean_log_diagonal(self) -> Any:
        return log_diagonal(self.scale_tril) + mean_log_chi(self._concentration_of_rows - self._row)

    def entropy(self) -> Any:
        power = self._concentration_of_rows - 1 - self._row
        log_powers = jnp.sum(power * self._mean_log_diagonal(), axis=-1)
        entropy = self._log_normalizer() + 0.5 * self._size * self.concentration - log_powers
        return jnp.broadcast_to(entropy, self.batch_shape)


class Wishart(WishartFamily, TransformedDistribution):
    """Wishart distribution on positive definite matrices.

    Of density proportional to ``det(X)^((concentration - p - 1) / 2) exp(-tr(S^-1 X) / 2)`` for
    the scale matrix S of size p (Muirhead 1982, section 3.2). Exactly one of the three matrices
    must be given.

    Parameters
    ----------
    concentration
        Degrees of freedom, above the size of the matrix less 1; shape batch_shape.
    scale_matrix, rate_matrix
        The scale matrix or its inverse, positive definite; shape batch_shape + event_shape.
    scale_tril
        Lower Cholesky factor of the scale matrix; shape batch_shape + event_shape.

    Examples
    --------
    >>> import numpy as np
    >>> import sojourn_distributions as dist
    >>> d = dist.Wishart(4.0, scale_matrix=np.diag([1.0, 0.5]))
    >>> print(d.mean)
    [[4. 0.]
     [0. 2.]]
    """

    support = constraints.positive_definite

    @property
    def base_dist(self) -> Distribution:
        return self._cholesky

    @property
    def _cholesky(self) -> WishartCholesky:
        return WishartCholesky(self.concentration, scale_tril=self.scale_tril, validate_args=False)

    @property
    def transforms(self) -> list[Transform]:
        return [CholeskyTransform().inv]

    @property
    def mean(self) -> Any:
        concentration = self._concentration_of_rows[..., None]
        return jnp.broadcast_to(concentration * self.scale_matrix, self.shape())

    @property
    def variance(self) -> Any:
        scale = self.scale_matrix
        diagonal = jnp.diagonal(scale, axis1=-2, axis2=-1)
        products = diagonal[..., :, None] * diagonal[..., None, :]
        concentration = self._concentration_of_rows[..., None]
        return jnp.broadcast_to(concentration * (jnp.square(scale) + products), self.shape())

    def entropy(self) -> Any:
        base, size = self._cholesky, self._size
        log_volume = jnp.sum((size - self._row) * base._mean_log_diagonal(), axis=-1)
        return base.entropy() + size * math.log(2.0) + log_volume
