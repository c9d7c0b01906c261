"""The inverse Wishart distribution, on matrices and on their Cholesky factors."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import solve_triangular

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike
from sojourn_distributions.distribution import Distribution
from sojourn_distributions.multivariate.bartlett import (
    WishartFamily,
    bartlett_factor,
    mean_log_chi,
    root_chi2_moment,
)
from sojourn_distributions.multivariate.cholesky import log_diagonal
from sojourn_distributions.transformed import TransformedDistribution
from sojourn_distributions.transforms import CholeskyTransform, Transform

__all__ = ["InverseWishart", "InverseWishartCholesky"]

Shape = tuple[int, ...]


class InverseWishartCholesky(WishartFamily):
    """Lower Cholesky factor of an inverse Wishart matrix.

    With T the factor of the scale matrix, it is ``T M^-1`` for a lower triangular M of independent
    entries: Bartlett's factor of the inverse, its rows and columns in reverse and transposed, so
    that place i (from 0) of its diagonal is the root of a chi-squared variable of
    ``concentration - p + 1 + i`` degrees of freedom. Exactly one of the three matrices must be
    given.

    Parameters
    ----------
    concentration
        Degrees of freedom, above the size p of the matrix less 1; shape batch_shape. The column j
        of `mean` exists for ``concentration > p - j``, that of `variance` for
        ``concentration > p + 1 - j``; others are NaN.
    scale_matrix, rate_matrix
        The scale matrix or its inverse, positive definite; shape batch_shape + event_shape.
    scale_tril
        Lower Cholesky factor of the scale matrix; shape batch_shape + event_shape.
    """

    support = constraints.lower_cholesky

    @property
    def _df(self) -> Any:
        return self._concentration_of_rows - self._size + 1 + self._row

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        shape = self.shape(sample_shape)
        factor = bartlett_factor(key, self._df, shape, self._dtype)
        # T M^-1, as the transpose of M^-T T^T.
        scale_tril = jnp.broadcast_to(self.scale_tril, shape)
        solved = solve_triangular(factor, jnp.swapaxes(scale_tril, -2, -1), lower=True, trans=1)
        return jnp.tril(jnp.swapaxes(solved, -2, -1))

    def _log_normalizer(self) -> Any:
        size, concentration = self._size, self.concentration
        log_scale = 0.5 * size * math.log(2.0) - jnp.sum(log_diagonal(self.scale_tril), axis=-1)
        return concentration * log_scale + self._log_multivariate_gamma() - size * math.log(2.0)

    @property
    def _power(self) -> Any:
        # |X|^(-(nu + p + 1) / 2) with the volume 2^p prod L_ii^(p - i) of X = L L^T.
        return -(self._concentration_of_rows + 1 + self._row)

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        value = jnp.asarray(value)
        shape = np.broadcast_shapes(value.shape, np.shape(self.scale_tril))
        solved = solve_triangular(
            jnp.broadcast_to(value, shape), jnp.broadcast_to(self.scale_tril, shape), lower=True
        )
        trace = jnp.sum(jnp.square(solved), axis=(-2, -1))
        log_powers = jnp.sum(self._power * log_diagonal(value), axis=-1)
        return log_powers - 0.5 * trace - self._log_normalizer()

    def _mean_of_inverse_roots(self) -> Any:
        df = self._df
        exists = df > 1
        return jnp.where(exists, root_chi2_moment(jnp.where(exists, df, 2.0), -1), jnp.nan)

    @property
    def mean(self) -> Any:
        mean = jnp.tril(self.scale_tril * self._mean_of_inverse_roots()[..., None, :])
        return jnp.broadcast_to(mean, self.shape())

    @property
    def variance(self) -> Any:
        # Entry ij is the sum over k >= j of T_ik C_kj for C = M^-1. Solving M C = I row by row,
        # E[C_kj^2] is 1 / a for k = j and, the sums telescoping, 1 / (a (a + 1)) for k > j, with
        # a = concentration - p - 1 + j; products of different entries have mean 0, by symmetry
        # under a change of sign.
        a = self._df - 2
        a = jnp.where(a > 0, a, jnp.nan)
        squares = jnp.square(self.scale_tril)
        after = jnp.flip(jnp.cumsum(jnp.flip(squares, -1), axis=-1), -1) - squares
        own = 1 / a - jnp.square(self._mean_of_inverse_roots())
        variance = squares * own[..., None, :] + after / (a * (a + 1))[..., None, :]
        return jnp.broadcast_to(jnp.tril(variance), self.shape())

    def _mean_log_diagonal(self) -> Any:
        return log_diagonal(self.scale_tril) - mean_log_chi(self._df)

    def entropy(self) -> Any:
        log_powers = jnp.sum(self._power * self._mean_log_diagonal(), axis=-1)
        entropy = self._log_normalizer() + 0.5 * self._size * self.concentration - log_powers
        return jnp.broadcast_to(entropy, self.batch_shape)


class InverseWishart(WishartFamily, TransformedDistribution):
    """Distribution of the inverse of a Wishart matrix.

    Of density proportional to ``det(X)^(-(concentration + p + 1) / 2) exp(-tr(S X^-1) / 2)`` for
    the scale matrix S of size p (Gupta & Nagar 1999, Matrix Variate Distributions, section 3.4).
    Exactly one of the three matrices must be given.

    Parameters
    ----------
    concentration
        Degrees of freedom, above the size p of the matrix less 1; shape batch_shape. `mean` exists
        above p + 1 and `variance` above p + 3; below they are NaN.
    scale_matrix, rate_matrix
        The scale matrix or its inverse, positive definite; shape batch_shape + event_shape.
    scale_tril
        Lower Cholesky factor of the scale matrix; shape batch_shape + event_shape.

    Examples
    --------
    >>> import numpy as np
    >>> import sojourn_distributions as dist
    >>> d = dist.InverseWishart(5.0, scale_matrix=np.diag([1.0, 0.5]))
    >>> print(d.mean)
    [[0.5  0.  ]
     [0.   0.25]]
    """

    support = constraints.positive_definite

    @property
    def base_dist(self) -> Distribution:
        return self._cholesky

    @property
    def _cholesky(self) -> InverseWishartCholesky:
        return InverseWishartCholesky(
            self.concentration, scale_tril=self.scale_tril, validate_args=False
        )

    @property
    def transforms(self) -> list[Transform]:
        return [CholeskyTransform().inv]

    @property
    def _excess(self) -> Any:
        """``concentration - p - 1``, with two trailing dimensions."""
        return self._concentration_of_rows[..., None] - self._size - 1

    @property
    def mean(self) -> Any:
        excess = self._excess
        mean = self.scale_matrix / jnp.where(excess > 0, excess, jnp.nan)
        return jnp.broadcast_to(mean, self.shape())

    @property
    def variance(self) -> Any:
        # Gupta & Nagar 1999, theorem 3.4.3.
        a, scale = self._excess, self.scale_matrix
        diagonal = jnp.diagonal(scale, axis1=-2, axis2=-1)
        products = diagonal[..., :, None] * diagonal[..., None, :]
        a = jnp.where(a > 2, a, jnp.nan)
        variance = (a + 2) * jnp.square(scale) + a * products
        return jnp.broadcast_to(variance / ((a + 1) * a**2 * (a - 2)), self.shape())

    @property
    def mode(self) -> Any:
        total = self._concentration_of_rows[..., None] + self._size + 1
        return jnp.broadcast_to(self.scale_matrix / total, self.shape())

    def entropy(self) -> Any:
        base, size = self._cholesky, self._size
        log_volume = jnp.sum((size - self._row) * base._mean_log_diagonal(), axis=-1)
        return base.entropy() + size * math.log(2.0) + log_volume
