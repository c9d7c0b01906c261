"""Constraints on vectors, whose elements are judged together."""

from __future__ import annotations

import functools
import math
import operator
from dataclasses import dataclass, field
from typing import Any

import jax.numpy as jnp
import numpy as np

from sojourn_distributions.arrays import ArrayLike
from sojourn_distributions.constraints.constraint import SUM_TOLERANCE, Constraint


class _Vector(Constraint):
    @property
    def event_dim(self) -> int:
        return 1


class Simplex(_Vector):
    """Nonnegative vectors that sum to 1."""

    def _holds(self, x: Any, xp: Any) -> Any:
        eps = float(jnp.finfo(x.dtype).eps) if jnp.issubdtype(x.dtype, jnp.floating) else 0.0
        tolerance = max(SUM_TOLERANCE, x.shape[-1] * eps)
        return xp.all(x >= 0, axis=-1) & (abs(x.sum(-1) - 1) <= tolerance)

    def _feasible(self, like: Any, xp: Any) -> Any:
        return xp.full_like(like, 1 / like.shape[-1])


class OrderedVector(_Vector):
    """Strictly increasing vectors."""

    def _holds(self, x: Any, xp: Any) -> Any:
        return xp.all(x[..., 1:] > x[..., :-1], axis=-1)

    def _feasible(self, like: Any, xp: Any) -> Any:
        return xp.zeros_like(like) + np.arange(like.shape[-1])


class PositiveOrderedVector(OrderedVector):
    """Strictly increasing vectors of positive numbers."""

    def _holds(self, x: Any, xp: Any) -> Any:
        return super()._holds(x, xp) & xp.all(x > 0, axis=-1)

    def _feasible(self, like: Any, xp: Any) -> Any:
        return super()._feasible(like, xp) + 1


class LogWeights(_Vector):
    """Vectors of logs of nonnegative weights that are not all 0: each finite or minus infinity."""

    def _holds(self, x: Any, xp: Any) -> Any:
        return xp.all(x < math.inf, axis=-1) & xp.any(x > -math.inf, axis=-1)

    def _feasible(self, like: Any, xp: Any) -> Any:
        return xp.zeros_like(like)


class Sphere(_Vector):
    """Vectors of Euclidean norm 1."""

    def _holds(self, x: Any, xp: Any) -> Any:
        # The norm carries the rounding of the division that made it: about 10 ulp per element.
        tolerance = 10 * float(jnp.finfo(x.dtype).eps) * x.shape[-1]
        return abs(xp.sqrt((x * x).sum(-1)) - 1) <= tolerance

    def _feasible(self, like: Any, xp: Any) -> Any:
        return xp.full_like(like, like.shape[-1] ** -0.5)


class L1Ball(_Vector):
    """Vectors whose absolute values sum to at most 1."""

    def _holds(self, x: Any, xp: Any) -> Any:
        return abs(x).sum(-1) <= 1 + SUM_TOLERANCE

    def _feasible(self, like: Any, xp: Any) -> Any:
        return xp.zeros_like(like)


class PositiveDefiniteCirculantVector(_Vector):
    """First rows of positive definite circulant matrices (positive Fourier coefficients)."""

    def _holds(self, x: Any, xp: Any) -> Any:
        spectrum = xp.fft.rfft(x).real
        return xp.all(spectrum > -float(jnp.finfo(x.dtype).eps), axis=-1)

    def _feasible(self, like: Any, xp: Any) -> Any:
        return xp.zeros_like(like) + (np.arange(like.shape[-1]) == 0)


@dataclass(frozen=True, eq=False, repr=False)
class Multinomial(_Vector):
    """Vectors of counts that sum to `upper_bound`."""

    upper_bound: ArrayLike

    @property
    def is_discrete(self) -> bool:
        return True

    def _holds(self, x: Any, xp: Any) -> Any:
        return xp.all((x >= 0) & (x % 1 == 0), axis=-1) & (x.sum(-1) == self.upper_bound)

    def _feasible(self, like: Any, xp: Any) -> Any:
        first = np.arange(like.shape[-1]) == 0
        return xp.zeros_like(like) + first * xp.asarray(self.upper_bound)[..., None]


@dataclass(frozen=True, eq=False, repr=False)
class ZeroSum(Constraint):
    """Arrays that sum to 0 along each of their last `event_dim` dimensions."""

    ndims: int = field(default=1, metadata={"static": True})

    def __init__(self, event_dim: int = 1) -> None:
        object.__setattr__(self, "ndims", event_dim)

    @property
    def event_dim(self) -> int:
        return self.ndims

    def _holds(self, x: Any, xp: Any) -> Any:
        tolerance = max(SUM_TOLERANCE, 10 * float(jnp.finfo(x.dtype).eps) * math.prod(x.shape))
        conditions = []
        for axis in range(-self.ndims, 0):
            small = abs(x.sum(axis, keepdims=True)) < tolerance
            conditions.append(xp.all(small, axis=tuple(range(-self.ndims, 0))))
        return functools.reduce(operator.and_, conditions)

    def _feasible(self, like: Any, xp: Any) -> Any:
        return xp.zeros_like(like)
