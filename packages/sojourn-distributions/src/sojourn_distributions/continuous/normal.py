"""The normal distribution and what comes of it by an exponential or an absolute value."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax.scipy.special import erf, erfinv

from sojourn_distributions import constraints, known
from sojourn_distributions.arrays import Array, ArrayLike
from sojourn_distributions.continuous.location_scale import LocationScale
from sojourn_distributions.distribution import Distribution
from sojourn_distributions.numerics import divide, ndtri_exp
from sojourn_distributions.special import log_ndtr, ndtr, ndtri
from sojourn_distributions.transformed import TransformedDistribution
from sojourn_distributions.transforms import ExpTransform, Transform

__all__ = ["HalfNormal", "LogNormal", "Normal"]

Shape = tuple[int, ...]

_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


class Normal(LocationScale):
    """Normal (Gaussian) distribution on the real numbers.

    The standard variable has the density ``exp(-z**2 / 2) / sqrt(2 pi)``.

    Parameters
    ----------
    loc
        Mean.
    scale
        Standard deviation, positive.

    Examples
    --------
    >>> import sojourn_distributions as dist
    >>> round(float(dist.Normal(0.0, 2.0).log_prob(1.0)), 4)
    -1.7371
    """

    _symmetric = True
    _standard_variance = 1.0
    _standard_entropy = 0.5 + _HALF_LOG_2PI

    def _noise(self, key: Array, shape: Shape) -> Any:
        return jax.random.normal(key, shape, self._dtype)

    def _standard_log_prob(self, z: Any) -> Any:
        return -0.5 * z * z - _HALF_LOG_2PI

    def _standard_cdf(self, z: Any) -> Any:
        return ndtr(z)

    def _standard_log_cdf(self, z: Any) -> Any:
        return log_ndtr(z)

    def _standard_icdf(self, q: Any) -> Any:
        return ndtri(q)

    def _standard_icdf_from_log(self, log_q: Any) -> Any:
        return ndtri_exp(log_q)


class LogNormal(TransformedDistribution):
    """Distribution of the exponential of a normal variable.

    The density is ``exp(-z**2 / 2) / (x * scale * sqrt(2 pi))`` with
    ``z = (log(x) - loc) / scale``.

    Parameters
    ----------
    loc, scale
        Mean and standard deviation (positive) of the logarithm.
    """

    arg_constraints: ClassVar = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.positive
    reparametrized_params = ("loc", "scale")

    loc: ArrayLike
    scale: ArrayLike

    def __init__(
        self, loc: ArrayLike = 0.0, scale: ArrayLike = 1.0, *, validate_args: bool | None = None
    ) -> None:
        self._set_parameters(validate_args, loc=loc, scale=scale)

    @property
    def base_dist(self) -> Distribution:
        return Normal(self.loc, self.scale, validate_args=False)

    @property
    def transforms(self) -> list[Transform]:
        return [ExpTransform()]

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        if intermediates:
            return super().log_prob(value, intermediates)
        inside = jnp.greater(value, 0)
        log_value = jnp.log(jnp.where(inside, value, 1.0))
        return jnp.where(inside, self.base_dist.log_prob(log_value) - log_value, -jnp.inf)

    def cdf(self, value: ArrayLike) -> Any:
        inside = jnp.greater(value, 0)
        log_value = jnp.log(jnp.where(inside, value, 1.0))
        return jnp.where(inside, self.base_dist.cdf(log_value), 0.0)

    @property
    def mean(self) -> Any:
        return jnp.broadcast_to(jnp.exp(self.loc + 0.5 * self.scale**2), self.batch_shape)

    @property
    def variance(self) -> Any:
        square = self.scale**2
        return jnp.broadcast_to(
            jnp.expm1(square) * jnp.exp(2 * self.loc + square), self.batch_shape
        )

    @property
    def mode(self) -> Any:
        return jnp.broadcast_to(jnp.exp(self.loc - self.scale**2), self.batch_shape)

    def entropy(self) -> Any:
        return self.base_dist.entropy() + self.loc


class HalfNormal(Distribution):
    """Distribution of the absolute value of a normal variable of mean 0.

    The standard variable has the density ``exp(-z**2 / 2) * sqrt(2 / pi)``.

    Parameters
    ----------
    scale
        Standard deviation of the normal variable, positive.
    """

    arg_constraints: ClassVar = {"scale": constraints.positive}
    support = constraints.positive
    reparametrized_params = ("scale",)

    scale: ArrayLike

    def __init__(self, scale: ArrayLike = 1.0, *, validate_args: bool | None = None) -> None:
        self._set_parameters(validate_args, scale=scale)

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        return self.scale * jnp.abs(jax.random.normal(key, self.shape(sample_shape), self._dtype))

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        z = divide(value, self.scale)
        log_density = -0.5 * z * z - (known.log(self.scale) + (_HALF_LOG_2PI - math.log(2.0)))
        return jnp.where(jnp.greater_equal(value, 0), log_density, -jnp.inf)

    def cdf(self, value: ArrayLike) -> Any:
        return erf(jnp.maximum(value, 0.0) / self.scale * math.sqrt(0.5))

    def icdf(self, q: ArrayLike) -> Any:
        return self.scale * math.sqrt(2.0) * erfinv(q)

    @property
    def mean(self) -> Any:
        return jnp.broadcast_to(math.sqrt(2 / math.pi) * self.scale, self.batch_shape)

    @property
    def variance(self) -> Any:
        return jnp.broadcast_to((1 - 2 / math.pi) * jnp.square(self.scale), self.batch_shape)

    @property
    def mode(self) -> Any:
        return jnp.zeros(self.batch_shape, self._dtype)

    def entropy(self) -> Any:
        entropy = 0.5 + _HALF_LOG_2PI - math.log(2.0) + jnp.log(self.scale)
        return jnp.broadcast_to(entropy, self.batch_shape)
