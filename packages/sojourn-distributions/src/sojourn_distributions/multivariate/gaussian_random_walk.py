"""A random walk with independent normal steps."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike
from sojourn_distributions.distribution import Distribution

__all__ = ["GaussianRandomWalk"]

Shape = tuple[int, ...]


class GaussianRandomWalk(Distribution):
    """Partial sums of independent normal steps of mean 0; the first value is the first step.

    The density is the product of the normal densities of the steps, of deviation `scale`.

    Parameters
    ----------
    scale
        Standard deviation of a step, positive; shape batch_shape.
    num_steps
        Length of the walk; event_shape is ``(num_steps,)``.
    """

    arg_constraints: ClassVar = {"scale": constraints.positive}
    support = constraints.real_vector
    reparametrized_params = ("scale",)
    pytree_aux_fields = ("num_steps",)

    scale: ArrayLike

    def __init__(
        self, scale: ArrayLike = 1.0, num_steps: int = 1, *, validate_args: bool | None = None
    ) -> None:
        if num_steps < 1:
            raise ValueError(f"GaussianRandomWalk: num_steps must be 1 or more, got {num_steps}")
        self.num_steps = int(num_steps)
        self._set_parameters(validate_args, scale=scale)

    def _event_shape(self) -> Shape:
        return (self.num_steps,)

    def _over_event(self, parameter: Any) -> Any:
        return jnp.expand_dims(parameter, -1) if np.ndim(parameter) else parameter

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        steps = jax.random.normal(key, self.shape(sample_shape), self._dtype)
        return jnp.cumsum(steps, axis=-1) * self._over_event(self.scale)

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        z = jnp.diff(value, axis=-1, prepend=0) / self._over_event(self.scale)
        log_normalizer = self.num_steps * (0.5 * math.log(2 * math.pi) + jnp.log(self.scale))
        return -0.5 * jnp.sum(jnp.square(z), axis=-1) - log_normalizer

    @property
    def mean(self) -> Any:
        return jnp.zeros(self.shape(), self._dtype)

    @property
    def variance(self) -> Any:
        time = np.arange(1, self.num_steps + 1).astype(self._dtype)
        return jnp.broadcast_to(jnp.square(self._over_event(self.scale)) * time, self.shape())
