"""The multinomial distribution, by probabilities or by logits, and its Dirichlet mixture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike, is_concrete, on_host
from sojourn_distributions.discrete.parameterization import choose
from sojourn_distributions.discrete.saddle_point import (
    deviance,
    deviance_of_log,
    excess,
    negative_binomial_log_mass,
    within,
)
from sojourn_distributions.distribution import Distribution
from sojourn_distributions.numerics import on_support

__all__ = [
    "DirichletMultinomial",
    "Multinomial",
    "MultinomialLogits",
    "MultinomialProbs",
]

Shape = tuple[int, ...]


class _Counts(Distribution):
    """Vectors of counts that sum to `total_count`."""

    pytree_aux_fields = ("total_count_max",)

    total_count: ArrayLike
    total_count_max: int | None

    if TYPE_CHECKING:

        @property
        def _share(self) -> Any: ...

    def validate_args(self, strict: bool = True) -> None:
        super().validate_args(strict)
        bound, count = self.total_count_max, self.total_count
        if bound is not None and is_concrete(count) and np.any(on_host(count) > bound):
            raise ValueError(
                f"{type(self).__name__}: total_count_max = {bound}, but total_count goes up to "
                f"{np.max(on_host(count))}; raise total_count_max or leave it out"
            )

    def _event_shape(self) -> Shape:
        weights = next(iter(self.get_args().values()))
        return np.shape(weights)[-1:]

    @constraints.dependent_property(is_discrete=True, event_dim=1)
    def support(self) -> Any:
        return constraints.multinomial(self.total_count)

    def _chances(self, key: Array, shape: Shape) -> Any:
        """Probabilities of one draw of counts each, of shape `shape`."""
        raise NotImplementedError

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        key_chances, key_counts = jax.random.split(key)
        shape = self.shape(sample_shape)
        chances = self._chances(key_chances, shape)
        count = jnp.broadcast_to(self.total_count, shape[:-1])
        return jax.random.multinomial(key_counts, count, chances, dtype=chances.dtype).astype(int)

    def _log_mass(self, k: Any, n: Any) -> Any:
        raise NotImplementedError

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        each, k = within(value)
        inside = jnp.all(each, axis=-1) & jnp.equal(jnp.sum(k, axis=-1), self.total_count)
        # The formulas need counts that sum to their total, whatever total was asked for.
        log_mass = self._log_mass(k, jnp.sum(k, axis=-1))
        return on_support(inside, log_mass)

    @property
    def mean(self) -> Any:
        count = jnp.expand_dims(self.total_count, -1)
        return jnp.broadcast_to(count * self._share, self.shape())


class _Multinomial(_Counts):
    if TYPE_CHECKING:

        @property
        def probs(self) -> Any: ...

    @property
    def _share(self) -> Any:
        return self.probs

    def _chances(self, key: Array, shape: Shape) -> Any:
        return jnp.broadcast_to(jnp.asarray(self.probs, self._dtype), shape)

    @property
    def variance(self) -> Any:
        count = jnp.expand_dims(self.total_count, -1)
        return jnp.broadcast_to(count * self.probs * (1 - self.probs), self.shape())


class MultinomialProbs(_Multinomial):
    """How often each category comes up in independent draws; ``n! prod(probs**k / k!)``.

    Parameters
    ----------
    probs
        Probabilities; shape batch_shape + (K,), each row a simplex.
    total_count
        Number of draws.
    total_count_max
        Accepted for compatibility: draws need no bound known in advance. One that a concrete
        `total_count` exceeds is an error.
    """

    arg_constraints: ClassVar = {
        "probs": constraints.simplex,
        "total_count": constraints.nonnegative_integer,
    }

    probs: ArrayLike

    def __init__(
        self,
        probs: ArrayLike,
        total_count: ArrayLike = 1,
        *,
        total_count_max: int | None = None,
        validate_args: bool | None = None,
    ) -> None:
        self.total_count_max = total_count_max
        self._set_parameters(validate_args, probs=probs, total_count=total_count)

    @property
    def logits(self) -> Any:
        """Log probabilities."""
        return jnp.log(self.probs)

    def _log_mass(self, k: Any, n: Any) -> Any:
        costs = excess(k) + deviance(k, n[..., None] * self.probs)
        return excess(n) - jnp.sum(costs, axis=-1)


class MultinomialLogits(_Multinomial):
    """How often each category comes up in independent draws.

    The mass is ``n! * prod(p**k / k!)`` with the total count n and ``p = softmax(logits)``.

    Parameters
    ----------
    logits
        Log probabilities up to a constant; shape batch_shape + (K,). Minus infinity is a
        category of probability 0.
    total_count
        Number of draws.
    total_count_max
        As in `MultinomialProbs`.
    """

    arg_constraints: ClassVar = {
        "logits": constraints.log_weights,
        "total_count": constraints.nonnegative_integer,
    }

    logits: ArrayLike

    def __init__(
        self,
        logits: ArrayLike,
        total_count: ArrayLike = 1,
        *,
        total_count_max: int | None = None,
        validate_args: bool | None = None,
    ) -> None:
        self.total_count_max = total_count_max
        self._set_parameters(validate_args, logits=logits, total_count=total_count)

    @property
    def probs(self) -> Any:
        """Probabilities."""
        return jax.nn.softmax(self.logits, axis=-1)

    def _log_mass(self, k: Any, n: Any) -> Any:
        log_mean = jnp.log(jnp.maximum(n, 1))[..., None] + jax.nn.log_softmax(self.logits, axis=-1)
        costs = excess(k) + deviance_of_log(k, log_mean)
        return jnp.where(n > 0, excess(n) - jnp.sum(costs, axis=-1), 0.0)


class DirichletMultinomial(_Counts):
    """How often each category comes up when their probabilities are drawn from a Dirichlet.

    With A the sum of the concentrations a and n = total_count, the mass is
    ``n! gamma(A) / gamma(n + A) prod(gamma(k + a) / (k! gamma(a)))`` (Johnson, Kotz &
    Balakrishnan 1997, section 35.13).

    Parameters
    ----------
    concentration
        Positive; shape batch_shape + (K,).
    total_count
        Number of draws.
    total_count_max
        As in `MultinomialProbs`.
    """

    arg_constraints: ClassVar = {
        "concentration": constraints.independent(constraints.positive, 1),
        "total_count": constraints.nonnegative_integer,
    }

    concentration: ArrayLike

    def __init__(
        self,
        concentration: ArrayLike,
        total_count: ArrayLike = 1,
        *,
        total_count_max: int | None = None,
        validate_args: bool | None = None,
    ) -> None:
        if np.ndim(concentration) < 1:
            raise ValueError(
                "DirichletMultinomial: concentration needs a dimension of categories, "
                f"got the number {concentration}"
            )
        self.total_count_max = total_count_max
        self._set_parameters(validate_args, concentration=concentration, total_count=total_count)

    @property
    def _share(self) -> Any:
        return self.concentration / jnp.sum(self.concentration, axis=-1, keepdims=True)

    def _chances(self, key: Array, shape: Shape) -> Any:
        return jax.random.dirichlet(key, self.concentration, shape[:-1], self._dtype)

    def _log_mass(self, k: Any, n: Any) -> Any:
        # Negative binomial counts given their sum, as in `beta_binomial_log_mass`.
        size = jnp.sum(jnp.asarray(self.concentration, self._dtype), axis=-1)
        fixed = jax.lax.stop_gradient(size)
        p, q = fixed / (n + fixed), n / (n + fixed)
        parts = negative_binomial_log_mass(k, self.concentration, p[..., None], q[..., None])
        return jnp.sum(parts, axis=-1) - negative_binomial_log_mass(n, size, p, q)

    @property
    def variance(self) -> Any:
        share = self._share
        total = jnp.sum(self.concentration, axis=-1, keepdims=True)
        count = jnp.expand_dims(self.total_count, -1)
        variance = count * share * (1 - share) * ((count + total) / (1 + total))
        return jnp.broadcast_to(variance, self.shape())


def Multinomial(
    total_count: ArrayLike = 1,
    probs: ArrayLike | None = None,
    logits: ArrayLike | None = None,
    *,
    total_count_max: int | None = None,
    validate_args: bool | None = None,
) -> Distribution:
    """Multinomial distribution of `total_count` draws, by exactly one of `probs` and `logits`."""
    return choose(
        MultinomialProbs,
        MultinomialLogits,
        probs=probs,
        logits=logits,
        total_count=total_count,
        total_count_max=total_count_max,
        validate_args=validate_args,
    )
