"""Constraints judge concrete values with NumPy and traced ones alike, and offer a value inside."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sojourn_distributions import constraints

INF = np.inf
# A constraint, values inside, values outside.
ROWS = [
    (constraints.real, [0.0, -1e30], [np.nan, INF, -INF]),
    (constraints.positive, [1e-30, INF], [0.0, -1.0, np.nan]),
    (constraints.nonnegative, [0.0, 2.0], [-1.0]),
    (constraints.softplus_positive, [1.0], [0.0]),
    (constraints.unit_interval, [0.0, 0.5, 1.0], [-0.1, 1.1]),
    (constraints.interval(-1.0, 0.1), [-1.0, 0.1], [-1.1, 0.2]),
    (constraints.open_interval(-1.0, 2.0), [0.0], [-1.0, 2.0]),
    (constraints.greater_than(1.0), [1.1], [1.0]),
    (constraints.greater_than_eq(1.0), [1.0], [0.9]),
    (constraints.less_than(1.0), [0.9], [1.0]),
    (constraints.less_than_eq(1.0), [1.0], [1.1]),
    (constraints.circular, [-3.1, 3.1], [3.2]),
    (constraints.complex, [1.0], [np.nan]),
    (constraints.boolean, [0, 1], [2, -1]),
    (constraints.integer_interval(-1, 3), [-1, 3], [-2, 4]),
    (constraints.integer_interval(-1, 3), [0.0], [0.5]),
    (constraints.integer_greater_than(2), [2, 3], [1]),
    (constraints.positive_integer, [1], [0]),
    (constraints.nonnegative_integer, [0], [-1]),
    (constraints.simplex, [[0.2, 0.8]], [[0.2, 0.9], [-0.2, 1.2], [np.nan, 1.0]]),
    (constraints.ordered_vector, [[-1.0, 2.0]], [[2.0, 1.0], [1.0, 1.0]]),
    (constraints.positive_ordered_vector, [[1.0, 2.0]], [[-1.0, 2.0], [2.0, 1.0]]),
    (constraints.real_vector, [[1.0, 2.0]], [[1.0, np.nan]]),
    (constraints.log_weights, [[0.0, -INF]], [[-INF, -INF], [np.nan, 0.0], [INF, 0.0]]),
    (constraints.sphere, [[0.6, 0.8]], [[1.0, 1.0]]),
    (constraints.l1_ball, [[0.5, -0.5]], [[0.8, -0.5]]),
    (constraints.zero_sum(1), [[0.5, -0.5]], [[0.8, -0.5]]),
    (constraints.multinomial(3), [[1, 2]], [[1, 1], [4, -1]]),
    (constraints.positive_definite_circulant_vector, [[1.0, 0.2, 0.2]], [[0.1, 1.0, 1.0]]),
    (constraints.independent(constraints.positive, 1), [[1.0, 2.0]], [[1.0, -1.0]]),
    (constraints.lower_cholesky, [[[1.0, 0.0], [3.0, 2.0]]], [[[1.0, 1.0], [0.0, 1.0]]]),
    (constraints.softplus_lower_cholesky, [[[1.0, 0.0], [3.0, 2.0]]], [-np.eye(2)]),
    (constraints.scaled_unit_lower_cholesky, [[[1.0, 0.0], [3.0, 2.0]]], [-np.eye(2)]),
    (constraints.corr_cholesky, [[[1.0, 0.0], [0.6, 0.8]]], [[[1.0, 0.0], [0.6, 0.7]]]),
    (
        constraints.positive_definite,
        [[[2.0, 1.0], [1.0, 1.0]]],
        [[[1.0, 2.0], [2.0, 1.0]], [[1.0, 0.5], [0.0, 1.0]]],
    ),
    (constraints.positive_semidefinite, [[[1.0, 1.0], [1.0, 1.0]]], [[[1.0, 2.0], [2.0, 1.0]]]),
    (constraints.corr_matrix, [[[1.0, 0.5], [0.5, 1.0]]], [[[2.0, 0.5], [0.5, 1.0]]]),
    (constraints.real_matrix, [np.eye(2)], [[[np.nan, 0.0], [0.0, 1.0]]]),
    (
        constraints.cat([constraints.positive, constraints.real], dim=-1),
        [],
        [],
    ),
]
ids = [f"{i}-{row[0]!r}".split("(")[0] for i, row in enumerate(ROWS)]
every_row = pytest.mark.parametrize("constraint, inside, outside", ROWS, ids=ids)


@every_row
def test_judges_concrete_and_traced_values_alike(constraint, inside, outside):
    for values, expected in ((inside, True), (outside, False)):
        for value in values:
            value = np.asarray(value)
            judged = constraint(value)
            assert isinstance(judged, bool | np.bool_ | np.ndarray)
            assert np.shape(judged) == ()
            assert bool(judged) is expected
            assert constraint(jnp.asarray(value)) == expected
            assert jax.jit(constraint)(value) == expected
    if inside and outside:
        batch = np.stack([np.asarray(inside[0]), np.asarray(outside[0])])
        np.testing.assert_array_equal(constraint(batch), [True, False])


@every_row
def test_feasible_value_is_inside(constraint, inside, outside):
    for value in inside:
        value = np.asarray(value)
        for prototype in (value, np.stack([value] * 3)):
            feasible = constraint.feasible_like(prototype)
            assert np.shape(feasible) == prototype.shape
            assert np.all(constraint(feasible))
            assert np.all(jax.jit(constraint.feasible_like)(prototype) == feasible)


@every_row
def test_is_a_pytree_that_equals_its_copy(constraint, inside, outside):
    copy = jax.tree.unflatten(jax.tree.structure(constraint), jax.tree.leaves(constraint))
    assert copy == constraint
    assert hash(copy) == hash(constraint)
    assert repr(copy) == repr(constraint)
    assert constraint != constraints.dependent


def test_a_block_constraint_judges_each_block():
    constraint = constraints.cat([constraints.positive, constraints.real], dim=-1, lengths=[1, 2])
    np.testing.assert_array_equal(constraint(np.array([-1.0, -1.0, 1.0])), [False, True, True])
    assert np.all(constraint(constraint.feasible_like(np.zeros(3))))
    with pytest.raises(ValueError, match="2 constraints but 1 lengths"):
        constraints.cat([constraints.real] * 2, lengths=[2])


def test_bounds_are_compared_in_the_precision_of_the_value():
    # 0.1 is larger in float32 than in float64, but JAX compares in the value's own type.
    assert constraints.interval(0.0, 0.1)(np.float32(0.1))
    assert constraints.interval(0.0, np.array(0.1))(np.float32(0.1))


def test_bounds_may_be_traced():
    inside = jax.jit(lambda low: constraints.greater_than(low)(np.array([0.5, 2.0])))(1.0)
    np.testing.assert_array_equal(inside, [False, True])


def test_equality_is_of_sets():
    assert constraints.interval(0.0, 1.0) == constraints.interval(0, 1.0)
    assert constraints.interval(0.0, 1.0) != constraints.interval(0.0, 2.0)
    nested = constraints.independent(constraints.independent(constraints.real, 1), 1)
    assert nested == constraints.real_matrix
    assert constraints.positive != constraints.nonnegative


def test_dependent_is_recognized_on_the_class():
    import sojourn_distributions as dist

    assert constraints.is_dependent(dist.Uniform.support)
    assert not constraints.is_dependent(dist.Uniform().support)
    assert dist.Binomial(3, 0.5).support.is_discrete
    with pytest.raises(ValueError, match="use an instance's `support`"):
        constraints.dependent(1.0)


def test_a_positive_definite_check_judges_a_batch_matrix_by_matrix():
    batch = np.stack([np.eye(2), -np.eye(2), np.array([[1.0, np.nan], [np.nan, 1.0]])])
    np.testing.assert_array_equal(constraints.positive_definite(batch), [True, False, False])
