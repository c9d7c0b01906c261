"""The multivariate normal distribution whose covariance is a diagonal plus a low-rank matrix."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike, namespace
from sojourn_distributions.distribution import Distribution
from sojourn_distributions.multivariate.cholesky import solve_factor

__all__ = ["LowRankMultivariateNormal"]

Shape = tuple[int, ...]

_LOG_2PI = math.log(2 * math.pi)


class LowRankMultivariateNormal(Distribution):
    """Normal distribution on vectors with covariance ``W W^T + diag(D)``.

    A draw and a log density cost O(n k) for n elements and k columns, after a factorization of
    O(n k^2) that all values share; no n x n matrix is formed. With ``A = D^(-1/2) W`` and
    ``[A; I] = Q R``, the determinant is ``det(D) det(R)^2``, and the quadratic form of x is the
    least ``|D^(-1/2) x - A m|^2 + |m|^2`` over m (Woodbury's identity as a ridge regression): a sum
    of squares, exact however small D is.

    Parameters
    ----------
    loc
        Mean; shape batch_shape + event_shape.
    cov_factor
        The factor W; shape batch_shape + event_shape + (k,).
    cov_diag
        The diagonal D, positive; shape batch_shape + event_shape.

    Examples
    --------
    >>> import numpy as np
    >>> import sojourn_distributions as dist
    >>> d = dist.LowRankMultivariateNormal(np.zeros(3), np.ones((3, 1)), np.full(3, 0.5))
    >>> print(d.variance)
    [1.5 1.5 1.5]
    """

    arg_constraints: ClassVar = {
        "loc": constraints.real_vector,
        "cov_factor": constraints.real_matrix,
        "cov_diag": constraints.independent(constraints.positive, 1),
    }
    support = constraints.real_vector
    reparametrized_params = ("loc", "cov_factor", "cov_diag")

    loc: ArrayLike
    cov_factor: ArrayLike
    cov_diag: ArrayLike

    def __init__(
        self,
        loc: ArrayLike,
        cov_factor: ArrayLike,
        cov_diag: ArrayLike,
        *,
        validate_args: bool | None = None,
    ) -> None:
        sizes = {np.shape(loc)[-1:], np.shape(cov_factor)[-2:-1], np.shape(cov_diag)[-1:]}
        if len(sizes) != 1 or sizes == {()}:
            raise ValueError(
                "LowRankMultivariateNormal: loc (..., n), cov_factor (..., n, k) and cov_diag "
                f"(..., n) must have the same n, got shapes {np.shape(loc)}, "
                f"{np.shape(cov_factor)} and {np.shape(cov_diag)}"
            )
        self._set_parameters(validate_args, loc=loc, cov_factor=cov_factor, cov_diag=cov_diag)

    def _event_shape(self) -> Shape:
        return np.shape(self.loc)[-1:]

    def _regression(self) -> tuple[Any, Any, Any, Any]:
        """``D^(1/2)``, the design A, the rows of Q beside A, and R."""
        xp = namespace(self.cov_factor, self.cov_diag)
        scale = xp.sqrt(xp.asarray(self.cov_diag, self._dtype))
        design = xp.asarray(self.cov_factor, self._dtype) / scale[..., None]
        identity = np.eye(design.shape[-1], dtype=self._dtype)
        below = xp.broadcast_to(identity, (*design.shape[:-2], *identity.shape))
        q, r = xp.linalg.qr(xp.concatenate([design, below], axis=-2))
        return scale, design, q[..., : design.shape[-2], :], r

    def _half_log_det(self, scale: Any, r: Any) -> Any:
        diagonal = abs(jnp.diagonal(r, axis1=-2, axis2=-1))
        return jnp.sum(jnp.log(scale), axis=-1) + jnp.sum(jnp.log(diagonal), axis=-1)

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        shape = self.shape(sample_shape)
        key_common, key_own = jax.random.split(key)
        rank = np.shape(self.cov_factor)[-1]
        common = jax.random.normal(key_common, (*shape[:-1], rank), self._dtype)
        own = jax.random.normal(key_own, shape, self._dtype)
        spread = jnp.squeeze(jnp.matmul(self.cov_factor, common[..., None]), -1)
        return self.loc + spread + jnp.sqrt(self.cov_diag) * own

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        scale, design, q, r = self._regression()
        target = (value - self.loc) / scale
        projected = jnp.squeeze(jnp.matmul(jnp.swapaxes(q, -2, -1), target[..., None]), -1)
        m = solve_factor(r, projected, lower=False)
        rest = target - jnp.squeeze(jnp.matmul(design, m[..., None]), -1)
        squared = jnp.sum(jnp.square(rest), axis=-1) + jnp.sum(jnp.square(m), axis=-1)
        half_log_det = self._half_log_det(scale, r)
        return -0.5 * squared - half_log_det - 0.5 * self.event_shape[0] * _LOG_2PI

    @property
    def mean(self) -> Any:
        return jnp.broadcast_to(self.loc, self.shape())

    @property
    def variance(self) -> Any:
        variance = jnp.sum(jnp.square(self.cov_factor), axis=-1) + self.cov_diag
        return jnp.broadcast_to(variance, self.shape())

    @property
    def mode(self) -> Any:
        return self.mean

    @property
    def covariance_matrix(self) -> Any:
        """Covariance matrix, dense."""
        factor = jnp.asarray(self.cov_factor, self._dtype)
        diagonal = jnp.asarray(self.cov_diag, self._dtype)[..., None]
        diagonal = diagonal * np.eye(self.event_shape[0], dtype=self._dtype)
        return factor @ jnp.swapaxes(factor, -2, -1) + diagonal

    @property
    def precision_matrix(self) -> Any:
        """Inverse of the covariance matrix, dense."""
        scale, _, q, _ = self._regression()
        # Q1 Q1^T = A (I + A^T A)^-1 A^T.
        identity = np.eye(self.event_shape[0], dtype=self._dtype)
        inner = identity - jnp.matmul(q, jnp.swapaxes(q, -2, -1))
        return inner / scale[..., None] / scale[..., None, :]

    @property
    def scale_tril(self) -> Any:
        """Lower Cholesky factor of the covariance matrix, dense."""
        factor = jnp.asarray(self.cov_factor, self._dtype)
        diagonal = jnp.sqrt(jnp.asarray(self.cov_diag, self._dtype))[..., None]
        diagonal = diagonal * np.eye(self.event_shape[0], dtype=self._dtype)
        batch = np.broadcast_shapes(factor.shape[:-2], diagonal.shape[:-2])
        parts = [jnp.broadcast_to(part, (*batch, *part.shape[-2:])) for part in (factor, diagonal)]
        r = jnp.linalg.qr(jnp.swapaxes(jnp.concatenate(parts, axis=-1), -2, -1), mode="r")
        sign = jnp.sign(jnp.diagonal(r, axis1=-2, axis2=-1))
        return jnp.swapaxes(sign[..., None] * r, -2, -1)

    def entropy(self) -> Any:
        scale, _, _, r = self._regression()
        entropy = self._half_log_det(scale, r) + 0.5 * self.event_shape[0] * (1 + _LOG_2PI)
        return jnp.broadcast_to(entropy, self.batch_shape)
