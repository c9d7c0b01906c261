"""The uniform distribution on a range of integers."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_distributions import constraints, known
from sojourn_distributions.arrays import Array, ArrayLike, is_concrete, on_host
from sojourn_distributions.discrete.enumeration import common_bound, support_values
from sojourn_distributions.discrete.parameterization import log_probability
from sojourn_distributions.discrete.saddle_point import within
from sojourn_distributions.distribution import Distribution
from sojourn_distributions.numerics import on_support

__all__ = ["DiscreteUniform"]

Shape = tuple[int, ...]


class DiscreteUniform(Distribution):
    """Uniform distribution on the integers from `low` to `high`, both included.

    The mass is ``1 / (high - low + 1)``.

    Parameters
    ----------
    low, high
        Ends of the range, ``low <= high``.
    """

    arg_constraints: ClassVar = {"low": constraints.dependent, "high": constraints.dependent}

    low: ArrayLike
    high: ArrayLike

    def __init__(
        self, low: ArrayLike = 0, high: ArrayLike = 1, *, validate_args: bool | None = None
    ) -> None:
        self._set_parameters(validate_args, low=low, high=high)

    def validate_args(self, strict: bool = True) -> None:
        super().validate_args(strict)
        self._validate_order("low", "high", strict=False)

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self) -> Any:
        return constraints.integer_interval(self.low, self.high)

    @property
    def has_enumerate_support(self) -> bool:
        return True

    def enumerate_support(self, expand: bool = True) -> Any:
        low = common_bound("DiscreteUniform", "low", self.low)
        high = common_bound("DiscreteUniform", "high", self.high)
        return support_values(low, high, self.batch_shape, expand)

    @property
    def _size(self) -> Any:
        return self.high - self.low + 1

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        return jax.random.randint(key, self.shape(sample_shape), self.low, self.high + 1)

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        if all(map(is_concrete, (value, self.low, self.high))):
            # Of what is known, nothing is left to the program.
            value, low, high = map(on_host, (value, self.low, self.high))
            inside = (value >= low) & (value <= high) & (value == np.floor(value))
            return jnp.asarray(np.where(inside, -np.log(high - low + 1), -np.inf), self._dtype)
        inside, _ = within(value, self.low, self.high)
        return on_support(inside, -known.log(self._size))

    def cdf(self, value: ArrayLike) -> Any:
        return jnp.clip((jnp.floor(value) - self.low + 1) / self._size, 0.0, 1.0)

    def log_survival(self, value: ArrayLike) -> Any:
        above = jnp.clip((self.high - jnp.floor(value)) / self._size, 0.0, 1.0)
        return log_probability(above)

    def icdf(self, q: ArrayLike) -> Any:
        steps = jnp.maximum(jnp.ceil(q * self._size) - 1, 0)
        # Rounding must not go past a value at which the probability is just reached.
        steps = jnp.where((steps > 0) & (steps / self._size >= q), steps - 1, steps)
        steps = jnp.where((steps + 1) / self._size < q, steps + 1, steps)
        return self.low + jnp.minimum(steps, self._size - 1)

    @property
    def mean(self) -> Any:
        return jnp.broadcast_to(self.low / 2 + self.high / 2, self.batch_shape)

    @property
    def variance(self) -> Any:
        return jnp.broadcast_to((jnp.square(self._size * 1.0) - 1) / 12, self.batch_shape)

    def entropy(self) -> Any:
        return jnp.broadcast_to(jnp.log(self._size), self.batch_shape)
