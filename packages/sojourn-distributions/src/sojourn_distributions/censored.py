"""Distributions of observations of which only a bound is known."""

from __future__ import annotations

from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike, is_concrete, on_host
from sojourn_distributions.distribution import Distribution
from sojourn_distributions.numerics import log1mexp

__all__ = [
    "IntervalCensoredDistribution",
    "LeftCensoredDistribution",
    "RightCensoredDistribution",
]

Shape = tuple[int, ...]


class _Bounds:
    """Log probabilities under a base distribution, also at values that it never takes.

    The base is only asked about values of its support; a NaN has probability 0 everywhere.
    """

    def __init__(self, base: Distribution, value: Any) -> None:
        support = base.support
        low = getattr(support, "lower_bound", -np.inf)
        high = getattr(support, "upper_bound", np.inf)
        strict = not base.is_discrete
        self.known = jnp.logical_not(jnp.isnan(value))
        self.beneath = jnp.less_equal(value, low) if strict else jnp.less(value, low)
        self.beyond = jnp.greater_equal(value, high)
        somewhere = support.feasible_like(value)
        self.taken = jnp.greater_equal(value, low) & jnp.less_equal(value, high)
        self.taken &= jnp.abs(value) < jnp.inf
        self.base = base
        self.at = jnp.where(self.taken, value, somewhere)
        self.between = jnp.where(self.beneath | self.beyond, somewhere, self.at)

    def _select(self, beneath: float, between: Any, beyond: float) -> Any:
        log_prob = jnp.where(self.beneath, beneath, jnp.where(self.beyond, beyond, between))
        return jnp.where(self.known, log_prob, -jnp.inf)

    def log_density(self) -> Any:
        return jnp.where(self.taken, self.base.log_prob(self.at), -jnp.inf)

    def log_below(self) -> Any:
        return self._select(-jnp.inf, self.base.log_cdf(self.between), 0.0)

    def log_above(self) -> Any:
        return self._select(0.0, self.base.log_survival(self.between), -jnp.inf)


def _log_difference(larger: Any, smaller: Any) -> Any:
    """``log(exp(larger) - exp(smaller))``, minus infinity if that is 0, its gradient finite."""
    differ = larger > smaller
    part = differ & (smaller > -jnp.inf)
    gap = jnp.where(part, smaller, -1.0) - jnp.where(part, larger, 0.0)
    return jnp.where(differ, larger + jnp.where(part, log1mexp(gap), 0.0), -jnp.inf)


class _Censored(Distribution):
    pytree_data_fields = ("base_dist",)

    base_dist: Distribution

    def _take_base(self, base_dist: Any) -> None:
        name = type(self).__name__
        if not isinstance(base_dist, Distribution):
            raise TypeError(
                f"{name}: base_dist must be a distribution with a cumulative distribution "
                f"function, got {type(base_dist).__name__}"
            )
        if base_dist.event_dim:
            raise ValueError(
                f"{name}: base_dist must have scalar events, got {base_dist!r}; "
                "apply to_event to the censored distribution instead"
            )
        kind = type(base_dist)
        if kind.cdf is Distribution.cdf and kind.log_cdf is Distribution.log_cdf:
            raise TypeError(
                f"{name}: {kind.__name__} has no cumulative distribution function, so that the "
                "probability of a censored observation is unknown"
            )
        self.base_dist = base_dist

    def _batch_shape(self) -> Shape:
        flags = [np.shape(flag) for flag in self.get_args().values()]
        return np.broadcast_shapes(self.base_dist.batch_shape, *flags)

    @property
    def is_discrete(self) -> bool:
        return self.base_dist.is_discrete


class _CensoredOnOneSide(_Censored):
    arg_constraints: ClassVar = {"censored": constraints.boolean}

    censored: ArrayLike

    def __init__(
        self,
        base_dist: Distribution,
        censored: ArrayLike = False,
        *,
        validate_args: bool | None = False,
    ) -> None:
        self._take_base(base_dist)
        self._set_parameters(validate_args, censored=censored)

    @property
    def support(self) -> Any:
        return self.base_dist.support

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        """Draw from the base distribution: what would be observed without censoring."""
        return self.base_dist.expand(self.batch_shape).sample(key, sample_shape)

    def _log_tail(self, bounds: _Bounds) -> Any:
        raise NotImplementedError

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        bounds = _Bounds(self.base_dist, value)
        censored = jnp.asarray(self.censored, bool)
        return jnp.where(censored, self._log_tail(bounds), bounds.log_density())

    def validate_sample(self, value: ArrayLike, mask: ArrayLike = True) -> None:
        # A bound may be any number: that nothing lies beyond it is for the density to say.
        if is_concrete(mask) and is_concrete(self.censored):
            observed = np.logical_not(on_host(self.censored))
            self.base_dist.validate_sample(value, np.logical_and(mask, observed))


class LeftCensoredDistribution(_CensoredOnOneSide):
    """Observations of which some are known only to lie at or below a value.

    The log density is that of the base where `censored` is False, and where it is True the log
    probability of at most the value.

    Parameters
    ----------
    base_dist
        Distribution of numbers, with a cumulative distribution function.
    censored
        True where the value is an upper bound; broadcasts with the batch shape.

    Examples
    --------
    >>> import numpy as np
    >>> import sojourn_distributions as dist
    >>> d = dist.LeftCensoredDistribution(dist.Normal(0.0, 1.0), np.array([False, True]))
    >>> [round(float(x), 4) for x in d.log_prob(np.zeros(2))]
    [-0.9189, -0.6931]
    """

    def _log_tail(self, bounds: _Bounds) -> Any:
        return bounds.log_below()


class RightCensoredDistribution(_CensoredOnOneSide):
    """Observations of which some are known only to lie above a value, such as survival times.

    The log density is that of the base where `censored` is False, and where it is True the log
    probability of more than the value.

    Parameters
    ----------
    base_dist
        Distribution of numbers, with a cumulative distribution function.
    censored
        True where the value is a lower bound; broadcasts with the batch shape.

    Examples
    --------
    >>> import numpy as np
    >>> import sojourn_distributions as dist
    >>> d = dist.RightCensoredDistribution(dist.Exponential(0.5), np.array([False, True]))
    >>> [round(float(x), 4) for x in d.log_prob(np.array([3.0, 3.0]))]
    [-2.1931, -1.5]
    """

    def _log_tail(self, bounds: _Bounds) -> Any:
        return bounds.log_above()


class IntervalCensoredDistribution(_Censored):
    """Observations that are known to lie in an interval, or outside it.

    A value is a pair ``(lower, upper)``, and its log density with F the cdf of the base

    - ``log(F(upper) - F(lower))`` where neither flag is True, or the log density of the base
      where the two are equal, an exact observation;
    - ``log(F(upper))`` where only `left_censored` is True; `lower` is ignored;
    - ``log(1 - F(lower))`` where only `right_censored` is True; `upper` is ignored;
    - ``log(F(lower) + 1 - F(upper))`` where both are: the observation lies outside.

    Parameters
    ----------
    base_dist
        Distribution of numbers, with a cumulative distribution function.
    left_censored, right_censored
        Broadcast with the batch shape.

    Examples
    --------
    >>> import numpy as np
    >>> import sojourn_distributions as dist
    >>> d = dist.IntervalCensoredDistribution(dist.Normal(0.0, 1.0), False, False)
    >>> round(float(d.log_prob(np.array([-1.0, 1.0]))), 4)
    -0.3817
    """

    arg_constraints: ClassVar = {
        "left_censored": constraints.boolean,
        "right_censored": constraints.boolean,
    }

    left_censored: ArrayLike
    right_censored: ArrayLike

    def __init__(
        self,
        base_dist: Distribution,
        left_censored: ArrayLike,
        right_censored: ArrayLike,
        *,
        validate_args: bool | None = False,
    ) -> None:
        self._take_base(base_dist)
        self._set_parameters(
            validate_args, left_censored=left_censored, right_censored=right_censored
        )

    def _event_shape(self) -> Shape:
        return (2,)

    @property
    def support(self) -> Any:
        return constraints.independent(self.base_dist.support, 1)

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        """Draw from the base distribution, as intervals of length 0: exact observations."""
        draws = self.base_dist.expand(self.batch_shape).sample(key, sample_shape)
        return jnp.stack([draws, draws], axis=-1)

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        value = jnp.asarray(value)
        left, right = jnp.asarray(self.left_censored, bool), jnp.asarray(self.right_censored, bool)
        lower, upper = value[..., 0], value[..., 1]
        from_lower, from_upper = _Bounds(self.base_dist, lower), _Bounds(self.base_dist, upper)
        below_upper, above_lower = from_upper.log_below(), from_lower.log_above()
        below_lower, above_upper = from_lower.log_below(), from_upper.log_above()
        within = self._log_within(value, below_lower, below_upper, above_lower, above_upper)
        within = jnp.where(lower == upper, from_lower.log_density(), within)
        # The larger of the two is a number, or both are minus infinity and the sum is that.
        possible = jnp.maximum(below_lower, above_upper) > -jnp.inf
        outside = jnp.logaddexp(
            jnp.where(possible, below_lower, 0.0), jnp.where(possible, above_upper, 0.0)
        )
        outside = jnp.where(possible, outside, -jnp.inf)
        # Bounds in the wrong order, and unknown ones that are asked for, have probability 0.
        ordered = lower <= upper
        within = jnp.where(ordered, within, -jnp.inf)
        outside = jnp.where(ordered, outside, -jnp.inf)
        return jnp.where(
            left, jnp.where(right, outside, below_upper), jnp.where(right, above_lower, within)
        )

    def _log_within(
        self, value: Any, below_lower: Any, below_upper: Any, above_lower: Any, above_upper: Any
    ) -> Any:
        """Log probability of an interval, taken from the tail on whose side it lies."""
        upper_side = below_lower > above_lower
        larger = jnp.where(upper_side, above_lower, below_upper)
        smaller = jnp.where(upper_side, above_upper, below_lower)
        difference = _log_difference(larger, smaller)
        if self.is_discrete:
            return difference
        # A short interval is a difference of almost equal numbers; there the midpoint rule, whose
        # relative error is of second order in what the tail changes, is the more accurate.
        width = value[..., 1] - value[..., 0]
        short = (width > 0) & (larger - smaller < jnp.finfo(difference.dtype).eps ** (1 / 3))
        middle = jnp.where(short, value[..., 0] + 0.5 * width, 0.0)
        log_density = _Bounds(self.base_dist, middle).log_density()
        midpoint = log_density + jnp.log(jnp.where(short, width, 1.0))
        return jnp.where(short, midpoint, difference)

    def validate_sample(self, value: ArrayLike, mask: ArrayLike = True) -> None:
        if not (is_concrete(value) and is_concrete(mask)):
            return
        pair = np.asarray(on_host(value))
        if pair.ndim < 1 or pair.shape[-1] != 2:
            raise ValueError(
                "IntervalCensoredDistribution: a value is a pair (lower, upper) along its last "
                f"dimension, got shape {pair.shape}"
            )
        violated = np.logical_and(pair[..., 0] > pair[..., 1], mask)
        if violated.any():
            index = tuple(int(i) for i in np.argwhere(violated)[0])
            found = np.broadcast_to(pair, (*violated.shape, 2))[index]
            raise ValueError(
                "IntervalCensoredDistribution: the lower bound must not exceed the upper one, "
                f"but value{list(index) if index else ''} = {found.tolist()}"
            )
