"""The Gumbel distribution (extreme values, type I)."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_distributions.arrays import Array
from sojourn_distributions.continuous.location_scale import LocationScale

__all__ = ["Gumbel"]


class Gumbel(LocationScale):
    """Gumbel distribution of maxima on the real numbers.

    The standard variable has the cdf ``exp(-exp(-z))``.

    Parameters
    ----------
    loc
        Mode.
    scale
        Factor of the standard Gumbel variable, positive.
    """

    _standard_mean = float(np.euler_gamma)
    _standard_variance = math.pi**2 / 6
    _standard_entropy = 1 + float(np.euler_gamma)

    def _noise(self, key: Array, shape: tuple[int, ...]) -> Any:
        return jax.random.gumbel(key, shape, self._dtype)

    def _standard_log_prob(self, z: Any) -> Any:
        return -(z + jnp.exp(-z))

    def _standard_cdf(self, z: Any) -> Any:
        return jnp.exp(-jnp.exp(-z))

    def _standard_log_cdf(self, z: Any) -> Any:
        return -jnp.exp(-z)

    def _standard_icdf(self, q: Any) -> Any:
        return -jnp.log(-jnp.log(q))

    def _standard_icdf_from_log(self, log_q: Any) -> Any:
        return -jnp.log(-log_q)
