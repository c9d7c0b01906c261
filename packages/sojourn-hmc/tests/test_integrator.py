"""Leapfrog: reversible, volume preserving, of second order, for any potential and metric."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sojourn_hmc.differentiate import value_and_gradient
from sojourn_hmc.integrator import velocity_verlet
from sojourn_hmc.mass_matrix import MassMatrix
from sojourn_hmc.phase_space import PhasePoint

DIM = 3
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


@jax.jit
def steps(mass_matrix, start, step_size, count):
    return jax.lax.fori_loop(
        0, count, lambda _, p: velocity_verlet(GRADIENT, mass_matrix, p, step_size), start
    )


@jax.jit
@jax.jacfwd
def flow_jacobian(state, mass_matrix, step_size):
    start = PhasePoint(state[:DIM], state[DIM:], *GRADIENT(state[:DIM]))
    end = velocity_verlet(GRADIENT, mass_matrix, start, step_size)
    return jnp.concatenate([end.position, end.momentum])


@settings(max_examples=25, deadline=None, derandomize=True)
@given(vectors, vectors, step_sizes, st.sampled_from(["diagonal", "dense"]))
def test_reversal_of_time_leads_back(position, momentum, step_size, kind):
    with jax.enable_x64(True):
        start = point(position, momentum)
        there = steps(metric(kind), start, step_size, 5)
        back = steps(metric(kind), there, -step_size, 5)
        for a, b in zip(start, back, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-10)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(vectors, vectors, step_sizes, st.sampled_from(["diagonal", "dense"]))
def test_volume_is_preserved(position, momentum, step_size, kind):
    with jax.enable_x64(True):
        jacobian = flow_jacobian(jnp.array([*position, *momentum]), metric(kind), step_size)
        np.testing.assert_allclose(jnp.linalg.det(jacobian), 1.0, rtol=1e-10)


def test_energy_error_is_of_second_order(mass_matrix):
    def energy(p):
        return p.potential_energy + mass_matrix.kinetic_energy(p.momentum)

    start = point([0.3, -0.5, 0.2], [0.7, 0.1, -0.4])
    errors = [
        abs(float(energy(steps(mass_matrix, start, 0.2 / n, 5 * n)) - energy(start)))
        for n in (8, 16)
    ]
    assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.1)


@pytest.mark.parametrize(("step_size", "stable"), [(1.99, True), (2.01, False)])
def test_stability_edge_on_the_oscillator(step_size, stable):
    gradient = value_and_gradient(lambda q: 0.5 * jnp.sum(q**2))
    unit = MassMatrix.from_inverse(jnp.ones(1))
    start = PhasePoint(jnp.ones(1), jnp.zeros(1), *gradient(jnp.ones(1)))
    end = jax.lax.fori_loop(
        0, 1000, lambda _, p: velocity_verlet(gradient, unit, p, step_size), start
    )
    assert (abs(float(end.position[0])) < 100) == stable


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
