"""The Poisson distribution."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammainc, gammaincc

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike, is_concrete
from sojourn_distributions.discrete.parameterization import log_probability
from sojourn_distributions.discrete.saddle_point import poisson_log_mass, within
from sojourn_distributions.distribution import Distribution
from sojourn_distributions.numerics import on_support

__all__ = ["Poisson"]

Shape = tuple[int, ...]


class Poisson(Distribution):
    """Poisson distribution on the counts 0, 1, 2, ..., of mass ``rate**k exp(-rate) / k!``.

    Parameters
    ----------
    rate
        Mean, nonnegative.
    is_sparse
        Say that most counts are 0: their log mass is then just ``-rate``, and the longer formula
        runs on the others alone. Which those are must be known while the program is built, so
        this takes effect for concrete values (data that a model closes over, or `log_prob`
        outside `jit`); for traced values, such as the arguments of a model under MCMC, it
        changes nothing. The result is the same either way.

    Examples
    --------
    >>> import sojourn_distributions as dist
    >>> round(float(dist.Poisson(2.0).log_prob(3)), 4)
    -1.7123
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
        if self.is_sparse and is_concrete(value) and np.ndim(value):
            return self._sparse_log_prob(np.asarray(value))
        return self._dense_log_prob(value, self.rate)

    def _dense_log_prob(self, value: Any, rate: Any) -> Any:
        inside, k = within(value)
        return on_support(inside, poisson_log_mass(k, rate))

    def _sparse_log_prob(self, value: Any) -> Any:
        shape = np.broadcast_shapes(value.shape, self.batch_shape)
        where = np.nonzero(np.broadcast_to(value, shape))
        rate = jnp.broadcast_to(jnp.asarray(self.rate, self._dtype), shape)
        others = self._dense_log_prob(np.broadcast_to(value, shape)[where], rate[where])
        return (-rate).at[where].set(others)

    def cdf(self, value: ArrayLike) -> Any:
        k = jnp.floor(value)
        inside = k >= 0
        return jnp.where(inside, gammaincc(jnp.where(inside, k, 0) + 1, self.rate), 0.0)

    def log_survival(self, value: ArrayLike) -> Any:
        k = jnp.floor(value)
        inside = k >= 0
        above = gammainc(jnp.where(inside, k, 0) + 1, self.rate)
        return jnp.where(inside, log_probability(above), 0.0)

    @property
    def mean(self) -> Any:
        return jnp.broadcast_to(self.rate, self.batch_shape)

    @property
    def variance(self) -> Any:
        return jnp.broadcast_to(self.rate, self.batch_shape)

    @property
    def mode(self) -> Any:
        return jnp.broadcast_to(jnp.floor(self.rate).astype(int), self.batch_shape)
