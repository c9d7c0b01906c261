"""The Cauchy distribution and its half."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike
from sojourn_distributions.distribution import Distribution
from sojourn_distributions.numerics import log1p_square

__all__ = ["Cauchy", "HalfCauchy"]

Shape = tuple[int, ...]


class Cauchy(Distribution):
    """Cauchy distribution on the real numbers; it has no mean.

    Parameters
    ----------
    loc
        Median.
    scale
        Half the interquartile range, positive.
    """

    arg_constraints: ClassVar = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.real
    reparametrized_params = ("loc", "scale")

    loc: ArrayLike
    scale: ArrayLike

    def __init__(
        self, loc: ArrayLike = 0.0, scale: ArrayLike = 1.0, *, validate_args: bool | None = None
    ) -> None:
        self._set_parameters(validate_args, loc=loc, scale=scale)

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        noise = jax.random.cauchy(key, self.shape(sample_shape), self._dtype)
        return self.loc + self.scale * noise

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        z = (value - self.loc) / self.scale
        return -log1p_square(z) - jnp.log(self.scale) - math.log(math.pi)

    def cdf(self, value: ArrayLike) -> Any:
        # arctan2 keeps the relative precision of the lower tail: 1/2 + arctan(z)/pi cancels.
        return jnp.arctan2(1.0, -(value - self.loc) / self.scale) / math.pi

    def icdf(self, q: ArrayLike) -> Any:
        return self.loc - self.scale / jnp.tan(math.pi * q)

    @property
    def mean(self) -> Any:
        return jnp.full(self.batch_shape, jnp.nan, self._dtype)

    @property
    def variance(self) -> Any:
        return jnp.full(self.batch_shape, jnp.nan, self._dtype)

    @property
    def mode(self) -> Any:
        return jnp.broadcast_to(self.loc, self.batch_shape)

    def entropy(self) -> Any:
        return jnp.broadcast_to(math.log(4 * math.pi) + jnp.log(self.scale), self.batch_shape)


class HalfCauchy(Distribution):
    """Distribution of the absolute value of a Cauchy variable of median 0; its mean is infinite.

    Parameters
    ----------
    scale
        Median, positive.
    """

    arg_constraints: ClassVar = {"scale": constraints.positive}
    support = constraints.positive
    reparametrized_params = ("scale",)

    scale: ArrayLike

    def __init__(self, scale: ArrayLike = 1.0, *, validate_args: bool | None = None) -> None:
        self._set_parameters(validate_args, scale=scale)

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        return self.scale * jnp.abs(jax.random.cauchy(key, self.shape(sample_shape), self._dtype))

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        z = value / self.scale
        log_density = math.log(2 / math.pi) - log1p_square(z) - jnp.log(self.scale)
        return jnp.where(jnp.greater_equal(value, 0), log_density, -jnp.inf)

    def cdf(self, value: ArrayLike) -> Any:
        return 2 / math.pi * jnp.arctan(jnp.maximum(value, 0.0) / self.scale)

    def icdf(self, q: ArrayLike) -> Any:
        return self.scale * jnp.tan(0.5 * math.pi * q)

    @property
    def mean(self) -> Any:
        return jnp.full(self.batch_shape, jnp.inf, self._dtype)

    @property
    def variance(self) -> Any:
        return jnp.full(self.batch_shape, jnp.inf, self._dtype)

    @property
    def mode(self) -> Any:
        return jnp.zeros(self.batch_shape, self._dtype)

    def entropy(self) -> Any:
        return jnp.broadcast_to(math.log(2 * math.pi) + jnp.log(self.scale), self.batch_shape)
