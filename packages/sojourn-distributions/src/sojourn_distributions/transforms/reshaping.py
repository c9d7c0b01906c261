"""Transforms that move numbers without changing them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from sojourn_distributions import constraints
from sojourn_distributions.arrays import ArrayLike
from sojourn_distributions.constraints import Constraint
from sojourn_distributions.transforms.transform import Transform

__all__ = ["PermuteTransform", "ReshapeTransform"]

Shape = tuple[int, ...]


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


def _swap_tail(shape: Shape, old: Shape, new: Shape) -> Shape:
    kept = len(shape) - len(old)
    if kept < 0 or tuple(shape[kept:]) != old:
        raise ValueError(f"expected a shape that ends in {old}, got {tuple(shape)}")
    return tuple(shape[:kept]) + new
