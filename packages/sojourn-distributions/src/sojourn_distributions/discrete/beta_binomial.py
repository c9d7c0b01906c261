"""Binomial and negative binomial distributions whose probability is drawn from a beta one."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike
from sojourn_distributions.discrete.enumeration import common_bound, support_values
from sojourn_distributions.discrete.saddle_point import beta_binomial_log_mass, within
from sojourn_distributions.distribution import Distribution
from sojourn_distributions.numerics import on_support

__all__ = ["BetaBinomial", "BetaNegativeBinomial"]

Shape = tuple[int, ...]


class BetaBinomial(Distribution):
    """Successes among `total_count` trials whose probability is drawn from a beta distribution.

    The mass of k is ``C(n, k) B(k + concentration1, n - k + concentration0) / B(concentration1,
    concentration0)`` with n = total_count (Johnson, Kemp & Kotz 2005, section 6.2.2).

    Parameters
    ----------
    concentration1
        Concentration of the beta distribution at probability 1, positive.
    concentration0
        Concentration of the beta distribution at probability 0, positive.
    total_count
        Number of trials.

    Examples
    --------
    >>> import sojourn_distributions as dist
    >>> d = dist.BetaBinomial(1.0, 1.0, total_count=4)
    >>> d.enumerate_support().tolist(), round(float(d.log_prob(2)), 4)
    ([0, 1, 2, 3, 4], -1.6094)
    """

    arg_constraints: ClassVar = {
        "concentration1": constraints.positive,
        "concentration0": constraints.positive,
        "total_count": constraints.nonnegative_integer,
    }

    concentration1: ArrayLike
    concentration0: ArrayLike
    total_count: ArrayLike

    def __init__(
        self,
        concentration1: ArrayLike,
        concentration0: ArrayLike,
        total_count: ArrayLike = 1,
        *,
        validate_args: bool | None = None,
    ) -> None:
        self._set_parameters(
            validate_args,
            concentration1=concentration1,
            concentration0=concentration0,
            total_count=total_count,
        )

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self) -> Any:
        return constraints.integer_interval(0, self.total_count)

    @property
    def has_enumerate_support(self) -> bool:
        return True

    def enumerate_support(self, expand: bool = True) -> Any:
        largest = common_bound("BetaBinomial", "total_count", self.total_count)
        return support_values(0, largest, self.batch_shape, expand)

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        key_beta, key_binomial = jax.random.split(key)
        shape, a, b = self.shape(sample_shape), self.concentration1, self.concentration0
        probs = jax.random.beta(key_beta, a, b, shape, self._dtype)
        draws = jax.random.binomial(key_binomial, self.total_count, probs, shape, self._dtype)
        return draws.astype(int)

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        inside, k = within(value, 0, self.total_count)
        log_mass = beta_binomial_log_mass(
            k, self.total_count - k, self.concentration1, self.concentration0
        )
        return on_support(inside, log_mass)

    @property
    def mean(self) -> Any:
        share = self.concentration1 / (self.concentration1 + self.concentration0)
        return jnp.broadcast_to(self.total_count * share, self.batch_shape)

    @property
    def variance(self) -> Any:
        a, b, n = self.concentration1, self.concentration0, self.total_count
        total = a + b
        variance = n * (a / total) * (b / total) * ((total + n) / (total + 1))
        return jnp.broadcast_to(variance, self.batch_shape)


class BetaNegativeBinomial(Distribution):
    """Successes before the n-th failure when the probability is drawn from a beta distribution.

    The mass of k is ``gamma(n + k) / (k! gamma(n)) * B(concentration1 + k, concentration0 + n) /
    B(concentration1, concentration0)`` (Johnson, Kemp & Kotz 2005, section 6.2.3, where it is
    called the generalised Waring distribution). It has a tail like ``k**-(concentration0 + 1)``.

    Parameters
    ----------
    concentration1
        Concentration of the beta distribution at success probability 1, positive.
    concentration0
        Concentration of the beta distribution at success probability 0, positive. The mean is
        finite above 1, the variance above 2.
    n
        Number of failures to wait for; positive, not necessarily an integer.
    """

    arg_constraints: ClassVar = {
        "concentration1": constraints.positive,
        "concentration0": constraints.positive,
        "n": constraints.positive,
    }
    support = constraints.nonnegative_integer

    concentration1: ArrayLike
    concentration0: ArrayLike
    n: ArrayLike

    def __init__(
        self,
        concentration1: ArrayLike,
        concentration0: ArrayLike,
        n: ArrayLike,
        *,
        validate_args: bool | None = None,
    ) -> None:
        self._set_parameters(
            validate_args, concentration1=concentration1, concentration0=concentration0, n=n
        )

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        # The odds of a success are a ratio of gamma variables, and so is nothing lost near 1.
        shape, dtype = self.shape(sample_shape), self._dtype
        key_1, key_0, key_n, key_poisson = jax.random.split(key, 4)
        log_odds = jax.random.loggamma(
            key_1, self.concentration1, shape, dtype
        ) - jax.random.loggamma(key_0, self.concentration0, shape, dtype)
        log_unit = jax.random.loggamma(key_n, self.n, shape, dtype)
        return jax.random.poisson(key_poisson, jnp.exp(log_unit + log_odds), shape)

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        inside, k = within(value)
        # Among n + k trials of which the last is a failure: n / (n + k) of all their orders.
        log_mass = beta_binomial_log_mass(k, self.n, self.concentration1, self.concentration0)
        return on_support(inside, log_mass - jnp.log1p(k / self.n))

    @property
    def mean(self) -> Any:
        a, b = self.concentration1, self.concentration0
        finite = jnp.greater(b, 1)
        mean = self.n * a / jnp.where(finite, b - 1, 1)
        return jnp.broadcast_to(jnp.where(finite, mean, jnp.inf), self.batch_shape)

    @property
    def variance(self) -> Any:
        a, b, n = self.concentration1, self.concentration0, self.n
        finite = jnp.greater(b, 2)
        c = jnp.where(finite, b, 3)
        variance = n * (n + c - 1) * a * (a + c - 1) / ((c - 2) * jnp.square(c - 1))
        variance = jnp.where(finite, variance, jnp.where(jnp.greater(b, 1), jnp.inf, jnp.nan))
        return jnp.broadcast_to(variance, self.batch_shape)
