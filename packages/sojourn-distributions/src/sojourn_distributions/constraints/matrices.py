"""Constraints on matrices: triangular factors, positive definite and correlation matrices."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from sojourn_distributions.constraints.constraint import SUM_TOLERANCE, Constraint


class _Matrix(Constraint):
    @property
    def event_dim(self) -> int:
        return 2

    def _feasible(self, like: Any, xp: Any) -> Any:
        return xp.zeros_like(like) + np.eye(like.shape[-1])


def _is_symmetric(x: Any, xp: Any) -> Any:
    scale = xp.maximum(1.0, abs(x).max((-2, -1), keepdims=True))
    return xp.all(abs(x - xp.swapaxes(x, -2, -1)) <= SUM_TOLERANCE * scale, axis=(-2, -1))


def _has_cholesky(x: Any, xp: Any) -> Any:
    """Whether each matrix has a Cholesky factor; NumPy judges a whole batch in one call."""
    if xp is jnp:
        return ~jnp.isnan(jnp.linalg.cholesky(x)).any((-2, -1))
    if x.ndim == 2:
        try:
            np.linalg.cholesky(x.astype(np.float64))
        except np.linalg.LinAlgError:
            return np.False_
        return np.isfinite(x).all()
    return np.array([_has_cholesky(each, np) for each in x.reshape(-1, *x.shape[-2:])]).reshape(
        x.shape[:-2]
    )


class LowerCholesky(_Matrix):
    """Lower triangular matrices with a positive diagonal."""

    def _holds(self, x: Any, xp: Any) -> Any:
        lower = xp.all(xp.tril(x) == x, axis=(-2, -1))
        return lower & xp.all(xp.diagonal(x, axis1=-2, axis2=-1) > 0, axis=-1)


class ScaledUnitLowerCholesky(LowerCholesky):
    """Lower Cholesky factors, unconstrained as a unit triangular matrix times a diagonal."""


class SoftplusLowerCholesky(LowerCholesky):
    """Lower Cholesky factors, unconstrained with a softplus on the diagonal."""


class CorrCholesky(LowerCholesky):
    """Lower Cholesky factors of correlation matrices: rows of norm 1."""

    def _holds(self, x: Any, xp: Any) -> Any:
        unit_rows = xp.all(abs((x * x).sum(-1) - 1) <= 10 * SUM_TOLERANCE, axis=-1)
        return super()._holds(x, xp) & unit_rows


class PositiveDefinite(_Matrix):
    """Symmetric positive definite matrices."""

    def _holds(self, x: Any, xp: Any) -> Any:
        return _is_symmetric(x, xp) & _has_cholesky(x, xp)


class PositiveSemidefinite(_Matrix):
    """Symmetric matrices without a negative eigenvalue."""

    def _holds(self, x: Any, xp: Any) -> Any:
        smallest = xp.linalg.eigvalsh(x)[..., 0]
        slack = SUM_TOLERANCE * xp.maximum(1.0, abs(x).max((-2, -1)))
        return _is_symmetric(x, xp) & (smallest >= -slack)


class CorrMatrix(PositiveDefinite):
    """Symmetric positive definite matrices with a unit diagonal."""

    def _holds(self, x: Any, xp: Any) -> Any:
        diagonal = xp.diagonal(x, axis1=-2, axis2=-1)
        return super()._holds(x, xp) & xp.all(abs(diagonal - 1) <= SUM_TOLERANCE, axis=-1)
