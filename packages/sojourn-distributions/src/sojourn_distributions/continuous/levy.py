"""The Lévy distribution."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import erf, erfc

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike
from sojourn_distributions.continuous.location_scale import LocationScale
from sojourn_distributions.numerics import on_support
from sojourn_distributions.special import log_ndtr, ndtri

__all__ = ["Levy"]


class Levy(LocationScale):
    """Lévy distribution: that of the reciprocal of a squared normal variable, shifted and scaled.

    The standard variable has the density ``(2 pi z**3)**-0.5 exp(-1 / (2 z))`` on the positive
    numbers; its mean is infinite.

    Parameters
    ----------
    loc
        Lower end of the support, a real number.
    scale
        Factor of the standard Lévy variable, positive.
    """

    def __init__(
        self, loc: ArrayLike, scale: ArrayLike, *, validate_args: bool | None = None
    ) -> None:
        super().__init__(loc, scale, validate_args=validate_args)

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> Any:
        return constraints.greater_than(self.loc)

    _standard_mean = math.inf
    _standard_variance = math.inf
    _standard_mode = 1 / 3
    _standard_entropy = 0.5 * (1 + 3 * float(np.euler_gamma) + math.log(16 * math.pi))

    def _noise(self, key: Array, shape: tuple[int, ...]) -> Any:
        return 1 / jnp.square(jax.random.normal(key, shape, self._dtype))

    def _standard_log_prob(self, z: Any) -> Any:
        inside = jnp.greater(z, 0)
        x = jnp.where(inside, z, 1.0)
        log_density = -0.5 / x - 1.5 * jnp.log(x) - 0.5 * math.log(2 * math.pi)
        return on_support(inside, log_density)

    def _standard_cdf(self, z: Any) -> Any:
        inside = jnp.greater(z, 0)
        return jnp.where(inside, erfc(jnp.sqrt(0.5 / jnp.where(inside, z, 1.0))), 0.0)

    def _standard_log_cdf(self, z: Any) -> Any:
        inside = jnp.greater(z, 0)
        log_tail = log_ndtr(-1 / jnp.sqrt(jnp.where(inside, z, 1.0)))
        return on_support(inside, math.log(2.0) + log_tail)

    def log_survival(self, value: ArrayLike) -> Any:
        z = self._standardize(value)
        inside = jnp.greater(z, 0)
        log_tail = jnp.log(erf(jnp.sqrt(0.5 / jnp.where(inside, z, 1.0))))
        return jnp.where(inside, log_tail, 0.0)

    def _standard_icdf(self, q: Any) -> Any:
        return 1 / jnp.square(ndtri(0.5 * q))
