"""The gamma distribution, cut off below, above or on both sides."""

from __future__ import annotations

from typing import Any, ClassVar

import jax.numpy as jnp

from sojourn_distributions import constraints
from sojourn_distributions.arrays import ArrayLike
from sojourn_distributions.continuous.gamma import Gamma
from sojourn_distributions.continuous.truncated import Truncated
from sojourn_distributions.distribution import Distribution
from sojourn_distributions.tails import gamma_log_quantile, gamma_log_tails

__all__ = [
    "LeftTruncatedGamma",
    "RightTruncatedGamma",
    "TruncatedGamma",
    "TwoSidedTruncatedGamma",
]


class _TruncatedGamma(Truncated):
    """What the three truncations of a gamma distribution share."""

    supported_types = (Gamma,)

    def _log_tails(self, value: Any) -> tuple[Any, Any]:
        return self._log_tails_of(value, self.base_dist.concentration)

    def _log_tails_of(self, value: Any, concentration: Any) -> tuple[Any, Any]:
        positive = jnp.greater(value, 0)
        x = self.base_dist.rate * jnp.where(positive, value, 1.0)
        below, above = gamma_log_tails(x, concentration)
        return jnp.where(positive, below, -jnp.inf), jnp.where(positive, above, 0.0)

    def _quantile(self, log_below: Any, log_above: Any) -> Any:
        base = self.base_dist
        return jnp.exp(gamma_log_quantile(log_below, log_above, base.concentration)) / base.rate

    def _moment(self, order: int) -> Any:
        """Moment in units of ``1 / rate``: a ratio of masses of two gamma distributions."""
        a = self.base_dist.concentration
        low, high = self._bounds
        below = (-jnp.inf, 0.0) if low is None else self._log_tails_of(low, a + order)
        above = (0.0, -jnp.inf) if high is None else self._log_tails_of(high, a + order)
        log_ratio = self._log_difference(*below, *above) - self._log_mass()
        rising = a if order == 1 else a * (a + 1)
        return rising * jnp.exp(log_ratio)

    @property
    def mean(self) -> Any:
        return jnp.broadcast_to(self._moment(1) / self.base_dist.rate, self.batch_shape)

    @property
    def variance(self) -> Any:
        variance = self._moment(2) - jnp.square(self._moment(1))
        return jnp.broadcast_to(variance / jnp.square(self.base_dist.rate), self.batch_shape)


class LeftTruncatedGamma(_TruncatedGamma):
    """A gamma distribution given that the value is at least `low`.

    Parameters
    ----------
    base_dist
        A Gamma (or Chi2) distribution.
    low
        Lower bound, 0 or more.
    """

    arg_constraints: ClassVar = {"low": constraints.greater_than_eq(0.0)}
    reparametrized_params = ("low",)

    low: ArrayLike

    def __init__(
        self, base_dist: Distribution, low: ArrayLike = 0.0, *, validate_args: bool | None = None
    ) -> None:
        self._set(base_dist, validate_args, low=low)

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> Any:
        return constraints.greater_than_eq(self.low)


class RightTruncatedGamma(_TruncatedGamma):
    """A gamma distribution given that the value is at most `high`.

    Parameters
    ----------
    base_dist
        A Gamma (or Chi2) distribution.
    high
        Upper bound, positive.
    """

    arg_constraints: ClassVar = {"high": constraints.positive}
    reparametrized_params = ("high",)

    high: ArrayLike

    def __init__(
        self, base_dist: Distribution, high: ArrayLike = 1.0, *, validate_args: bool | None = None
    ) -> None:
        self._set(base_dist, validate_args, high=high)

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> Any:
        return constraints.interval(0.0, self.high)


class TwoSidedTruncatedGamma(_TruncatedGamma):
    """A gamma distribution given that the value lies between `low` and `high`.

    Parameters
    ----------
    base_dist
        A Gamma (or Chi2) distribution.
    low, high
        Bounds, ``0 <= low < high``.
    """

    arg_constraints: ClassVar = {
        "low": constraints.greater_than_eq(0.0),
        "high": constraints.positive,
    }
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
        self._set(base_dist, validate_args, low=low, high=high)

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> Any:
        return constraints.interval(self.low, self.high)


def TruncatedGamma(
    concentration: ArrayLike = 1.0,
    rate: ArrayLike = 1.0,
    *,
    low: ArrayLike | None = None,
    high: ArrayLike | None = None,
    validate_args: bool | None = None,
) -> Distribution:
    """Gamma distribution between bounds, of which one or both may be None (absent)."""
    base = Gamma(concentration, rate, validate_args=validate_args)
    if low is not None and high is not None:
        return TwoSidedTruncatedGamma(base, low, high, validate_args=validate_args)
    if low is not None:
        return LeftTruncatedGamma(base, low, validate_args=validate_args)
    if high is not None:
        return RightTruncatedGamma(base, high, validate_args=validate_args)
    return base
