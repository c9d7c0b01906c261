"""Transforms between unconstrained vectors and simplexes, balls, ordered and zero-sum vectors."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_distributions import constraints
from sojourn_distributions.arrays import ArrayLike, float_dtype
from sojourn_distributions.constraints import Constraint
from sojourn_distributions.transforms.elementwise import log_sech_squared
from sojourn_distributions.transforms.transform import Transform

__all__ = [
    "L1BallTransform",
    "OrderedTransform",
    "SimplexToOrderedTransform",
    "StickBreakingTransform",
    "ZeroSumTransform",
]

Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class StickBreakingTransform(Transform):
    """Unconstrained vectors of length K - 1 to simplexes of length K.

    Piece k is the fraction ``sigmoid(x_k - log(K - 1 - k))`` of what is left of the stick, so that
    ``x = 0`` is the uniform vector (Stan Reference Manual, unit simplex). Computed with logs of
    fractions, for small pieces keep their relative precision.
    """

    @property
    def domain(self) -> Constraint:
        return constraints.real_vector

    @property
    def codomain(self) -> Constraint:
        return constraints.simplex

    def _log_pieces(self, x: Any) -> tuple[Any, Any]:
        """Logs of what each break takes and of what was left before it (and after the last)."""
        offset = np.log(np.arange(np.shape(x)[-1], 0, -1))
        logits = x - offset.astype(jnp.result_type(x, 0.0))
        left = jnp.cumsum(-jax.nn.softplus(logits), axis=-1)
        before = jnp.concatenate([jnp.zeros_like(left[..., :1]), left], axis=-1)
        return -jax.nn.softplus(-logits), before

    def __call__(self, x: ArrayLike) -> Any:
        log_fraction, log_left = self._log_pieces(x)
        log_y = jnp.concatenate([log_fraction + log_left[..., :-1], log_left[..., -1:]], axis=-1)
        return jnp.exp(log_y)

    def _inverse(self, y: ArrayLike) -> Any:
        # What is left after each break, summed from the far end to avoid cancellation.
        y = jnp.asarray(y, float_dtype(y))
        left = jnp.flip(jnp.cumsum(jnp.flip(y, -1), axis=-1), -1)[..., 1:]
        offset = np.log(np.arange(y.shape[-1] - 1, 0, -1)).astype(y.dtype)
        # Pieces that underflowed count as the smallest number: finite, where 0 / 0 has no log.
        tiny = float(jnp.finfo(y.dtype).tiny)
        log_ratio = jnp.log(jnp.maximum(y[..., :-1], tiny)) - jnp.log(jnp.maximum(left, tiny))
        return log_ratio + offset

    def log_abs_det_jacobian(self, x: ArrayLike, y: ArrayLike, intermediates: Any = None) -> Any:
        log_fraction, log_left = self._log_pieces(x)
        # dy_k/dx_k = fraction (1 - fraction) left before; "left after" is (1 - fraction) of it.
        return jnp.sum(log_fraction + log_left[..., 1:], axis=-1)

    def forward_shape(self, shape: Shape) -> Shape:
        return (*shape[:-1], shape[-1] + 1)

    def inverse_shape(self, shape: Shape) -> Shape:
        return (*shape[:-1], shape[-1] - 1)


@dataclass(frozen=True, eq=False)
class L1BallTransform(Transform):
    """Unconstrained vectors to those whose absolute values sum to at most 1.

    Element k takes the fraction ``tanh(|x_k|)`` of what the elements before it left of 1, and the
    sign of x_k. Where x is so large that nothing is left to working precision, the inverse gives
    back a finite x, not the same one.
    """

    @property
    def domain(self) -> Constraint:
        return constraints.real_vector

    @property
    def codomain(self) -> Constraint:
        return constraints.l1_ball

    def _log_left(self, x: Any) -> Any:
        """Log of what is left before each element: the sum of ``log(1 - tanh(|x_j|))``."""
        taken = math.log(2.0) - jax.nn.softplus(2 * jnp.abs(x))
        summed = jnp.cumsum(taken, axis=-1)
        return jnp.concatenate([jnp.zeros_like(summed[..., :1]), summed[..., :-1]], axis=-1)

    def __call__(self, x: ArrayLike) -> Any:
        x = jnp.asarray(x, float_dtype(x))
        return jnp.tanh(x) * jnp.exp(self._log_left(x))

    def _inverse(self, y: ArrayLike) -> Any:
        y = jnp.asarray(y, float_dtype(y))
        eps = float(jnp.finfo(y.dtype).eps)
        before = jnp.cumsum(jnp.abs(y), axis=-1) - jnp.abs(y)
        fraction = y / jnp.maximum(1 - before, eps)
        return jnp.arctanh(jnp.clip(fraction, eps - 1, 1 - eps))

    def log_abs_det_jacobian(self, x: ArrayLike, y: ArrayLike, intermediates: Any = None) -> Any:
        x = jnp.asarray(x, float_dtype(x))
        return jnp.sum(log_sech_squared(x) + self._log_left(x), axis=-1)


@dataclass(frozen=True, eq=False)
class OrderedTransform(Transform):
    """Unconstrained vectors to increasing ones: the differences are exponentials."""

    @property
    def domain(self) -> Constraint:
        return constraints.real_vector

    @property
    def codomain(self) -> Constraint:
        return constraints.ordered_vector

    def __call__(self, x: ArrayLike) -> Any:
        first = x[..., :1]
        return jnp.concatenate([first, first + jnp.cumsum(jnp.exp(x[..., 1:]), axis=-1)], axis=-1)

    def _inverse(self, y: ArrayLike) -> Any:
        return jnp.concatenate([y[..., :1], jnp.log(y[..., 1:] - y[..., :-1])], axis=-1)

    def log_abs_det_jacobian(self, x: ArrayLike, y: ArrayLike, intermediates: Any = None) -> Any:
        return jnp.sum(x[..., 1:], axis=-1)


@dataclass(frozen=True, eq=False)
class SimplexToOrderedTransform(Transform):
    """Probabilities of ordered categories to the cutpoints that an ordered logistic gives them.

    Cutpoint k is ``logit(p_1 + ... + p_k) + anchor_point`` (Betancourt, Ordinal Regression, 2.2).

    Parameters
    ----------
    anchor_point
        The value of the latent predictor at which the categories have these probabilities.
    """

    anchor_point: ArrayLike = 0.0

    @property
    def domain(self) -> Constraint:
        return constraints.simplex

    @property
    def codomain(self) -> Constraint:
        return constraints.ordered_vector

    def __call__(self, x: ArrayLike) -> Any:
        below = jnp.cumsum(x, axis=-1)[..., :-1]
        above = jnp.flip(jnp.cumsum(jnp.flip(x, -1), axis=-1), -1)[..., 1:]
        return jnp.log(below) - jnp.log(above) + jnp.asarray(self.anchor_point)[..., None]

    def _inverse(self, y: ArrayLike) -> Any:
        z = y - jnp.asarray(self.anchor_point)[..., None]
        upto = jax.nn.sigmoid(z)
        first = upto[..., :1]
        # sigmoid(b) - sigmoid(a), without cancellation where both are near 1.
        middle = jax.nn.sigmoid(z[..., 1:]) * jax.nn.sigmoid(-z[..., :-1])
        middle = middle * -jnp.expm1(z[..., :-1] - z[..., 1:])
        return jnp.concatenate([first, middle, jax.nn.sigmoid(-z[..., -1:])], axis=-1)

    def log_abs_det_jacobian(self, x: ArrayLike, y: ArrayLike, intermediates: Any = None) -> Any:
        z = y - jnp.asarray(self.anchor_point)[..., None]
        return jnp.sum(jax.nn.softplus(z) + jax.nn.softplus(-z), axis=-1)

    def forward_shape(self, shape: Shape) -> Shape:
        return (*shape[:-1], shape[-1] - 1)

    def inverse_shape(self, shape: Shape) -> Shape:
        return (*shape[:-1], shape[-1] + 1)


@dataclass(frozen=True, eq=False)
class ZeroSumTransform(Transform):
    """Unconstrained arrays to arrays one longer that sum to 0 along each event dimension.

    An isometry onto the subspace (a Householder reflection), so the volume does not change.

    Parameters
    ----------
    transform_ndims
        Number of event dimensions.
    """

    transform_ndims: int = field(default=1, metadata={"static": True})

    @property
    def domain(self) -> Constraint:
        return constraints.independent(constraints.real, self.transform_ndims)

    @property
    def codomain(self) -> Constraint:
        return constraints.zero_sum(self.transform_ndims)

    def __call__(self, x: ArrayLike) -> Any:
        for axis in range(-self.transform_ndims, 0):
            size = np.shape(x)[axis] + 1
            total = jnp.sum(x, axis=axis, keepdims=True)
            last = -total / size**0.5
            shift = total / (size + size**0.5)
            x = jnp.concatenate([x - shift, last], axis=axis)
        return x

    def _inverse(self, y: ArrayLike) -> Any:
        for axis in range(-self.transform_ndims, 0):
            size = np.shape(y)[axis]
            last = jax.lax.slice_in_dim(y, size - 1, size, axis=axis)
            total = -last * size**0.5
            shift = total / (size + size**0.5)
            y = jax.lax.slice_in_dim(y, 0, size - 1, axis=axis) + shift
        return y

    def log_abs_det_jacobian(self, x: ArrayLike, y: ArrayLike, intermediates: Any = None) -> Any:
        shape = np.shape(x)
        return jnp.zeros(shape[: len(shape) - self.transform_ndims], jnp.result_type(x))

    def forward_shape(self, shape: Shape) -> Shape:
        kept = len(shape) - self.transform_ndims
        return tuple(shape[:kept]) + tuple(size + 1 for size in shape[kept:])

    def inverse_shape(self, shape: Shape) -> Shape:
        kept = len(shape) - self.transform_ndims
        return tuple(shape[:kept]) + tuple(size - 1 for size in shape[kept:])
