"""Transforms that move numbers to other places, or to other containers, without changing them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_distributions import constraints
from sojourn_distributions.arrays import ArrayLike, float_dtype
from sojourn_distributions.constraints import Constraint
from sojourn_distributions.transforms.transform import Transform

__all__ = ["ComplexTransform", "PermuteTransform", "ReshapeTransform", "UnpackTransform"]

Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class ComplexTransform(Transform):
    """Pairs of real numbers, along the last dimension, to complex numbers."""

    @property
    def domain(self) -> Constraint:
        return constraints.real_vector

    @property
    def codomain(self) -> Constraint:
        return constraints.complex

    def __call__(self, x: ArrayLike) -> Any:
        self.forward_shape(np.shape(x))
        x = jnp.asarray(x, float_dtype(x))
        return jax.lax.complex(x[..., 0], x[..., 1])

    def _inverse(self, y: ArrayLike) -> Any:
        return jnp.stack([jnp.real(y), jnp.imag(y)], axis=-1)

    def log_abs_det_jacobian(self, x: ArrayLike, y: ArrayLike, intermediates: Any = None) -> Any:
        return jnp.zeros(np.shape(x)[:-1], float_dtype(x))

    def forward_shape(self, shape: Shape) -> Shape:
        if tuple(shape[-1:]) != (2,):
            raise ValueError(
                "ComplexTransform: the last dimension holds real and imaginary part, so its "
                f"length must be 2; got shape {tuple(shape)}"
            )
        return tuple(shape[:-1])

    def inverse_shape(self, shape: Shape) -> Shape:
        return (*shape, 2)


@dataclass(frozen=True, eq=False)
class PermuteTransform(Transform):
    """Vectors in another order: ``y = x[..., permutation]``."""

    permutation: ArrayLike

    @property
    def domain(self) -> Constraint:
        return constraints.real_vector

    @property
    def codomain(self) -> Constraint:
        return constraints.real_vector

    def __call__(self, x: ArrayLike) -> Any:
        return jnp.asarray(x)[..., self.permutation]

    def _inverse(self, y: ArrayLike) -> Any:
        return jnp.asarray(y)[..., jnp.argsort(self.permutation)]

    def log_abs_det_jacobian(self, x: ArrayLike, y: ArrayLike, intermediates: Any = None) -> Any:
        return jnp.zeros(np.shape(x)[:-1], jnp.result_type(x))


class ReshapeTransform(Transform):
    """Events of one shape to events of another of the same size.

    Parameters
    ----------
    forward_shape
        Shape of the output's event.
    inverse_shape
        Shape of the input's event.
    """

    def __init__(self, forward_shape: Shape, inverse_shape: Shape) -> None:
        if math.prod(forward_shape) != math.prod(inverse_shape):
            raise ValueError(
                f"cannot reshape events of shape {tuple(inverse_shape)} to {tuple(forward_shape)}: "
                "their sizes differ"
            )
        object.__setattr__(self, "_output", tuple(forward_shape))
        object.__setattr__(self, "_input", tuple(inverse_shape))

    _output: Shape
    _input: Shape

    def _aux_fields(self) -> tuple[str, ...]:
        return ("_output", "_input")

    @property
    def domain(self) -> Constraint:
        return constraints.independent(constraints.real, len(self._input))

    @property
    def codomain(self) -> Constraint:
        return constraints.independent(constraints.real, len(self._output))

    def __call__(self, x: ArrayLike) -> Any:
        return jnp.reshape(x, self.forward_shape(np.shape(x)))

    def _inverse(self, y: ArrayLike) -> Any:
        return jnp.reshape(y, self.inverse_shape(np.shape(y)))

    def log_abs_det_jacobian(self, x: ArrayLike, y: ArrayLike, intermediates: Any = None) -> Any:
        shape = np.shape(x)
        return jnp.zeros(shape[: len(shape) - len(self._input)], jnp.result_type(x))

    def forward_shape(self, shape: Shape) -> Shape:
        return _swap_tail(shape, self._input, self._output)

    def inverse_shape(self, shape: Shape) -> Shape:
        return _swap_tail(shape, self._output, self._input)


@dataclass(frozen=True, eq=False)
class UnpackTransform(Transform):
    """Flat vectors to a pytree of arrays.

    Parameters
    ----------
    unpack_fn
        Takes a vector, of shape ``batch_shape + (n,)`` if it can, and returns the pytree.
    pack_fn
        Its inverse; without it the transform has none.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from jax.flatten_util import ravel_pytree
    >>> from sojourn_distributions.transforms import UnpackTransform
    >>> vector, unpack = ravel_pytree({"a": jnp.zeros(2), "b": 1.0})
    >>> transform = UnpackTransform(unpack, lambda tree: ravel_pytree(tree)[0])
    >>> sorted(transform(vector))
    ['a', 'b']
    """

    unpack_fn: Callable[[Any], Any] = field(metadata={"static": True})
    pack_fn: Callable[[Any], Any] | None = field(default=None, metadata={"static": True})

    @property
    def domain(self) -> Constraint:
        return constraints.real_vector

    @property
    def codomain(self) -> Constraint:
        return constraints.dependent

    def __call__(self, x: ArrayLike) -> Any:
        return self.unpack_fn(x)

    def _inverse(self, y: Any) -> Any:
        if self.pack_fn is None:
            raise NotImplementedError(
                "UnpackTransform has no inverse unless it is given pack_fn, the function from "
                "the pytree to the vector"
            )
        return self.pack_fn(y)

    def log_abs_det_jacobian(self, x: ArrayLike, y: Any, intermediates: Any = None) -> Any:
        return jnp.zeros(np.shape(x)[:-1], float_dtype(x))

    def forward_shape(self, shape: Shape) -> Shape:
        raise NotImplementedError("a pytree, which UnpackTransform returns, has no single shape")

    def inverse_shape(self, shape: Shape) -> Shape:
        raise NotImplementedError("a pytree, which UnpackTransform returns, has no single shape")


def _swap_tail(shape: Shape, old: Shape, new: Shape) -> Shape:
    kept = len(shape) - len(old)
    if kept < 0 or tuple(shape[kept:]) != old:
        raise ValueError(f"expected a shape that ends in {old}, got {tuple(shape)}")
    return tuple(shape[:kept]) + new
