"""Distributions on counts with additional mass at zero."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike
from sojourn_distributions.discrete.gated import (
    Gated,
    GatedByLogits,
    GatedByProbs,
    choose_gate,
)
from sojourn_distributions.discrete.negative_binomial import NegativeBinomial2
from sojourn_distributions.discrete.poisson import Poisson
from sojourn_distributions.distribution import Distribution

__all__ = [
    "ZeroInflatedDistribution",
    "ZeroInflatedLogits",
    "ZeroInflatedNegativeBinomial2",
    "ZeroInflatedPoisson",
    "ZeroInflatedProbs",
]

Shape = tuple[int, ...]

_LARGEST_EXPONENT = 80.0  # of an exponential that float32 can hold


def _log_add(x: Any, y: Any) -> Any:
    """``log(exp(x) + exp(y))``, with a finite gradient where both are minus infinity."""
    possible = (x > -jnp.inf) | (y > -jnp.inf)
    total = jnp.logaddexp(jnp.where(possible, x, 0.0), jnp.where(possible, y, 0.0))
    return jnp.where(possible, total, -jnp.inf)


class _ZeroInflated(Gated):
    """Zero with the probability of the gate, else a draw of the base distribution."""

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        key_gate, key_base = jax.random.split(key)
        zero = jax.random.bernoulli(key_gate, self.gate, self.shape(sample_shape))
        base = self.base_dist.expand(self.batch_shape)
        return jnp.where(zero, 0, base.sample(key_base, sample_shape))

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        log_open, log_shut = self._log_gates()
        log_base = self.base_dist.log_prob(value)
        log_mass = log_shut + log_base
        zero, opens = jnp.equal(value, 0), log_open > -jnp.inf
        both = zero & opens
        log_zero = _log_add(jnp.where(both, log_open, 0.0), jnp.where(both, log_mass, 0.0))
        # A gate of probability 0 adds nothing, but its derivative there is that of the sum.
        slope = jnp.exp(jnp.minimum(-jnp.where(zero, log_base, 0.0), _LARGEST_EXPONENT))
        return jnp.where(both, log_zero, log_mass + jnp.where(zero, self.gate * slope, 0.0))

    def cdf(self, value: ArrayLike) -> Any:
        at_zero = jnp.where(jnp.greater_equal(value, 0), self.gate, 0.0)
        return at_zero + (1 - self.gate) * self.base_dist.cdf(value)

    @property
    def mean(self) -> Any:
        return jnp.broadcast_to((1 - self.gate) * self.base_dist.mean, self.batch_shape)

    @property
    def variance(self) -> Any:
        mean, shut = self.base_dist.mean, 1 - self.gate
        variance = shut * (self.base_dist.variance + self.gate * jnp.square(mean))
        return jnp.broadcast_to(variance, self.batch_shape)


class ZeroInflatedProbs(GatedByProbs, _ZeroInflated):
    """Counts with additional mass at zero, by its probability.

    Parameters
    ----------
    base_dist
        Distribution on integers.
    gate
        Probability of a zero that is not from the base distribution, from 0 to 1.
    """

    def __init__(
        self, base_dist: Distribution, gate: ArrayLike, *, validate_args: bool | None = None
    ) -> None:
        self._check_base(base_dist, discrete=True)
        self._base_dist = base_dist
        self._set_parameters(validate_args, gate=gate)


class ZeroInflatedLogits(GatedByLogits, _ZeroInflated):
    """Counts with additional mass at zero, by its log odds.

    Parameters
    ----------
    base_dist
        Distribution on integers.
    gate_logits
        Log odds of a zero that is not from the base distribution.
    """

    def __init__(
        self, base_dist: Distribution, gate_logits: ArrayLike, *, validate_args: bool | None = None
    ) -> None:
        self._check_base(base_dist, discrete=True)
        self._base_dist = base_dist
        self._set_parameters(validate_args, gate_logits=gate_logits)


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
    return choose_gate(
        ZeroInflatedProbs, ZeroInflatedLogits, base_dist, gate, gate_logits, validate_args
    )


def ZeroInflatedNegativeBinomial2(
    mean: ArrayLike,
    concentration: ArrayLike,
    *,
    gate: ArrayLike | None = None,
    gate_logits: ArrayLike | None = None,
    validate_args: bool | None = None,
) -> Distribution:
    """`NegativeBinomial2` with additional mass at zero, by one of `gate` and `gate_logits`."""
    base_dist = NegativeBinomial2(mean, concentration, validate_args=validate_args)
    return ZeroInflatedDistribution(
        base_dist, gate=gate, gate_logits=gate_logits, validate_args=validate_args
    )
