"""The LKJ distribution of correlation matrices, and of their Cholesky factors.

Lewandowski, Kurowicka & Joe (2009), "Generating random correlation matrices based on vines and
extended onion method", Journal of Multivariate Analysis 100.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike
from sojourn_distributions.distribution import Distribution
from sojourn_distributions.transformed import TransformedDistribution
from sojourn_distributions.transforms import (
    CorrCholeskyTransform,
    CorrMatrixCholeskyTransform,
    Transform,
)

__all__ = ["LKJ", "LKJCholesky"]

Shape = tuple[int, ...]
SampleMethod = Literal["onion", "cvine"]


class _LKJParameters(Distribution):
    """A distribution of square matrices with a dimension and a concentration."""

    arg_constraints: ClassVar = {"concentration": constraints.positive}
    reparametrized_params = ("concentration",)
    pytree_aux_fields = ("dimension", "sample_method")

    concentration: ArrayLike

    def __init__(
        self,
        dimension: int,
        concentration: ArrayLike = 1.0,
        sample_method: SampleMethod = "onion",
        *,
        validate_args: bool | None = None,
    ) -> None:
        name = type(self).__name__
        if dimension < 2:
            raise ValueError(f"{name}: dimension must be 2 or more, got {dimension}")
        if sample_method not in ("onion", "cvine"):
            raise ValueError(
                f"{name}: sample_method must be 'onion' or 'cvine', got {sample_method!r}"
            )
        self.dimension = dimension
        self.sample_method = sample_method
        self._set_parameters(validate_args, concentration=concentration)

    def _batch_shape(self) -> Shape:
        return np.shape(self.concentration)

    def _event_shape(self) -> Shape:
        return (self.dimension, self.dimension)

    def _trailing_concentration(self) -> Any:
        return jnp.asarray(self.concentration, self._dtype)[..., None]


class LKJCholesky(_LKJParameters):
    """Lower Cholesky factor of a correlation matrix of density ``det ** (concentration - 1)``.

    Parameters
    ----------
    dimension
        Number of variables, 2 or more.
    concentration
        Positive; 1 is uniform over correlation matrices, larger is nearer the identity.
    sample_method
        ``"onion"`` draws the rows of the factor, ``"cvine"`` the partial correlations along a
        C-vine (sections 3.2 and 2.4 of the paper); the draws have the same distribution.

    Examples
    --------
    >>> import jax
    >>> import sojourn_distributions as dist
    >>> d = dist.LKJCholesky(3, 2.0, sample_method="cvine")
    >>> d.sample(jax.random.key(0), (5,)).shape
    (5, 3, 3)
    """

    support = constraints.corr_cholesky

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        batch = tuple(sample_shape) + self.batch_shape
        return self._onion(key, batch) if self.sample_method == "onion" else self._vine(key, batch)

    def _row_lengths(self) -> tuple[Any, Any]:
        """Parameters of the beta variable that is the squared length of a row left of the diagonal.

        For the rows from 1 on (section 3.2 of the paper).
        """
        row = np.arange(1, self.dimension).astype(self._dtype)
        return 0.5 * row, self._trailing_concentration() + 0.5 * (self.dimension - 1 - row)

    def _onion(self, key: Array, batch: Shape) -> Any:
        # Row i (from 1) is a uniform direction of i numbers, of a length that is drawn apart; the
        # diagonal completes it to 1.
        n = self.dimension
        key_length, key_direction = jax.random.split(key)
        log_left, log_rest = _log_beta(key_length, *self._row_lengths(), (*batch, n - 1))
        normal = jax.random.normal(key_direction, (*batch, n - 1, n), self._dtype)
        normal = normal * np.tril(np.ones((n - 1, n), self._dtype))
        norm = jnp.sqrt(jnp.sum(jnp.square(normal), axis=-1, keepdims=True))
        below = normal / norm * jnp.exp(0.5 * log_left)[..., None]
        first = jnp.zeros((*batch, 1, n), self._dtype)
        one = jnp.ones((*batch, 1), self._dtype)
        diagonal = jnp.concatenate([one, jnp.exp(0.5 * log_rest)], axis=-1)
        strict = jnp.concatenate([first, below], axis=-2)
        return strict + diagonal[..., None] * np.eye(n, dtype=self._dtype)

    def _vine(self, key: Array, batch: Shape) -> Any:
        # The correlation of variables i > j given those before j is 2 B - 1 with B of
        # Beta(b, b), b = concentration + (n - 2 - j) / 2 (section 2.4 of the paper, j from 0).
        n = self.dimension
        column = np.tril_indices(n, -1)[1].astype(self._dtype)
        b = self._trailing_concentration() + 0.5 * (n - 2 - column)
        log_up, log_down = _log_beta(key, b, b, (*batch, len(column)))
        # The transform takes the hyperbolic arctangents of the partial correlations.
        return CorrCholeskyTransform()(0.5 * (log_up - log_down))

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        n = self.dimension
        row = np.arange(2, n + 1).astype(self._dtype)
        power = n - row + 2 * self._trailing_concentration() - 2
        log_diagonal = jnp.log(jnp.diagonal(value, axis1=-2, axis2=-1)[..., 1:])
        return jnp.sum(power * log_diagonal, axis=-1) - self._log_normalizer()

    def _log_normalizer(self) -> Any:
        """Log of the integral of the density over Cholesky factors (the paper's equation 16)."""
        k = np.arange(1, self.dimension).astype(self._dtype)
        alpha = self._trailing_concentration() + 0.5 * (self.dimension - 1)
        log_volumes = 0.5 * k * math.log(math.pi) + gammaln(alpha - 0.5 * k) - gammaln(alpha)
        return jnp.sum(log_volumes, axis=-1)

    def _mean_diagonal(self) -> Any:
        # The root of a Beta(b, a) variable, where Beta(a, b) is the squared length beside it.
        a, b = self._row_lengths()
        log_mean = gammaln(b + 0.5) - gammaln(b) + gammaln(a + b) - gammaln(a + b + 0.5)
        return jnp.concatenate([jnp.ones_like(log_mean[..., :1]), jnp.exp(log_mean)], axis=-1)

    @property
    def mean(self) -> Any:
        mean = self._mean_diagonal()[..., None] * np.eye(self.dimension, dtype=self._dtype)
        return jnp.broadcast_to(mean, self.shape())

    @property
    def variance(self) -> Any:
        # A row's squared length, of mean a / (a + b), is shared evenly by its i = 2 a entries.
        n = self.dimension
        a, b = self._row_lengths()
        off = jnp.broadcast_to(0.5 / (a + b), (*self.batch_shape, n - 1))
        mean_square = jnp.concatenate([jnp.ones_like(off[..., :1]), b / (a + b)], axis=-1)
        diagonal = mean_square - jnp.square(self._mean_diagonal())
        off = jnp.concatenate([jnp.zeros_like(off[..., :1]), off], axis=-1)
        strict = off[..., None] * np.tril(np.ones((n, n), self._dtype), -1)
        return strict + diagonal[..., None] * np.eye(n, dtype=self._dtype)


class LKJ(_LKJParameters, TransformedDistribution):
    """Correlation matrices of density proportional to ``det ** (concentration - 1)``.

    Parameters
    ----------
    dimension
        Number of variables, 2 or more.
    concentration
        Positive; 1 is uniform over correlation matrices, larger is nearer the identity.
    sample_method
        ``"onion"`` or ``"cvine"``, as for `LKJCholesky`.

    Examples
    --------
    >>> import sojourn_distributions as dist
    >>> print(dist.LKJ(3, 1.5).variance)
    [[0.  0.2 0.2]
     [0.2 0.  0.2]
     [0.2 0.2 0. ]]
    """

    support = constraints.corr_matrix

    @property
    def base_dist(self) -> Distribution:
        return LKJCholesky(
            self.dimension, self.concentration, self.sample_method, validate_args=False
        )

    @property
    def transforms(self) -> list[Transform]:
        return [CorrMatrixCholeskyTransform().inv]

    @property
    def mean(self) -> Any:
        return jnp.broadcast_to(np.eye(self.dimension, dtype=self._dtype), self.shape())

    @property
    def variance(self) -> Any:
        # Each correlation is 2 B - 1 with B of Beta(b, b), b = concentration + (n - 2) / 2.
        n = self.dimension
        off = 1 / (2 * self._trailing_concentration() + n - 1)
        off_diagonal = 1 - np.eye(n, dtype=self._dtype)
        return jnp.broadcast_to(off[..., None] * off_diagonal, self.shape())


def _log_beta(key: Array, a: Any, b: Any, shape: Shape) -> tuple[Any, Any]:
    """Logarithms of a Beta(a, b) variable and of what it leaves of 1.

    Each keeps its precision where the variable rounds to 0 or 1.
    """
    key_a, key_b = jax.random.split(key)
    dtype = b.dtype
    log_a = jax.random.loggamma(key_a, jnp.broadcast_to(a, shape), shape, dtype)
    log_b = jax.random.loggamma(key_b, jnp.broadcast_to(b, shape), shape, dtype)
    log_sum = jnp.logaddexp(log_a, log_b)
    return log_a - log_sum, log_b - log_sum
