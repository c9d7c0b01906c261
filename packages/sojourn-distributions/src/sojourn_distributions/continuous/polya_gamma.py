"""The Pólya-gamma distribution PG(1, 0), cut off above."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike
from sojourn_distributions.distribution import Distribution
from sojourn_distributions.numerics import log1mexp, on_support
from sojourn_distributions.special import log_ndtr, ndtri
from sojourn_distributions.tails import solve_log_tail

__all__ = ["TruncatedPolyaGamma"]

Shape = tuple[int, ...]

# Below it one alternating series converges fast, above it the other.
_SWITCH = 0.25


class TruncatedPolyaGamma(Distribution):
    """Pólya-gamma distribution PG(1, 0) given that the value is at most 2.5.

    PG(1, 0) is the distribution of ``sum(g_k / (k - 1/2)**2) / (2 pi**2)`` with g_k standard
    exponential (Polson, Scott & Windle 2013, equation 2). Its density has two alternating series
    (Devroye 2009, "On exact simulation algorithms for some distributions related to Jacobi theta
    functions"; their section 4), one for small and one for large values; the cut takes away a
    probability of 6e-6. Draws invert the cdf, which has like series.

    Parameters
    ----------
    batch_shape
        Shape of independent draws.
    """

    truncation_point: ClassVar[float] = 2.5
    num_log_prob_terms: ClassVar[int] = 7

    arg_constraints: ClassVar = {}
    support = constraints.interval(0.0, truncation_point)

    def __init__(self, batch_shape: Shape = (), *, validate_args: bool | None = None) -> None:
        super().__init__(batch_shape, (), validate_args=validate_args)

    def _log_mass(self) -> Any:
        """Log of the probability that PG(1, 0) gives the support."""
        return math.log1p(-4 / math.pi * math.exp(-0.5 * math.pi**2 * self.truncation_point))

    def _log_tails(self, x: Any) -> tuple[Any, Any, Any]:
        """Logs of density and of the probabilities below and above a positive x, for PG(1, 0)."""
        below = x < _SWITCH
        near, far = jnp.where(below, x, _SWITCH), jnp.where(below, _SWITCH, x)
        root = -0.5 / jnp.sqrt(near)
        first = log_ndtr(root)
        density_near: Any = 1.0
        density_far: Any = 1.0
        tail_near: Any = 1.0
        tail_far: Any = 1.0
        for n in range(1, self.num_log_prob_terms):
            sign, odd = (-1) ** n, 2 * n + 1
            density_near = density_near + sign * odd * jnp.exp((1 - odd**2) / (8 * near))
            tail_near = tail_near + sign * jnp.exp(log_ndtr(odd * root) - first)
            decay = jnp.exp(0.5 * math.pi**2 * (1 - odd**2) * far)
            density_far = density_far + sign * odd * decay
            tail_far = tail_far + sign / odd * decay
        log_near = jnp.log(density_near) - 0.125 / near - 1.5 * jnp.log(near)
        log_near = log_near - 0.5 * math.log(2 * math.pi)
        leading = -0.5 * math.pi**2 * far
        log_far = jnp.log(density_far) + leading + math.log(2 * math.pi)
        log_below = math.log(4.0) + first + jnp.log(tail_near)
        log_above = math.log(4 / math.pi) + leading + jnp.log(tail_far)
        return (
            jnp.where(below, log_near, log_far),
            jnp.where(below, log_below, log1mexp(log_above)),
            jnp.where(below, log1mexp(log_below), log_above),
        )

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        q = jax.random.uniform(key, self.shape(sample_shape), self._dtype)
        limits = jnp.finfo(q.dtype)
        return self.icdf(jnp.maximum(q, limits.tiny))

    @property
    def mean(self) -> Any:
        return jnp.full(self.batch_shape, self._moments()[0], self._dtype)

    @property
    def variance(self) -> Any:
        first, second = self._moments()
        return jnp.full(self.batch_shape, second - first**2, self._dtype)

    def _moments(self) -> tuple[float, float]:
        """Means of the value and of its square.

        Those of PG(1, 0) are 1/4 and 5/48 (Polson et al., section 2.3). What the cut takes away
        follows from the tail above it, whose second term is 1e-48 of the first.
        """
        cut, rate = self.truncation_point, 0.5 * math.pi**2
        above = 4 / math.pi * math.exp(-rate * cut)
        mass = 1 - above
        first = 1 / 4 - above * (cut + 1 / rate)
        second = 5 / 48 - above * (cut**2 + 2 * cut / rate + 2 / rate**2)
        return first / mass, second / mass

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        inside = jnp.greater(value, 0) & jnp.less_equal(value, self.truncation_point)
        x = jnp.where(inside, value, 1.0)
        log_density = self._log_tails(x)[0] - self._log_mass()
        log_density = on_support(inside, log_density)
        return jnp.broadcast_to(
            log_density, jnp.broadcast_shapes(jnp.shape(value), self.batch_shape)
        )

    def cdf(self, value: ArrayLike) -> Any:
        inside = jnp.greater(value, 0) & jnp.less_equal(value, self.truncation_point)
        below = jnp.exp(self._log_tails(jnp.where(inside, value, 1.0))[1] - self._log_mass())
        return jnp.where(inside, below, jnp.where(jnp.greater(value, 1), 1.0, 0.0))

    def icdf(self, q: ArrayLike) -> Any:
        log_below = jnp.log(q) + self._log_mass()
        lower = log_below < -math.log(2.0)
        log_above = log1mexp(jnp.where(lower, -1.0, log_below))
        # The leading terms of the series bound the tails, and nearly reach them.
        start_lower = 0.25 / jnp.square(ndtri(jnp.exp(log_below) / 4))
        start_upper = 2 / math.pi**2 * (math.log(4 / math.pi) - log_above)

        def log_tail(x: Any, lower: Any) -> tuple[Any, Any]:
            log_density, below, above = self._log_tails(x)
            tail = jnp.where(lower, below, above)
            return tail, jnp.where(lower, 1, -1) * jnp.exp(log_density - tail)

        x = solve_log_tail(
            log_tail,
            jnp.where(lower, start_lower, start_upper),
            jnp.where(lower, log_below, log_above),
            lower,
        )
        return jnp.clip(x, 0.0, self.truncation_point)
