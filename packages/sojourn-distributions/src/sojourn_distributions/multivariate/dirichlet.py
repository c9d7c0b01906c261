"""The Dirichlet distribution."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import digamma

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike
from sojourn_distributions.broadcasting import sum_over
from sojourn_distributions.distribution import Distribution
from sojourn_distributions.known import log_dirichlet_normalizer
from sojourn_distributions.numerics import log_power

__all__ = ["Dirichlet"]

Shape = tuple[int, ...]


class Dirichlet(Distribution):
    """Dirichlet distribution on simplexes.

    The density is ``prod(x**(a - 1)) * gamma(sum(a)) / prod(gamma(a))`` with the concentration a.

    Parameters
    ----------
    concentration
        Exponents plus 1, positive; shape batch_shape + event_shape.
    """

    arg_constraints: ClassVar = {"concentration": constraints.independent(constraints.positive, 1)}
    support = constraints.simplex
    reparametrized_params = ("concentration",)

    concentration: ArrayLike

    def __init__(self, concentration: ArrayLike, *, validate_args: bool | None = None) -> None:
        if np.ndim(concentration) < 1:
            raise ValueError("Dirichlet: concentration must have at least one dimension")
        self._set_parameters(validate_args, concentration=concentration)

    def _event_shape(self) -> Shape:
        return np.shape(self.concentration)[-1:]

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        shape = tuple(sample_shape) + self.batch_shape
        return jax.random.dirichlet(key, self.concentration, shape, self._dtype)

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        a = self.concentration
        return sum_over(log_power(value, a - 1), (-1,)) - log_dirichlet_normalizer(a)

    @property
    def mean(self) -> Any:
        return self.concentration / jnp.sum(self.concentration, axis=-1, keepdims=True)

    @property
    def variance(self) -> Any:
        total = jnp.sum(self.concentration, axis=-1, keepdims=True)
        mean = self.concentration / total
        return mean * (1 - mean) / (total + 1)

    def entropy(self) -> Any:
        a = self.concentration
        total = jnp.sum(a, axis=-1)
        spread = (total - a.shape[-1]) * digamma(total) - jnp.sum((a - 1) * digamma(a), axis=-1)
        return log_dirichlet_normalizer(a) + spread
