"""The uniform distribution on an interval."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from sojourn_distributions import constraints, known
from sojourn_distributions.arrays import Array, ArrayLike
from sojourn_distributions.distribution import Distribution
from sojourn_distributions.numerics import on_support

__all__ = ["Uniform"]

Shape = tuple[int, ...]


class Uniform(Distribution):
    """Uniform distribution on the interval from `low` to `high`.

    The density is ``1 / (high - low)``.

    Parameters
    ----------
    low, high
        Ends of the interval, ``low < high``.
    """

    arg_constraints: ClassVar = {"low": constraints.dependent, "high": constraints.dependent}
    reparametrized_params = ("low", "high")

    low: ArrayLike
    high: ArrayLike

    def __init__(
        self, low: ArrayLike = 0.0, high: ArrayLike = 1.0, *, validate_args: bool | None = None
    ) -> None:
        self._set_parameters(validate_args, low=low, high=high)

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> Any:
        return constraints.interval(self.low, self.high)

    def validate_args(self, strict: bool = True) -> None:
        super().validate_args(strict)
        self._validate_order("low", "high")

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        unit = jax.random.uniform(key, self.shape(sample_shape), self._dtype)
        return self.low + (self.high - self.low) * unit

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        inside = jnp.greater_equal(value, self.low) & jnp.less_equal(value, self.high)
        return on_support(inside, -known.log(self.high - self.low))

    def cdf(self, value: ArrayLike) -> Any:
        return jnp.clip((value - self.low) / (self.high - self.low), 0.0, 1.0)

    def icdf(self, q: ArrayLike) -> Any:
        return self.low + q * (self.high - self.low)

    @property
    def mean(self) -> Any:
        return jnp.broadcast_to((self.low + self.high) / 2, self.batch_shape)

    @property
    def variance(self) -> Any:
        return jnp.broadcast_to(jnp.square(self.high - self.low) / 12, self.batch_shape)

    def entropy(self) -> Any:
        return jnp.broadcast_to(jnp.log(self.high - self.low), self.batch_shape)
