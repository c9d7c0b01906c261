"""Distributions on counts with additional mass at zero."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike
from sojourn_distributions.discrete.poisson import Poisson
from sojourn_distributions.distribution import Distribution

__all__ = [
    "ZeroInflatedDistribution",
    "ZeroInflatedLogits",
    "ZeroInflatedPoisson",
    "ZeroInflatedProbs",
]

Shape = tuple[int, ...]


class _ZeroInflated(Distribution):
    """Zero with the probability of the gate, else a draw of the base distribution."""

    pytree_data_fields = ("_base_dist",)

    _base_dist: Distribution

    if TYPE_CHECKING:

        @property
        def gate(self) -> Any: ...

    @property
    def base_dist(self) -> Distribution:
        """Distribution of the counts when the gate is shut."""
        return self._base_dist

    def _check_base(self, base_dist: Distribution) -> None:
        if base_dist.event_dim or not base_dist.is_discrete:
            raise ValueError(
                f"{type(self).__name__}: base_dist must be a distribution on integers with scalar "
                f"events, got {base_dist!r}"
            )

    def _batch_shape(self) -> Shape:
        gates = [np.shape(gate) for gate in self.get_args().values()]
        return np.broadcast_shapes(self.base_dist.batch_shape, *gates)

    @property
    def support(self) -> Any:
        return self.base_dist.support

    def _log_gates(self) -> tuple[Any, Any]:
        """Log probabilities that the gate is open (value 0) and shut."""
        raise NotImplementedError

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        key_gate, key_base = jax.random.split(key)
        shape = self.shape(sample_shape)
        zero = jax.random.bernoulli(key_gate, self.gate, shape)
        base = self.base_dist.expand(self.batch_shape)
        return jnp.where(zero, 0, base.sample(key_base, sample_shape))

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        log_open, log_shut = self._log_gates()
        log_mass = log_shut + self.base_dist.log_prob(value)
        return jnp.where(jnp.equal(value, 0), jnp.logaddexp(log_open, log_mass), log_mass)

    @property
    def mean(self) -> Any:
        return jnp.broadcast_to((1 - self.gate) * self.base_dist.mean, self.batch_shape)

    @property
    def variance(self) -> Any:
        mean, shut = self.base_dist.mean, 1 - self.gate
        variance = shut * (self.base_dist.variance + self.gate * jnp.square(mean))
        return jnp.broadcast_to(variance, self.batch_shape)


class ZeroInflatedProbs(_ZeroInflated):
    """Counts with additional mass at zero, by its probability.

    Parameters
    ----------
    base_dist
        Distribution on integers.
    gate
        Probability of a zero that is not from the base distribution, from 0 to 1.
    """

    arg_constraints: ClassVar = {"gate": constraints.unit_interval}

    gate: ArrayLike

    def __init__(
        self, base_dist: Distribution, gate: ArrayLike, *, validate_args: bool | None = None
    ) -> None:
        self._check_base(base_dist)
        self._base_dist = base_dist
        self._set_parameters(validate_args, gate=gate)

    def _log_gates(self) -> tuple[Any, Any]:
        return jnp.log(self.gate), jnp.log1p(-self.gate)


class ZeroInflatedLogits(_ZeroInflated):
    """Counts with additional mass at zero, by its log odds.

    Parameters
    ----------
    base_dist
        Distribution on integers.
    gate_logits
        Log odds of a zero that is not from the base distribution.
    """

    arg_constraints: ClassVar = {"gate_logits": constraints.real}

    gate_logits: ArrayLike

    def __init__(
        self, base_dist: Distribution, gate_logits: ArrayLike, *, validate_args: bool | None = None
    ) -> None:
        self._check_base(base_dist)
        self._base_dist = base_dist
        self._set_parameters(validate_args, gate_logits=gate_logits)

    @property
    def gate(self) -> Any:
        """Probability of a zero that is not from the base distribution."""
        return jax.nn.sigmoid(self.gate_logits)

    def _log_gates(self) -> tuple[Any, Any]:
        return -jax.nn.softplus(-self.gate_logits), -jax.nn.softplus(self.gate_logits)


class ZeroInflatedPoisson(ZeroInflatedProbs):
    """Poisson distribution with additional mass at zero.

    Parameters
    ----------
    gate
        Probability of a zero that is not from the Poisson distribution, from 0 to 1.
    rate
        Mean of the Poisson distribution, nonnegative.
    """

    arg_constraints: ClassVar = {"gate": constraints.unit_interval, "rate": constraints.nonnegative}
    support = constraints.nonnegative_integer

    rate: ArrayLike

    def __init__(
        self, gate: ArrayLike, rate: ArrayLike = 1.0, *, validate_args: bool | None = None
    ) -> None:
        self._set_parameters(validate_args, gate=gate, rate=rate)

    @property
    def base_dist(self) -> Distribution:
        return Poisson(self.rate, validate_args=False)


def ZeroInflatedDistribution(
    base_dist: Distribution,
    *,
    gate: ArrayLike | None = None,
    gate_logits: ArrayLike | None = None,
    validate_args: bool | None = None,
) -> Distribution:
    """Counts with additional mass at zero, by exactly one of `gate` and `gate_logits`."""
    given = [n for n, v in (("gate", gate), ("gate_logits", gate_logits)) if v is not None]
    if len(given) != 1:
        raise ValueError(f"Exactly one of ['gate', 'gate_logits'] must be specified; got {given}.")
    if gate is not None:
        return ZeroInflatedProbs(base_dist, gate, validate_args=validate_args)
    return ZeroInflatedLogits(base_dist, gate_logits, validate_args=validate_args)
