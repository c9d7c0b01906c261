"""The normal distribution and what comes of it by an exponential or an absolute value."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.custom_derivatives import SymbolicZero
from jax.scipy.special import erf, erfinv

from sojourn_distributions import constraints, known
from sojourn_distributions.arrays import Array, ArrayLike, float_dtype
from sojourn_distributions.broadcasting import broadcast
from sojourn_distributions.continuous.location_scale import LocationScale
from sojourn_distributions.distribution import Distribution
from sojourn_distributions.numerics import ndtri_exp, on_support
from sojourn_distributions.special import log_ndtr, ndtr, ndtri
from sojourn_distributions.transformed import TransformedDistribution
from sojourn_distributions.transforms import ExpTransform, Transform

__all__ = ["HalfNormal", "LogNormal", "Normal"]

Shape = tuple[int, ...]

_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


def log_density(value: ArrayLike, loc: ArrayLike, scale: ArrayLike) -> Any:
    """Log of the normal density; the arguments broadcast.

    It is the one that models use most, and so has rules for its gradient: the chain rule,
    operation by operation, takes several times as long to trace and divides more than once. That
    of a prior, whose parameters are numbers, is a program of four operations.
    """
    dtype = float_dtype(value, loc, scale)
    if known.is_any_number(loc) and known.is_any_number(scale) and 0 < scale < math.inf:
        return _log_density_of_prior(jnp.asarray(value, dtype), loc, scale)
    return _log_density(*(jnp.asarray(x, dtype) for x in (value, loc, scale)))


@functools.partial(jax.custom_jvp, nondiff_argnums=(1, 2))
def _log_density_of_prior(value: Any, loc: float, scale: float) -> Any:
    return _of_prior(value, loc, scale)[1]


@_log_density_of_prior.defjvp
def _log_density_of_prior_jvp(
    loc: float, scale: float, primals: tuple[Any], tangents: tuple[Any]
) -> tuple[Any, Any]:
    ((value,), (along_value,)) = primals, tangents
    z, result = _of_prior(value, loc, scale)
    return result, lax.mul(lax.mul(lax.full_like(z, -1 / scale), z), along_value)


def _of_prior(value: Any, loc: float, scale: float) -> tuple[Any, Any]:
    """Return ``(value - loc) / scale`` and the log density."""
    z = value if loc == 0 else lax.sub(value, lax.full_like(value, loc))
    z = z if scale == 1 else lax.mul(z, lax.full_like(z, 1 / scale))
    return z, _of_standard(z, lax.full_like(z, math.log(scale) + _HALF_LOG_2PI))


def _of_standard(z: Any, minus_log_density_at_0: Any) -> Any:
    return lax.sub(lax.mul(lax.full_like(z, -0.5), lax.mul(z, z)), minus_log_density_at_0)


@jax.custom_jvp
def _log_density(value: Any, loc: Any, scale: Any) -> Any:
    z, _, wide = _standard(value, loc, scale)
    return _of_standard(z, wide(_log_scale(scale)))


def _log_density_jvp(primals: tuple[Any, Any, Any], tangents: tuple[Any, Any, Any]) -> Any:
    z, precision, wide = _standard(*primals)
    along_value, along_loc, along_scale = tangents
    slope = []
    if not isinstance(along_value, SymbolicZero):
        slope.append(lax.neg(lax.mul(z, wide(along_value))))
    if not isinstance(along_loc, SymbolicZero):
        slope.append(lax.mul(z, wide(along_loc)))
    if not isinstance(along_scale, SymbolicZero):
        excess = lax.sub(lax.mul(z, z), lax.full_like(z, 1))
        slope.append(lax.mul(excess, wide(along_scale)))
    result = _of_standard(z, wide(_log_scale(primals[2])))
    if not slope:
        return result, lax.full_like(z, 0)
    return result, lax.mul(precision, functools.reduce(lax.add, slope))


_log_density.defjvp(_log_density_jvp, symbolic_zeros=True)


def _log_scale(scale: Any) -> Any:
    return lax.add(lax.log(scale), lax.full_like(scale, _HALF_LOG_2PI))


def _standard(value: Any, loc: Any, scale: Any) -> tuple[Any, Any, Callable[[Any], Any]]:
    """Return ``(value - loc) / scale``, ``1 / scale``, and what repeats arrays to their shape."""
    wide = functools.partial(
        broadcast, shape=np.broadcast_shapes(value.shape, loc.shape, scale.shape)
    )
    precision = wide(lax.div(lax.full_like(scale, 1), scale))
    return lax.mul(lax.sub(wide(value), wide(loc)), precision), precision, wide


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

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        return log_density(value, self.loc, self.scale)

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
        return on_support(inside, self.base_dist.log_prob(log_value) - log_value)

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
        log_half = log_density(value, 0.0, self.scale)
        log_density_of_either = lax.add(log_half, lax.full_like(log_half, math.log(2.0)))
        return on_support(jnp.greater_equal(value, 0), log_density_of_either)

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
