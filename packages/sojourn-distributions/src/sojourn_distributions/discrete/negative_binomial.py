"""The negative binomial distribution as a gamma mixture of Poisson distributions."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax.scipy.special import gammaln

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike
from sojourn_distributions.distribution import Distribution

__all__ = ["NegativeBinomial2"]

Shape = tuple[int, ...]


class NegativeBinomial2(Distribution):
    """Negative binomial distribution by its mean, with variance ``mean + mean**2/concentration``.

    Parameters
    ----------
    mean
        Nonnegative.
    concentration
        Positive; the smaller, the more dispersed.
    """

    arg_constraints: ClassVar = {
        "mean": constraints.nonnegative,
        "concentration": constraints.positive,
    }
    support = constraints.nonnegative_integer

    mean: ArrayLike = None  # a parameter here, in the place of the base class's property
    concentration: ArrayLike

    def __init__(
        self, mean: ArrayLike, concentration: ArrayLike, *, validate_args: bool | None = None
    ) -> None:
        self._set_parameters(validate_args, mean=mean, concentration=concentration)

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        key_gamma, key_poisson = jax.random.split(key)
        shape = self.shape(sample_shape)
        unit = jax.random.gamma(key_gamma, self.concentration, shape, self._dtype)
        return jax.random.poisson(key_poisson, unit * self.mean / self.concentration, shape)

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        mean, c = self.mean, self.concentration
        inside = jnp.greater_equal(value, 0)
        k = jnp.where(inside, value, 0)
        # At k = 0 the logarithm is not needed and sees 1: finite gradient at mean 0.
        log_odds = jnp.log(jnp.where(k > 0, mean, 1.0)) - jnp.log(c + mean)
        log_coefficient = gammaln(k + c) - gammaln(c) - gammaln(k + 1.0)
        log_mass = log_coefficient + k * log_odds - c * jnp.log1p(mean / c)
        return jnp.where(inside, log_mass, -jnp.inf)

    @property
    def variance(self) -> Any:
        variance = self.mean + jnp.square(self.mean) / self.concentration
        return jnp.broadcast_to(variance, self.batch_shape)
