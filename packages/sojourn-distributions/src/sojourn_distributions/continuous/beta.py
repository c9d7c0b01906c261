"""The beta distribution."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax.scipy.special import betainc, digamma

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike
from sojourn_distributions.distribution import Distribution
from sojourn_distributions.numerics import log_power
from sojourn_distributions.special import betaln

__all__ = ["Beta"]

Shape = tuple[int, ...]


class Beta(Distribution):
    """Beta distribution on the unit interval.

    Parameters
    ----------
    concentration1, concentration0
        Exponents (plus 1) of ``value`` and of ``1 - value``, positive.
    """

    arg_constraints: ClassVar = {
        "concentration1": constraints.positive,
        "concentration0": constraints.positive,
    }
    support = constraints.unit_interval
    reparametrized_params = ("concentration1", "concentration0")

    concentration1: ArrayLike
    concentration0: ArrayLike

    def __init__(
        self,
        concentration1: ArrayLike,
        concentration0: ArrayLike,
        *,
        validate_args: bool | None = None,
    ) -> None:
        self._set_parameters(
            validate_args, concentration1=concentration1, concentration0=concentration0
        )

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        a, b = self.concentration1, self.concentration0
        return jax.random.beta(key, a, b, self.shape(sample_shape), self._dtype)

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        a, b = self.concentration1, self.concentration0
        return log_power(value, a - 1) + log_power(1 - value, b - 1) - betaln(a, b)

    def cdf(self, value: ArrayLike) -> Any:
        return betainc(self.concentration1, self.concentration0, jnp.clip(value, 0.0, 1.0))

    @property
    def mean(self) -> Any:
        a, b = self.concentration1, self.concentration0
        return jnp.broadcast_to(a / (a + b), self.batch_shape)

    @property
    def variance(self) -> Any:
        a, b = self.concentration1, self.concentration0
        return jnp.broadcast_to(a * b / ((a + b) ** 2 * (a + b + 1)), self.batch_shape)

    def entropy(self) -> Any:
        a, b = self.concentration1, self.concentration0
        entropy = betaln(a, b) - (a - 1) * digamma(a) - (b - 1) * digamma(b)
        return jnp.broadcast_to(entropy + (a + b - 2) * digamma(a + b), self.batch_shape)
