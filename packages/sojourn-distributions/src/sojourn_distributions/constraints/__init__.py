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

from sojourn_distributions.constraints.composed import Cat, Independent
from sojourn_distributions.constraints.constraint import (
    Constraint,
    Dependent,
    dependent_property,
    is_dependent,
)
from sojourn_distributions.constraints.integers import (
    Boolean,
    IntegerGreaterThan,
    IntegerInterval,
    NonnegativeInteger,
    PositiveInteger,
)
from sojourn_distributions.constraints.matrices import (
    CorrCholesky,
    CorrMatrix,
    LowerCholesky,
    PositiveDefinite,
    PositiveSemidefinite,
    ScaledUnitLowerCholesky,
    SoftplusLowerCholesky,
)
from sojourn_distributions.constraints.scalars import (
    Circular,
    Complex,
    GreaterThan,
    GreaterThanEq,
    Interval,
    LessThan,
    LessThanEq,
    Nonnegative,
    OpenInterval,
    Positive,
    Real,
    SoftplusPositive,
    UnitInterval,
)
from sojourn_distributions.constraints.vectors import (
    L1Ball,
    LogWeights,
    Multinomial,
    OrderedVector,
    PositiveDefiniteCirculantVector,
    PositiveOrderedVector,
    Simplex,
    Sphere,
    ZeroSum,
)

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
