"""Symmetric distributions on the real numbers, cut off below, above or on both sides."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike
from sojourn_distributions.continuous.cauchy import Cauchy
from sojourn_distributions.continuous.laplace import Laplace, SoftLaplace
from sojourn_distributions.continuous.logistic import Logistic
from sojourn_distributions.continuous.normal import Normal
from sojourn_distributions.continuous.student_t import StudentT
from sojourn_distributions.distribution import Distribution
from sojourn_distributions.numerics import log1mexp
from sojourn_distributions.quantile_moments import mean_and_variance

__all__ = [
    "LeftTruncatedDistribution",
    "RightTruncatedDistribution",
    "Truncated",
    "TruncatedCauchy",
    "TruncatedDistribution",
    "TruncatedNormal",
    "TwoSidedTruncatedDistribution",
]

Shape = tuple[int, ...]


class Truncated(Distribution):
    """A distribution of `supported_types` given that the value lies between bounds.

    Bounds are the parameters `low` and `high`, of which a subclass has one or both. Everything
    follows from the logs of the probabilities below and above a point (`_log_tails`) and from the
    point that has given ones (`_quantile`), so that they may underflow; a probability is taken
    in the tail where it is small, never as a difference of numbers near 1.
    """

    pytree_data_fields = ("base_dist",)
    supported_types: ClassVar[tuple[type[Distribution], ...]] = ()

    base_dist: Any

    def _set(
        self, base_dist: Distribution, validate_args: bool | None, **bounds: ArrayLike
    ) -> None:
        if not isinstance(base_dist, self.supported_types):
            names = ", ".join(kind.__name__ for kind in self.supported_types)
            raise TypeError(
                f"{type(self).__name__}: base_dist must be one of {names}, "
                f"got {type(base_dist).__name__}"
            )
        self.base_dist = base_dist
        self._set_parameters(validate_args, **bounds)

    def validate_args(self, strict: bool = True) -> None:
        super().validate_args(strict)
        self._validate_order("low", "high")

    def _batch_shape(self) -> Shape:
        bounds = [np.shape(bound) for bound in self.get_args().values()]
        return np.broadcast_shapes(self.base_dist.batch_shape, *bounds)

    def _log_tails(self, value: Any) -> tuple[Any, Any]:
        """Logs of the base distribution's probabilities below and above a value."""
        raise NotImplementedError

    def _quantile(self, log_below: Any, log_above: Any) -> Any:
        """Value with these `_log_tails`; the smaller of the two is the exact one."""
        raise NotImplementedError

    @property
    def _bounds(self) -> tuple[Any, Any]:
        """Both bounds, None for one that is absent."""
        args = self.get_args()
        return args.get("low"), args.get("high")

    def _at_bounds(self) -> tuple[Any, Any, Any, Any]:
        """Logs of the base distribution's probability below and above `low`, then `high`."""
        low, high = self._bounds
        below = (-jnp.inf, 0.0) if low is None else self._log_tails(low)
        above = (0.0, -jnp.inf) if high is None else self._log_tails(high)
        return (*below, *above)

    @staticmethod
    def _log_difference(below_low: Any, above_low: Any, below_high: Any, above_high: Any) -> Any:
        """Log of the probability between two points, from the tail in which both are small."""
        upper = above_low < below_high
        larger = jnp.where(upper, above_low, below_high)
        smaller = jnp.where(upper, above_high, below_low)
        tiny = jnp.finfo(jnp.result_type(larger, 0.0)).tiny
        return larger + log1mexp(jnp.minimum(smaller - larger, -tiny))

    def _log_mass(self) -> Any:
        """Log of the probability that the base distribution gives the support."""
        low, high = self._bounds
        if high is None:
            return self._log_tails(low)[1]
        if low is None:
            return self._log_tails(high)[0]
        return self._log_difference(*self._at_bounds())

    def _clip(self, value: Any) -> Any:
        low, high = self._bounds
        value = value if low is None else jnp.maximum(value, low)
        return value if high is None else jnp.minimum(value, high)

    def _inside(self, value: Any) -> Any:
        low, high = self._bounds
        above = True if low is None else jnp.greater_equal(value, low)
        below = True if high is None else jnp.less_equal(value, high)
        return jnp.logical_and(above, below)

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        log_density = self.base_dist.log_prob(value) - self._log_mass()
        return jnp.where(self._inside(value), log_density, -jnp.inf)

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        log_rest = -jax.random.exponential(key, self.shape(sample_shape), self._dtype)
        return self._icdf_from_logs(log1mexp(log_rest), log_rest)

    def _icdf_from_logs(self, log_q: Any, log_p: Any) -> Any:
        """Quantile for the log of a probability and that of what remains to 1."""
        below_low, above_low, below_high, above_high = self._at_bounds()
        # A convex combination of the probabilities at the two bounds, in either tail.
        log_below = jnp.logaddexp(log_p + below_low, log_q + below_high)
        log_above = jnp.logaddexp(log_p + above_low, log_q + above_high)
        return self._clip(self._quantile(log_below, log_above))

    def cdf(self, value: ArrayLike) -> Any:
        return jnp.exp(self.log_cdf(value))

    def log_cdf(self, value: ArrayLike) -> Any:
        clipped = self._clip(value)
        low, _ = self._bounds
        log_part = self._log_difference(*self._at_bounds()[:2], *self._log_tails(clipped))
        positive = True if low is None else jnp.greater(clipped, low)
        return jnp.where(positive, jnp.minimum(log_part - self._log_mass(), 0.0), -jnp.inf)

    def log_survival(self, value: ArrayLike) -> Any:
        clipped = self._clip(value)
        _, high = self._bounds
        log_part = self._log_difference(*self._log_tails(clipped), *self._at_bounds()[2:])
        positive = True if high is None else jnp.less(clipped, high)
        return jnp.where(positive, jnp.minimum(log_part - self._log_mass(), 0.0), -jnp.inf)

    def icdf(self, q: ArrayLike) -> Any:
        return self._icdf_from_logs(jnp.log(q), jnp.log1p(-q))


class _SymmetricTruncated(Truncated):
    """Truncation of a symmetric distribution, computed in its lower tail and by reflection."""

    supported_types = (Cauchy, Laplace, Logistic, Normal, SoftLaplace, StudentT)

    def _reflect(self, value: Any) -> Any:
        return 2 * self.base_dist.loc - value

    def _log_tails(self, value: Any) -> tuple[Any, Any]:
        return self.base_dist.log_cdf(value), self.base_dist.log_cdf(self._reflect(value))

    def _quantile(self, log_below: Any, log_above: Any) -> Any:
        lower = jnp.less(log_below, log_above)
        value = self.base_dist.icdf_from_log(jnp.minimum(log_below, log_above))
        return jnp.where(lower, value, self._reflect(value))

    @property
    def mean(self) -> Any:
        return self._moments()[0]

    @property
    def variance(self) -> Any:
        return self._moments()[1]

    def _moments(self) -> tuple[Any, Any]:
        base = self.base_dist
        if isinstance(base, Normal):
            first, variance = self._normal_moments()
        elif isinstance(base, Cauchy):
            first, variance = self._cauchy_moments()
        elif isinstance(base, Laplace):
            first, variance = self._laplace_moments()
        else:
            return self._moments_by_quantiles()
        mean = jnp.broadcast_to(base.loc + base.scale * first, self.batch_shape)
        return mean, jnp.broadcast_to(jnp.square(base.scale) * variance, self.batch_shape)

    def _normal_moments(self) -> tuple[Any, Any]:
        """Mean and variance of the standard variable (Johnson & Kotz 1994, 13.10.1)."""
        base, log_mass = self.base_dist, self._log_mass()
        first: Any = 0.0
        second: Any = 1.0
        for bound, sign in zip(self._bounds, (1, -1), strict=True):
            if bound is not None:
                ratio = sign * jnp.exp(base.log_prob(bound) - log_mass) * base.scale
                first = first + ratio
                second = second + ratio * (bound - base.loc) / base.scale
        return first, second - jnp.square(first)

    def _cauchy_moments(self) -> tuple[Any, Any]:
        """Mean and variance of the standard variable; infinite unless there are two bounds."""
        base = self.base_dist
        low, high = self._bounds
        if low is None or high is None:
            infinite = jnp.full(self.batch_shape, jnp.inf, self._dtype)
            return (-infinite if low is None else infinite), infinite
        a, b = ((bound - base.loc) / base.scale for bound in (low, high))
        # Integrals of z / (1 + z^2) and z^2 / (1 + z^2) over that of 1 / (1 + z^2).
        angle = jnp.arctan2(b - a, 1 + a * b)
        first = 0.5 * (jnp.log1p(b * b) - jnp.log1p(a * a)) / angle
        return first, (b - a) / angle - 1 - jnp.square(first)

    def _laplace_moments(self) -> tuple[Any, Any]:
        """Mean and variance of the standard variable: exponential on either side of 0."""
        base = self.base_dist
        a, b = (
            jnp.asarray(end if bound is None else (bound - base.loc) / base.scale, self._dtype)
            for bound, end in zip(self._bounds, (-jnp.inf, jnp.inf), strict=True)
        )
        # Distances from 0 at which each side begins and ends; an absent side has no width.
        begin = jnp.stack([jnp.maximum(-b, 0.0), jnp.maximum(a, 0.0)])
        width = jnp.stack([jnp.maximum(-a, 0.0), jnp.maximum(b, 0.0)]) - begin
        within, spread = _cut_exponential_moments(width)
        log_mass = log1mexp(-jnp.maximum(width, jnp.finfo(width.dtype).tiny)) - begin
        share = jax.nn.softmax(jnp.where(width > 0, log_mass, -jnp.inf), axis=0)
        sign = jnp.asarray([-1, 1]).reshape(2, *(1,) * (begin.ndim - 1))
        means = sign * (begin + within)
        mean = jnp.sum(share * means, axis=0)
        return mean, jnp.sum(share * (spread + jnp.square(means - mean)), axis=0)

    def _moments_by_quantiles(self) -> tuple[Any, Any]:
        """Mean and variance of the variable itself, infinite where a heavy tail is not cut."""
        mean, variance = mean_and_variance(self._icdf_from_logs, self.batch_shape, self._dtype)
        low, high = self._bounds
        if isinstance(self.base_dist, StudentT) and (low is None or high is None):
            df = jnp.broadcast_to(self.base_dist.df, self.batch_shape)
            mean = jnp.where(df > 1, mean, -jnp.inf if low is None else jnp.inf)
            variance = jnp.where(df > 2, variance, jnp.inf)
        return mean, variance


def _cut_exponential_moments(width: Any) -> tuple[Any, Any]:
    """Mean and variance of a standard exponential variable given that it is at most `width`."""
    narrow = width < 0.3
    w = jnp.where(narrow, 1.0, width)
    finite = w < 80  # beyond it nothing is cut
    w = jnp.where(finite, w, 1.0)
    mean = jnp.where(finite, 1 - w / jnp.expm1(w), 1.0)
    variance = jnp.where(finite, 1 - jnp.square(0.5 * w / jnp.sinh(0.5 * w)), 1.0)
    # Series in the width, where the formulas cancel.
    s = jnp.where(narrow, width, 0.0)
    square = s * s
    near_mean = s * (0.5 - s / 12 * (1 - square / 60 * (1 - square / 42)))
    near_variance = (
        square / 12 * (1 - square / 20 * (1 - square * 5 / 126 * (1 - square * 7 / 200)))
    )
    return jnp.where(narrow, near_mean, mean), jnp.where(narrow, near_variance, variance)


class LeftTruncatedDistribution(_SymmetricTruncated):
    """A symmetric distribution given that the value is at least `low`.

    Parameters
    ----------
    base_dist
        Normal, Cauchy, Laplace, Logistic, SoftLaplace or StudentT.
    low
        Lower bound, a real number.
    """

    arg_constraints: ClassVar = {"low": constraints.real}
    reparametrized_params = ("low",)

    low: ArrayLike

    def __init__(
        self, base_dist: Distribution, low: ArrayLike = 0.0, *, validate_args: bool | None = None
    ) -> None:
        self._set(base_dist, validate_args, low=low)

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> Any:
        return constraints.greater_than_eq(self.low)


class RightTruncatedDistribution(_SymmetricTruncated):
    """A symmetric distribution given that the value is at most `high`.

    Parameters
    ----------
    base_dist
        Normal, Cauchy, Laplace, Logistic, SoftLaplace or StudentT.
    high
        Upper bound, a real number.
    """

    arg_constraints: ClassVar = {"high": constraints.real}
    reparametrized_params = ("high",)

    high: ArrayLike

    def __init__(
        self, base_dist: Distribution, high: ArrayLike = 0.0, *, validate_args: bool | None = None
    ) -> None:
        self._set(base_dist, validate_args, high=high)

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> Any:
        return constraints.less_than_eq(self.high)


class TwoSidedTruncatedDistribution(_SymmetricTruncated):
    """A symmetric distribution given that the value lies between `low` and `high`.

    Parameters
    ----------
    base_dist
        Normal, Cauchy, Laplace, Logistic, SoftLaplace or StudentT.
    low, high
        Bounds, ``low < high``.
    """

    arg_constraints: ClassVar = {"low": constraints.dependent, "high": constraints.dependent}
    reparametrized_params = ("low", "high")

    low: ArrayLike
    high: ArrayLike

    def __init__(
        self,
        base_dist: Distribution,
        low: ArrayLike = 0.0,
        high: ArrayLike = 1.0,
        *,
        validate_args: bool | None = None,
    ) -> None:
        self._set(base_dist, validate_args, low=low, high=high)

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> Any:
        return constraints.interval(self.low, self.high)


def TruncatedDistribution(
    base_dist: Distribution,
    low: ArrayLike | None = None,
    high: ArrayLike | None = None,
    *,
    validate_args: bool | None = None,
) -> Distribution:
    """A symmetric distribution between bounds, of which one or both may be None (absent)."""
    if low is not None and high is not None:
        return TwoSidedTruncatedDistribution(base_dist, low, high, validate_args=validate_args)
    if low is not None:
        return LeftTruncatedDistribution(base_dist, low, validate_args=validate_args)
    if high is not None:
        return RightTruncatedDistribution(base_dist, high, validate_args=validate_args)
    return base_dist


def TruncatedNormal(
    loc: ArrayLike = 0.0,
    scale: ArrayLike = 1.0,
    *,
    low: ArrayLike | None = None,
    high: ArrayLike | None = None,
    validate_args: bool | None = None,
) -> Distribution:
    """Normal distribution between bounds; `loc` and `scale` are those before the truncation."""
    base = Normal(loc, scale, validate_args=validate_args)
    return TruncatedDistribution(base, low, high, validate_args=validate_args)


def TruncatedCauchy(
    loc: ArrayLike = 0.0,
    scale: ArrayLike = 1.0,
    *,
    low: ArrayLike | None = None,
    high: ArrayLike | None = None,
    validate_args: bool | None = None,
) -> Distribution:
    """Cauchy distribution between bounds; `loc` and `scale` are those before the truncation."""
    base = Cauchy(loc, scale, validate_args=validate_args)
    return TruncatedDistribution(base, low, high, validate_args=validate_args)
