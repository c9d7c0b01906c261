"""The Poisson distribution."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax.scipy.special import gammaincc, gammaln

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike
from sojourn_distributions.distribution import Distribution

__all__ = ["Poisson"]

Shape = tuple[int, ...]


class Poisson(Distribution):
    """Poisson distribution on the counts 0, 1, 2, ...

    Parameters
    ----------
    rate
        Mean, nonnegative.
    is_sparse
        Accepted for compatibility with code that declares its counts to be mostly 0; the log
        density is the same either way.
    """

    arg_constraints: ClassVar = {"rate": constraints.nonnegative}
    support = constraints.nonnegative_integer
    pytree_aux_fields = ("is_sparse",)

    rate: ArrayLike

    def __init__(
        self, rate: ArrayLike, *, is_sparse: bool = False, validate_args: bool | None = None
    ) -> None:
        self.is_sparse = is_sparse
        self._set_parameters(validate_args, rate=rate)

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        return jax.random.poisson(key, self.rate, self.shape(sample_shape))

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        inside = jnp.greater_equal(value, 0)
        k = jnp.where(inside, value, 0)
        # At k = 0 the logarithm is not needed and sees 1: finite gradient at rate 0.
        log_rate = jnp.log(jnp.where(k > 0, self.rate, 1.0))
        return jnp.where(inside, k * log_rate - gammaln(k + 1.0) - self.rate, -jnp.inf)

    def cdf(self, value: ArrayLike) -> Any:
        k = jnp.floor(value)
        inside = k >= 0
        return jnp.where(inside, gammaincc(jnp.where(inside, k, 0) + 1, self.rate), 0.0)

    @property
    def mean(self) -> Any:
        return jnp.broadcast_to(self.rate, self.batch_shape)

    @property
    def variance(self) -> Any:
        return jnp.broadcast_to(self.rate, self.batch_shape)
