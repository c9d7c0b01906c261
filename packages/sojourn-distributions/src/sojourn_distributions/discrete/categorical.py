"""The categorical distribution, by probabilities or by logits."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike, is_concrete, on_host
from sojourn_distributions.discrete.categories import (
    few_first,
    log_softmax_at,
    pick,
    pick_at,
    with_categories_at,
)
from sojourn_distributions.discrete.enumeration import support_values
from sojourn_distributions.discrete.parameterization import choose, log_probability
from sojourn_distributions.discrete.saddle_point import within
from sojourn_distributions.distribution import Distribution
from sojourn_distributions.numerics import log_sum_exp, on_support
from sojourn_distributions.short_rows import part_rows
from sojourn_distributions.special import entr

__all__ = ["Categorical", "CategoricalBase", "CategoricalLogits", "CategoricalProbs"]

Shape = tuple[int, ...]


class CategoricalBase(Distribution):
    """One of the categories 0, 1, ..., K - 1, however their probabilities are given."""

    if TYPE_CHECKING:

        @property
        def probs(self) -> Any: ...
        @property
        def logits(self) -> Any: ...

    @property
    def _size(self) -> int:
        """Number of categories."""
        raise NotImplementedError

    def _log_mass(self, index: Any) -> Any:
        """Log probability of a category that there is."""
        raise NotImplementedError

    @property
    def log_masses(self) -> Any:
        """Log probabilities of all categories, shape ``batch_shape + (K,)``."""
        raise NotImplementedError

    def log_weights(self, floor: float, place: int) -> tuple[Any, Any]:
        """Log probabilities up to a constant, and that constant, None if it is 0.

        The weights have ``floor`` in place of minus infinity, and the categories at axis ``place``
        from the right, negative. The constant is the log of what they add up to, without the axis.
        """
        raise NotImplementedError

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self) -> Any:
        return constraints.integer_interval(0, self._size - 1)

    @property
    def has_enumerate_support(self) -> bool:
        return True

    def enumerate_support(self, expand: bool = True) -> Any:
        return support_values(0, self._size - 1, self.batch_shape, expand)

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        return jax.random.categorical(key, self.logits, shape=self.shape(sample_shape))

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        if is_concrete(value):  # what is known is not left to the program
            value = on_host(value)
            inside = (value >= 0) & (value < self._size) & (value == np.floor(value))
            log_mass = self._log_mass(np.where(inside, value, 0))
            return log_mass if inside.all() else on_support(inside, log_mass)
        inside, index = within(value, 0, self._size - 1)
        return on_support(inside, self._log_mass(index))

    @property
    def mean(self) -> Any:
        """NaN: the numbers of categories mean nothing."""
        return jnp.full(self.batch_shape, jnp.nan, self._dtype)

    @property
    def variance(self) -> Any:
        """NaN: the numbers of categories mean nothing."""
        return jnp.full(self.batch_shape, jnp.nan, self._dtype)

    @property
    def mode(self) -> Any:
        return jnp.argmax(self.logits, axis=-1)

    def entropy(self) -> Any:
        return jnp.sum(entr(self.probs), axis=-1)


class CategoricalProbs(CategoricalBase):
    """One of the categories 0, 1, ..., K - 1.

    The mass of k is ``probs[k]``.

    Parameters
    ----------
    probs
        Probabilities; shape batch_shape + (K,), each row a simplex.
    """

    arg_constraints: ClassVar = {"probs": constraints.simplex}

    probs: ArrayLike

    def __init__(self, probs: ArrayLike, *, validate_args: bool | None = None) -> None:
        self._set_parameters(validate_args, probs=probs)

    @property
    def _size(self) -> int:
        return np.shape(self.probs)[-1]

    @property
    def logits(self) -> Any:
        """Log probabilities."""
        return log_probability(self.probs)

    @property
    def log_masses(self) -> Any:
        return log_probability(self.probs)

    def log_weights(self, floor: float, place: int) -> tuple[Any, Any]:
        return log_probability(with_categories_at(place, self.probs), floor), None

    def _log_mass(self, index: Any) -> Any:
        # Logarithms of a table that serves many values are taken once, not value by value.
        if math.prod(np.shape(self.probs)) <= math.prod(np.shape(index)):
            return pick(self.log_masses, index)
        probs, index, place, rows = few_first(self.probs, index)
        return part_rows(log_probability(pick_at(probs, index, place)), rows)


class CategoricalLogits(CategoricalBase):
    """One of the categories 0, 1, ..., K - 1.

    The mass of k is ``softmax(logits)[k]``.

    Parameters
    ----------
    logits
        Log probabilities up to a constant; shape batch_shape + (K,). Minus infinity is a
        category of probability 0.
    """

    arg_constraints: ClassVar = {"logits": constraints.log_weights}

    logits: ArrayLike

    def __init__(self, logits: ArrayLike, *, validate_args: bool | None = None) -> None:
        self._set_parameters(validate_args, logits=logits)

    @property
    def _size(self) -> int:
        return np.shape(self.logits)[-1]

    @property
    def probs(self) -> Any:
        """Probabilities."""
        return jax.nn.softmax(self.logits, axis=-1)

    @property
    def log_masses(self) -> Any:
        logits = jnp.asarray(self.logits, self._dtype)
        return logits - log_sum_exp(logits, (logits.ndim - 1,), bounded=True)[..., None]

    def log_weights(self, floor: float, place: int) -> tuple[Any, Any]:
        logits = with_categories_at(place, jnp.asarray(self.logits, self._dtype))
        log_total = log_sum_exp(logits, (logits.ndim + place,), bounded=True)
        if floor != -math.inf:
            impossible = logits == -jnp.inf
            logits = jax.lax.select(impossible, jnp.full_like(logits, floor), logits)
        return logits, log_total

    def _log_mass(self, index: Any) -> Any:
        logits = jnp.asarray(self.logits, self._dtype)
        logits, index, place, rows = few_first(logits, index)
        return part_rows(log_softmax_at(logits, index, place), rows)


def Categorical(
    probs: ArrayLike | None = None,
    logits: ArrayLike | None = None,
    *,
    validate_args: bool | None = None,
) -> Distribution:
    """Categorical distribution, by exactly one of `probs` and `logits`."""
    return choose(
        CategoricalProbs, CategoricalLogits, probs=probs, logits=logits, validate_args=validate_args
    )
