"""The logistic distribution."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp

from sojourn_distributions.arrays import Array
from sojourn_distributions.continuous.location_scale import LocationScale

__all__ = ["Logistic"]


class Logistic(LocationScale):
    """Logistic distribution on the real numbers.

    The standard variable has the cdf ``1 / (1 + exp(-z))``.

    Parameters
    ----------
    loc
        Mean.
    scale
        Factor of the standard logistic variable, positive.
    """

    _symmetric = True
    _standard_variance = math.pi**2 / 3
    _standard_entropy = 2.0

    def _noise(self, key: Array, shape: tuple[int, ...]) -> Any:
        return jax.random.logistic(key, shape, self._dtype)

    def _standard_log_prob(self, z: Any) -> Any:
        distance = jnp.abs(z)
        return -distance - 2 * jnp.log1p(jnp.exp(-distance))

    def _standard_cdf(self, z: Any) -> Any:
        return jax.nn.sigmoid(z)

    def _standard_log_cdf(self, z: Any) -> Any:
        return jax.nn.log_sigmoid(z)

    def _standard_icdf(self, q: Any) -> Any:
        return jnp.log(q) - jnp.log1p(-q)

    def _standard_icdf_from_log(self, log_q: Any) -> Any:
        return log_q - jnp.log(-jnp.expm1(log_q))
