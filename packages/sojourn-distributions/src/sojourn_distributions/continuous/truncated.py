"""Symmetric distributions on the real numbers, cut off below, above or on both sides."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike
from sojourn_distributions.continuous.cauchy import Cauchy
from sojourn_distributions.continuous.laplace import Laplace
from sojourn_distributions.continuous.logistic import Logistic
from sojourn_distributions.continuous.normal import Normal
from sojourn_distributions.distribution import Distribution
from sojourn_distributions.numerics import log1mexp

__all__ = [
    "LeftTruncatedDistribution",
    "RightTruncatedDistribution",
    "TruncatedCauchy",
    "TruncatedDistribution",
    "TruncatedNormal",
    "TwoSidedTruncatedDistribution",
]

Shape = tuple[int, ...]

_SYMMETRIC = (Cauchy, Laplace, Logistic, Normal)


class _Truncated(Distribution):
    """What the three truncations share.

    Everything is computed in the lower tail of the base distribution, reflected about its
    median where the cut lies in the upper one, so that no probability is a difference of numbers
    near 1; with logs, so that it may underflow (`log_cdf`, `icdf_from_log`).
    """

    pytree_data_fields = ("base_dist",)

    base_dist: Any

    def _check_base(self, base_dist: Distribution) -> None:
        if not isinstance(base_dist, _SYMMETRIC):
            names = ", ".join(kind.__name__ for kind in _SYMMETRIC)
            raise TypeError(
                f"{type(self).__name__}: base_dist must be one of {names}, "
                f"got {type(base_dist).__name__}"
            )

    def _batch_shape(self) -> Shape:
        bounds = [np.shape(bound) for bound in self.get_args().values()]
        return np.broadcast_shapes(self.base_dist.batch_shape, *bounds)

    def _reflect(self, value: Any) -> Any:
        return 2 * self.base_dist.loc - value

    def _log_mass(self) -> Any:
        """Log of the probability that the base distribution gives the support."""
        raise NotImplementedError

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        log_density = self.base_dist.log_prob(value) - self._log_mass()
        support = self.support
        inside: Any = True
        if hasattr(support, "lower_bound"):
            inside = jnp.greater_equal(value, support.lower_bound)
        if hasattr(support, "upper_bound"):
            inside = inside & jnp.less_equal(value, support.upper_bound)
        return jnp.where(inside, log_density, -jnp.inf)

    def _log_uniform(self, key: Array, sample_shape: Shape) -> Any:
        return -jax.random.exponential(key, self.shape(sample_shape), self._dtype)

    def _density_ratio(self, bound: Any) -> Any:
        return jnp.exp(self.base_dist.log_prob(bound) - self._log_mass()) * self.base_dist.scale

    def _normal_moments(self, low: Any, high: Any) -> tuple[Any, Any]:
        """Mean and variance of a truncated normal variable (Johnson & Kotz 1994, 13.10.1)."""
        base = self.base_dist
        if not isinstance(base, Normal):
            raise NotImplementedError(
                f"the moments of a truncated {type(base).__name__} are not available"
            )
        first: Any = 0.0
        second: Any = 1.0
        for bound, sign in ((low, 1), (high, -1)):
            if bound is not None:
                ratio = sign * self._density_ratio(bound)
                first = first + ratio
                second = second + ratio * (bound - base.loc) / base.scale
        mean = jnp.broadcast_to(base.loc + base.scale * first, self.batch_shape)
        variance = jnp.square(base.scale) * (second - jnp.square(first))
        return mean, jnp.broadcast_to(variance, self.batch_shape)

    @property
    def mean(self) -> Any:
        args = self.get_args()
        return self._normal_moments(args.get("low"), args.get("high"))[0]

    @property
    def variance(self) -> Any:
        args = self.get_args()
        return self._normal_moments(args.get("low"), args.get("high"))[1]


class LeftTruncatedDistribution(_Truncated):
    """A symmetric distribution given that the value is at least `low`.

    Parameters
    ----------
    base_dist
        Normal, Cauchy, Laplace or Logistic.
    low
        Lower bound.
    """

    arg_constraints: ClassVar = {"low": constraints.real}
    reparametrized_params = ("low",)

    low: ArrayLike

    def __init__(
        self, base_dist: Distribution, low: ArrayLike = 0.0, *, validate_args: bool | None = None
    ) -> None:
        self._check_base(base_dist)
        self.base_dist = base_dist
        self._set_parameters(validate_args, low=low)

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> Any:
        return constraints.greater_than_eq(self.low)

    def _log_mass(self) -> Any:
        return self.base_dist.log_cdf(self._reflect(self.low))

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        log_q = self._log_uniform(key, sample_shape) + self._log_mass()
        return jnp.maximum(self._reflect(self.base_dist.icdf_from_log(log_q)), self.low)


class RightTruncatedDistribution(_Truncated):
    """A symmetric distribution given that the value is at most `high`.

    Parameters
    ----------
    base_dist
        Normal, Cauchy, Laplace or Logistic.
    high
        Upper bound.
    """

    arg_constraints: ClassVar = {"high": constraints.real}
    reparametrized_params = ("high",)

    high: ArrayLike

    def __init__(
        self, base_dist: Distribution, high: ArrayLike = 0.0, *, validate_args: bool | None = None
    ) -> None:
        self._check_base(base_dist)
        self.base_dist = base_dist
        self._set_parameters(validate_args, high=high)

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> Any:
        return constraints.less_than_eq(self.high)

    def _log_mass(self) -> Any:
        return self.base_dist.log_cdf(self.high)

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        log_q = self._log_uniform(key, sample_shape) + self._log_mass()
        return jnp.minimum(self.base_dist.icdf_from_log(log_q), self.high)


class TwoSidedTruncatedDistribution(_Truncated):
    """A symmetric distribution given that the value lies between `low` and `high`.

    Parameters
    ----------
    base_dist
        Normal, Cauchy, Laplace or Logistic.
    low, high
        Bounds, ``low < high``.
    """

    arg_constraints: ClassVar = {"low": constraints.dependent, "high": constraints.dependent}
    reparametrized_params = ("low", "high")

    low: ArrayLike
    high: ArrayLike

    def __init__(
        self,
        base_dist: Distribution,
        low: ArrayLike = 0.0,
        high: ArrayLike = 1.0,
        *,
        validate_args: bool | None = None,
    ) -> None:
        self._check_base(base_dist)
        self.base_dist = base_dist
        self._set_parameters(validate_args, low=low, high=high)

    def validate_args(self, strict: bool = True) -> None:
        super().validate_args(strict)
        self._validate_order("low", "high")

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> Any:
        return constraints.interval(self.low, self.high)

    def _lower_tail(self) -> tuple[Any, Any, Any]:
        """Whether the interval is reflected, and the log probabilities below its two ends."""
        upper = jnp.greater(self.low, self.base_dist.loc)
        low = jnp.where(upper, self._reflect(self.high), self.low)
        high = jnp.where(upper, self._reflect(self.low), self.high)
        return upper, self.base_dist.log_cdf(low), self.base_dist.log_cdf(high)

    def _log_mass(self) -> Any:
        _, log_low, log_high = self._lower_tail()
        return log_high + log1mexp(log_low - log_high)

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        upper, log_low, log_high = self._lower_tail()
        log_mass = log_high + log1mexp(log_low - log_high)
        log_q = jnp.logaddexp(log_low, self._log_uniform(key, sample_shape) + log_mass)
        value = self.base_dist.icdf_from_log(log_q)
        return jnp.clip(jnp.where(upper, self._reflect(value), value), self.low, self.high)


def TruncatedDistribution(
    base_dist: Distribution,
    low: ArrayLike | None = None,
    high: ArrayLike | None = None,
    *,
    validate_args: bool | None = None,
) -> Distribution:
    """A symmetric distribution between bounds, of which one or both may be None (absent)."""
    if low is not None and high is not None:
        return TwoSidedTruncatedDistribution(base_dist, low, high, validate_args=validate_args)
    if low is not None:
        return LeftTruncatedDistribution(base_dist, low, validate_args=validate_args)
    if high is not None:
        return RightTruncatedDistribution(base_dist, high, validate_args=validate_args)
    return base_dist


def TruncatedNormal(
    loc: ArrayLike = 0.0,
    scale: ArrayLike = 1.0,
    *,
    low: ArrayLike | None = None,
    high: ArrayLike | None = None,
    validate_args: bool | None = None,
) -> Distribution:
    """Normal distribution between bounds; `loc` and `scale` are those before the truncation."""
    base = Normal(loc, scale, validate_args=validate_args)
    return TruncatedDistribution(base, low, high, validate_args=validate_args)


def TruncatedCauchy(
    loc: ArrayLike = 0.0,
    scale: ArrayLike = 1.0,
    *,
    low: ArrayLike | None = None,
    high: ArrayLike | None = None,
    validate_args: bool | None = None,
) -> Distribution:
    """Cauchy distribution between bounds; `loc` and `scale` are those before the truncation."""
    base = Cauchy(loc, scale, validate_args=validate_args)
    return TruncatedDistribution(base, low, high, validate_args=validate_args)
