"""Transforms that act on each number by itself."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_distributions import constraints
from sojourn_distributions.arrays import ArrayLike, float_dtype, is_concrete, namespace
from sojourn_distributions.constraints import Constraint
from sojourn_distributions.transforms.transform import Transform

__all__ = [
    "AbsTransform",
    "AffineTransform",
    "ExpTransform",
    "PowerTransform",
    "SigmoidTransform",
    "SoftplusTransform",
]


def softplus_inverse(y: Any) -> Any:
    """``log(exp(y) - 1)`` without overflow."""
    return jnp.log(-jnp.expm1(-y)) + y


def log_softplus(x: Any) -> Any:
    """``log(log(1 + exp(x)))`` without underflow: x itself where exp(x) is below rounding."""
    far = x < -40.0
    return jnp.where(far, x, jnp.log(jax.nn.softplus(jnp.where(far, 0.0, x))))


def log_sech_squared(x: Any) -> Any:
    """``log(1 - tanh(x)**2)`` without cancellation."""
    magnitude = jnp.abs(x)
    return 2 * (math.log(2.0) - magnitude - jnp.log1p(jnp.exp(-2 * magnitude)))


@dataclass(frozen=True, eq=False)
class AbsTransform(Transform):
    """``y = |x|``; not one-to-one, so it has no Jacobian, and ``inv`` gives the nonnegative x."""

    @property
    def codomain(self) -> Constraint:
        return constraints.nonnegative

    def __call__(self, x: ArrayLike) -> Any:
        return jnp.abs(x)

    def _inverse(self, y: ArrayLike) -> Any:
        return y


@dataclass(frozen=True, eq=False)
class AffineTransform(Transform):
    """``y = loc + scale * x``, with parameters that broadcast against x.

    Parameters
    ----------
    loc, scale
        Shift, and factor (not 0).
    domain
        Set of numbers that x comes from: real, or one with bounds.
    """

    loc: ArrayLike
    scale: ArrayLike
    domain: Constraint = constraints.real

    @property
    def codomain(self) -> Constraint:
        domain = self.domain
        lower = getattr(domain, "lower_bound", None)
        upper = getattr(domain, "upper_bound", None)
        if lower is None and upper is None:
            return constraints.real
        lower_image = None if lower is None else self(lower)
        upper_image = None if upper is None else self(upper)
        if is_concrete(self.scale) and np.all(np.asarray(self.scale) < 0):
            lower_image, upper_image = upper_image, lower_image
        if upper_image is None:
            return constraints.greater_than(lower_image)
        if lower_image is None:
            return constraints.less_than(upper_image)
        return constraints.interval(lower_image, upper_image)

    @property
    def sign(self) -> Any:
        return namespace(self.scale).sign(self.scale)

    def __call__(self, x: ArrayLike) -> Any:
        return self.loc + self.scale * x

    def _inverse(self, y: ArrayLike) -> Any:
        return (y - self.loc) / self.scale

    def log_abs_det_jacobian(self, x: ArrayLike, y: ArrayLike, intermediates: Any = None) -> Any:
        shape = np.broadcast_shapes(np.shape(x), np.shape(self.loc), np.shape(self.scale))
        return jnp.broadcast_to(jnp.log(jnp.abs(self.scale)), shape)

    def forward_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return np.broadcast_shapes(shape, np.shape(self.loc), np.shape(self.scale))

    def inverse_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return np.broadcast_shapes(shape, np.shape(self.loc), np.shape(self.scale))


@dataclass(frozen=True, eq=False)
class ExpTransform(Transform):
    """``y = exp(x)``.

    Parameters
    ----------
    domain
        Set of numbers that x comes from: real, or one with bounds.
    """

    domain: Constraint = constraints.real

    @property
    def codomain(self) -> Constraint:
        lower = getattr(self.domain, "lower_bound", None)
        upper = getattr(self.domain, "upper_bound", None)
        xp = namespace(*(bound for bound in (lower, upper) if bound is not None))
        if lower is None and upper is None:
            return constraints.positive
        if upper is None:
            return constraints.greater_than(xp.exp(lower))
        return constraints.interval(0.0 if lower is None else xp.exp(lower), xp.exp(upper))

    @property
    def sign(self) -> Any:
        return 1

    def __call__(self, x: ArrayLike) -> Any:
        return jnp.exp(x)

    def _inverse(self, y: ArrayLike) -> Any:
        return jnp.log(y)

    def log_abs_det_jacobian(self, x: ArrayLike, y: ArrayLike, intermediates: Any = None) -> Any:
        return x


@dataclass(frozen=True, eq=False)
class PowerTransform(Transform):
    """``y = x ** exponent`` on positive numbers."""

    exponent: ArrayLike

    @property
    def domain(self) -> Constraint:
        return constraints.positive

    @property
    def codomain(self) -> Constraint:
        return constraints.positive

    @property
    def sign(self) -> Any:
        return namespace(self.exponent).sign(self.exponent)

    def __call__(self, x: ArrayLike) -> Any:
        return jnp.power(x, self.exponent)

    def _inverse(self, y: ArrayLike) -> Any:
        return jnp.power(y, 1 / self.exponent)

    def log_abs_det_jacobian(self, x: ArrayLike, y: ArrayLike, intermediates: Any = None) -> Any:
        return jnp.log(jnp.abs(self.exponent * y / x))

    def forward_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return np.broadcast_shapes(shape, np.shape(self.exponent))

    def inverse_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return np.broadcast_shapes(shape, np.shape(self.exponent))


@dataclass(frozen=True, eq=False)
class SigmoidTransform(Transform):
    """``y = 1 / (1 + exp(-x))``, kept off the ends 0 and 1 that rounding would reach."""

    @property
    def codomain(self) -> Constraint:
        return constraints.unit_interval

    @property
    def sign(self) -> Any:
        return 1

    def __call__(self, x: ArrayLike) -> Any:
        limits = jnp.finfo(float_dtype(x))
        # Python numbers, so that a weakly typed x stays so.
        return jnp.clip(jax.nn.sigmoid(x), float(limits.tiny), 1.0 - float(limits.eps))

    def _inverse(self, y: ArrayLike) -> Any:
        return jnp.log(y) - jnp.log1p(-y)

    def log_abs_det_jacobian(self, x: ArrayLike, y: ArrayLike, intermediates: Any = None) -> Any:
        magnitude = jnp.abs(x)
        return -magnitude - 2 * jnp.log1p(jnp.exp(-magnitude))


@dataclass(frozen=True, eq=False)
class SoftplusTransform(Transform):
    """``y = log(1 + exp(x))``."""

    @property
    def codomain(self) -> Constraint:
        return constraints.softplus_positive

    @property
    def sign(self) -> Any:
        return 1

    def __call__(self, x: ArrayLike) -> Any:
        return jax.nn.softplus(x)

    def _inverse(self, y: ArrayLike) -> Any:
        return softplus_inverse(y)

    def log_abs_det_jacobian(self, x: ArrayLike, y: ArrayLike, intermediates: Any = None) -> Any:
        return -jax.nn.softplus(-x)
