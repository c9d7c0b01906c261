"""The Bernoulli distribution, by probability or by logit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike, namespace
from sojourn_distributions.broadcasting import broadcast
from sojourn_distributions.discrete.enumeration import support_values
from sojourn_distributions.discrete.parameterization import choose
from sojourn_distributions.distribution import Distribution
from sojourn_distributions.numerics import on_support
from sojourn_distributions.short_rows import join_rows, part_rows
from sojourn_distributions.special import xlog1py, xlogy

__all__ = ["Bernoulli", "BernoulliLogits", "BernoulliProbs"]

Shape = tuple[int, ...]


class _Bernoulli(Distribution):
    support = constraints.boolean

    if TYPE_CHECKING:

        @property
        def probs(self) -> Any: ...

    @property
    def has_enumerate_support(self) -> bool:
        return True

    def enumerate_support(self, expand: bool = True) -> Any:
        return support_values(0, 1, self.batch_shape, expand)

    @property
    def mean(self) -> Any:
        return jnp.broadcast_to(self.probs, self.batch_shape)

    @property
    def variance(self) -> Any:
        return jnp.broadcast_to(self.probs * (1 - self.probs), self.batch_shape)

    @property
    def mode(self) -> Any:
        return jnp.broadcast_to(jnp.greater(self.probs, 0.5).astype(int), self.batch_shape)


def _on_boolean(value: Any, log_mass: Any) -> Any:
    xp = namespace(value)
    inside = xp.equal(value, 0) | xp.equal(value, 1)
    # Data that are known to be 0 or 1 need no look by the program.
    return log_mass if xp is np and np.all(inside) else on_support(inside, log_mass)


# One logarithm for both cases. In 1 - x, where x is small, the last digits of x are lost: they are
# what 1 - x and x lack to 1, and the logarithm of 1 - x is less by them. (What is left out is their
# product with x, at most half a unit in the last place of the result.)
@jax.custom_jvp
def _log_choice(probs: Any, is_one: Any) -> Any:
    """``log(probs)`` or else ``log(1 - probs)``, of one shape; minus infinity at 0."""
    zero, one = lax.full_like(probs, 0), lax.full_like(probs, 1)
    chosen = lax.select(is_one, probs, lax.sub(one, probs))
    # As a sum of 1 - x, x and -1 a compiler would take it for 0.
    lost = lax.sub(probs, lax.sub(one, chosen))
    return lax.sub(lax.log(lax.max(chosen, zero)), lax.select(is_one, zero, lost))


@_log_choice.defjvp
def _log_choice_jvp(primals: tuple[Any, Any], tangents: tuple[Any, Any]) -> tuple[Any, Any]:
    (probs, is_one), (tangent, _) = primals, tangents
    zero, one, inf = (lax.full_like(probs, x) for x in (0, 1, math.inf))
    # Where the logarithm is minus infinity, the gradient is 0.
    of_one = lax.select(lax.gt(probs, zero), probs, inf)
    of_zero = lax.select(lax.lt(probs, one), lax.sub(probs, one), inf)
    divisor = lax.select(is_one, of_one, of_zero)
    return _log_choice(probs, is_one), lax.div(tangent, divisor)


class BernoulliProbs(_Bernoulli):
    """1 with probability `probs`, else 0.

    Parameters
    ----------
    probs
        Probability of 1, from 0 to 1.
    """

    arg_constraints: ClassVar = {"probs": constraints.unit_interval}

    probs: ArrayLike

    def __init__(self, probs: ArrayLike, *, validate_args: bool | None = None) -> None:
        self._set_parameters(validate_args, probs=probs)

    @property
    def logits(self) -> Any:
        """Log odds of 1."""
        return jnp.log(self.probs) - jnp.log1p(-self.probs)

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        draws = jax.random.bernoulli(key, self.probs, self.shape(sample_shape))
        return draws.astype(int)

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        probs = jnp.asarray(self.probs, self._dtype)
        (probs, is_one), rows = join_rows(probs, namespace(value).equal(value, 1))
        shape = np.broadcast_shapes(np.shape(probs), np.shape(is_one))
        choice = _log_choice(broadcast(probs, shape), broadcast(is_one, shape))
        return _on_boolean(value, part_rows(choice, rows))

    def entropy(self) -> Any:
        return -(xlogy(self.probs, self.probs) + xlog1py(1 - self.probs, -self.probs))


class BernoulliLogits(_Bernoulli):
    """1 with probability ``1 / (1 + exp(-logits))``, else 0.

    Parameters
    ----------
    logits
        Log odds of 1.
    """

    arg_constraints: ClassVar = {"logits": constraints.real}

    logits: ArrayLike

    def __init__(self, logits: ArrayLike, *, validate_args: bool | None = None) -> None:
        self._set_parameters(validate_args, logits=logits)

    @property
    def probs(self) -> Any:
        """Probability of 1."""
        return jax.nn.sigmoid(self.logits)

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        draws = jax.random.bernoulli(key, self.probs, self.shape(sample_shape))
        return draws.astype(int)

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        against = jnp.where(jnp.equal(value, 1), -1, 1)
        return _on_boolean(value, -jax.nn.softplus(against * self.logits))

    def entropy(self) -> Any:
        return jax.nn.softplus(self.logits) - self.probs * self.logits


def Bernoulli(
    probs: ArrayLike | None = None,
    logits: ArrayLike | None = None,
    *,
    validate_args: bool | None = None,
) -> Distribution:
    """Bernoulli distribution, by exactly one of `probs` and `logits`."""
    return choose(
        BernoulliProbs, BernoulliLogits, probs=probs, logits=logits, validate_args=validate_args
    )
