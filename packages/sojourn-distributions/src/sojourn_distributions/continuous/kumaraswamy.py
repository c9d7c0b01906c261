"""The Kumaraswamy distribution."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import digamma

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike
from sojourn_distributions.distribution import Distribution
from sojourn_distributions.gamma_functions import log_beta
from sojourn_distributions.numerics import log_power

__all__ = ["Kumaraswamy"]

Shape = tuple[int, ...]


class Kumaraswamy(Distribution):
    """Kumaraswamy distribution on the unit interval, akin to the beta but with a simple cdf.

    Its cdf is ``1 - (1 - value**concentration1)**concentration0`` (Jones 2009, "Kumaraswamy's
    distribution: a beta-type distribution with some tractability advantages").

    Parameters
    ----------
    concentration1, concentration0
        Exponents of the cdf, positive.
    """

    # Terms of the series in the divergence from it to a beta distribution.
    KL_KUMARASWAMY_BETA_TAYLOR_ORDER: ClassVar[int] = 10

    arg_constraints: ClassVar = {
        "concentration1": constraints.positive,
        "concentration0": constraints.positive,
    }
    support = constraints.unit_interval
    reparametrized_params = ("concentration1", "concentration0")

    concentration1: ArrayLike
    concentration0: ArrayLike

    def __init__(
        self,
        concentration1: ArrayLike,
        concentration0: ArrayLike,
        *,
        validate_args: bool | None = None,
    ) -> None:
        self._set_parameters(
            validate_args, concentration1=concentration1, concentration0=concentration0
        )

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        noise = jax.random.exponential(key, self.shape(sample_shape), self._dtype)
        return self._quantile(-noise)

    def _quantile(self, log_rest: Any) -> Any:
        """Value with the log of the probability above it."""
        power = -jnp.expm1(log_rest / self.concentration0)
        return power ** (1 / jnp.asarray(self.concentration1, self._dtype))

    def _rest(self, value: Any) -> Any:
        """``1 - value**concentration1`` without cancellation near 1."""
        inside = jnp.greater(value, 0)
        power = self.concentration1 * jnp.log(jnp.where(inside, value, 1.0))
        return jnp.where(inside, -jnp.expm1(power), 1.0)

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        a, b = self.concentration1, self.concentration0
        log_density = log_power(value, a - 1) + log_power(self._rest(value), b - 1)
        return log_density + jnp.log(a) + jnp.log(b)

    def cdf(self, value: ArrayLike) -> Any:
        return -jnp.expm1(self.log_survival(value))

    def log_survival(self, value: ArrayLike) -> Any:
        return log_power(self._rest(jnp.clip(value, 0.0, 1.0)), self.concentration0)

    def icdf(self, q: ArrayLike) -> Any:
        return self._quantile(jnp.log1p(-q))

    def _moment(self, order: int) -> Any:
        b = self.concentration0
        return b * jnp.exp(log_beta(1 + order / self.concentration1, b))

    @property
    def mean(self) -> Any:
        return jnp.broadcast_to(self._moment(1), self.batch_shape)

    @property
    def variance(self) -> Any:
        return jnp.broadcast_to(self._moment(2) - jnp.square(self._moment(1)), self.batch_shape)

    def entropy(self) -> Any:
        a, b = self.concentration1, self.concentration0
        harmonic = digamma(b + 1.0) + float(np.euler_gamma)
        entropy = 1 - 1 / b + (1 - 1 / a) * harmonic - jnp.log(a) - jnp.log(b)
        return jnp.broadcast_to(entropy, self.batch_shape)
