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

_NUM_STEPS = 256


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

    @property
    def mean(self) -> Any:
        return self._moments()[0]

    @property
    def variance(self) -> Any:
        return self._moments()[1]

    def _moments(self) -> tuple[Any, Any]:
        """Mean and variance, by the trapezoidal rule on the whole line.

        With the standard logistic z and the sigmoid function s the mean is that of
        ``s((logits + z) / temperature)``. It is also the probability that one logistic variable is
        below a function of another, and so that of ``s(logits + temperature * z)``: the smoother
        of the two is taken, for which the rule is exact up to rounding (Trefethen & Weideman
        2014, theorem 5.1).
        """
        dtype, shape = self._dtype, self.batch_shape
        temperature = jnp.broadcast_to(jnp.asarray(self.temperature, dtype), shape)
        # Of the value or of its complement, whichever is smaller.
        logits = jnp.broadcast_to(-jnp.abs(jnp.asarray(self.logits, dtype)), shape)
        warm = temperature >= 1
        slope = jnp.where(warm, 1 / temperature, temperature)
        shift = jnp.where(warm, logits, logits / temperature)
        # The integrand falls as exp(-(1 - slope) |z|) towards the step at -shift, and beyond it as
        # exp(-|z|): 45 of that leaves nothing in either precision.
        reach = jnp.minimum(-shift, 45 / jnp.maximum(1 - slope, 1e-3))
        step = (90 + reach) / _NUM_STEPS
        z = -45 + step * np.arange(_NUM_STEPS + 1, dtype=dtype).reshape(-1, *(1,) * len(shape))
        weight = step * jax.nn.sigmoid(z) * jax.nn.sigmoid(-z)
        value = jax.nn.sigmoid(slope * (z + shift))
        mean = jnp.sum(weight * value, axis=0)
        # Two forms of the mean of the square, each without cancellation where it is used: by parts
        # that of s^2 is the mean less that of the slope s (1 - s).
        by_values = jnp.sum(weight * jnp.square(value - mean), axis=0)
        by_parts = mean * (1 - mean) - slope * jnp.sum(weight * value * (1 - value), axis=0)
        mean = jnp.where(jnp.greater(self.logits, 0), 1 - mean, mean)
        return mean, jnp.where(warm, by_values, by_parts)


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
