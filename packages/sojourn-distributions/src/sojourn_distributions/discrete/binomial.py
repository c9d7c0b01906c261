"""The binomial distribution, by probability or by logit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import jax
import jax.numpy as jnp
from jax.scipy.special import gammaln

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike
from sojourn_distributions.discrete.enumeration import common_bound, support_values
from sojourn_distributions.discrete.parameterization import choose
from sojourn_distributions.distribution import Distribution

__all__ = ["Binomial", "BinomialLogits", "BinomialProbs"]

Shape = tuple[int, ...]


class _Binomial(Distribution):
    total_count: ArrayLike

    if TYPE_CHECKING:

        @property
        def probs(self) -> Any: ...

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self) -> Any:
        return constraints.integer_interval(0, self.total_count)

    @property
    def has_enumerate_support(self) -> bool:
        return True

    def enumerate_support(self, expand: bool = True) -> Any:
        largest = common_bound(type(self).__name__, "total_count", self.total_count)
        return support_values(0, largest, self.batch_shape, expand)

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        shape = self.shape(sample_shape)
        draws = jax.random.binomial(key, self.total_count, self.probs, shape, self._dtype)
        return draws.astype(int)

    @property
    def mean(self) -> Any:
        return jnp.broadcast_to(self.total_count * self.probs, self.batch_shape)

    @property
    def variance(self) -> Any:
        variance = self.total_count * self.probs * (1 - self.probs)
        return jnp.broadcast_to(variance, self.batch_shape)

    def _within(self, value: Any) -> tuple[Any, Any]:
        """Whether the value is in the support, and a value that surely is."""
        inside = jnp.greater_equal(value, 0) & jnp.less_equal(value, self.total_count)
        return inside, jnp.where(inside, value, 0)


def _log_coefficient(n: Any, k: Any) -> Any:
    return gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0)


class BinomialProbs(_Binomial):
    """Number of successes among independent trials.

    Parameters
    ----------
    probs
        Probability of a success, from 0 to 1.
    total_count
        Number of trials.
    """

    arg_constraints: ClassVar = {
        "probs": constraints.unit_interval,
        "total_count": constraints.nonnegative_integer,
    }

    probs: ArrayLike

    def __init__(
        self, probs: ArrayLike, total_count: ArrayLike = 1, *, validate_args: bool | None = None
    ) -> None:
        self._set_parameters(validate_args, probs=probs, total_count=total_count)

    @property
    def logits(self) -> Any:
        """Log odds of a success."""
        return jnp.log(self.probs) - jnp.log1p(-self.probs)

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        inside, k = self._within(value)
        failures = self.total_count - k
        # A logarithm that is multiplied by 0 sees 1/2: its gradient stays finite at probs 0 and 1.
        log_p = jnp.log(jnp.where(k > 0, self.probs, 0.5))
        log_q = jnp.log1p(-jnp.where(failures > 0, self.probs, 0.5))
        log_mass = _log_coefficient(self.total_count, k) + k * log_p + failures * log_q
        return jnp.where(inside, log_mass, -jnp.inf)


class BinomialLogits(_Binomial):
    """Number of successes among independent trials.

    Parameters
    ----------
    logits
        Log odds of a success.
    total_count
        Number of trials.
    """

    arg_constraints: ClassVar = {
        "logits": constraints.real,
        "total_count": constraints.nonnegative_integer,
    }

    logits: ArrayLike

    def __init__(
        self, logits: ArrayLike, total_count: ArrayLike = 1, *, validate_args: bool | None = None
    ) -> None:
        self._set_parameters(validate_args, logits=logits, total_count=total_count)

    @property
    def probs(self) -> Any:
        """Probability of a success."""
        return jax.nn.sigmoid(self.logits)

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        inside, k = self._within(value)
        failures = self.total_count - k
        log_power = k * jax.nn.softplus(-self.logits) + failures * jax.nn.softplus(self.logits)
        return jnp.where(inside, _log_coefficient(self.total_count, k) - log_power, -jnp.inf)


def Binomial(
    total_count: ArrayLike = 1,
    probs: ArrayLike | None = None,
    logits: ArrayLike | None = None,
    *,
    validate_args: bool | None = None,
) -> Distribution:
    """Binomial distribution of `total_count` trials, by exactly one of `probs` and `logits`."""
    return choose(
        BinomialProbs,
        BinomialLogits,
        probs=probs,
        logits=logits,
        total_count=total_count,
        validate_args=validate_args,
    )
