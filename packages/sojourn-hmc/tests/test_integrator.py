"""Leapfrog: reversible, volume preserving, of second order, for any potential and metric."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sojourn_hmc.differentiate import value_and_gradient
from sojourn_hmc.integrator import (
    Splitting,
    three_stage,
    three_stage_minimum_error,
    two_stage,
    two_stage_minimum_error,
    velocity_verlet,
)
from sojourn_hmc.mass_matrix import MassMatrix
from sojourn_hmc.phase_space import PhasePoint

DIM = 3
INTEGRATORS = {
    "verlet": velocity_verlet,
    "two-stage": two_stage,
    "two-stage-minimum-error": two_stage_minimum_error,
    "three-stage": three_stage,
    "three-stage-minimum-error": three_stage_minimum_error,
}
# Where the step is stable for this potential: an exploding trajectory is reversed only up to
# rounding errors that explode as well.
finite = st.floats(-1.0, 1.0)
vectors = st.lists(finite, min_size=DIM, max_size=DIM)
step_sizes = st.floats(0.01, 0.2)


@pytest.fixture(autouse=True)
def double_precision():
    with jax.enable_x64(True):
        yield


def anharmonic(position):
    """Skewed, coupled and without any symmetry."""
    x, y, z = position
    return jnp.exp(x) - x + 0.25 * y**4 + 0.5 * (z - x * y) ** 2 + 0.1 * jnp.sin(z)


def metric(kind):
    if kind == "diagonal":
        return MassMatrix.from_inverse(jnp.array([0.5, 1.0, 2.0]))
    return MassMatrix.from_inverse(jnp.array([[1.0, 0.3, 0.1], [0.3, 2.0, -0.4], [0.1, -0.4, 0.7]]))


@pytest.fixture(params=["diagonal", "dense"])
def mass_matrix(request):
    return metric(request.param)


GRADIENT = value_and_gradient(anharmonic)


def point(position, momentum):
    position = jnp.array(position)
    return PhasePoint(position, jnp.array(momentum), *GRADIENT(position))


@functools.partial(jax.jit, static_argnums=4)
def steps(mass_matrix, start, step_size, count, integrator=velocity_verlet):
    return jax.lax.fori_loop(
        0, count, lambda _, p: integrator(GRADIENT, mass_matrix, p, step_size), start
    )


@functools.partial(jax.jit, static_argnums=3)
@functools.partial(jax.jacfwd, argnums=0)
def flow_jacobian(state, mass_matrix, step_size, integrator):
    start = PhasePoint(state[:DIM], state[DIM:], *GRADIENT(state[:DIM]))
    end = integrator(GRADIENT, mass_matrix, start, step_size)
    return jnp.concatenate([end.position, end.momentum])


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    vectors,
    vectors,
    step_sizes,
    st.sampled_from(["diagonal", "dense"]),
    st.sampled_from(list(INTEGRATORS.values())),
)
def test_reversal_of_time_leads_back(position, momentum, step_size, kind, integrator):
    with jax.enable_x64(True):
        start = point(position, momentum)
        there = steps(metric(kind), start, step_size, 5, integrator)
        back = steps(metric(kind), there, -step_size, 5, integrator)
        for a, b in zip(start, back, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-10)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(vectors, vectors, step_sizes, st.sampled_from(list(INTEGRATORS.values())))
def test_volume_is_preserved(position, momentum, step_size, integrator):
    with jax.enable_x64(True):
        state = jnp.array([*position, *momentum])
        jacobian = flow_jacobian(state, metric("dense"), step_size, integrator)
        np.testing.assert_allclose(jnp.linalg.det(jacobian), 1.0, rtol=1e-10)


@pytest.mark.parametrize("integrator", INTEGRATORS.values(), ids=INTEGRATORS)
def test_energy_error_is_of_second_order(integrator):
    mass_matrix = metric("dense")

    def energy(p):
        return p.potential_energy + mass_matrix.kinetic_energy(p.momentum)

    start = point([0.3, -0.5, 0.2], [0.7, 0.1, -0.4])
    errors = [
        abs(float(energy(steps(mass_matrix, start, 0.2 / n, 5 * n, integrator)) - energy(start)))
        for n in (8, 16)
    ]
    assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.1)


# The edge of stability of h w on an oscillator of frequency w.
EDGES = {
    "verlet": 2.0,
    "two-stage": 2.6342,
    "two-stage-minimum-error": 2.5531,
    "three-stage": 4.6619,
    "three-stage-minimum-error": 4.5838,
}


@pytest.mark.parametrize(("side", "stable"), [(0.998, True), (1.002, False)])
@pytest.mark.parametrize("integrator", INTEGRATORS)
def test_stability_edge_on_the_oscillator(integrator, side, stable):
    gradient = value_and_gradient(lambda q: 0.5 * jnp.sum(q**2))
    unit = MassMatrix.from_inverse(jnp.ones(1))
    start = PhasePoint(jnp.ones(1), jnp.zeros(1), *gradient(jnp.ones(1)))
    step_size = side * EDGES[integrator]
    take = INTEGRATORS[integrator]
    end = jax.lax.fori_loop(0, 2000, lambda _, p: take(gradient, unit, p, step_size), start)
    assert (abs(float(end.position[0])) < 100) == stable


def test_more_stages_make_a_smaller_error_at_equal_cost():
    """The worst energy error on an oscillator over steps up to 1 per gradient (Blanes et al.)."""
    gradient = value_and_gradient(lambda q: 0.5 * jnp.sum(q**2))
    unit = MassMatrix.from_inverse(jnp.ones(1))

    def worst_error(integrator):
        """Mean of the energy error over exact draws, by the one-step matrix."""

        def flow(state, step_size):
            start = PhasePoint(state[:1], state[1:], *gradient(state[:1]))
            end = integrator(gradient, unit, start, step_size)
            return jnp.concatenate([end.position, end.momentum])

        step_sizes = integrator.num_gradients * jnp.linspace(0.05, 1, 20)
        matrices = jax.jit(jax.vmap(jax.jacfwd(flow), (None, 0)))(jnp.zeros(2), step_sizes)
        a, b, c = matrices[:, 0, 0], matrices[:, 0, 1], matrices[:, 1, 0]
        return float(jnp.max((b + c) ** 2 / (2 * (1 - a**2))))

    worst = {name: worst_error(each) for name, each in INTEGRATORS.items()}
    expected = {
        "verlet": 4.17e-2,
        "two-stage": 3.99e-4,
        "two-stage-minimum-error": 1.85e-2,
        "three-stage": 7.42e-5,
        "three-stage-minimum-error": 2.97e-3,
    }
    for name, error in worst.items():
        assert error == pytest.approx(expected[name], rel=0.1), name


def test_a_splitting_that_cannot_be_reversed_is_refused():
    for kicks, drifts, message in (
        ((0.5, 0.5), (0.5, 0.5), "one kick more"),
        ((0.4, 0.6), (1.0,), "do not read the same backwards"),
        ((0.4, 0.4), (1.0,), "must sum to 1"),
    ):
        with pytest.raises(ValueError, match=message):
            Splitting(kicks, drifts)


def test_the_known_potential_and_gradient_are_those_of_the_position(mass_matrix):
    end = steps(mass_matrix, point([0.1, 0.2, 0.3], [1.0, -1.0, 0.5]), 0.1, 3)
    energy, gradient = GRADIENT(end.position)
    np.testing.assert_allclose(end.potential_energy, energy)
    np.testing.assert_allclose(end.potential_gradient, gradient)


def test_forward_mode_gives_the_same_gradient():
    position = jnp.array([0.3, -0.2, 0.9])
    for a, b in zip(
        GRADIENT(position), value_and_gradient(anharmonic, True)(position), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-12)
