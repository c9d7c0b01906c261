"""Sets of values: what a parameter must satisfy and where a distribution puts its mass.

A constraint is called on an array and answers elementwise over the batch: for ``event_dim == d``
the last ``d`` dimensions are judged together. Concrete input is judged by NumPy, without a JAX
operation; traced input by `jax.numpy`.

Examples
--------
>>> import numpy as np
>>> from sojourn_distributions import constraints
>>> constraints.positive(np.array([1.0, -1.0, np.nan]))
array([ True, False, False])
>>> constraints.simplex(np.array([[0.2, 0.8], [0.5, 0.6]]))
array([ True, False])
"""

from __future__ import annotations

import functools
import math
import operator
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_distributions.arrays import ArrayLike, is_concrete, on_host
from sojourn_distributions.pytree import PytreeNode, dataclass_fields

__all__ = [
    "Constraint",
    "boolean",
    "cat",
    "circular",
    "complex",
    "corr_cholesky",
    "corr_matrix",
    "dependent",
    "dependent_property",
    "greater_than",
    "greater_than_eq",
    "independent",
    "integer_greater_than",
    "integer_interval",
    "interval",
    "is_dependent",
    "l1_ball",
    "less_than",
    "less_than_eq",
    "log_weights",
    "lower_cholesky",
    "multinomial",
    "nonnegative",
    "nonnegative_integer",
    "open_interval",
    "ordered_vector",
    "positive",
    "positive_definite",
    "positive_definite_circulant_vector",
    "positive_integer",
    "positive_ordered_vector",
    "positive_semidefinite",
    "real",
    "real_matrix",
    "real_vector",
    "scaled_unit_lower_cholesky",
    "simplex",
    "softplus_lower_cholesky",
    "softplus_positive",
    "sphere",
    "unit_interval",
    "zero_sum",
]

# Sums and norms of float32 vectors are exact only to about this much.
_TOLERANCE = 1e-6


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


def _all_last(condition: Any, count: int, xp: Any) -> Any:
    """Reduce the last `count` dimensions with a logical and."""
    return xp.all(condition, axis=tuple(range(-count, 0))) if count else condition


def _is_integer(x: Any) -> Any:
    return x % 1 == 0


# --- scalars ---------------------------------------------------------------------------------


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


# --- integers --------------------------------------------------------------------------------


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


# --- vectors ---------------------------------------------------------------------------------


class _Vector(Constraint):
    @property
    def event_dim(self) -> int:
        return 1


class Simplex(_Vector):
    """Nonnegative vectors that sum to 1."""

    def _holds(self, x: Any, xp: Any) -> Any:
        eps = float(jnp.finfo(x.dtype).eps) if jnp.issubdtype(x.dtype, jnp.floating) else 0.0
        tolerance = max(_TOLERANCE, x.shape[-1] * eps)
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
        return abs(x).sum(-1) <= 1 + _TOLERANCE

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
        return xp.all((x >= 0) & _is_integer(x), axis=-1) & (x.sum(-1) == self.upper_bound)

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
        tolerance = max(_TOLERANCE, 10 * float(jnp.finfo(x.dtype).eps) * math.prod(x.shape))
        conditions = []
        for axis in range(-self.ndims, 0):
            small = abs(x.sum(axis, keepdims=True)) < tolerance
            conditions.append(_all_last(small, self.ndims, xp))
        return functools.reduce(operator.and_, conditions)

    def _feasible(self, like: Any, xp: Any) -> Any:
        return xp.zeros_like(like)


# --- matrices --------------------------------------------------------------------------------


class _Matrix(Constraint):
    @property
    def event_dim(self) -> int:
        return 2

    def _feasible(self, like: Any, xp: Any) -> Any:
        return xp.zeros_like(like) + np.eye(like.shape[-1])


def _is_symmetric(x: Any, xp: Any) -> Any:
    scale = xp.maximum(1.0, abs(x).max((-2, -1), keepdims=True))
    return xp.all(abs(x - xp.swapaxes(x, -2, -1)) <= _TOLERANCE * scale, axis=(-2, -1))


def _has_cholesky(x: Any, xp: Any) -> Any:
    """Whether each matrix has a Cholesky factor; NumPy judges a whole batch in one call."""
    if xp is jnp:
        return ~jnp.isnan(jnp.linalg.cholesky(x)).any((-2, -1))
    if x.ndim == 2:
        try:
            np.linalg.cholesky(x.astype(np.float64))
        except np.linalg.LinAlgError:
            return np.False_
        return np.isfinite(x).all()
    return np.array([_has_cholesky(each, np) for each in x.reshape(-1, *x.shape[-2:])]).reshape(
        x.shape[:-2]
    )


class LowerCholesky(_Matrix):
    """Lower triangular matrices with a positive diagonal."""

    def _holds(self, x: Any, xp: Any) -> Any:
        lower = xp.all(xp.tril(x) == x, axis=(-2, -1))
        return lower & xp.all(xp.diagonal(x, axis1=-2, axis2=-1) > 0, axis=-1)


class ScaledUnitLowerCholesky(LowerCholesky):
    """Lower Cholesky factors, unconstrained as a unit triangular matrix times a diagonal."""


class SoftplusLowerCholesky(LowerCholesky):
    """Lower Cholesky factors, unconstrained with a softplus on the diagonal."""


class CorrCholesky(LowerCholesky):
    """Lower Cholesky factors of correlation matrices: rows of norm 1."""

    def _holds(self, x: Any, xp: Any) -> Any:
        unit_rows = xp.all(abs((x * x).sum(-1) - 1) <= 10 * _TOLERANCE, axis=-1)
        return super()._holds(x, xp) & unit_rows


class PositiveDefinite(_Matrix):
    """Symmetric positive definite matrices."""

    def _holds(self, x: Any, xp: Any) -> Any:
        return _is_symmetric(x, xp) & _has_cholesky(x, xp)


class PositiveSemidefinite(_Matrix):
    """Symmetric matrices without a negative eigenvalue."""

    def _holds(self, x: Any, xp: Any) -> Any:
        smallest = xp.linalg.eigvalsh(x)[..., 0]
        slack = _TOLERANCE * xp.maximum(1.0, abs(x).max((-2, -1)))
        return _is_symmetric(x, xp) & (smallest >= -slack)


class CorrMatrix(PositiveDefinite):
    """Symmetric positive definite matrices with a unit diagonal."""

    def _holds(self, x: Any, xp: Any) -> Any:
        diagonal = xp.diagonal(x, axis1=-2, axis2=-1)
        return super()._holds(x, xp) & xp.all(abs(diagonal - 1) <= _TOLERANCE, axis=-1)


# --- built from others -----------------------------------------------------------------------


@dataclass(frozen=True, eq=False, repr=False)
class Independent(Constraint):
    """Arrays whose every element (of the last `reinterpreted_batch_ndims`) obeys the base."""

    base_constraint: Constraint
    reinterpreted_batch_ndims: int = field(metadata={"static": True})

    def __post_init__(self) -> None:
        base = self.base_constraint
        if isinstance(base, Independent):  # flatten, so that equal sets compare equal
            ndims = self.reinterpreted_batch_ndims + base.reinterpreted_batch_ndims
            object.__setattr__(self, "base_constraint", base.base_constraint)
            object.__setattr__(self, "reinterpreted_batch_ndims", ndims)

    @property
    def event_dim(self) -> int:
        return self.base_constraint.event_dim + self.reinterpreted_batch_ndims

    @property
    def is_discrete(self) -> bool:
        return self.base_constraint.is_discrete

    def _holds(self, x: Any, xp: Any) -> Any:
        return _all_last(self.base_constraint._holds(x, xp), self.reinterpreted_batch_ndims, xp)

    def _feasible(self, like: Any, xp: Any) -> Any:
        return self.base_constraint._feasible(like, xp)


@dataclass(frozen=True, eq=False, repr=False)
class Cat(Constraint):
    """Blocks along a dimension, each with its own constraint."""

    cseq: Sequence[Constraint]
    dim: int = field(default=0, metadata={"static": True})
    lengths: Sequence[int] | None = field(default=None, metadata={"static": True})

    def __post_init__(self) -> None:
        object.__setattr__(self, "cseq", tuple(self.cseq))
        lengths = (1,) * len(self.cseq) if self.lengths is None else tuple(self.lengths)
        if len(lengths) != len(self.cseq):
            raise ValueError(f"cat: {len(self.cseq)} constraints but {len(lengths)} lengths")
        object.__setattr__(self, "lengths", lengths)

    @property
    def event_dim(self) -> int:
        return max(constraint.event_dim for constraint in self.cseq)

    @property
    def is_discrete(self) -> bool:
        return any(constraint.is_discrete for constraint in self.cseq)

    def _blocks(self, x: Any, xp: Any) -> list[Any]:
        assert self.lengths is not None
        return xp.split(x, list(np.cumsum(self.lengths))[:-1], axis=self.dim)

    def _holds(self, x: Any, xp: Any) -> Any:
        blocks = self._blocks(x, xp)
        return xp.concatenate(
            [each._holds(block, xp) for each, block in zip(self.cseq, blocks, strict=True)],
            axis=self.dim,
        )

    def _feasible(self, like: Any, xp: Any) -> Any:
        blocks = self._blocks(like, xp)
        return xp.concatenate(
            [each._feasible(block, xp) for each, block in zip(self.cseq, blocks, strict=True)],
            axis=self.dim,
        )


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


boolean = Boolean()
cat = Cat
circular = Circular()
complex = Complex()  # the field's name for it; shadows the builtin in this module only
corr_cholesky = CorrCholesky()
corr_matrix = CorrMatrix()
dependent = Dependent()
greater_than = GreaterThan
greater_than_eq = GreaterThanEq
independent = Independent
integer_greater_than = IntegerGreaterThan
integer_interval = IntegerInterval
interval = Interval
l1_ball = L1Ball()
less_than = LessThan
less_than_eq = LessThanEq
log_weights = LogWeights()
lower_cholesky = LowerCholesky()
multinomial = Multinomial
nonnegative = Nonnegative()
nonnegative_integer = NonnegativeInteger()
open_interval = OpenInterval
ordered_vector = OrderedVector()
positive = Positive()
positive_definite = PositiveDefinite()
positive_definite_circulant_vector = PositiveDefiniteCirculantVector()
positive_integer = PositiveInteger()
positive_ordered_vector = PositiveOrderedVector()
positive_semidefinite = PositiveSemidefinite()
real = Real()
real_matrix = Independent(real, 2)
real_vector = Independent(real, 1)
scaled_unit_lower_cholesky = ScaledUnitLowerCholesky()
simplex = Simplex()
softplus_lower_cholesky = SoftplusLowerCholesky()
softplus_positive = SoftplusPositive()
sphere = Sphere()
unit_interval = UnitInterval()
zero_sum = ZeroSum
