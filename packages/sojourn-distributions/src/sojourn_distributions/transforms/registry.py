"""`biject_to`: a transform from unconstrained numbers onto each constraint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sojourn_distributions import constraints
from sojourn_distributions.constraints import Constraint
from sojourn_distributions.transforms.concatenation import CatTransform
from sojourn_distributions.transforms.elementwise import (
    AffineTransform,
    ExpTransform,
    SigmoidTransform,
    SoftplusTransform,
)
from sojourn_distributions.transforms.matrix import (
    CholeskyTransform,
    CorrCholeskyTransform,
    CorrMatrixCholeskyTransform,
    LowerCholeskyTransform,
    ScaledUnitLowerCholeskyTransform,
    SoftplusLowerCholeskyTransform,
)
from sojourn_distributions.transforms.reshaping import ComplexTransform
from sojourn_distributions.transforms.transform import (
    ComposeTransform,
    IdentityTransform,
    IndependentTransform,
    Transform,
)
from sojourn_distributions.transforms.vector import (
    L1BallTransform,
    OrderedTransform,
    StickBreakingTransform,
    ZeroSumTransform,
)

__all__ = ["ConstraintRegistry", "biject_to"]

Factory = Callable[[Any], Transform]


class ConstraintRegistry:
    """Factories of transforms, by the type of constraint.

    Examples
    --------
    >>> from sojourn_distributions import biject_to, constraints
    >>> transform = biject_to(constraints.interval(-1.0, 1.0))
    >>> bool(constraints.interval(-1.0, 1.0)(transform(3.0)))
    True
    """

    def __init__(self) -> None:
        self._factories: dict[type[Constraint], Factory] = {}

    def register(self, constraint: Any, factory: Factory | None = None) -> Any:
        """Register a factory for a type of constraint (or that of an instance); a decorator."""
        if factory is None:
            return lambda factory: self.register(constraint, factory)
        kind = constraint if isinstance(constraint, type) else type(constraint)
        self._factories[kind] = factory
        return factory

    def __call__(self, constraint: Constraint) -> Transform:
        """Transform from unconstrained real numbers (or vectors) onto `constraint`.

        Raises NotImplementedError if none is registered: discrete sets have none.
        """
        try:
            factory = self._factories[type(constraint)]
        except KeyError:
            raise NotImplementedError(
                f"no transform onto the constraint {constraint!r} is registered; "
                "register one with biject_to.register"
            ) from None
        return factory(constraint)


biject_to = ConstraintRegistry()


@biject_to.register(constraints.Real)
def _real(constraint: Constraint) -> Transform:
    return IdentityTransform()


@biject_to.register(constraints.Positive)
@biject_to.register(constraints.Nonnegative)
def _positive(constraint: Constraint) -> Transform:
    return ExpTransform()


@biject_to.register(constraints.SoftplusPositive)
def _softplus_positive(constraint: Constraint) -> Transform:
    return SoftplusTransform()


@biject_to.register(constraints.GreaterThan)
@biject_to.register(constraints.GreaterThanEq)
def _greater_than(constraint: constraints.GreaterThan) -> Transform:
    shift = AffineTransform(constraint.lower_bound, 1, domain=constraints.positive)
    return ComposeTransform([ExpTransform(), shift])


@biject_to.register(constraints.LessThan)
@biject_to.register(constraints.LessThanEq)
def _less_than(constraint: constraints.LessThan) -> Transform:
    reflect = AffineTransform(constraint.upper_bound, -1, domain=constraints.positive)
    return ComposeTransform([ExpTransform(), reflect])


@biject_to.register(constraints.UnitInterval)
def _unit_interval(constraint: Constraint) -> Transform:
    return SigmoidTransform()


@biject_to.register(constraints.Interval)
@biject_to.register(constraints.OpenInterval)
@biject_to.register(constraints.Circular)
def _interval(constraint: constraints.Interval) -> Transform:
    low, high = constraint.lower_bound, constraint.upper_bound
    stretch = AffineTransform(low, high - low, domain=constraints.unit_interval)
    return ComposeTransform([SigmoidTransform(), stretch])


@biject_to.register(constraints.Independent)
def _independent(constraint: constraints.Independent) -> Transform:
    return IndependentTransform(
        biject_to(constraint.base_constraint), constraint.reinterpreted_batch_ndims
    )


@biject_to.register(constraints.Cat)
def _cat(constraint: constraints.Cat) -> Transform:
    parts = [biject_to(each) for each in constraint.cseq]
    lengths = list(constraint.lengths or ())
    if constraint.dim < 0:  # perhaps within the event, where a block's length may change
        for i, part in enumerate(parts):
            block = [1] * max(part.codomain.event_dim, -constraint.dim)
            block[constraint.dim] = lengths[i]
            lengths[i] = part.inverse_shape(tuple(block))[constraint.dim]
    return CatTransform(parts, constraint.dim, lengths)


@biject_to.register(constraints.Complex)
def _complex(constraint: Constraint) -> Transform:
    return ComplexTransform()


@biject_to.register(constraints.L1Ball)
def _l1_ball(constraint: Constraint) -> Transform:
    return L1BallTransform()


@biject_to.register(constraints.LogWeights)
def _log_weights(constraint: Constraint) -> Transform:
    # Those of positive weights; a log of minus infinity has no unconstrained counterpart.
    return IndependentTransform(IdentityTransform(), 1)


@biject_to.register(constraints.Simplex)
def _simplex(constraint: Constraint) -> Transform:
    return StickBreakingTransform()


@biject_to.register(constraints.OrderedVector)
def _ordered_vector(constraint: Constraint) -> Transform:
    return OrderedTransform()


@biject_to.register(constraints.PositiveOrderedVector)
def _positive_ordered_vector(constraint: Constraint) -> Transform:
    return ComposeTransform([OrderedTransform(), ExpTransform()])


@biject_to.register(constraints.ZeroSum)
def _zero_sum(constraint: constraints.ZeroSum) -> Transform:
    return ZeroSumTransform(constraint.event_dim)


@biject_to.register(constraints.LowerCholesky)
def _lower_cholesky(constraint: Constraint) -> Transform:
    return LowerCholeskyTransform()


@biject_to.register(constraints.SoftplusLowerCholesky)
def _softplus_lower_cholesky(constraint: Constraint) -> Transform:
    return SoftplusLowerCholeskyTransform()


@biject_to.register(constraints.ScaledUnitLowerCholesky)
def _scaled_unit_lower_cholesky(constraint: Constraint) -> Transform:
    return ScaledUnitLowerCholeskyTransform()


@biject_to.register(constraints.CorrCholesky)
def _corr_cholesky(constraint: Constraint) -> Transform:
    return CorrCholeskyTransform()


@biject_to.register(constraints.CorrMatrix)
def _corr_matrix(constraint: Constraint) -> Transform:
    return ComposeTransform([CorrCholeskyTransform(), CorrMatrixCholeskyTransform().inv])


@biject_to.register(constraints.PositiveDefinite)
@biject_to.register(constraints.PositiveSemidefinite)
def _positive_definite(constraint: Constraint) -> Transform:
    return ComposeTransform([LowerCholeskyTransform(), CholeskyTransform().inv])
