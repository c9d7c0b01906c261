"""The negative binomial distribution, by each of its four pairs of parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import jax
import jax.numpy as jnp
from jax.scipy.special import betainc

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike
from sojourn_distributions.discrete.parameterization import choose, log_probability
from sojourn_distributions.discrete.saddle_point import (
    negative_binomial_log_mass,
    negative_binomial_log_mass_of_logits,
    within,
)
from sojourn_distributions.distribution import Distribution
from sojourn_distributions.numerics import on_support

__all__ = [
    "GammaPoisson",
    "NegativeBinomial",
    "NegativeBinomial2",
    "NegativeBinomialBase",
    "NegativeBinomialLogits",
    "NegativeBinomialProbs",
]

Shape = tuple[int, ...]


class NegativeBinomialBase(Distribution):
    """Poisson distribution whose rate is drawn from ``Gamma(concentration, rate)``.

    The count of one kind of event before the other has come `concentration` times, where the
    counted kind has probability ``1 / (1 + rate)``.
    """

    support = constraints.nonnegative_integer

    if TYPE_CHECKING:

        @property
        def concentration(self) -> Any: ...

    def _odds(self) -> Any:
        """Ratio of the mean to the concentration."""
        raise NotImplementedError

    def _chances(self) -> tuple[Any, Any]:
        """Probabilities of the kind of event that is waited for, and of the one counted."""
        raise NotImplementedError

    @property
    def rate(self) -> Any:
        """Rate of the gamma distribution from which the rate of the counts is drawn."""
        return 1 / self._odds()

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        key_gamma, key_poisson = jax.random.split(key)
        shape = self.shape(sample_shape)
        unit = jax.random.gamma(key_gamma, self.concentration, shape, self._dtype)
        return jax.random.poisson(key_poisson, unit * self._odds(), shape)

    def _log_mass(self, k: Any) -> Any:
        return negative_binomial_log_mass(k, self.concentration, *self._chances())

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        inside, k = within(value)
        return on_support(inside, self._log_mass(k))

    def _tails(self, value: Any) -> tuple[Any, Any]:
        """Probabilities of at most, and of more than, a value (each by its own integral)."""
        k = jnp.floor(value)
        inside = k >= 0
        k = jnp.where(inside, k, 0) + 1.0
        awaited, counted = self._chances()
        below = betainc(*jnp.broadcast_arrays(self.concentration, k, awaited))
        above = betainc(*jnp.broadcast_arrays(k, self.concentration, counted))
        return jnp.where(inside, below, 0.0), jnp.where(inside, above, 1.0)

    def cdf(self, value: ArrayLike) -> Any:
        return self._tails(value)[0]

    def log_survival(self, value: ArrayLike) -> Any:
        return log_probability(self._tails(value)[1])

    @property
    def mean(self) -> Any:
        return jnp.broadcast_to(self.concentration * self._odds(), self.batch_shape)

    @property
    def variance(self) -> Any:
        odds = self._odds()
        return jnp.broadcast_to(self.concentration * odds * (1 + odds), self.batch_shape)

    @property
    def mode(self) -> Any:
        highest = jnp.floor(jnp.maximum(self.concentration - 1, 0) * self._odds())
        return jnp.broadcast_to(highest.astype(int), self.batch_shape)


class GammaPoisson(NegativeBinomialBase):
    """Poisson distribution whose rate is drawn from a gamma distribution.

    The mass is ``gamma(k + a) / (gamma(a) * k!) * (rate / (1 + rate))**a * (1 + rate)**-k`` with
    the concentration a.

    Parameters
    ----------
    concentration
        Shape of the gamma distribution, positive.
    rate
        Rate of the gamma distribution, positive; the mean is ``concentration / rate``.

    Examples
    --------
    >>> import sojourn_distributions as dist
    >>> round(float(dist.GammaPoisson(2.0, 0.5).mean), 4)
    4.0
    """

    arg_constraints: ClassVar = {
        "concentration": constraints.positive,
        "rate": constraints.positive,
    }

    concentration: ArrayLike = None
    rate: ArrayLike = None  # a parameter here, in the place of the derived one

    def __init__(
        self,
        concentration: ArrayLike,
        rate: ArrayLike = 1.0,
        *,
        validate_args: bool | None = None,
    ) -> None:
        self._set_parameters(validate_args, concentration=concentration, rate=rate)

    def _odds(self) -> Any:
        return 1 / self.rate

    def _chances(self) -> tuple[Any, Any]:
        return self.rate / (1 + self.rate), 1 / (1 + self.rate)


class NegativeBinomialProbs(NegativeBinomialBase):
    """Number of successes, each of probability `probs`, before the `total_count`-th failure.

    The mean is ``total_count * probs / (1 - probs)``.

    Parameters
    ----------
    total_count
        Number of failures to wait for; positive, not necessarily an integer.
    probs
        Probability of what is counted, from 0 to below 1.
    """

    arg_constraints: ClassVar = {
        "total_count": constraints.positive,
        "probs": constraints.unit_interval,
    }

    total_count: ArrayLike
    probs: ArrayLike

    def __init__(
        self, total_count: ArrayLike, probs: ArrayLike, *, validate_args: bool | None = None
    ) -> None:
        self._set_parameters(validate_args, total_count=total_count, probs=probs)

    @property
    def concentration(self) -> Any:
        """Same as `total_count`."""
        return self.total_count

    @property
    def logits(self) -> Any:
        """Log odds of what is counted."""
        return jnp.log(self.probs) - jnp.log1p(-self.probs)

    def _odds(self) -> Any:
        return self.probs / (1 - self.probs)

    def _chances(self) -> tuple[Any, Any]:
        return 1 - self.probs, self.probs


class NegativeBinomialLogits(NegativeBinomialBase):
    """Number of successes before the `total_count`-th failure, by the log odds of a success.

    The mean is ``total_count * exp(logits)``.

    Parameters
    ----------
    total_count
        Number of failures to wait for; positive, not necessarily an integer.
    logits
        Log odds of what is counted.
    """

    arg_constraints: ClassVar = {
        "total_count": constraints.positive,
        "logits": constraints.real,
    }

    total_count: ArrayLike
    logits: ArrayLike

    def __init__(
        self, total_count: ArrayLike, logits: ArrayLike, *, validate_args: bool | None = None
    ) -> None:
        self._set_parameters(validate_args, total_count=total_count, logits=logits)

    @property
    def concentration(self) -> Any:
        """Same as `total_count`."""
        return self.total_count

    @property
    def probs(self) -> Any:
        """Probability of what is counted."""
        return jax.nn.sigmoid(self.logits)

    def _odds(self) -> Any:
        return jnp.exp(self.logits)

    def _chances(self) -> tuple[Any, Any]:
        return jax.nn.sigmoid(-self.logits), jax.nn.sigmoid(self.logits)

    def _log_mass(self, k: Any) -> Any:
        return negative_binomial_log_mass_of_logits(k, self.total_count, self.logits)


class NegativeBinomial2(NegativeBinomialBase):
    """Negative binomial distribution by its mean, with variance ``mean + mean**2/concentration``.

    Parameters
    ----------
    mean
        Nonnegative.
    concentration
        Positive; the smaller, the more dispersed.
    """

    arg_constraints: ClassVar = {
        "mean": constraints.nonnegative,
        "concentration": constraints.positive,
    }

    mean: ArrayLike = None  # a parameter here, in the place of the base class's property
    concentration: ArrayLike = None

    def __init__(
        self, mean: ArrayLike, concentration: ArrayLike, *, validate_args: bool | None = None
    ) -> None:
        self._set_parameters(validate_args, mean=mean, concentration=concentration)

    def _odds(self) -> Any:
        return self.mean / self.concentration

    def _chances(self) -> tuple[Any, Any]:
        total = self.mean + self.concentration
        return self.concentration / total, self.mean / total


def NegativeBinomial(
    total_count: ArrayLike,
    probs: ArrayLike | None = None,
    logits: ArrayLike | None = None,
    *,
    validate_args: bool | None = None,
) -> Distribution:
    """Successes before the `total_count`-th failure, by exactly one of `probs` and `logits`."""
    return choose(
        NegativeBinomialProbs,
        NegativeBinomialLogits,
        probs=probs,
        logits=logits,
        total_count=total_count,
        validate_args=validate_args,
    )
