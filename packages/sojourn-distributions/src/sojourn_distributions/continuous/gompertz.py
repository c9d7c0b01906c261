"""The Gompertz distribution."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax.scipy.special import exp1

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike
from sojourn_distributions.distribution import Distribution
from sojourn_distributions.numerics import on_support
from sojourn_distributions.quantile_moments import mean_and_variance
from sojourn_distributions.tails import tail_integral

__all__ = ["Gompertz"]

Shape = tuple[int, ...]


class Gompertz(Distribution):
    """Gompertz distribution: a lifetime whose hazard grows exponentially.

    Its cdf is ``1 - exp(-concentration * (exp(rate * value) - 1))`` (Lenart 2014, "The moments of
    the Gompertz distribution").

    Parameters
    ----------
    concentration
        Hazard at 0, in units of `rate`; positive.
    rate
        Rate at which the hazard grows, positive.
    """

    arg_constraints: ClassVar = {
        "concentration": constraints.positive,
        "rate": constraints.positive,
    }
    support = constraints.positive
    reparametrized_params = ("concentration", "rate")

    concentration: ArrayLike
    rate: ArrayLike

    def __init__(
        self,
        concentration: ArrayLike,
        rate: ArrayLike = 1.0,
        *,
        validate_args: bool | None = None,
    ) -> None:
        self._set_parameters(validate_args, concentration=concentration, rate=rate)

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        noise = jax.random.exponential(key, self.shape(sample_shape), self._dtype)
        return jnp.log1p(noise / self.concentration) / self.rate

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        inside = jnp.greater_equal(value, 0)
        age = self.rate * jnp.where(inside, value, 0.0)
        log_hazard = jnp.log(self.concentration) + jnp.log(self.rate) + age
        log_density = log_hazard - self.concentration * jnp.expm1(age)
        return on_support(inside, log_density)

    def cdf(self, value: ArrayLike) -> Any:
        return -jnp.expm1(self.log_survival(value))

    def log_survival(self, value: ArrayLike) -> Any:
        return -self.concentration * jnp.expm1(self.rate * jnp.maximum(value, 0.0))

    def icdf(self, q: ArrayLike) -> Any:
        return jnp.log1p(-jnp.log1p(-q) / self.concentration) / self.rate

    @property
    def _mean_age(self) -> Any:
        # exp(c) E1(c), whose factors overflow and underflow where c is large.
        c = jnp.asarray(self.concentration, self._dtype)
        small = c < 1
        near = jnp.where(small, c, 1.0)
        far = jnp.where(small, 1.0, c)
        by_rule = tail_integral(lambda y: far[..., None] * jnp.expm1(y), 1 / (far + 1))
        return jnp.where(small, jnp.exp(near) * exp1(near), by_rule)

    @property
    def mean(self) -> Any:
        return jnp.broadcast_to(self._mean_age / self.rate, self.batch_shape)

    @property
    def variance(self) -> Any:
        def age(log_below: Any, log_above: Any) -> Any:
            return jnp.log1p(-log_above / self.concentration)

        _, variance = mean_and_variance(age, self.batch_shape, self._dtype)
        return variance / jnp.square(self.rate)

    @property
    def mode(self) -> Any:
        return jnp.broadcast_to(
            jnp.maximum(-jnp.log(self.concentration), 0.0) / self.rate, self.batch_shape
        )

    def entropy(self) -> Any:
        log_hazard = jnp.log(self.concentration) + jnp.log(self.rate) + self._mean_age
        return jnp.broadcast_to(1 - log_hazard, self.batch_shape)
