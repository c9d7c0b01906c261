"""The distribution of the absolute value of a random variable."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp

from sojourn_distributions import constraints
from sojourn_distributions.arrays import ArrayLike
from sojourn_distributions.distribution import Distribution
from sojourn_distributions.numerics import on_support
from sojourn_distributions.quantile_moments import lower_partial_mean
from sojourn_distributions.transformed import TransformedDistribution
from sojourn_distributions.transforms import AbsTransform

__all__ = ["FoldedDistribution"]


class FoldedDistribution(TransformedDistribution):
    """Distribution of ``|x|`` for x of a continuous distribution of numbers.

    Parameters
    ----------
    base_dist
        Distribution of x.

    Raises
    ------
    TypeError
        If `base_dist` is not a distribution.
    ValueError
        If its events are not numbers, or are discrete.

    Examples
    --------
    >>> import sojourn_distributions as dist
    >>> folded = dist.FoldedDistribution(dist.Normal(1.0, 2.0))
    >>> round(float(folded.cdf(1.0)), 4)
    0.3413
    """

    support = constraints.positive

    def __init__(self, base_dist: Distribution, *, validate_args: bool | None = None) -> None:
        if not isinstance(base_dist, Distribution):
            raise TypeError(
                "FoldedDistribution: base_dist must be a distribution, "
                f"got {type(base_dist).__name__}"
            )
        if base_dist.event_shape or base_dist.is_discrete:
            raise ValueError(
                "FoldedDistribution: only univariate continuous distributions can be folded, got "
                f"{base_dist!r}; fold before to_event"
            )
        super().__init__(base_dist, AbsTransform(), validate_args=validate_args)

    def _batch_shape(self) -> tuple[int, ...]:
        return self.base_dist.batch_shape

    def _event_shape(self) -> tuple[int, ...]:
        return ()

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        inside = jnp.greater_equal(value, 0)
        x = jnp.where(inside, value, 1.0)
        base = self.base_dist
        above, below = base.log_prob(x), base.log_prob(-x)
        # The log of the sum, with the larger term exact also in the gradient.
        larger = jnp.maximum(above, below)
        difference = jnp.where(jnp.isneginf(larger), 0.0, above - below)
        log_density = larger + jnp.log1p(jnp.exp(-jnp.abs(difference)))
        return on_support(inside, log_density)

    def cdf(self, value: ArrayLike) -> Any:
        x = jnp.maximum(value, 0.0)
        return self.base_dist.cdf(x) - self.base_dist.cdf(-x)

    def icdf(self, q: ArrayLike) -> Any:
        raise self._unavailable("icdf")

    @property
    def mean(self) -> Any:
        below, above = self._partial_means()
        # The mean of |x| is finite if and only if that of x is.
        return jnp.where(jnp.isfinite(self.base_dist.mean), below + above, jnp.inf)

    @property
    def variance(self) -> Any:
        # E x^2 - (E |x|)^2, where the two parts of E |x| differ by the mean of x.
        below, above = self._partial_means()
        variance = self.base_dist.variance - 4 * below * above
        return jnp.where(jnp.isfinite(self.base_dist.variance), variance, jnp.inf)

    def _partial_means(self) -> tuple[Any, Any]:
        """Means of ``max(-x, 0)`` and ``max(x, 0)``: one by quadrature, their difference known."""
        base, dtype, shape = self.base_dist, self._dtype, self.batch_shape
        mean = jnp.broadcast_to(base.mean, shape)
        log_below = jnp.broadcast_to(jnp.asarray(base.log_cdf(0.0), dtype), shape)
        log_above = jnp.broadcast_to(jnp.asarray(base.log_survival(0.0), dtype), shape)
        # The lower tail is the one with exact quantiles, unless the upper one is next to nothing.
        lower = log_above > math.log(1e-6)
        almost_one = 1 - float(jnp.finfo(dtype).epsneg)

        def quantile(log_q: Any) -> Any:
            below = base.icdf_from_log(jnp.where(lower, log_q, -1.0))
            above = base.icdf(jnp.minimum(-jnp.expm1(jnp.where(lower, -1.0, log_q)), almost_one))
            return jnp.where(lower, -below, above)

        part = lower_partial_mean(quantile, jnp.where(lower, log_below, log_above), dtype)
        return jnp.where(lower, part, part - mean), jnp.where(lower, part + mean, part)
