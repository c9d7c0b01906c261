"""The gamma distribution and its relatives: exponential, chi-squared, inverse gamma."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax.scipy.special import digamma, gammainc, gammaincc, gammaln

from sojourn_distributions import constraints, known
from sojourn_distributions.arrays import Array, ArrayLike
from sojourn_distributions.distribution import Distribution
from sojourn_distributions.numerics import log1mexp, log_power, on_support
from sojourn_distributions.tails import gamma_log_quantile, gamma_log_tails

__all__ = ["Chi2", "Exponential", "Gamma", "InverseGamma"]

Shape = tuple[int, ...]


class Exponential(Distribution):
    """Exponential distribution of mean ``1 / rate``.

    The density is ``rate * exp(-rate * x)``.

    Parameters
    ----------
    rate
        Positive.
    """

    arg_constraints: ClassVar = {"rate": constraints.positive}
    support = constraints.positive
    reparametrized_params = ("rate",)

    rate: ArrayLike

    def __init__(self, rate: ArrayLike = 1.0, *, validate_args: bool | None = None) -> None:
        self._set_parameters(validate_args, rate=rate)

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        return jax.random.exponential(key, self.shape(sample_shape), self._dtype) / self.rate

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        log_density = known.log(self.rate) - self.rate * value
        return on_support(jnp.greater_equal(value, 0), log_density)

    def cdf(self, value: ArrayLike) -> Any:
        return -jnp.expm1(-self.rate * jnp.maximum(value, 0.0))

    def log_survival(self, value: ArrayLike) -> Any:
        return -self.rate * jnp.maximum(value, 0.0)

    def icdf(self, q: ArrayLike) -> Any:
        return -jnp.log1p(-q) / self.rate

    @property
    def mean(self) -> Any:
        return jnp.reciprocal(jnp.asarray(self.rate, self._dtype))

    @property
    def variance(self) -> Any:
        return jnp.square(self.mean)

    @property
    def mode(self) -> Any:
        return jnp.zeros(self.batch_shape, self._dtype)

    def entropy(self) -> Any:
        return 1.0 - jnp.log(self.rate)


class Gamma(Distribution):
    """Gamma distribution of mean ``concentration / rate``.

    The density is ``rate**a * x**(a - 1) * exp(-rate * x) / gamma(a)`` with the concentration a.

    Parameters
    ----------
    concentration, rate
        Shape and inverse scale, positive.
    """

    arg_constraints: ClassVar = {
        "concentration": constraints.positive,
        "rate": constraints.positive,
    }
    support = constraints.positive
    reparametrized_params: ClassVar[Sequence[str]] = ("concentration", "rate")

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
        shape = self.shape(sample_shape)
        return jax.random.gamma(key, self.concentration, shape, self._dtype) / self.rate

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        a, rate = self.concentration, self.rate
        return log_power(value, a - 1) - rate * value + a * known.log(rate) - known.log_gamma(a)

    def cdf(self, value: ArrayLike) -> Any:
        return gammainc(self.concentration, self.rate * jnp.maximum(value, 0.0))

    def log_cdf(self, value: ArrayLike) -> Any:
        inside = jnp.greater(value, 0)
        x = self.rate * jnp.where(inside, value, 1.0)
        return on_support(inside, gamma_log_tails(x, self.concentration)[0])

    def log_survival(self, value: ArrayLike) -> Any:
        inside = jnp.greater(value, 0)
        x = self.rate * jnp.where(inside, value, 1.0)
        return jnp.where(inside, gamma_log_tails(x, self.concentration)[1], 0.0)

    def icdf(self, q: ArrayLike) -> Any:
        return self._quantile(jnp.log(q), jnp.log1p(-q))

    def icdf_from_log(self, log_q: ArrayLike) -> Any:
        return self._quantile(log_q, log1mexp(jnp.asarray(log_q)))

    def _quantile(self, log_below: Any, log_above: Any) -> Any:
        return jnp.exp(gamma_log_quantile(log_below, log_above, self.concentration)) / self.rate

    @property
    def mean(self) -> Any:
        return jnp.broadcast_to(self.concentration / self.rate, self.batch_shape)

    @property
    def variance(self) -> Any:
        return jnp.broadcast_to(self.concentration / jnp.square(self.rate), self.batch_shape)

    @property
    def mode(self) -> Any:
        return jnp.broadcast_to(
            jnp.maximum(self.concentration - 1.0, 0.0) / self.rate, self.batch_shape
        )

    def entropy(self) -> Any:
        a = self.concentration
        entropy = a - jnp.log(self.rate) + gammaln(a) + (1 - a) * digamma(a)
        return jnp.broadcast_to(entropy, self.batch_shape)


class Chi2(Gamma):
    """Chi-squared distribution: the sum of squares of `df` standard normal variables.

    The density is that of a gamma distribution of concentration ``df / 2`` and rate 1/2.

    Parameters
    ----------
    df
        Degrees of freedom, positive.
    """

    arg_constraints: ClassVar = {"df": constraints.positive}
    reparametrized_params = ("df",)

    df: ArrayLike

    def __init__(self, df: ArrayLike, *, validate_args: bool | None = None) -> None:
        self._set_parameters(validate_args, df=df)

    @property
    def concentration(self) -> Any:
        return 0.5 * self.df

    @property
    def rate(self) -> Any:
        return 0.5


class InverseGamma(Distribution):
    """Distribution of the reciprocal of a gamma variable.

    The density is ``rate**a * x**(-a - 1) * exp(-rate / x) / gamma(a)`` with the concentration a.

    Parameters
    ----------
    concentration, rate
        Shape and inverse scale of the gamma variable (rate is the scale of this one), positive.
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
        shape = self.shape(sample_shape)
        return self.rate / jax.random.gamma(key, self.concentration, shape, self._dtype)

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        a, rate = self.concentration, self.rate
        inside = jnp.greater(value, 0)
        x = jnp.where(inside, value, 1.0)
        log_density = a * known.log(rate) - known.log_gamma(a) - (a + 1) * jnp.log(x) - rate / x
        return on_support(inside, log_density)

    def cdf(self, value: ArrayLike) -> Any:
        inside = jnp.greater(value, 0)
        x = jnp.where(inside, value, 1.0)
        return jnp.where(inside, gammaincc(self.concentration, self.rate / x), 0.0)

    def log_cdf(self, value: ArrayLike) -> Any:
        inside = jnp.greater(value, 0)
        x = jnp.where(inside, value, 1.0)
        log_tail = gamma_log_tails(self.rate / x, self.concentration)[1]
        return on_support(inside, log_tail)

    def log_survival(self, value: ArrayLike) -> Any:
        inside = jnp.greater(value, 0)
        x = jnp.where(inside, value, 1.0)
        return jnp.where(inside, gamma_log_tails(self.rate / x, self.concentration)[0], 0.0)

    def icdf(self, q: ArrayLike) -> Any:
        reciprocal = gamma_log_quantile(jnp.log1p(-q), jnp.log(q), self.concentration)
        return self.rate * jnp.exp(-reciprocal)

    @property
    def mean(self) -> Any:
        a = self.concentration
        finite = jnp.greater(a, 1)
        mean = jnp.where(finite, self.rate / jnp.where(finite, a - 1, 1.0), jnp.inf)
        return jnp.broadcast_to(mean, self.batch_shape)

    @property
    def variance(self) -> Any:
        a = self.concentration
        finite = jnp.greater(a, 2)
        safe = jnp.where(finite, a, 3.0)
        variance = jnp.square(self.rate / (safe - 1)) / (safe - 2)
        return jnp.broadcast_to(jnp.where(finite, variance, jnp.inf), self.batch_shape)

    @property
    def mode(self) -> Any:
        return jnp.broadcast_to(self.rate / (self.concentration + 1), self.batch_shape)

    def entropy(self) -> Any:
        a = self.concentration
        entropy = a + jnp.log(self.rate) + gammaln(a) - (1 + a) * digamma(a)
        return jnp.broadcast_to(entropy, self.batch_shape)
