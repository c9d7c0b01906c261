"""Transforms to coordinates along smooth or coarse-to-fine waves; they preserve volume."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import jax.numpy as jnp
import jax.scipy.fft
import numpy as np

from sojourn_distributions import constraints
from sojourn_distributions.arrays import ArrayLike, float_dtype
from sojourn_distributions.constraints import Constraint
from sojourn_distributions.transforms.transform import Transform

__all__ = ["DiscreteCosineTransform", "HaarTransform"]


@dataclass(frozen=True, eq=False)
class _AlongDimension(Transform):
    """A linear map of determinant 1 or -1 along one dimension of real arrays."""

    dim: int = field(default=-1, metadata={"static": True})

    def __post_init__(self) -> None:
        if self.dim >= 0:
            raise ValueError(
                f"{type(self).__name__}: dim must be negative, counted from the right of the "
                f"event, got {self.dim}"
            )

    @property
    def domain(self) -> Constraint:
        return constraints.independent(constraints.real, -self.dim)

    @property
    def codomain(self) -> Constraint:
        return self.domain

    def log_abs_det_jacobian(self, x: ArrayLike, y: ArrayLike, intermediates: Any = None) -> Any:
        shape = np.shape(x)
        return jnp.zeros(shape[: len(shape) + self.dim], float_dtype(x))


@dataclass(frozen=True, eq=False)
class DiscreteCosineTransform(_AlongDimension):
    """Orthonormal discrete cosine transform of type 2 along a dimension.

    Parameters
    ----------
    dim
        Dimension to transform, negative; the event is it and those to its right.
    smooth
        Coefficient k is multiplied by ``(k + 1/2) ** smooth``, divided by the geometric mean of
        these factors, so that the volume stays. The inverse then gives smoother curves from white
        noise: with 1 Brownian motions, with 2 their integrals.

    Examples
    --------
    >>> import numpy as np
    >>> from sojourn_distributions.transforms import DiscreteCosineTransform
    >>> DiscreteCosineTransform()(np.ones(4)).round(3)
    Array([2., 0., 0., 0.], dtype=float32)
    """

    smooth: float = field(default=0.0, metadata={"static": True})

    def _weights(self, like: Any) -> Any:
        size = like.shape[self.dim]
        logs = self.smooth * np.log(np.arange(size) + 0.5)
        weights = np.exp(logs - logs.mean()).astype(like.dtype)
        return weights.reshape((size,) + (1,) * (-self.dim - 1))

    def __call__(self, x: ArrayLike) -> Any:
        x = jnp.asarray(x, float_dtype(x))
        y = jax.scipy.fft.dct(x, axis=self.dim, norm="ortho")
        return y * self._weights(y) if self.smooth else y

    def _inverse(self, y: ArrayLike) -> Any:
        y = jnp.asarray(y, float_dtype(y))
        x = y / self._weights(y) if self.smooth else y
        return jax.scipy.fft.idct(x, axis=self.dim, norm="ortho")


@dataclass(frozen=True, eq=False)
class HaarTransform(_AlongDimension):
    """Orthonormal Haar wavelet transform along a dimension of any length.

    Neighbours are replaced by their sum and difference over the square root of 2, and the sums are
    transformed again: the coarsest coefficient comes first. An element without a neighbour is kept
    in the last place.

    Parameters
    ----------
    dim
        Dimension to transform, negative; the event is it and those to its right.
    flip
        Pair the elements from the end of the dimension.

    Examples
    --------
    >>> import numpy as np
    >>> from sojourn_distributions.transforms import HaarTransform
    >>> HaarTransform()(np.array([1.0, 1.0, 3.0, 3.0])).round(3)
    Array([ 4., -2.,  0.,  0.], dtype=float32)
    """

    flip: bool = field(default=False, metadata={"static": True})

    def __call__(self, x: ArrayLike) -> Any:
        x = jnp.moveaxis(jnp.asarray(x, float_dtype(x)), self.dim, -1)
        y = _haar(jnp.flip(x, -1) if self.flip else x)
        return jnp.moveaxis(y, -1, self.dim)

    def _inverse(self, y: ArrayLike) -> Any:
        x = _inverse_haar(jnp.moveaxis(jnp.asarray(y, float_dtype(y)), self.dim, -1))
        return jnp.moveaxis(jnp.flip(x, -1) if self.flip else x, -1, self.dim)


def _haar(x: Any) -> Any:
    half = x.shape[-1] // 2
    if not half:
        return x
    even, odd = x[..., : 2 * half : 2], x[..., 1 : 2 * half : 2]
    coarse, fine = (even + odd) * math.sqrt(0.5), (even - odd) * math.sqrt(0.5)
    return jnp.concatenate([_haar(coarse), fine, x[..., 2 * half :]], axis=-1)


def _inverse_haar(y: Any) -> Any:
    half = y.shape[-1] // 2
    if not half:
        return y
    coarse, fine = _inverse_haar(y[..., :half]), y[..., half : 2 * half]
    pairs = jnp.stack([coarse + fine, coarse - fine], axis=-1) * math.sqrt(0.5)
    return jnp.concatenate([pairs.reshape(*y.shape[:-1], -1), y[..., 2 * half :]], axis=-1)
