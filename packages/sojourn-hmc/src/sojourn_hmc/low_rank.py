r"""A mass matrix of low rank plus diagonal, for many dimensions with few strong correlations.

:math:`M^{-1} = D (I + V (\Lambda - I) V^T) D` with a diagonal :math:`D` and ``k`` orthonormal
columns :math:`V`: velocity and momentum cost :math:`O(Dk)`.

Source: Seyboldt, Carlson, Carpenter 2026, "Preconditioning Hamiltonian Monte Carlo by minimizing
Fisher divergence" (arXiv:2603.18845).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp

from sojourn_hmc.mass_matrix import Metric


class LowRank(NamedTuple):
    r"""A matrix :math:`D (I + V (\Lambda - I) V^T) D`, or its factor (with one :math:`D`).

    Attributes
    ----------
    scale : Array
        ``(D,)``, the diagonal of :math:`D`, positive.
    vectors : Array
        ``(D, k)``, orthonormal columns; a column of zeros stands for none.
    values : Array
        ``(k,)``, the diagonal of :math:`\Lambda`, positive; 1 stands for none.
    """

    scale: jax.Array
    vectors: jax.Array
    values: jax.Array

    def middle(self, x: jax.Array) -> jax.Array:
        r""":math:`(I + V (\Lambda - I) V^T) x`."""
        return x + self.vectors @ ((self.values - 1) * (self.vectors.T @ x))

    def dense(self) -> jax.Array:
        """The whole matrix ``(D, D)``, to be looked at."""
        size = self.scale.shape[0]
        identity = jnp.eye(size, dtype=self.scale.dtype)
        inner = identity + (self.vectors * (self.values - 1)[None, :]) @ self.vectors.T
        return self.scale[:, None] * inner * self.scale[None, :]


def factors(inverse: LowRank) -> tuple[LowRank, LowRank]:
    """Square root of the mass matrix, :math:`S = D^{-1} (I + V (Λ^{-1/2} - I) V^T)`, and inverse.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> inverse = LowRank(jnp.array([1.0, 2.0]), jnp.array([[1.0], [0.0]]), jnp.array([4.0]))
    >>> sqrt, sqrt_inv = factors(inverse)
    >>> sqrt.scale.tolist(), sqrt.values.tolist(), sqrt_inv.values.tolist()
    ([1.0, 0.5], [0.5], [2.0])
    """
    root = jnp.sqrt(inverse.values)
    return (
        LowRank(1 / inverse.scale, inverse.vectors, 1 / root),
        LowRank(inverse.scale, inverse.vectors, root),
    )


@dataclass(frozen=True)
class LowRankMassMatrix(Metric):
    """The metric of an inverse mass matrix of low rank plus diagonal."""

    inverse_mass_matrix: LowRank
    mass_matrix_sqrt: LowRank

    def momentum(self, key: jax.Array) -> jax.Array:
        sqrt = self.mass_matrix_sqrt
        noise = jax.random.normal(key, sqrt.scale.shape, sqrt.scale.dtype)
        return sqrt.scale * sqrt.middle(noise)

    def velocity(self, momentum: jax.Array) -> jax.Array:
        inverse = self.inverse_mass_matrix
        return inverse.scale * inverse.middle(inverse.scale * momentum)

    def mass_times(self, vector: jax.Array) -> jax.Array:
        sqrt = self.mass_matrix_sqrt
        return sqrt.scale * sqrt.middle(sqrt.middle(sqrt.scale * vector))
