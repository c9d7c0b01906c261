"""A linear recursion of vectors with independent normal innovations."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike
from sojourn_distributions.distribution import Distribution
from sojourn_distributions.multivariate.cholesky import (
    derived_factor,
    derived_inverse,
    derived_product,
    log_diagonal,
    mahalanobis_squared,
    only_given,
)

__all__ = ["GaussianStateSpace"]

Shape = tuple[int, ...]


def _apply(matrix: Any, vectors: Any) -> Any:
    return jnp.squeeze(jnp.matmul(matrix, vectors[..., None]), -1)


class GaussianStateSpace(Distribution):
    """States ``z_t = A z_(t-1) + e_t`` for t = 1, ..., T, with normal innovations of mean 0.

    Exactly one of the three matrices of the innovations must be given.

    Parameters
    ----------
    num_steps
        Number of states T; event_shape is ``(num_steps, n)``.
    transition_matrix
        The matrix A; shape batch_shape + (n, n).
    covariance_matrix, precision_matrix
        Of the innovations, positive definite; shape batch_shape + (n, n).
    scale_tril
        Lower Cholesky factor of the innovations' covariance; shape batch_shape + (n, n).
    initial_value
        The state before the first, z_0; shape batch_shape + (n,). Zero if not given.

    Examples
    --------
    >>> import numpy as np
    >>> import sojourn_distributions as dist
    >>> d = dist.GaussianStateSpace(3, 0.5 * np.eye(1), np.eye(1), initial_value=np.ones(1))
    >>> print(d.mean[:, 0], d.variance[:, 0])
    [0.5   0.25  0.125] [1.     1.25   1.3125]
    """

    arg_constraints: ClassVar = {
        "covariance_matrix": constraints.positive_definite,
        "precision_matrix": constraints.positive_definite,
        "scale_tril": constraints.lower_cholesky,
        "transition_matrix": constraints.real_matrix,
        "initial_value": constraints.real_vector,
    }
    support = constraints.real_matrix
    reparametrized_params = tuple(arg_constraints)
    pytree_aux_fields = ("num_steps",)

    transition_matrix: ArrayLike

    scale_tril = derived_factor("covariance_matrix", "precision_matrix")
    covariance_matrix = derived_product("scale_tril")
    precision_matrix = derived_inverse("scale_tril")
    # None where it was not given: the recursion then starts at 0.
    initial_value: ArrayLike | None = None

    def __init__(
        self,
        num_steps: int,
        transition_matrix: ArrayLike,
        covariance_matrix: ArrayLike | None = None,
        precision_matrix: ArrayLike | None = None,
        scale_tril: ArrayLike | None = None,
        initial_value: ArrayLike | None = None,
        *,
        validate_args: bool | None = None,
    ) -> None:
        if num_steps < 1:
            raise ValueError(f"GaussianStateSpace: num_steps must be 1 or more, got {num_steps}")
        matrices: dict[str, Any] = {
            "covariance_matrix": covariance_matrix,
            "precision_matrix": precision_matrix,
            "scale_tril": scale_tril,
        }
        given = only_given(**matrices)
        square = np.shape(transition_matrix)[-1:] * 2
        shapes = {
            "transition_matrix": np.shape(transition_matrix),
            given: np.shape(matrices[given]),
        }
        if len(square) < 2 or any(shape[-2:] != square for shape in shapes.values()):
            raise ValueError(
                f"GaussianStateSpace: transition_matrix and {given} must be square matrices of one "
                f"size, got shapes {shapes}"
            )
        if initial_value is not None and np.shape(initial_value)[-1:] != square[:1]:
            raise ValueError(
                f"GaussianStateSpace: initial_value must have {square[0]} element(s) in its last "
                f"dimension, got shape {np.shape(initial_value)}"
            )
        self.num_steps = int(num_steps)
        self._set_parameters(
            validate_args,
            **matrices,
            transition_matrix=transition_matrix,
            initial_value=initial_value,
        )

    def _event_shape(self) -> Shape:
        return (self.num_steps, np.shape(self.transition_matrix)[-1])

    def _initial(self) -> Any:
        shape = self.batch_shape + self.event_shape[1:]
        if self.initial_value is None:
            return jnp.zeros(shape, self._dtype)
        return jnp.broadcast_to(jnp.asarray(self.initial_value, self._dtype), shape)

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        shape = self.shape(sample_shape)
        time_first = (self.num_steps, *shape[:-2], shape[-1])
        noise = _apply(self.scale_tril, jax.random.normal(key, time_first, self._dtype))

        def step(state: Any, innovation: Any) -> tuple[Any, Any]:
            state = _apply(self.transition_matrix, state) + innovation
            return state, state

        start = jnp.broadcast_to(self._initial(), time_first[1:])
        return jnp.moveaxis(jax.lax.scan(step, start, noise)[1], 0, -2)

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        states = jnp.broadcast_to(value, np.broadcast_shapes(np.shape(value), self.shape()))
        states = jnp.moveaxis(states, -2, 0)
        start = jnp.broadcast_to(self._initial(), states.shape[1:])
        before = jnp.concatenate([start[None], states[:-1]], axis=0)
        innovations = states - _apply(self.transition_matrix, before)
        squared = jnp.sum(mahalanobis_squared(self.scale_tril, innovations), axis=0)
        half_log_det = jnp.sum(log_diagonal(self.scale_tril), axis=-1)
        log_normalizer = half_log_det + 0.5 * self.event_shape[1] * math.log(2 * math.pi)
        return -0.5 * squared - self.num_steps * log_normalizer

    @property
    def mean(self) -> Any:
        def step(state: Any, _: Any) -> tuple[Any, Any]:
            state = _apply(self.transition_matrix, state)
            return state, state

        states = jax.lax.scan(step, self._initial(), length=self.num_steps)[1]
        return jnp.moveaxis(states, 0, -2)

    @property
    def variance(self) -> Any:
        # C_t = A C_(t-1) A^T + L L^T, from C_0 = 0.
        transition = jnp.asarray(self.transition_matrix, self._dtype)
        innovation = jnp.asarray(self.covariance_matrix, self._dtype)
        transposed = jnp.swapaxes(transition, -2, -1)

        def step(covariance: Any, _: Any) -> tuple[Any, Any]:
            covariance = transition @ covariance @ transposed + innovation
            return covariance, jnp.diagonal(covariance, axis1=-2, axis2=-1)

        size = self.event_shape[1]
        start = jnp.zeros((*self.batch_shape, size, size), self._dtype)
        return jnp.moveaxis(jax.lax.scan(step, start, length=self.num_steps)[1], 0, -2)
