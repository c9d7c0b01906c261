"""The geometric distribution, by probability or by logit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import jax
import jax.numpy as jnp

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike
from sojourn_distributions.discrete.parameterization import choose
from sojourn_distributions.distribution import Distribution
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
        inside = jnp.greater_equal(value, 0)
        k = jnp.where(inside, value, 0)
        # At k = 0 the logarithm is not needed and sees 1/2: finite gradient at probs 1.
        log_q = jnp.log1p(-jnp.where(k > 0, self.probs, 0.5))
        return jnp.where(inside, k * log_q + jnp.log(self.probs), -jnp.inf)


class GeometricLogits(_Geometric):
    """Number of failures before the first success.

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
        inside = jnp.greater_equal(value, 0)
        k = jnp.where(inside, value, 0)
        log_mass = -k * jax.nn.softplus(self.logits) - jax.nn.softplus(-self.logits)
        return jnp.where(inside, log_mass, -jnp.inf)


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
