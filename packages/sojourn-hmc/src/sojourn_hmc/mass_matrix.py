"""The Euclidean metric of momentum space: the only owner of the diagonal-or-dense question.

Convention: ``inverse_mass_matrix`` is :math:`M^{-1}`, an estimate of the posterior covariance;
``mass_matrix_sqrt`` is a :math:`S` with :math:`S S^T = M` and ``mass_matrix_sqrt_inv`` is
:math:`S^{-1}`. A diagonal matrix is held as its diagonal, shape ``(D,)``, a dense one as
``(D, D)``.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular


class MassMatrix(NamedTuple):
    """Inverse mass matrix with the factors that drawing a momentum needs."""

    inverse_mass_matrix: jax.Array
    mass_matrix_sqrt: jax.Array
    mass_matrix_sqrt_inv: jax.Array

    @classmethod
    def from_inverse(cls, inverse_mass_matrix: jax.Array) -> "MassMatrix":
        """Factorise an inverse mass matrix, ``(D,)`` diagonal or ``(D, D)`` dense.

        Examples
        --------
        >>> import jax.numpy as jnp
        >>> MassMatrix.from_inverse(jnp.array([4.0, 9.0])).mass_matrix_sqrt_inv.tolist()
        [2.0, 3.0]
        """
        if inverse_mass_matrix.ndim == 1:
            sqrt_inv = jnp.sqrt(inverse_mass_matrix)
            return cls(inverse_mass_matrix, 1 / sqrt_inv, sqrt_inv)
        # Minv = L L^T gives M = L^-T L^-1, so S = L^-T and S^-1 = L^T.
        factor = jnp.linalg.cholesky(inverse_mass_matrix)
        identity = jnp.eye(factor.shape[0], dtype=factor.dtype)
        sqrt = solve_triangular(factor, identity, lower=True, trans="T")
        return cls(inverse_mass_matrix, sqrt, factor.T)

    def momentum(self, key: jax.Array) -> jax.Array:
        """Draw a momentum ``(D,)`` from :math:`N(0, M)`."""
        sqrt = self.mass_matrix_sqrt
        noise = jax.random.normal(key, sqrt.shape[:1], sqrt.dtype)
        return sqrt * noise if sqrt.ndim == 1 else sqrt @ noise

    def velocity(self, momentum: jax.Array) -> jax.Array:
        """:math:`v = M^{-1} r`, the derivative of the kinetic energy."""
        inverse = self.inverse_mass_matrix
        return inverse * momentum if inverse.ndim == 1 else inverse @ momentum

    def kinetic_energy(self, momentum: jax.Array) -> jax.Array:
        r""":math:`\frac12 r^T M^{-1} r`, a scalar; the constant :math:`\log\det M` is left out."""
        return 0.5 * jnp.dot(momentum, self.velocity(momentum))

    def alignment(self, momentum: jax.Array, direction: jax.Array) -> jax.Array:
        r""":math:`v(r) \cdot s`: positive while ``momentum`` still moves along ``direction``."""
        return jnp.dot(self.velocity(momentum), direction)
