"""The Euclidean metric of momentum space, diagonal or dense, and what any metric offers.

Convention: ``inverse_mass_matrix`` is :math:`M^{-1}`, an estimate of the posterior covariance;
``mass_matrix_sqrt`` is a :math:`S` with :math:`S S^T = M` and ``mass_matrix_sqrt_inv`` is
:math:`S^{-1}`. A diagonal matrix is held as its diagonal, shape ``(D,)``, a dense one as
``(D, D)``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular


class Metric(ABC):
    """A kinetic energy over flat momenta ``(D,)``, and the momenta that belong to it."""

    refreshes_from_last = False
    """Whether the next momentum depends on the last one, which is then carried along."""

    @abstractmethod
    def momentum(self, key: jax.Array) -> jax.Array:
        """Draw a momentum ``(D,)`` from :math:`N(0, M)`."""

    @abstractmethod
    def velocity(self, momentum: jax.Array) -> jax.Array:
        """The derivative of the kinetic energy, :math:`M^{-1} r`, shape ``(D,)``."""

    @abstractmethod
    def mass_times(self, vector: jax.Array) -> jax.Array:
        """:math:`M x`, shape ``(D,)``."""

    def kinetic_energy(self, momentum: jax.Array) -> jax.Array:
        r""":math:`\frac12 r^T M^{-1} r`, a scalar; the constant :math:`\log\det M` is left out."""
        return 0.5 * jnp.dot(momentum, self.velocity(momentum))

    def refresh(self, key: jax.Array, last: jax.Array) -> jax.Array:
        """The momentum for the next transition; a fresh one, whatever the last was."""
        return self.momentum(key)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class MassMatrix(Metric):
    """An inverse mass matrix with the factors that drawing a momentum needs."""

    inverse_mass_matrix: Any
    mass_matrix_sqrt: Any
    mass_matrix_sqrt_inv: Any

    @classmethod
    def from_inverse(cls, inverse_mass_matrix: jax.Array) -> MassMatrix:
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
        sqrt = self.mass_matrix_sqrt
        return self.scale_noise(jax.random.normal(key, sqrt.shape[:1], sqrt.dtype))

    def scale_noise(self, noise: jax.Array) -> jax.Array:
        """Turn standard normal numbers ``(D,)`` into a momentum."""
        sqrt = self.mass_matrix_sqrt
        return sqrt * noise if sqrt.ndim == 1 else sqrt @ noise

    def velocity(self, momentum: jax.Array) -> jax.Array:
        inverse = self.inverse_mass_matrix
        return inverse * momentum if inverse.ndim == 1 else inverse @ momentum

    def mass_times(self, vector: jax.Array) -> jax.Array:
        sqrt = self.mass_matrix_sqrt
        return sqrt * sqrt * vector if sqrt.ndim == 1 else sqrt @ (sqrt.T @ vector)
