"""The Dirichlet distribution."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import digamma, gammaln

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike, float_dtype
from sojourn_distributions.distribution import Distribution
from sojourn_distributions.numerics import log_power

__all__ = ["Dirichlet"]

Shape = tuple[int, ...]


class Dirichlet(Distribution):
    """Dirichlet distribution on simplexes.

    The density is ``prod(x**(a - 1)) * gamma(sum(a)) / prod(gamma(a))`` with the concentration a.

    Parameters
    ----------
    concentration
        Exponents plus 1, positive; shape batch_shape + event_shape.
    """

    arg_constraints: ClassVar = {"concentration": constraints.independent(constraints.positive, 1)}
    support = constraints.simplex
    reparametrized_params = ("concentration",)

    concentration: ArrayLike

    def __init__(self, concentration: ArrayLike, *, validate_args: bool | None = None) -> None:
        if np.ndim(concentration) < 1:
            raise ValueError("Dirichlet: concentration must have at least one dimension")
        self._set_parameters(validate_args, concentration=concentration)

    def _event_shape(self) -> Shape:
        return np.shape(self.concentration)[-1:]

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        shape = tuple(sample_shape) + self.batch_shape
        return jax.random.dirichlet(key, self.concentration, shape, self._dtype)

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        a = self.concentration
        log_normalizer = _constant_log_normalizer(a)
        if log_normalizer is None:
            log_normalizer = jnp.sum(gammaln(a), axis=-1) - gammaln(jnp.sum(a, axis=-1))
        return jnp.sum(log_power(value, a - 1), axis=-1) - log_normalizer

    @property
    def mean(self) -> Any:
        return self.concentration / jnp.sum(self.concentration, axis=-1, keepdims=True)

    @property
    def variance(self) -> Any:
        total = jnp.sum(self.concentration, axis=-1, keepdims=True)
        mean = self.concentration / total
        return mean * (1 - mean) / (total + 1)

    def entropy(self) -> Any:
        a = self.concentration
        total = jnp.sum(a, axis=-1)
        log_normalizer = jnp.sum(gammaln(a), axis=-1) - gammaln(total)
        spread = (total - a.shape[-1]) * digamma(total) - jnp.sum((a - 1) * digamma(a), axis=-1)
        return log_normalizer + spread


def _constant_log_normalizer(concentration: ArrayLike) -> Any:
    """Log normalizer of a known prior, which a program then does not compute; None if unknown."""
    if not isinstance(concentration, np.ndarray) or concentration.size > 1000:
        return None
    if not np.all((concentration > 0) & (concentration < np.inf)):
        return None
    a = np.asarray(concentration, float)
    log_normalizer = _log_gamma(a).sum(-1) - _log_gamma(a.sum(-1))
    return log_normalizer.astype(float_dtype(concentration))


_log_gamma = np.vectorize(math.lgamma, otypes=[float])
