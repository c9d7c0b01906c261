"""The LKJ distribution of Cholesky factors of correlation matrices.

Lewandowski, Kurowicka & Joe (2009), "Generating random correlation matrices based on vines and
extended onion method", Journal of Multivariate Analysis 100.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike
from sojourn_distributions.distribution import Distribution

__all__ = ["LKJCholesky"]

Shape = tuple[int, ...]


class LKJCholesky(Distribution):
    """Lower Cholesky factor of a correlation matrix of density ``det ** (concentration - 1)``.

    Parameters
    ----------
    dimension
        Number of variables, 2 or more.
    concentration
        Positive; 1 is uniform over correlation matrices, larger is nearer the identity.
    sample_method
        ``"onion"`` or ``"cvine"``: two names of the cited paper; the draws have the same
        distribution and are made by the onion method.
    """

    arg_constraints: ClassVar = {"concentration": constraints.positive}
    support = constraints.corr_cholesky
    reparametrized_params = ("concentration",)
    pytree_aux_fields = ("dimension", "sample_method")

    concentration: ArrayLike

    def __init__(
        self,
        dimension: int,
        concentration: ArrayLike = 1.0,
        sample_method: str = "onion",
        *,
        validate_args: bool | None = None,
    ) -> None:
        if dimension < 2:
            raise ValueError(f"LKJCholesky: dimension must be 2 or more, got {dimension}")
        if sample_method not in ("onion", "cvine"):
            raise ValueError(
                f"LKJCholesky: sample_method must be 'onion' or 'cvine', got {sample_method!r}"
            )
        self.dimension = dimension
        self.sample_method = sample_method
        self._set_parameters(validate_args, concentration=concentration)

    def _event_shape(self) -> Shape:
        return (self.dimension, self.dimension)

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        # Row i (from 1) is a uniform direction of i numbers, whose squared length is
        # Beta(i / 2, concentration + (dimension - 1 - i) / 2); the diagonal completes it to 1.
        n = self.dimension
        key_length, key_direction = jax.random.split(key)
        batch = tuple(sample_shape) + self.batch_shape
        row = np.arange(1, n).astype(self._dtype)
        concentration = jnp.asarray(self.concentration, self._dtype)[..., None]
        squared = jax.random.beta(
            key_length, 0.5 * row, concentration + 0.5 * (n - 1 - row), (*batch, n - 1), self._dtype
        )
        normal = jax.random.normal(key_direction, (*batch, n - 1, n), self._dtype)
        normal = normal * np.tril(np.ones((n - 1, n), self._dtype))
        norm = jnp.sqrt(jnp.sum(jnp.square(normal), axis=-1, keepdims=True))
        below = normal / norm * jnp.sqrt(squared)[..., None]
        first = jnp.zeros((*batch, 1, n), self._dtype)
        diagonal = jnp.sqrt(
            jnp.concatenate([jnp.ones((*batch, 1), self._dtype), 1 - squared], axis=-1)
        )
        strict = jnp.concatenate([first, below], axis=-2)
        return strict + diagonal[..., None] * np.eye(n, dtype=self._dtype)

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        n, eta = self.dimension, self.concentration
        row = np.arange(2, n + 1).astype(self._dtype)
        power = n - row + 2 * jnp.expand_dims(jnp.asarray(eta), -1) - 2
        log_diagonal = jnp.log(jnp.diagonal(value, axis1=-2, axis2=-1)[..., 1:])
        return jnp.sum(power * log_diagonal, axis=-1) - self._log_normalizer()

    def _log_normalizer(self) -> Any:
        """Log of the integral of the density over Cholesky factors (the paper's equation 16)."""
        k = np.arange(1, self.dimension).astype(self._dtype)
        eta = jnp.expand_dims(jnp.asarray(self.concentration), -1)
        alpha = eta + 0.5 * (self.dimension - 1)
        log_volumes = 0.5 * k * math.log(math.pi) + gammaln(alpha - 0.5 * k) - gammaln(alpha)
        return jnp.sum(log_volumes, axis=-1)
