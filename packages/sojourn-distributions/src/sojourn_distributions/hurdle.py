"""Distributions whose zeros come from a gate alone, and whose other values are never 0."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike
from sojourn_distributions.continuous.gamma import Gamma
from sojourn_distributions.continuous.normal import LogNormal
from sojourn_distributions.discrete.gated import (
    Gated,
    GatedByLogits,
    GatedByProbs,
    choose_gate,
)
from sojourn_distributions.discrete.negative_binomial import NegativeBinomial2
from sojourn_distributions.discrete.nonzero import sample_nonzero
from sojourn_distributions.discrete.poisson import Poisson
from sojourn_distributions.distribution import Distribution
from sojourn_distributions.numerics import log1mexp

__all__ = [
    "HurdleDistribution",
    "HurdleGamma",
    "HurdleLogNormal",
    "HurdleLogits",
    "HurdleNegativeBinomial2",
    "HurdlePoisson",
    "HurdleProbs",
]

Shape = tuple[int, ...]


class _Hurdle(Gated):
    """0 with the probability of the gate, else the base distribution given that it is not 0.

    (Mullahy 1986, "Specification and testing of some modified count data models".) A continuous
    base is never 0 anyhow; its log density is one with respect to length plus an atom at 0.
    """

    def _log_nonzero(self) -> tuple[Any, Any]:
        """Log probability that the base is not 0, where that is possible, and whether it is."""
        if not self.is_discrete:
            return 0.0, True
        log_zero = self.base_dist.log_prob(jnp.zeros((), int))
        possible = log_zero < 0
        return log1mexp(jnp.where(possible, log_zero, -1.0)), possible

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        key_gate, key_base = jax.random.split(key)
        shape = self.shape(sample_shape)
        zero = jax.random.bernoulli(key_gate, self.gate, shape)
        if self.is_discrete:
            return jnp.where(zero, 0, sample_nonzero(self.base_dist, key_base, shape))
        base = self.base_dist.expand(self.batch_shape)
        return jnp.where(zero, 0, base.sample(key_base, sample_shape))

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        log_open, log_shut = self._log_gates()
        log_nonzero, possible = self._log_nonzero()
        support = self.base_dist.support
        zero = jnp.equal(value, 0)
        inside = jnp.logical_not(zero) & support(value) & possible
        # The base sees no 0, where its density may be infinite, and nothing outside its support.
        base_value = jnp.where(inside, value, support.feasible_like(value))
        log_mass = log_shut + self.base_dist.log_prob(base_value) - log_nonzero
        return jnp.where(zero, log_open, jnp.where(inside, log_mass, -jnp.inf))

    def _weight(self) -> Any:
        """What turns an expectation under the base of something that is 0 at 0 into one here."""
        log_nonzero, possible = self._log_nonzero()
        return jnp.where(possible, (1 - self.gate) * jnp.exp(-log_nonzero), 0.0)

    @property
    def mean(self) -> Any:
        return jnp.broadcast_to(self._weight() * self.base_dist.mean, self.batch_shape)

    @property
    def variance(self) -> Any:
        weight, mean = self._weight(), self.base_dist.mean
        variance = weight * (self.base_dist.variance + (1 - weight) * jnp.square(mean))
        return jnp.broadcast_to(variance, self.batch_shape)


class HurdleProbs(GatedByProbs, _Hurdle):
    """0 with probability `gate`, else the base distribution given that it is not 0.

    Parameters
    ----------
    base_dist
        Distribution on numbers.
    gate
        Probability of 0, from 0 to 1.
    """

    def __init__(
        self, base_dist: Distribution, gate: ArrayLike, *, validate_args: bool | None = None
    ) -> None:
        self._check_base(base_dist, discrete=False)
        self._base_dist = base_dist
        self._set_parameters(validate_args, gate=gate)


class HurdleLogits(GatedByLogits, _Hurdle):
    """0 with a probability given by log odds, else the base given that it is not 0.

    Parameters
    ----------
    base_dist
        Distribution on numbers.
    gate_logits
        Log odds of 0.
    """

    def __init__(
        self, base_dist: Distribution, gate_logits: ArrayLike, *, validate_args: bool | None = None
    ) -> None:
        self._check_base(base_dist, discrete=False)
        self._base_dist = base_dist
        self._set_parameters(validate_args, gate_logits=gate_logits)


class HurdlePoisson(HurdleProbs):
    """0 with probability `gate`, else a Poisson count given that it is not 0.

    Parameters
    ----------
    gate
        Probability of 0, from 0 to 1.
    rate
        Mean of the Poisson distribution before 0 is taken out, positive.

    Examples
    --------
    >>> import numpy as np
    >>> import sojourn_distributions as dist
    >>> d = dist.HurdlePoisson(gate=0.25, rate=2.0)
    >>> np.exp(d.log_prob(np.array([0, 1, 2]))).round(3)
    array([0.25 , 0.235, 0.235], dtype=float32)
    """

    arg_constraints: ClassVar = {"gate": constraints.unit_interval, "rate": constraints.positive}

    rate: ArrayLike

    def __init__(
        self, gate: ArrayLike, rate: ArrayLike = 1.0, *, validate_args: bool | None = None
    ) -> None:
        self._set_parameters(validate_args, gate=gate, rate=rate)

    @property
    def base_dist(self) -> Distribution:
        return Poisson(self.rate, validate_args=False)


class HurdleGamma(HurdleProbs):
    """0 with probability `gate`, else a gamma variable.

    Parameters
    ----------
    gate
        Probability of 0, from 0 to 1.
    concentration, rate
        Of the gamma distribution, positive.
    """

    arg_constraints: ClassVar = {
        "gate": constraints.unit_interval,
        "concentration": constraints.positive,
        "rate": constraints.positive,
    }

    concentration: ArrayLike
    rate: ArrayLike

    def __init__(
        self,
        gate: ArrayLike,
        concentration: ArrayLike,
        rate: ArrayLike = 1.0,
        *,
        validate_args: bool | None = None,
    ) -> None:
        self._set_parameters(validate_args, gate=gate, concentration=concentration, rate=rate)

    @property
    def base_dist(self) -> Distribution:
        return Gamma(self.concentration, self.rate, validate_args=False)


class HurdleLogNormal(HurdleProbs):
    """0 with probability `gate`, else a log-normal variable.

    Parameters
    ----------
    gate
        Probability of 0, from 0 to 1.
    loc, scale
        Mean and standard deviation of the logarithm; `scale` positive.
    """

    arg_constraints: ClassVar = {
        "gate": constraints.unit_interval,
        "loc": constraints.real,
        "scale": constraints.positive,
    }

    loc: ArrayLike
    scale: ArrayLike

    def __init__(
        self,
        gate: ArrayLike,
        loc: ArrayLike = 0.0,
        scale: ArrayLike = 1.0,
        *,
        validate_args: bool | None = None,
    ) -> None:
        self._set_parameters(validate_args, gate=gate, loc=loc, scale=scale)

    @property
    def base_dist(self) -> Distribution:
        return LogNormal(self.loc, self.scale, validate_args=False)


def HurdleNegativeBinomial2(
    gate: ArrayLike,
    mean: ArrayLike,
    concentration: ArrayLike,
    *,
    validate_args: bool | None = None,
) -> Distribution:
    """0 with probability `gate`, else a `NegativeBinomial2` count given that it is not 0."""
    base_dist = NegativeBinomial2(mean, concentration, validate_args=validate_args)
    return HurdleProbs(base_dist, gate, validate_args=validate_args)


def HurdleDistribution(
    base_dist: Distribution,
    *,
    gate: ArrayLike | None = None,
    gate_logits: ArrayLike | None = None,
    validate_args: bool | None = None,
) -> Distribution:
    """0 by exactly one of `gate` and `gate_logits`, else the base given that it is not 0."""
    return choose_gate(HurdleProbs, HurdleLogits, base_dist, gate, gate_logits, validate_args)
