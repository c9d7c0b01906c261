"""The base class of transforms, and those that combine others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import jax.numpy as jnp

from sojourn_distributions import constraints
from sojourn_distributions.arrays import ArrayLike
from sojourn_distributions.constraints import Constraint
from sojourn_distributions.constraints.constraint import same
from sojourn_distributions.pytree import PytreeNode, dataclass_fields

__all__ = [
    "ComposeTransform",
    "IdentityTransform",
    "IndependentTransform",
    "InverseTransform",
    "Transform",
]

Shape = tuple[int, ...]


def sum_event(x: Any, ndims: int) -> Any:
    """Sum over the last `ndims` dimensions."""
    return jnp.sum(x, axis=tuple(range(-ndims, 0))) if ndims else x


@dataclass(frozen=True, eq=False)
class Transform(PytreeNode):
    """A differentiable map with an inverse and the log of its volume change.

    A subclass gives `domain`, `codomain`, `__call__`, `_inverse` and `log_abs_det_jacobian`, and
    where the shape changes also `forward_shape` and `inverse_shape`. Its parameters are dataclass
    fields and leaves of the transform as a pytree (static ones carry
    ``metadata={"static": True}``).
    """

    @property
    def domain(self) -> Constraint:
        """Set the transform maps from."""
        return constraints.real

    @property
    def codomain(self) -> Constraint:
        """Set the transform maps to."""
        return constraints.real

    @property
    def inv(self) -> Transform:
        """The inverse as a transform."""
        return InverseTransform(self)

    @property
    def sign(self) -> Any:
        """1 for an increasing, -1 for a decreasing map of real numbers."""
        raise NotImplementedError(f"{type(self).__name__} is not a monotone map of numbers")

    def __call__(self, x: ArrayLike) -> Any:
        """Map forward."""
        raise NotImplementedError

    def _inverse(self, y: ArrayLike) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no inverse")

    def call_with_intermediates(self, x: ArrayLike) -> tuple[Any, Any]:
        """Map forward, and return what spares `log_abs_det_jacobian` work (or None)."""
        return self(x), None

    def log_abs_det_jacobian(self, x: ArrayLike, y: ArrayLike, intermediates: Any = None) -> Any:
        """Log of the volume change at ``y = self(x)``; the event dimensions are summed out."""
        raise NotImplementedError(f"{type(self).__name__} has no log_abs_det_jacobian")

    def forward_shape(self, shape: Shape) -> Shape:
        """Shape of the output for a shape of the input."""
        return tuple(shape)

    def inverse_shape(self, shape: Shape) -> Shape:
        """Shape of the input for a shape of the output."""
        return tuple(shape)

    def eq(self, other: Any, static: bool = False) -> Any:
        """Whether the other transform is of the same kind with the same parameters.

        With `static`, parameters that are arrays are not compared.
        """
        if type(self) is not type(other):
            return False
        names = self._aux_fields() if static else self._data_fields() + self._aux_fields()
        return all(same(getattr(self, name), getattr(other, name)) for name in names)

    def __eq__(self, other: object) -> Any:
        return self.eq(other)

    def __hash__(self) -> int:
        return hash(type(self))

    def _data_fields(self) -> tuple[str, ...]:
        return dataclass_fields(self, static=False)

    def _aux_fields(self) -> tuple[str, ...]:
        return dataclass_fields(self, static=True)


@dataclass(frozen=True, eq=False)
class InverseTransform(Transform):
    """A transform run backwards; obtained as ``transform.inv``."""

    transform: Transform

    @property
    def domain(self) -> Constraint:
        return self.transform.codomain

    @property
    def codomain(self) -> Constraint:
        return self.transform.domain

    @property
    def inv(self) -> Transform:
        return self.transform

    @property
    def sign(self) -> Any:
        return self.transform.sign

    def __call__(self, x: ArrayLike) -> Any:
        return self.transform._inverse(x)

    def _inverse(self, y: ArrayLike) -> Any:
        return self.transform(y)

    def log_abs_det_jacobian(self, x: ArrayLike, y: ArrayLike, intermediates: Any = None) -> Any:
        return -self.transform.log_abs_det_jacobian(y, x, intermediates)

    def forward_shape(self, shape: Shape) -> Shape:
        return self.transform.inverse_shape(shape)

    def inverse_shape(self, shape: Shape) -> Shape:
        return self.transform.forward_shape(shape)


@dataclass(frozen=True, eq=False)
class IdentityTransform(Transform):
    """``y = x``."""

    @property
    def sign(self) -> Any:
        return 1

    def __call__(self, x: ArrayLike) -> Any:
        return x

    def _inverse(self, y: ArrayLike) -> Any:
        return y

    def log_abs_det_jacobian(self, x: ArrayLike, y: ArrayLike, intermediates: Any = None) -> Any:
        return jnp.zeros_like(x)


@dataclass(frozen=True, eq=False)
class IndependentTransform(Transform):
    """A transform whose last batch dimensions count as part of the event.

    Parameters
    ----------
    base_transform
        The transform.
    reinterpreted_batch_ndims
        How many further dimensions `log_abs_det_jacobian` sums out.
    """

    base_transform: Transform
    reinterpreted_batch_ndims: int = field(metadata={"static": True})

    @property
    def domain(self) -> Constraint:
        return constraints.independent(self.base_transform.domain, self.reinterpreted_batch_ndims)

    @property
    def codomain(self) -> Constraint:
        return constraints.independent(self.base_transform.codomain, self.reinterpreted_batch_ndims)

    @property
    def sign(self) -> Any:
        return self.base_transform.sign

    def __call__(self, x: ArrayLike) -> Any:
        return self.base_transform(x)

    def _inverse(self, y: ArrayLike) -> Any:
        return self.base_transform._inverse(y)

    def call_with_intermediates(self, x: ArrayLike) -> tuple[Any, Any]:
        return self.base_transform.call_with_intermediates(x)

    def log_abs_det_jacobian(self, x: ArrayLike, y: ArrayLike, intermediates: Any = None) -> Any:
        terms = self.base_transform.log_abs_det_jacobian(x, y, intermediates)
        return sum_event(terms, self.reinterpreted_batch_ndims)

    def forward_shape(self, shape: Shape) -> Shape:
        return self.base_transform.forward_shape(shape)

    def inverse_shape(self, shape: Shape) -> Shape:
        return self.base_transform.inverse_shape(shape)


@dataclass(frozen=True, eq=False)
class ComposeTransform(Transform):
    """Transforms applied one after another, the first of `parts` first."""

    parts: Sequence[Transform]

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", list(self.parts))

    @property
    def domain(self) -> Constraint:
        if not self.parts:
            return constraints.real
        first = self.parts[0].domain
        # A later part may judge more dimensions together than the first one does.
        needed = 0
        for part in reversed(self.parts):
            change = part.domain.event_dim - part.codomain.event_dim
            needed = max(part.domain.event_dim, needed + change)
        extra = needed - first.event_dim
        return constraints.independent(first, extra) if extra else first

    @property
    def codomain(self) -> Constraint:
        if not self.parts:
            return constraints.real
        last = self.parts[-1].codomain
        reached = 0
        for part in self.parts:
            change = part.codomain.event_dim - part.domain.event_dim
            reached = max(part.codomain.event_dim, reached + change)
        extra = reached - last.event_dim
        return constraints.independent(last, extra) if extra else last

    @property
    def inv(self) -> Transform:
        return ComposeTransform([part.inv for part in reversed(self.parts)])

    @property
    def sign(self) -> Any:
        sign: Any = 1
        for part in self.parts:
            sign = sign * part.sign
        return sign

    def __call__(self, x: ArrayLike) -> Any:
        for part in self.parts:
            x = part(x)
        return x

    def _inverse(self, y: ArrayLike) -> Any:
        for part in reversed(self.parts):
            y = part._inverse(y)
        return y

    def call_with_intermediates(self, x: ArrayLike) -> tuple[Any, Any]:
        """Intermediates are, for each part, its output and its own intermediates."""
        intermediates = []
        for part in self.parts:
            x, own = part.call_with_intermediates(x)
            intermediates.append((x, own))
        return x, intermediates

    def log_abs_det_jacobian(self, x: ArrayLike, y: ArrayLike, intermediates: Any = None) -> Any:
        if not self.parts:
            return jnp.zeros_like(x)
        event_dim = self.domain.event_dim
        total: Any = 0.0
        for i, part in enumerate(self.parts):
            own = None
            if i == len(self.parts) - 1:
                out = y
                own = None if intermediates is None else intermediates[i][1]
            elif intermediates is None:
                out = part(x)
            else:
                out, own = intermediates[i]
            term = part.log_abs_det_jacobian(x, out, own)
            total = total + sum_event(term, event_dim - part.domain.event_dim)
            event_dim += part.codomain.event_dim - part.domain.event_dim
            x = out
        return total

    def forward_shape(self, shape: Shape) -> Shape:
        for part in self.parts:
            shape = part.forward_shape(shape)
        return tuple(shape)

    def inverse_shape(self, shape: Shape) -> Shape:
        for part in reversed(self.parts):
            shape = part.inverse_shape(shape)
        return tuple(shape)
