r"""The inverse Hessian that L-BFGS knows of, in compact form: diagonal plus low rank.

With steps :math:`s = \Delta x` and changes of the gradient :math:`z = \Delta \nabla U` as columns
of S and Z, oldest first,

.. math:: H = \mathrm{diag}(\alpha) + \beta \gamma \beta^T, \quad \beta = [\alpha Z, S].

Invariant: H is symmetric positive definite and maps the latest z to its s (the secant equation).

Source: Zhang et al. 2022, Algorithms 3 and 4; Byrd, Nocedal, Schnabel 1994 for the compact form.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular

# Zhang et al. 2022, Algorithm 3: curvature that a pair must show, relative to |z|^2.
LEAST_CURVATURE = 1e-12


class Pairs(NamedTuple):
    """The last pairs of an L-BFGS run.

    Attributes
    ----------
    steps, changes : Array
        S and Z, ``(D, J)``, the oldest pair first, each divided by the root of ``s.z``, which
        changes nothing of H. Columns of zeros stand for pairs that are not there yet.
    diagonal : Array
        The diagonal alpha, ``(D,)``, positive.
    """

    steps: jax.Array
    changes: jax.Array
    diagonal: jax.Array


def no_pairs(position: jax.Array, history: int) -> Pairs:
    """Before the first step: H is the identity."""
    empty = jnp.zeros((position.shape[0], history), position.dtype)
    return Pairs(empty, empty, jnp.ones_like(position))


def add_pair(pairs: Pairs, step: jax.Array, change: jax.Array) -> Pairs:
    """Take note of a step and the change of the gradient, if the potential is convex along it.

    The diagonal is updated by the formula of Gilbert and Lemaréchal 1989, in which it is that of a
    BFGS update of a diagonal matrix.
    """
    curvature = step @ change
    usable = curvature > LEAST_CURVATURE * (change @ change)
    curvature = jnp.where(usable, curvature, 1.0)
    alpha = pairs.diagonal
    a, c = change @ (alpha * change), step @ (step / alpha)
    inverse = (
        a / (curvature * alpha)
        + change**2 / curvature
        - a * step**2 / (curvature * jnp.where(usable, c, 1.0) * alpha**2)
    )
    # The differences can round to zero or below, where one component does all of the step.
    sound = usable & jnp.isfinite(inverse) & (inverse > 0)
    root = jnp.sqrt(curvature)

    def push(columns: jax.Array, new: jax.Array) -> jax.Array:
        pushed = jnp.concatenate([columns[:, 1:], (new / root)[:, None]], axis=1)
        return jnp.where(usable, pushed, columns)

    return Pairs(
        push(pairs.steps, step),
        push(pairs.changes, change),
        jnp.where(sound, 1 / jnp.where(sound, inverse, 1.0), alpha),
    )


class InverseHessian(NamedTuple):
    """A symmetric matrix, diagonal plus low rank.

    Attributes
    ----------
    diagonal : Array
        Alpha, ``(D,)``.
    factors : Array
        Beta, ``(D, 2 J)``.
    middle : Array
        Gamma, ``(2 J, 2 J)``.
    """

    diagonal: jax.Array
    factors: jax.Array
    middle: jax.Array

    def times(self, vector: jax.Array) -> jax.Array:
        """Product with a vector ``(D,)``."""
        low_rank = self.factors @ (self.middle @ (self.factors.T @ vector))
        return self.diagonal * vector + low_rank

    def variances(self) -> jax.Array:
        """The diagonal of the matrix, ``(D,)``."""
        return self.diagonal + jnp.einsum("di,ij,dj->d", self.factors, self.middle, self.factors)

    def root(self) -> Root:
        """A square root, to draw with; NaN where rounding has cost the matrix its definiteness."""
        scale = jnp.sqrt(self.diagonal)
        basis, triangle = jnp.linalg.qr(self.factors / scale[:, None])
        inner = jnp.eye(triangle.shape[0], dtype=scale.dtype) + triangle @ self.middle @ triangle.T
        return Root(scale, basis, jnp.linalg.cholesky(inner))


class Root(NamedTuple):
    r"""A square root :math:`\mathrm{diag}(\sqrt\alpha) (I + Q (L - I) Q^T)` of an inverse Hessian.

    Attributes
    ----------
    scale : Array
        ``(D,)``, the root of alpha.
    basis : Array
        Q, ``(D, k)``, orthonormal columns.
    cholesky : Array
        L, ``(k, k)``, lower triangular.
    """

    scale: jax.Array
    basis: jax.Array
    cholesky: jax.Array

    def times(self, noise: jax.Array) -> jax.Array:
        """Product with a vector ``(D,)``: of standard normal noise, a draw of covariance H."""
        inside = self.basis.T @ noise
        return self.scale * (noise + self.basis @ (self.cholesky @ inside - inside))

    def log_determinant(self) -> jax.Array:
        """Logarithm of the determinant of the root, a scalar."""
        return jnp.sum(jnp.log(self.scale)) + jnp.sum(jnp.log(jnp.diagonal(self.cholesky)))


def inverse_hessian(pairs: Pairs) -> InverseHessian:
    """Put the pairs together."""
    steps, changes, alpha = pairs
    size = steps.shape[1]
    products = steps.T @ changes
    present = jnp.diagonal(products) > 0
    # Ones in the place of pairs that are not there keep R invertible; their columns are zero.
    upper = jnp.triu(products) + jnp.diag(jnp.where(present, 0.0, 1.0).astype(alpha.dtype))
    inverse = solve_triangular(upper, jnp.eye(size, dtype=alpha.dtype))
    between = jnp.diag(jnp.diagonal(products)) + changes.T @ (alpha[:, None] * changes)
    corner = inverse.T @ between @ inverse
    middle = jnp.block([[jnp.zeros_like(inverse), -inverse], [-inverse.T, corner]])
    return InverseHessian(alpha, jnp.concatenate([alpha[:, None] * changes, steps], 1), middle)
