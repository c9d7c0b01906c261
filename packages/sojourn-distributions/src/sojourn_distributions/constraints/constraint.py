"""The base class of constraints, and those that depend on a distribution's parameters."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_distributions.arrays import ArrayLike, is_concrete, on_host
from sojourn_distributions.pytree import PytreeNode, dataclass_fields

# Sums and norms of float32 vectors are exact only to about this much.
SUM_TOLERANCE = 1e-6


@dataclass(frozen=True, eq=False, repr=False)
class Constraint(PytreeNode):
    """A set of values.

    A subclass gives `_holds`, `_feasible`, and where they differ from the defaults `event_dim`
    and `is_discrete`. Bounds are dataclass fields; they may be arrays that broadcast against the
    value, and are leaves of the constraint as a pytree.
    """

    @property
    def event_dim(self) -> int:
        """Number of trailing dimensions that make one value."""
        return 0

    @property
    def is_discrete(self) -> bool:
        """Whether the set is countable."""
        return False

    def __call__(self, x: ArrayLike) -> Any:
        """Whether each value lies in the set; shape ``x.shape[:-event_dim]``."""
        host = self._on_host() if is_concrete(x) else None
        return self._holds(x, jnp) if host is None else host._holds(on_host(x), np)

    def check(self, value: ArrayLike) -> Any:
        """Same as calling the constraint."""
        return self(value)

    def feasible_like(self, prototype: ArrayLike) -> Any:
        """Some value of the set with the shape of `prototype`."""
        host = self._on_host() if is_concrete(prototype) else None
        if host is None:
            return self._feasible(prototype, jnp)
        return host._feasible(on_host(prototype), np)

    def _on_host(self) -> Self | None:
        """Return the set with bounds that NumPy can read, or None if a bound is traced."""
        if not self._data_fields():  # most sets have no bounds, and every parameter is checked
            return self
        if not all(map(is_concrete, jax.tree.leaves(self))):
            return None
        return jax.tree.map(on_host, self)

    def _holds(self, x: Any, xp: Any) -> Any:
        raise NotImplementedError(f"{self!r} cannot be checked")

    def _feasible(self, like: Any, xp: Any) -> Any:
        raise NotImplementedError(f"{self!r} has no canonical value")

    def _data_fields(self) -> tuple[str, ...]:
        return dataclass_fields(self, static=False)

    def _aux_fields(self) -> tuple[str, ...]:
        return dataclass_fields(self, static=True)

    def __eq__(self, other: object) -> Any:
        return type(self) is type(other) and all(
            same(getattr(self, name), getattr(other, name))
            for name in self._data_fields() + self._aux_fields()
        )

    def __hash__(self) -> int:
        return hash(type(self))

    def __repr__(self) -> str:
        name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(self).__name__).lower()
        bounds = ", ".join(
            f"{key}={getattr(self, key)!r}" for key in self._data_fields() + self._aux_fields()
        )
        return f"{name}({bounds})" if bounds else name


def same(left: Any, right: Any) -> bool:
    """Equality that never asks a tracer for its value."""
    if left is right:
        return True
    if is_concrete(left) and is_concrete(right):
        return np.array_equal(np.asarray(left), np.asarray(right))
    if isinstance(left, PytreeNode | tuple | list | str):
        return bool(left == right)
    return False


class Dependent(Constraint):
    """Stands for a constraint that is known only once the parameters are."""

    @property
    def event_dim(self) -> int:
        raise NotImplementedError("the event_dim of `dependent` is known only on an instance")

    @property
    def is_discrete(self) -> bool:
        raise NotImplementedError("is_discrete of `dependent` is known only on an instance")

    def _holds(self, x: Any, xp: Any) -> Any:
        raise ValueError("a dependent constraint cannot be checked; use an instance's `support`")


class DependentProperty(property, Dependent):
    """A property that computes a constraint; on the class itself it counts as dependent."""

    def __init__(self, fn: Any, *, is_discrete: bool = False, event_dim: int = 0) -> None:
        super().__init__(fn)
        self._is_discrete = is_discrete
        self._event_dim = event_dim

    @property
    def is_discrete(self) -> bool:
        return self._is_discrete

    @property
    def event_dim(self) -> int:
        return self._event_dim


def dependent_property(fn: Any = None, *, is_discrete: bool = False, event_dim: int = 0) -> Any:
    """Decorate `support` of a distribution whose support depends on its parameters."""
    if fn is None:
        return functools.partial(DependentProperty, is_discrete=is_discrete, event_dim=event_dim)
    return DependentProperty(fn, is_discrete=is_discrete, event_dim=event_dim)


def is_dependent(constraint: Any) -> bool:
    """Whether the constraint is known only on an instance of the distribution."""
    return isinstance(constraint, Dependent)
