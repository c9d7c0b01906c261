"""Constraints on single integers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sojourn_distributions.arrays import ArrayLike
from sojourn_distributions.constraints.constraint import Constraint


def _is_integer(x: Any) -> Any:
    return x % 1 == 0


class _Discrete(Constraint):
    @property
    def is_discrete(self) -> bool:
        return True


class Boolean(_Discrete):
    """0 and 1."""

    def _holds(self, x: Any, xp: Any) -> Any:
        return (x == 0) | (x == 1)

    def _feasible(self, like: Any, xp: Any) -> Any:
        return xp.zeros_like(like)


@dataclass(frozen=True, eq=False, repr=False)
class IntegerInterval(_Discrete):
    """Integers between two bounds, both included."""

    lower_bound: ArrayLike
    upper_bound: ArrayLike

    def _holds(self, x: Any, xp: Any) -> Any:
        return (x >= self.lower_bound) & (x <= self.upper_bound) & _is_integer(x)

    def _feasible(self, like: Any, xp: Any) -> Any:
        return xp.zeros_like(like) + self.lower_bound


@dataclass(frozen=True, eq=False, repr=False)
class IntegerGreaterThan(_Discrete):
    """Integers from a lower bound on."""

    lower_bound: ArrayLike

    def _holds(self, x: Any, xp: Any) -> Any:
        return (x >= self.lower_bound) & _is_integer(x)

    def _feasible(self, like: Any, xp: Any) -> Any:
        return xp.zeros_like(like) + self.lower_bound


class PositiveInteger(_Discrete):
    """1, 2, 3, ..."""

    lower_bound = 1

    def _holds(self, x: Any, xp: Any) -> Any:
        return (x >= 1) & _is_integer(x)

    def _feasible(self, like: Any, xp: Any) -> Any:
        return xp.ones_like(like)


class NonnegativeInteger(_Discrete):
    """0, 1, 2, ..."""

    lower_bound = 0

    def _holds(self, x: Any, xp: Any) -> Any:
        return (x >= 0) & _is_integer(x)

    def _feasible(self, like: Any, xp: Any) -> Any:
        return xp.zeros_like(like)
