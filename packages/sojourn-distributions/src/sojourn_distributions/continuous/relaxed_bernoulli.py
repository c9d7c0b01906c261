"""The continuous relaxation of the Bernoulli distribution."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_distributions import constraints
from sojourn_distributions.arrays import ArrayLike, float_dtype, is_concrete, namespace
from sojourn_distributions.continuous.logistic import Logistic
from sojourn_distributions.distribution import Distribution
from sojourn_distributions.parameters import complaint
from sojourn_distributions.transformed import TransformedDistribution
from sojourn_distributions.transforms import SigmoidTransform, Transform
from sojourn_distributions.validation import first_violation, is_validating

__all__ = ["RelaxedBernoulli", "RelaxedBernoulliLogits"]


class RelaxedBernoulliLogits(TransformedDistribution):
    """Distribution on the unit interval whose draws gather near 0 and 1 as it cools.

    The log odds of the value are logistic with mean ``logits / temperature`` and scale
    ``1 / temperature``, so that it exceeds 1/2 with the probability of the Bernoulli distribution
    (Maddison, Mnih & Teh 2017, "The concrete distribution", appendix B).

    Parameters
    ----------
    temperature
        Positive.
    logits
        Log odds of a value above 1/2, real.
    """

    arg_constraints: ClassVar = {
        "temperature": constraints.positive,
        "logits": constraints.real,
    }
    support = constraints.unit_interval
    reparametrized_params = ("temperature", "logits")

    temperature: ArrayLike
    logits: ArrayLike

    def __init__(
        self, temperature: ArrayLike, logits: ArrayLike, *, validate_args: bool | None = None
    ) -> None:
        self._set_parameters(validate_args, temperature=temperature, logits=logits)

    def _batch_shape(self) -> tuple[int, ...]:
        return Distribution._batch_shape(self)

    def _event_shape(self) -> tuple[int, ...]:
        return ()

    @property
    def base_dist(self) -> Distribution:
        scale = 1 / self.temperature
        return Logistic(self.logits * scale, scale, validate_args=False)

    @property
    def transforms(self) -> list[Transform]:
        return [SigmoidTransform()]

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        if intermediates:
            return super().log_prob(value, intermediates)
        inside = jnp.greater(value, 0) & jnp.less(value, 1)
        x = jnp.where(inside, value, 0.5)
        log_x, log_rest = jnp.log(x), jnp.log1p(-x)
        # The logistic density at z = temperature * log odds - logits, over x (1 - x).
        z = self.temperature * (log_x - log_rest) - self.logits
        distance = jnp.abs(z)
        log_density = jnp.log(self.temperature) - distance - 2 * jnp.log1p(jnp.exp(-distance))
        at_end = jnp.equal(value, 0) | jnp.equal(value, 1)
        cool = jnp.less(self.temperature, 1)
        tepid = jnp.equal(self.temperature, 1)
        # With the temperature 1 the density at an end is finite: exp(+-logits).
        limit = jnp.where(jnp.equal(value, 0), -1, 1) * self.logits
        limit = jnp.where(tepid, limit, jnp.where(cool, jnp.inf, -jnp.inf))
        outside = jnp.where(at_end, limit, -jnp.inf)
        return jnp.where(inside, log_density - log_x - log_rest, outside)

    def cdf(self, value: ArrayLike) -> Any:
        inside = jnp.greater(value, 0) & jnp.less(value, 1)
        below = super().cdf(jnp.where(inside, value, 0.5))
        return jnp.where(inside, below, jnp.where(jnp.less(value, 0.5), 0.0, 1.0))


def RelaxedBernoulli(
    temperature: ArrayLike,
    probs: ArrayLike | None = None,
    logits: ArrayLike | None = None,
    *,
    validate_args: bool | None = None,
) -> RelaxedBernoulliLogits:
    """Relaxed Bernoulli distribution by the probability or the log odds of a value above 1/2.

    Parameters
    ----------
    temperature
        Positive.
    probs
        Probability, between 0 and 1; moved off the ends by a rounding error.
    logits
        Log odds, real.

    Raises
    ------
    ValueError
        Unless exactly one of `probs` and `logits` is given, or if a parameter violates its
        constraint.
    """
    if (probs is None) == (logits is None):
        given = [] if probs is None else ["probs", "logits"]
        raise ValueError(f"Exactly one of ['probs', 'logits'] must be specified; got {given}.")
    if probs is not None:
        if isinstance(probs, list | tuple):
            probs = np.asarray(probs)
        if is_concrete(probs) and (is_validating() if validate_args is None else validate_args):
            found = first_violation(probs, constraints.unit_interval)
            if found is not None:
                raise ValueError(
                    "RelaxedBernoulli got invalid probs parameter: "
                    + complaint("probs", found, constraints.unit_interval, np.shape(probs))
                )
        xp = namespace(probs)
        limits = jnp.finfo(float_dtype(probs))
        inner = xp.clip(probs, limits.tiny, 1 - limits.epsneg)
        logits = xp.log(inner) - xp.log1p(-inner)
        if is_concrete(logits) and not isinstance(logits, jax.Array) and np.ndim(logits) == 0:
            logits = float(logits)  # a plain number takes the precision of what it meets
    return RelaxedBernoulliLogits(temperature, logits, validate_args=validate_args)
