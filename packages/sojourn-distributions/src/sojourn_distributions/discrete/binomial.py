"""The binomial distribution, by probability or by logit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import jax
import jax.numpy as jnp
from jax.scipy.special import betainc

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike
from sojourn_distributions.discrete.enumeration import common_bound, support_values
from sojourn_distributions.discrete.parameterization import choose, log_probability
from sojourn_distributions.discrete.saddle_point import (
    binomial_log_mass,
    binomial_log_mass_of_logits,
    within,
)
from sojourn_distributions.distribution import Distribution
from sojourn_distributions.numerics import on_support

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

    def _tails(self, value: Any) -> tuple[Any, Any]:
        """Probabilities of at most, and of more than, a value (each by its own integral)."""
        n = self.total_count
        k = jnp.clip(jnp.floor(value), -1, n)
        part = (k >= 0) & (k < n)
        # Neither parameter of the beta function may be 0.
        k_safe, rest = jnp.where(part, k, 0.0), jnp.where(part, n - k, 1.0)
        p = jnp.asarray(self.probs, self._dtype)
        below = betainc(*jnp.broadcast_arrays(rest, k_safe + 1, 1 - p))
        above = betainc(*jnp.broadcast_arrays(k_safe + 1, rest, p))
        return jnp.where(part, below, k >= 0), jnp.where(part, above, k < 0)

    def cdf(self, value: ArrayLike) -> Any:
        return self._tails(value)[0]

    def log_survival(self, value: ArrayLike) -> Any:
        return log_probability(self._tails(value)[1])

    @property
    def mean(self) -> Any:
        return jnp.broadcast_to(self.total_count * self.probs, self.batch_shape)

    @property
    def variance(self) -> Any:
        variance = self.total_count * self.probs * (1 - self.probs)
        return jnp.broadcast_to(variance, self.batch_shape)

    @property
    def mode(self) -> Any:
        highest = jnp.floor((self.total_count + 1) * self.probs)
        highest = jnp.minimum(highest, self.total_count).astype(int)
        return jnp.broadcast_to(highest, self.batch_shape)

    def _log_mass(self, k: Any, rest: Any) -> Any:
        """Log mass of k successes and `rest` failures."""
        raise NotImplementedError

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        inside, k = within(value, 0, self.total_count)
        return on_support(inside, self._log_mass(k, self.total_count - k))


class BinomialProbs(_Binomial):
    """Number of successes among independent trials.

    The mass is ``C(n, k) * p**k * (1 - p)**(n - k)`` with the total count n and probability p.

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

    def _log_mass(self, k: Any, rest: Any) -> Any:
        return binomial_log_mass(k, rest, self.probs, 1 - self.probs)


class BinomialLogits(_Binomial):
    """Number of successes among independent trials.

    The mass is ``C(n, k) * exp(k * logits) / (1 + exp(logits))**n`` with the total count n.

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

    def _log_mass(self, k: Any, rest: Any) -> Any:
        return binomial_log_mass_of_logits(k, rest, self.logits)


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
