"""The Laplace distribution."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike
from sojourn_distributions.distribution import Distribution

__all__ = ["Laplace"]

Shape = tuple[int, ...]


class Laplace(Distribution):
    """Laplace (double exponential) distribution on the real numbers.

    Parameters
    ----------
    loc
        Mean.
    scale
        Mean absolute deviation, positive.
    """

    arg_constraints: ClassVar = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.real
    reparametrized_params = ("loc", "scale")

    loc: ArrayLike
    scale: ArrayLike

    def __init__(
        self, loc: ArrayLike = 0.0, scale: ArrayLike = 1.0, *, validate_args: bool | None = None
    ) -> None:
        self._set_parameters(validate_args, loc=loc, scale=scale)

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        noise = jax.random.laplace(key, self.shape(sample_shape), self._dtype)
        return self.loc + self.scale * noise

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        return -jnp.abs(value - self.loc) / self.scale - jnp.log(self.scale) - math.log(2.0)

    def cdf(self, value: ArrayLike) -> Any:
        z = (value - self.loc) / self.scale
        tail = 0.5 * jnp.exp(-jnp.abs(z))
        return jnp.where(z < 0, tail, 1 - tail)

    def log_cdf(self, value: ArrayLike) -> Any:
        z = (value - self.loc) / self.scale
        return jnp.where(z < 0, z - math.log(2.0), jnp.log1p(-0.5 * jnp.exp(-jnp.abs(z))))

    def icdf(self, q: ArrayLike) -> Any:
        below = jnp.less(q, 0.5)
        tail = jnp.where(below, q, 1 - q)
        return self.loc + jnp.where(below, 1, -1) * self.scale * jnp.log(2 * tail)

    @property
    def mean(self) -> Any:
        return jnp.broadcast_to(self.loc, self.batch_shape)

    @property
    def variance(self) -> Any:
        return jnp.broadcast_to(2 * jnp.square(self.scale), self.batch_shape)

    @property
    def mode(self) -> Any:
        return self.mean

    def entropy(self) -> Any:
        return jnp.broadcast_to(1 + math.log(2.0) + jnp.log(self.scale), self.batch_shape)
