"""Constraints on single numbers, real or complex."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from sojourn_distributions.arrays import ArrayLike
from sojourn_distributions.constraints.constraint import Constraint


class Real(Constraint):
    """Finite real numbers."""

    def _holds(self, x: Any, xp: Any) -> Any:
        return (x == x) & (x != math.inf) & (x != -math.inf)

    def _feasible(self, like: Any, xp: Any) -> Any:
        return xp.zeros_like(like)


class Complex(Constraint):
    """Complex numbers that are not NaN."""

    def _holds(self, x: Any, xp: Any) -> Any:
        return x == x

    def _feasible(self, like: Any, xp: Any) -> Any:
        return xp.zeros_like(like)


@dataclass(frozen=True, eq=False, repr=False)
class GreaterThan(Constraint):
    """Numbers above an open lower bound."""

    lower_bound: ArrayLike

    def _holds(self, x: Any, xp: Any) -> Any:
        return x > self.lower_bound

    def _feasible(self, like: Any, xp: Any) -> Any:
        return xp.zeros_like(like) + self.lower_bound + 1


@dataclass(frozen=True, eq=False, repr=False)
class GreaterThanEq(Constraint):
    """Numbers from a lower bound on."""

    lower_bound: ArrayLike

    def _holds(self, x: Any, xp: Any) -> Any:
        return x >= self.lower_bound

    def _feasible(self, like: Any, xp: Any) -> Any:
        return xp.zeros_like(like) + self.lower_bound + 1


@dataclass(frozen=True, eq=False, repr=False)
class LessThan(Constraint):
    """Numbers below an open upper bound."""

    upper_bound: ArrayLike

    def _holds(self, x: Any, xp: Any) -> Any:
        return x < self.upper_bound

    def _feasible(self, like: Any, xp: Any) -> Any:
        return xp.zeros_like(like) + self.upper_bound - 1


@dataclass(frozen=True, eq=False, repr=False)
class LessThanEq(Constraint):
    """Numbers up to an upper bound."""

    upper_bound: ArrayLike

    def _holds(self, x: Any, xp: Any) -> Any:
        return x <= self.upper_bound

    def _feasible(self, like: Any, xp: Any) -> Any:
        return xp.zeros_like(like) + self.upper_bound - 1


@dataclass(frozen=True, eq=False, repr=False)
class Interval(Constraint):
    """Numbers between two bounds, both included."""

    lower_bound: ArrayLike
    upper_bound: ArrayLike

    def _holds(self, x: Any, xp: Any) -> Any:
        return (x >= self.lower_bound) & (x <= self.upper_bound)

    def _feasible(self, like: Any, xp: Any) -> Any:
        return xp.zeros_like(like) + (self.lower_bound + self.upper_bound) / 2


class OpenInterval(Interval):
    """Numbers between two bounds, both excluded."""

    def _holds(self, x: Any, xp: Any) -> Any:
        return (x > self.lower_bound) & (x < self.upper_bound)


class Positive(Constraint):
    """Numbers above 0."""

    lower_bound = 0.0

    def _holds(self, x: Any, xp: Any) -> Any:
        return x > 0

    def _feasible(self, like: Any, xp: Any) -> Any:
        return xp.ones_like(like)


class SoftplusPositive(Positive):
    """Numbers above 0, unconstrained by the softplus instead of the exponential function."""


class Nonnegative(Positive):
    """Numbers from 0 on."""

    def _holds(self, x: Any, xp: Any) -> Any:
        return x >= 0


class UnitInterval(Constraint):
    """Numbers from 0 to 1."""

    lower_bound = 0.0
    upper_bound = 1.0

    def _holds(self, x: Any, xp: Any) -> Any:
        return (x >= 0) & (x <= 1)

    def _feasible(self, like: Any, xp: Any) -> Any:
        return xp.full_like(like, 0.5)


class Circular(Constraint):
    """Angles from -pi to pi."""

    lower_bound = -math.pi
    upper_bound = math.pi

    def _holds(self, x: Any, xp: Any) -> Any:
        return (x >= -math.pi) & (x <= math.pi)

    def _feasible(self, like: Any, xp: Any) -> Any:
        return xp.zeros_like(like)
