"""The logistic distribution."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike
from sojourn_distributions.distribution import Distribution

__all__ = ["Logistic"]

Shape = tuple[int, ...]


class Logistic(Distribution):
    """Logistic distribution on the real numbers.

    Parameters
    ----------
    loc
        Mean.
    scale
        Factor of the standard logistic variable, positive.
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
        noise = jax.random.logistic(key, self.shape(sample_shape), self._dtype)
        return self.loc + self.scale * noise

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        z = jnp.abs((value - self.loc) / self.scale)
        return -z - 2 * jnp.log1p(jnp.exp(-z)) - jnp.log(self.scale)

    def cdf(self, value: ArrayLike) -> Any:
        return jax.nn.sigmoid((value - self.loc) / self.scale)

    def log_cdf(self, value: ArrayLike) -> Any:
        return jax.nn.log_sigmoid((value - self.loc) / self.scale)

    def icdf(self, q: ArrayLike) -> Any:
        return self.loc + self.scale * (jnp.log(q) - jnp.log1p(-q))

    @property
    def mean(self) -> Any:
        return jnp.broadcast_to(self.loc, self.batch_shape)

    @property
    def variance(self) -> Any:
        return jnp.broadcast_to(math.pi**2 / 3 * jnp.square(self.scale), self.batch_shape)

    @property
    def mode(self) -> Any:
        return self.mean

    def entropy(self) -> Any:
        return jnp.broadcast_to(2 + jnp.log(self.scale), self.batch_shape)
