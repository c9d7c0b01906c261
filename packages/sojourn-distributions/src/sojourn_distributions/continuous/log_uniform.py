"""The log-uniform (reciprocal) distribution."""

from __future__ import annotations

from typing import Any, ClassVar

import jax.numpy as jnp

from sojourn_distributions import constraints
from sojourn_distributions.arrays import ArrayLike
from sojourn_distributions.continuous.uniform import Uniform
from sojourn_distributions.distribution import Distribution
from sojourn_distributions.numerics import on_support
from sojourn_distributions.transformed import TransformedDistribution
from sojourn_distributions.transforms import ExpTransform, Transform

__all__ = ["LogUniform"]


class LogUniform(TransformedDistribution):
    """Distribution on an interval of positive numbers whose logarithm is uniform.

    Its density is ``1 / (value * log(high / low))``.

    Parameters
    ----------
    low, high
        Ends of the interval, ``0 < low < high``.
    """

    arg_constraints: ClassVar = {"low": constraints.positive, "high": constraints.positive}
    reparametrized_params = ("low", "high")

    low: ArrayLike
    high: ArrayLike

    def __init__(
        self, low: ArrayLike, high: ArrayLike, *, validate_args: bool | None = None
    ) -> None:
        self._set_parameters(validate_args, low=low, high=high)

    def validate_args(self, strict: bool = True) -> None:
        super().validate_args(strict)
        self._validate_order("low", "high")

    @property
    def base_dist(self) -> Distribution:
        return Uniform(jnp.log(self.low), jnp.log(self.high), validate_args=False)

    @property
    def transforms(self) -> list[Transform]:
        return [ExpTransform()]

    def _batch_shape(self) -> tuple[int, ...]:
        return Distribution._batch_shape(self)

    def _event_shape(self) -> tuple[int, ...]:
        return ()

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> Any:
        return constraints.interval(self.low, self.high)

    @property
    def _log_range(self) -> Any:
        return jnp.log(self.high) - jnp.log(self.low)

    def sample(self, key: Any, sample_shape: tuple[int, ...] = ()) -> Any:
        # Rounding of the logarithms may lead outside the interval by an ulp.
        return jnp.clip(super().sample(key, sample_shape), self.low, self.high)

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        inside = jnp.greater_equal(value, self.low) & jnp.less_equal(value, self.high)
        log_density = -jnp.log(jnp.where(inside, value, 1.0)) - jnp.log(self._log_range)
        return on_support(inside, log_density)

    def cdf(self, value: ArrayLike) -> Any:
        clipped = jnp.clip(value, self.low, self.high)
        return (jnp.log(clipped) - jnp.log(self.low)) / self._log_range

    def icdf(self, q: ArrayLike) -> Any:
        return self.low * jnp.exp(q * self._log_range)

    @property
    def mean(self) -> Any:
        return jnp.broadcast_to((self.high - self.low) / self._log_range, self.batch_shape)

    @property
    def variance(self) -> Any:
        second = 0.5 * (self.high - self.low) * (self.high + self.low) / self._log_range
        return jnp.broadcast_to(second - jnp.square(self.mean), self.batch_shape)

    @property
    def mode(self) -> Any:
        return jnp.broadcast_to(jnp.asarray(self.low, self._dtype), self.batch_shape)

    def entropy(self) -> Any:
        middle = 0.5 * (jnp.log(self.low) + jnp.log(self.high))
        return jnp.broadcast_to(middle + jnp.log(self._log_range), self.batch_shape)
