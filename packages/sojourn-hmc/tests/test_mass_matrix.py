"""The metric: factors that belong together, momenta of the right covariance."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sojourn_hmc.mass_matrix import MassMatrix

DIAGONAL = np.array([0.25, 1.0, 9.0], np.float32)
DENSE = np.array([[2.0, 0.6, -0.3], [0.6, 1.0, 0.2], [-0.3, 0.2, 0.5]], np.float32)


@pytest.mark.parametrize("inverse", [DIAGONAL, DENSE], ids=["diagonal", "dense"])
def test_factors(inverse):
    metric = MassMatrix.from_inverse(jnp.asarray(inverse))
    full = np.diag(inverse) if inverse.ndim == 1 else inverse
    sqrt, sqrt_inv = (
        np.diag(factor) if factor.ndim == 1 else np.asarray(factor)
        for factor in (metric.mass_matrix_sqrt, metric.mass_matrix_sqrt_inv)
    )
    np.testing.assert_allclose(sqrt @ sqrt.T, np.linalg.inv(full), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(sqrt_inv.T @ sqrt_inv, full, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(sqrt @ sqrt_inv, np.eye(3), atol=1e-5)


@pytest.mark.parametrize("inverse", [DIAGONAL, DENSE], ids=["diagonal", "dense"])
def test_momenta_have_the_mass_matrix_as_covariance(inverse):
    metric = MassMatrix.from_inverse(jnp.asarray(inverse))
    n = 40_000
    draws = np.asarray(jax.vmap(metric.momentum)(jax.random.split(jax.random.key(1), n)))
    mass = np.linalg.inv(np.diag(inverse) if inverse.ndim == 1 else inverse)
    # Var of a sample covariance entry is (m_ii m_jj + m_ij^2) / n.
    error = np.sqrt((np.outer(np.diag(mass), np.diag(mass)) + mass**2) / n)
    assert np.all(np.abs(np.cov(draws.T) - mass) < 4.5 * error)


@pytest.mark.parametrize("inverse", [DIAGONAL, DENSE], ids=["diagonal", "dense"])
def test_velocity_is_the_derivative_of_the_kinetic_energy(inverse):
    metric = MassMatrix.from_inverse(jnp.asarray(inverse))
    momentum = jnp.array([0.3, -1.2, 0.8])
    np.testing.assert_allclose(
        jax.grad(metric.kinetic_energy)(momentum), metric.velocity(momentum), rtol=1e-5
    )
