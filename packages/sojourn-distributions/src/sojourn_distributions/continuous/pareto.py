"""The Pareto distribution."""

from __future__ import annotations

from typing import Any, ClassVar

import jax.numpy as jnp

from sojourn_distributions import constraints
from sojourn_distributions.arrays import ArrayLike
from sojourn_distributions.continuous.gamma import Exponential
from sojourn_distributions.distribution import Distribution
from sojourn_distributions.numerics import on_support
from sojourn_distributions.transformed import TransformedDistribution
from sojourn_distributions.transforms import AffineTransform, ExpTransform, Transform

__all__ = ["Pareto"]


class Pareto(TransformedDistribution):
    """Pareto distribution of density ``alpha * scale**alpha / value**(alpha + 1)``.

    Parameters
    ----------
    scale
        Lower end of the support, positive.
    alpha
        Exponent of the tail, positive: moments of lower orders are finite.
    """

    arg_constraints: ClassVar = {"scale": constraints.positive, "alpha": constraints.positive}
    reparametrized_params = ("scale", "alpha")

    scale: ArrayLike
    alpha: ArrayLike

    def __init__(
        self, scale: ArrayLike, alpha: ArrayLike, *, validate_args: bool | None = None
    ) -> None:
        self._set_parameters(validate_args, scale=scale, alpha=alpha)

    def _batch_shape(self) -> tuple[int, ...]:
        return Distribution._batch_shape(self)

    def _event_shape(self) -> tuple[int, ...]:
        return ()

    @property
    def base_dist(self) -> Distribution:
        return Exponential(self.alpha, validate_args=False).expand(self.batch_shape)

    @property
    def transforms(self) -> list[Transform]:
        return [ExpTransform(), AffineTransform(0.0, self.scale, domain=constraints.positive)]

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> Any:
        return constraints.greater_than(self.scale)

    def _log_ratio(self, value: Any) -> tuple[Any, Any]:
        """Whether a value lies in the support, and its log in units of the scale."""
        inside = jnp.greater_equal(value, self.scale)
        x = jnp.where(inside, value, self.scale)
        return inside, jnp.log(x) - jnp.log(self.scale)

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        inside, log_ratio = self._log_ratio(value)
        log_density = jnp.log(self.alpha) - jnp.log(self.scale) - (self.alpha + 1) * log_ratio
        return on_support(inside, log_density)

    def cdf(self, value: ArrayLike) -> Any:
        return -jnp.expm1(self.log_survival(value))

    def log_survival(self, value: ArrayLike) -> Any:
        return -self.alpha * self._log_ratio(value)[1]

    def icdf(self, q: ArrayLike) -> Any:
        return self.scale * jnp.exp(-jnp.log1p(-q) / self.alpha)

    @property
    def mean(self) -> Any:
        finite = jnp.greater(self.alpha, 1)
        a = jnp.where(finite, self.alpha, 2.0)
        mean = jnp.where(finite, self.scale * a / (a - 1), jnp.inf)
        return jnp.broadcast_to(mean, self.batch_shape)

    @property
    def variance(self) -> Any:
        finite = jnp.greater(self.alpha, 2)
        a = jnp.where(finite, self.alpha, 3.0)
        variance = jnp.square(self.scale / (a - 1)) * a / (a - 2)
        return jnp.broadcast_to(jnp.where(finite, variance, jnp.inf), self.batch_shape)

    @property
    def mode(self) -> Any:
        return jnp.broadcast_to(jnp.asarray(self.scale, self._dtype), self.batch_shape)

    def entropy(self) -> Any:
        entropy = jnp.log(self.scale) - jnp.log(self.alpha) + 1 + 1 / self.alpha
        return jnp.broadcast_to(entropy, self.batch_shape)
