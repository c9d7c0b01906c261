"""The geometric distribution, by probability or by logit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import jax
import jax.numpy as jnp

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike
from sojourn_distributions.discrete.parameterization import (
    choose,
    log_probability,
)
from sojourn_distributions.discrete.saddle_point import within
from sojourn_distributions.distribution import Distribution
from sojourn_distributions.numerics import log_complement, on_support
from sojourn_distributions.special import entr

__all__ = ["Geometric", "GeometricLogits", "GeometricProbs"]

Shape = tuple[int, ...]


class _Geometric(Distribution):
    support = constraints.nonnegative_integer

    if TYPE_CHECKING:

        @property
        def probs(self) -> Any: ...

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        # jax.random counts the trials up to the first success, this the failures before it.
        return jax.random.geometric(key, self.probs, self.shape(sample_shape)) - 1

    def _log_failure(self) -> Any:
        """Log probability of a failure."""
        raise NotImplementedError

    def log_survival(self, value: ArrayLike) -> Any:
        failures = jnp.maximum(jnp.floor(value) + 1, 0)
        # No failure has probability 1 whatever probs is: not 0 * inf.
        return jnp.where(failures > 0, failures * self._log_failure(), 0.0)

    def cdf(self, value: ArrayLike) -> Any:
        return -jnp.expm1(self.log_survival(value))

    def icdf(self, q: ArrayLike) -> Any:
        k = jnp.maximum(jnp.ceil(jnp.log1p(-q) / self._log_failure()) - 1, 0)
        # Rounding must not go past a value at which the probability is just reached.
        k = jnp.where((k > 0) & (self.cdf(k - 1) >= q), k - 1, k)
        return jnp.where(self.cdf(k) < q, k + 1, k)

    @property
    def mode(self) -> Any:
        return jnp.zeros(self.batch_shape, int)

    @property
    def mean(self) -> Any:
        return jnp.broadcast_to((1 - self.probs) / self.probs, self.batch_shape)

    @property
    def variance(self) -> Any:
        return jnp.broadcast_to((1 - self.probs) / jnp.square(self.probs), self.batch_shape)

    def entropy(self) -> Any:
        entropy = (entr(self.probs) + entr(1 - self.probs)) / self.probs
        return jnp.broadcast_to(entropy, self.batch_shape)


class GeometricProbs(_Geometric):
    """Number of failures before the first success.

    The mass is ``p * (1 - p)**k`` with the probability p.

    Parameters
    ----------
    probs
        Probability of a success, above 0 and up to 1.
    """

    arg_constraints: ClassVar = {"probs": constraints.unit_interval}

    probs: ArrayLike

    def __init__(self, probs: ArrayLike, *, validate_args: bool | None = None) -> None:
        self._set_parameters(validate_args, probs=probs)

    @property
    def logits(self) -> Any:
        """Log odds of a success."""
        return jnp.log(self.probs) - jnp.log1p(-self.probs)

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        inside, k = within(value)
        # At k = 0 the factor is 1 whatever probs is; there its logarithm must not be 0 * inf.
        failures = jnp.where(k > 0, k * log_complement(jnp.where(k > 0, self.probs, 0.5)), 0.0)
        return on_support(inside, failures + log_probability(self.probs))

    def _log_failure(self) -> Any:
        return log_complement(self.probs)


class GeometricLogits(_Geometric):
    """Number of failures before the first success.

    The mass is ``p * (1 - p)**k`` with ``p = 1 / (1 + exp(-logits))``.

    Parameters
    ----------
    logits
        Log odds of a success.
    """

    arg_constraints: ClassVar = {"logits": constraints.real}

    logits: ArrayLike

    def __init__(self, logits: ArrayLike, *, validate_args: bool | None = None) -> None:
        self._set_parameters(validate_args, logits=logits)

    @property
    def probs(self) -> Any:
        """Probability of a success."""
        return jax.nn.sigmoid(self.logits)

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        inside, k = within(value)
        log_mass = -k * jax.nn.softplus(self.logits) - jax.nn.softplus(-self.logits)
        return on_support(inside, log_mass)

    def _log_failure(self) -> Any:
        return -jax.nn.softplus(self.logits)


def Geometric(
    probs: ArrayLike | None = None,
    logits: ArrayLike | None = None,
    *,
    validate_args: bool | None = None,
) -> Distribution:
    """Geometric distribution, by exactly one of `probs` and `logits`."""
    return choose(
        GeometricProbs, GeometricLogits, probs=probs, logits=logits, validate_args=validate_args
    )
