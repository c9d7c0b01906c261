"""Transforms between real arrays and the coefficients of their discrete Fourier transform."""

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
from sojourn_distributions.transforms.transform import Transform

__all__ = ["PackRealFastFourierCoefficientsTransform", "RealFastFourierTransform"]

Shape = tuple[int, ...]


def _shape_tuple(shape: int | Shape) -> Shape:
    return (shape,) if isinstance(shape, int) else tuple(shape)


def _check_tail(transform: Transform, shape: Shape, tail: Shape | None, ndims: int) -> None:
    """Raise ValueError unless `shape` ends in the stated event shape."""
    if len(shape) < ndims:
        raise ValueError(
            f"{type(transform).__name__} acts on the last {ndims} dimension(s), got shape {shape}"
        )
    if tail is not None and shape[len(shape) - ndims :] != tail:
        raise ValueError(
            f"{type(transform).__name__}: expected a shape that ends in {tail}, got {shape}"
        )


@dataclass(frozen=True, eq=False)
class RealFastFourierTransform(Transform):
    """Real arrays to the nonredundant half of their discrete Fourier transform.

    An event of shape ``(..., n)`` becomes a complex one of shape ``(..., n // 2 + 1)``, as
    ``jax.numpy.fft.rfftn`` gives it. The volume change counts real numbers: as many real and
    imaginary parts as there were elements, those that are 0 or repeat another left out.

    Parameters
    ----------
    transform_shape
        Shape of the real event. If None, the forward map takes any, and the inverse supposes an
        even last dimension (a spectrum of length m may come from 2 m - 2 or 2 m - 1 numbers).
    transform_ndims
        Number of event dimensions.

    Raises
    ------
    ValueError
        If `transform_shape` has not `transform_ndims` entries, or an argument ends in another.

    Examples
    --------
    >>> import numpy as np
    >>> from sojourn_distributions.transforms import RealFastFourierTransform
    >>> transform = RealFastFourierTransform((5,))
    >>> transform(np.arange(5.0)).shape, transform.inv(np.ones(3)).shape
    ((3,), (5,))
    """

    transform_shape: Shape | None = field(default=None, metadata={"static": True})
    transform_ndims: int = field(default=1, metadata={"static": True})

    def __post_init__(self) -> None:
        if self.transform_ndims < 1:
            raise ValueError(f"transform_ndims must be at least 1, got {self.transform_ndims}")
        if self.transform_shape is not None:
            object.__setattr__(self, "transform_shape", _shape_tuple(self.transform_shape))
            if len(self.transform_shape) != self.transform_ndims:
                raise ValueError(
                    f"transform_shape {self.transform_shape} must have "
                    f"transform_ndims={self.transform_ndims} entries"
                )

    @property
    def domain(self) -> Constraint:
        return constraints.independent(constraints.real, self.transform_ndims)

    @property
    def codomain(self) -> Constraint:
        return constraints.independent(constraints.complex, self.transform_ndims)

    @property
    def _axes(self) -> tuple[int, ...]:
        return tuple(range(-self.transform_ndims, 0))

    def __call__(self, x: ArrayLike) -> Any:
        self.forward_shape(np.shape(x))
        return jnp.fft.rfftn(jnp.asarray(x), axes=self._axes)

    def _inverse(self, y: ArrayLike) -> Any:
        shape = self.inverse_shape(np.shape(y))
        event = shape[len(shape) - self.transform_ndims :]
        return jnp.fft.irfftn(jnp.asarray(y), s=event, axes=self._axes)

    def log_abs_det_jacobian(self, x: ArrayLike, y: ArrayLike, intermediates: Any = None) -> Any:
        shape = np.shape(x)
        kept = len(shape) - self.transform_ndims
        event = shape[kept:]
        # Rows of the transform are orthogonal: one of squared norm N for a frequency that is its
        # own conjugate (real), two of squared norm N / 2 for every other pair.
        size = math.prod(event)
        real = math.prod(2 - length % 2 for length in event)
        value = 0.5 * (size * math.log(size) - (size - real) * math.log(2.0)) if size else 0.0
        return jnp.full(shape[:kept], value, float_dtype(x))

    def forward_shape(self, shape: Shape) -> Shape:
        shape = tuple(shape)
        _check_tail(self, shape, self.transform_shape, self.transform_ndims)
        return (*shape[:-1], shape[-1] // 2 + 1)

    def inverse_shape(self, shape: Shape) -> Shape:
        shape = tuple(shape)
        if self.transform_shape is None:
            _check_tail(self, shape, None, self.transform_ndims)
            return (*shape[:-1], 2 * (shape[-1] - 1))
        *others, last = self.transform_shape
        _check_tail(self, shape, (*others, last // 2 + 1), self.transform_ndims)
        return (*shape[:-1], last)


@dataclass(frozen=True, eq=False)
class PackRealFastFourierCoefficientsTransform(Transform):
    """Real vectors to the Fourier coefficients of a real vector of the same length n.

    The first n // 2 + 1 entries become the real parts, the others the imaginary parts from
    frequency 1 on; the coefficient of frequency 0 and, for even n, the last one are real.

    Parameters
    ----------
    transform_shape
        ``(n,)``; needed by the inverse, because the coefficients do not tell whether n is even.

    Raises
    ------
    ValueError
        If `transform_shape` is not of one dimension, an argument ends in another, or the inverse
        is asked for without it.

    Examples
    --------
    >>> import numpy as np
    >>> from sojourn_distributions.transforms import PackRealFastFourierCoefficientsTransform
    >>> PackRealFastFourierCoefficientsTransform((4,))(np.array([1.0, 2.0, 3.0, 4.0]))
    Array([1.+0.j, 2.+4.j, 3.+0.j], dtype=complex64)
    """

    transform_shape: Shape | None = field(default=None, metadata={"static": True})

    def __post_init__(self) -> None:
        if self.transform_shape is not None:
            object.__setattr__(self, "transform_shape", _shape_tuple(self.transform_shape))
            if len(self.transform_shape) != 1:
                raise ValueError(
                    "PackRealFastFourierCoefficientsTransform acts on vectors, got "
                    f"transform_shape={self.transform_shape}"
                )

    @property
    def domain(self) -> Constraint:
        return constraints.real_vector

    @property
    def codomain(self) -> Constraint:
        return constraints.independent(constraints.complex, 1)

    def __call__(self, x: ArrayLike) -> Any:
        real_count = self.forward_shape(np.shape(x))[-1]
        x = jnp.asarray(x, float_dtype(x))
        real, rest = x[..., :real_count], x[..., real_count:]
        after = real_count - 1 - rest.shape[-1]
        widths = [(0, 0)] * (x.ndim - 1) + [(1, after)]
        return jax.lax.complex(real, jnp.pad(rest, widths))

    def _inverse(self, y: ArrayLike) -> Any:
        length = self.inverse_shape(np.shape(y))[-1]
        y = jnp.asarray(y)
        imaginary = jnp.imag(y)[..., 1 : 1 + length - y.shape[-1]]
        return jnp.concatenate([jnp.real(y), imaginary], axis=-1)

    def log_abs_det_jacobian(self, x: ArrayLike, y: ArrayLike, intermediates: Any = None) -> Any:
        return jnp.zeros(np.shape(x)[:-1], float_dtype(x))

    def forward_shape(self, shape: Shape) -> Shape:
        shape = tuple(shape)
        _check_tail(self, shape, self.transform_shape, 1)
        return (*shape[:-1], shape[-1] // 2 + 1)

    def inverse_shape(self, shape: Shape) -> Shape:
        shape = tuple(shape)
        if self.transform_shape is None:
            raise ValueError(
                "PackRealFastFourierCoefficientsTransform: the inverse needs the length of the "
                "vector; give transform_shape=(n,)"
            )
        length = self.transform_shape[0]
        _check_tail(self, shape, (length // 2 + 1,), 1)
        return (*shape[:-1], length)
