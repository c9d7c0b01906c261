"""The Gumbel distribution (extreme values, type I)."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike
from sojourn_distributions.distribution import Distribution

__all__ = ["Gumbel"]

Shape = tuple[int, ...]


class Gumbel(Distribution):
    """Gumbel distribution of maxima on the real numbers.

    Parameters
    ----------
    loc
        Mode.
    scale
        Factor of the standard Gumbel variable, positive.
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
        noise = jax.random.gumbel(key, self.shape(sample_shape), self._dtype)
        return self.loc + self.scale * noise

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        z = (value - self.loc) / self.scale
        return -(z + jnp.exp(-z)) - jnp.log(self.scale)

    def cdf(self, value: ArrayLike) -> Any:
        return jnp.exp(self.log_cdf(value))

    def log_cdf(self, value: ArrayLike) -> Any:
        return -jnp.exp(-(value - self.loc) / self.scale)

    def icdf(self, q: ArrayLike) -> Any:
        return self.loc - self.scale * jnp.log(-jnp.log(q))

    @property
    def mean(self) -> Any:
        return jnp.broadcast_to(self.loc + np.euler_gamma * self.scale, self.batch_shape)

    @property
    def variance(self) -> Any:
        return jnp.broadcast_to(math.pi**2 / 6 * jnp.square(self.scale), self.batch_shape)

    @property
    def mode(self) -> Any:
        return jnp.broadcast_to(self.loc, self.batch_shape)

    def entropy(self) -> Any:
        entropy = 1 + float(np.euler_gamma) + jnp.log(self.scale)
        return jnp.broadcast_to(entropy, self.batch_shape)
