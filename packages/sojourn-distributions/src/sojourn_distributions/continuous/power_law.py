"""Power laws, cut off below or on both sides."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike, is_concrete
from sojourn_distributions.continuous.pareto import Pareto
from sojourn_distributions.distribution import Distribution
from sojourn_distributions.numerics import log1mexp, on_support

__all__ = ["DoublyTruncatedPowerLaw", "LowerTruncatedPowerLaw"]

Shape = tuple[int, ...]


class LowerTruncatedPowerLaw(Distribution):
    """Distribution of density proportional to ``value**alpha`` above `low`: a Pareto distribution.

    Parameters
    ----------
    alpha
        Exponent, below -1.
    low
        Lower end of the support, positive.
    """

    arg_constraints: ClassVar = {
        "alpha": constraints.less_than(-1.0),
        "low": constraints.greater_than(0.0),
    }
    reparametrized_params = ("alpha", "low")

    alpha: ArrayLike
    low: ArrayLike

    def __init__(
        self, alpha: ArrayLike, low: ArrayLike, *, validate_args: bool | None = None
    ) -> None:
        self._set_parameters(validate_args, alpha=alpha, low=low)

    @property
    def _pareto(self) -> Pareto:
        return Pareto(self.low, -1 - self.alpha, validate_args=False)

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> Any:
        return constraints.greater_than(self.low)

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        return self._pareto.sample(key, sample_shape)

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        return self._pareto.log_prob(value)

    def cdf(self, value: ArrayLike) -> Any:
        return self._pareto.cdf(value)

    def log_survival(self, value: ArrayLike) -> Any:
        return self._pareto.log_survival(value)

    def icdf(self, q: ArrayLike) -> Any:
        return self._pareto.icdf(q)

    @property
    def mean(self) -> Any:
        return self._pareto.mean

    @property
    def variance(self) -> Any:
        return self._pareto.variance

    @property
    def mode(self) -> Any:
        return self._pareto.mode

    def entropy(self) -> Any:
        return self._pareto.entropy()


class DoublyTruncatedPowerLaw(Distribution):
    """Distribution of density proportional to ``value**alpha`` on an interval.

    Smooth in alpha, also at -1, where the integral of the power becomes a logarithm.

    Parameters
    ----------
    alpha
        Exponent, a real number.
    low, high
        Ends of the interval, ``0 <= low < high``; a `low` of 0 needs ``alpha > -1``.
    """

    arg_constraints: ClassVar = {
        "alpha": constraints.real,
        "low": constraints.greater_than_eq(0),
        "high": constraints.greater_than(0),
    }
    reparametrized_params = ("alpha", "low", "high")

    alpha: ArrayLike
    low: ArrayLike
    high: ArrayLike

    def __init__(
        self,
        alpha: ArrayLike,
        low: ArrayLike,
        high: ArrayLike,
        *,
        validate_args: bool | None = None,
    ) -> None:
        self._set_parameters(validate_args, alpha=alpha, low=low, high=high)

    def validate_args(self, strict: bool = True) -> None:
        super().validate_args(strict)
        self._validate_order("low", "high")
        if is_concrete(self.alpha) and is_concrete(self.low):
            endless = np.equal(self.low, 0) & np.less_equal(self.alpha, -1)
            if np.any(endless):
                raise ValueError(
                    "DoublyTruncatedPowerLaw distribution got invalid alpha and low parameters: "
                    f"alpha = {self.alpha} and low = {self.low}, but the integral of "
                    "value**alpha from 0 is infinite unless alpha > -1; raise alpha or low"
                )

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> Any:
        return constraints.interval(self.low, self.high)

    def _log_range(self, x: Any) -> Any:
        """``log(x / low)``, for x of the support; large where `low` is 0."""
        some = jnp.greater(self.low, 0)
        log_low = jnp.log(jnp.where(some, self.low, 1.0))
        log_x = jnp.log(jnp.where(jnp.greater(x, 0), x, 1.0))
        return jnp.where(some, log_x - log_low, jnp.where(jnp.greater(x, 0), 1e30, 0.0))

    def _log_integral(self, x: Any, exponent: Any) -> Any:
        """Log of the integral of ``t**(exponent - 1)`` from `low` to a positive x."""
        width = self._log_range(x)
        return exponent * jnp.log(x) + _log_decay(exponent, width)

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        inside = jnp.greater_equal(value, self.low) & jnp.less_equal(value, self.high)
        positive = inside & jnp.greater(value, 0)
        log_value = jnp.log(jnp.where(positive, value, 1.0))
        # At 0, which only a positive exponent reaches with a density of 0.
        at_zero = jnp.where(
            jnp.equal(self.alpha, 0), 0.0, jnp.where(jnp.less(self.alpha, 0), jnp.inf, -jnp.inf)
        )
        log_power = jnp.where(positive, self.alpha * log_value, at_zero)
        log_density = log_power - self._log_integral(self.high, self.alpha + 1)
        return on_support(inside, log_density)

    def cdf(self, value: ArrayLike) -> Any:
        x = jnp.clip(value, self.low, self.high)
        some = jnp.greater(x, self.low)
        x = jnp.where(some, x, self.high)
        exponent = self.alpha + 1
        log_part = self._log_integral(x, exponent) - self._log_integral(self.high, exponent)
        return jnp.where(some, jnp.exp(log_part), 0.0)

    def icdf(self, q: ArrayLike) -> Any:
        # In logs, from the end where the density of the logarithm is highest.
        exponent = self.alpha + 1
        falls = jnp.less(exponent, 0)
        width = self._log_range(self.high)
        part = _log_part(jnp.where(falls, q, 1 - q), jnp.abs(exponent), width)
        some = jnp.greater(self.low, 0)
        from_low = jnp.where(some, self.low, 1.0) * jnp.exp(jnp.where(falls, part, 0.0))
        from_high = self.high * jnp.exp(-jnp.where(falls, 0.0, part))
        return jnp.clip(jnp.where(falls, from_low, from_high), self.low, self.high)

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        return self.icdf(jax.random.uniform(key, self.shape(sample_shape), self._dtype))

    def _moment(self, order: int) -> Any:
        exponent = self.alpha + 1
        log_ratio = self._log_integral(self.high, exponent + order)
        return jnp.exp(log_ratio - self._log_integral(self.high, exponent))

    @property
    def mean(self) -> Any:
        return jnp.broadcast_to(self._moment(1), self.batch_shape)

    @property
    def variance(self) -> Any:
        return jnp.broadcast_to(self._moment(2) - jnp.square(self._moment(1)), self.batch_shape)


def _log_decay(rate: Any, width: Any) -> Any:
    """``log((1 - exp(-rate * width)) / rate)``, smooth at a rate of 0."""
    t = rate * width
    central = jnp.less(jnp.abs(t), 0.02)
    safe_rate = jnp.where(central, 1.0, jnp.abs(rate))
    magnitude = jnp.where(central, 1.0, jnp.abs(t))
    outer = log1mexp(-magnitude) + jnp.maximum(-t, 0.0) - jnp.log(safe_rate)
    near = jnp.where(central, t, 0.0)
    series = near * (-1 / 2 + near * (1 / 24 - near**2 / 2880))
    return jnp.where(central, jnp.log(jnp.where(central, width, 1.0)) + series, outer)


def _log_part(q: Any, rate: Any, width: Any) -> Any:
    """The h with ``(1 - exp(-rate * h)) == q * (1 - exp(-rate * width))``, for a rate of 0 or more.

    An infinite width comes as a very large one.
    """
    t = rate * width
    central = jnp.less(t, 1e-3)
    safe_rate = jnp.where(central, 1.0, rate)
    outer = -jnp.log1p(q * jnp.expm1(-jnp.where(central, 1.0, t))) / safe_rate
    rest = 1 - q
    series = 1 - 0.5 * t * rest * (1 - t * (1 - 2 * q) / 3)
    return jnp.where(central, q * width * series, outer)
