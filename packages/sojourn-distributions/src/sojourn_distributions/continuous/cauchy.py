"""The Cauchy distribution and its half."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from sojourn_distributions import constraints, known
from sojourn_distributions.arrays import Array, ArrayLike
from sojourn_distributions.continuous.location_scale import LocationScale
from sojourn_distributions.distribution import Distribution
from sojourn_distributions.numerics import log1p_square, on_support

__all__ = ["Cauchy", "HalfCauchy"]

Shape = tuple[int, ...]


class Cauchy(LocationScale):
    """Cauchy distribution on the real numbers; it has no mean.

    The standard variable has the density ``1 / (pi * (1 + z**2))``.

    Parameters
    ----------
    loc
        Median.
    scale
        Half the interquartile range, positive.
    """

    _standard_mean = math.nan
    _symmetric = True
    _standard_variance = math.nan
    _standard_entropy = math.log(4 * math.pi)

    def _noise(self, key: Array, shape: Shape) -> Any:
        return jax.random.cauchy(key, shape, self._dtype)

    def _standard_log_prob(self, z: Any) -> Any:
        return -log1p_square(z) - math.log(math.pi)

    def _standard_cdf(self, z: Any) -> Any:
        # arctan2 keeps the relative precision of the lower tail: 1/2 + arctan(z)/pi cancels.
        return jnp.arctan2(1.0, -z) / math.pi

    def _standard_icdf(self, q: Any) -> Any:
        return -1 / jnp.tan(math.pi * q)


class HalfCauchy(Distribution):
    """Distribution of the absolute value of a Cauchy variable of median 0; its mean is infinite.

    The standard variable has the density ``2 / (pi * (1 + z**2))``.

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
        log_density = math.log(2 / math.pi) - log1p_square(z) - known.log(self.scale)
        return on_support(jnp.greater_equal(value, 0), log_density)

    def cdf(self, value: ArrayLike) -> Any:
        return 2 / math.pi * jnp.arctan(jnp.maximum(value, 0.0) / self.scale)

    def log_survival(self, value: ArrayLike) -> Any:
        return jnp.log(2 / math.pi * jnp.arctan2(self.scale, jnp.maximum(value, 0.0)))

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
