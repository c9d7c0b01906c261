"""The matrix normal distribution."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike
from sojourn_distributions.distribution import Distribution
from sojourn_distributions.multivariate.cholesky import log_diagonal, solve_factor

__all__ = ["MatrixNormal"]

Shape = tuple[int, ...]

_LOG_2PI = math.log(2 * math.pi)


class MatrixNormal(Distribution):
    """Distribution of ``M + A Z B^T`` for a matrix Z of independent standard normal numbers.

    The covariance of two elements is that of their rows (``A A^T``) times that of their columns
    (``B B^T``): Gupta & Nagar (1999), Matrix Variate Distributions, chapter 2.

    Parameters
    ----------
    loc
        Mean M; shape batch_shape + (n, p).
    scale_tril_row
        Lower Cholesky factor A of the covariance among rows; shape batch_shape + (n, n).
    scale_tril_column
        Lower Cholesky factor B of the covariance among columns; shape batch_shape + (p, p).

    Examples
    --------
    >>> import numpy as np
    >>> import sojourn_distributions as dist
    >>> d = dist.MatrixNormal(np.zeros((2, 3)), np.eye(2), np.diag([1.0, 2.0, 3.0]))
    >>> print(d.variance)
    [[1. 4. 9.]
     [1. 4. 9.]]
    """

    arg_constraints: ClassVar = {
        "loc": constraints.real_matrix,
        "scale_tril_row": constraints.lower_cholesky,
        "scale_tril_column": constraints.lower_cholesky,
    }
    support = constraints.real_matrix
    reparametrized_params = ("loc", "scale_tril_row", "scale_tril_column")

    loc: ArrayLike
    scale_tril_row: ArrayLike
    scale_tril_column: ArrayLike

    def __init__(
        self,
        loc: ArrayLike,
        scale_tril_row: ArrayLike,
        scale_tril_column: ArrayLike,
        *,
        validate_args: bool | None = None,
    ) -> None:
        shapes = [np.shape(x) for x in (loc, scale_tril_row, scale_tril_column)]
        rows, columns = shapes[0][-2:-1], shapes[0][-1:]
        if not rows or shapes[1][-2:] != rows * 2 or shapes[2][-2:] != columns * 2:
            raise ValueError(
                "MatrixNormal: for loc of shape (..., n, p), scale_tril_row must have shape "
                "(..., n, n) and scale_tril_column (..., p, p); "
                f"got shapes {shapes[0]}, {shapes[1]} and {shapes[2]}"
            )
        self._set_parameters(
            validate_args,
            loc=loc,
            scale_tril_row=scale_tril_row,
            scale_tril_column=scale_tril_column,
        )

    def _event_shape(self) -> Shape:
        return np.shape(self.loc)[-2:]

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        noise = jax.random.normal(key, self.shape(sample_shape), self._dtype)
        mixed = jnp.matmul(self.scale_tril_row, noise)
        return self.loc + jnp.matmul(mixed, jnp.swapaxes(self.scale_tril_column, -2, -1))

    def _half_log_det(self) -> Any:
        rows, columns = self.event_shape
        row = jnp.sum(log_diagonal(self.scale_tril_row), axis=-1)
        return columns * row + rows * jnp.sum(log_diagonal(self.scale_tril_column), axis=-1)

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        rest = jnp.asarray(value - self.loc)
        rest = jnp.broadcast_to(rest, np.broadcast_shapes(rest.shape, self.shape()))
        # The columns, then the rows, are moved to the front and solved for as vectors.
        rest = solve_factor(self.scale_tril_row, jnp.moveaxis(rest, -1, 0))
        rest = solve_factor(self.scale_tril_column, jnp.moveaxis(rest, (0, -1), (-1, 0)))
        squared = jnp.sum(jnp.square(rest), axis=(0, -1))
        return -0.5 * squared - self._half_log_det() - 0.5 * math.prod(self.event_shape) * _LOG_2PI

    @property
    def mean(self) -> Any:
        return jnp.broadcast_to(self.loc, self.shape())

    @property
    def variance(self) -> Any:
        row = jnp.sum(jnp.square(self.scale_tril_row), axis=-1)
        column = jnp.sum(jnp.square(self.scale_tril_column), axis=-1)
        return jnp.broadcast_to(row[..., :, None] * column[..., None, :], self.shape())

    @property
    def mode(self) -> Any:
        return self.mean

    def entropy(self) -> Any:
        entropy = self._half_log_det() + 0.5 * math.prod(self.event_shape) * (1 + _LOG_2PI)
        return jnp.broadcast_to(entropy, self.batch_shape)
