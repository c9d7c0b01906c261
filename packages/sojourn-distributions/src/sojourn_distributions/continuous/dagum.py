"""The Dagum distribution."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax.scipy.special import gammaln

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike
from sojourn_distributions.distribution import Distribution
from sojourn_distributions.numerics import log_power, on_support

__all__ = ["Dagum"]

Shape = tuple[int, ...]


class Dagum(Distribution):
    """Dagum (Burr III) distribution, a model of incomes.

    Its cdf is ``(1 + (value / scale)**-sharpness)**-concentration`` (Kleiber 2008, "A guide to
    the Dagum distributions").

    Parameters
    ----------
    concentration
        Exponent of the cdf as a whole, positive.
    sharpness
        Exponent of the upper tail, positive: moments of lower orders are finite.
    scale
        Unit of the values, positive.
    """

    arg_constraints: ClassVar = {
        "concentration": constraints.positive,
        "sharpness": constraints.positive,
        "scale": constraints.positive,
    }
    support = constraints.positive
    reparametrized_params = ("concentration", "sharpness", "scale")

    concentration: ArrayLike
    sharpness: ArrayLike
    scale: ArrayLike

    def __init__(
        self,
        concentration: ArrayLike,
        sharpness: ArrayLike,
        scale: ArrayLike,
        *,
        validate_args: bool | None = None,
    ) -> None:
        self._set_parameters(
            validate_args, concentration=concentration, sharpness=sharpness, scale=scale
        )

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        # Minus the log of a uniform variable: the quantile function keeps both tails.
        noise = jax.random.exponential(key, self.shape(sample_shape), self._dtype)
        return self._quantile(noise)

    def _quantile(self, minus_log_q: Any) -> Any:
        odds = jnp.expm1(minus_log_q / self.concentration)
        return self.scale * odds ** (-1 / self.sharpness)

    def _log_ratio(self, x: Any) -> Any:
        return self.sharpness * (jnp.log(x) - jnp.log(self.scale))

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        p, a = self.concentration, self.sharpness
        inside = jnp.greater(value, 0)
        x = jnp.where(inside, value, 1.0)
        t = self._log_ratio(x)
        factor = jnp.log(a) + jnp.log(p)
        log_density = factor - jnp.log(x) - p * jax.nn.softplus(-t) - jax.nn.softplus(t)
        # Towards 0 the density is a power of the value.
        limit = factor - a * p * jnp.log(self.scale) + log_power(jnp.minimum(value, 0.0), a * p - 1)
        return jnp.where(inside, log_density, limit)

    def cdf(self, value: ArrayLike) -> Any:
        return jnp.exp(self.log_cdf(value))

    def log_cdf(self, value: ArrayLike) -> Any:
        inside = jnp.greater(value, 0)
        t = self._log_ratio(jnp.where(inside, value, 1.0))
        return on_support(inside, -self.concentration * jax.nn.softplus(-t))

    def icdf(self, q: ArrayLike) -> Any:
        return self._quantile(-jnp.log(q))

    def icdf_from_log(self, log_q: ArrayLike) -> Any:
        return self._quantile(-jnp.asarray(log_q))

    def _moment(self, order: int) -> Any:
        p, a = self.concentration, self.sharpness
        finite = jnp.greater(a, order)
        step = order / jnp.where(finite, a, order + 1.0)
        log_moment = gammaln(p + step) + gammaln(1 - step) - gammaln(p)
        return jnp.where(finite, self.scale**order * jnp.exp(log_moment), jnp.inf)

    @property
    def mean(self) -> Any:
        return jnp.broadcast_to(self._moment(1), self.batch_shape)

    @property
    def variance(self) -> Any:
        finite = jnp.greater(self.sharpness, 2)
        mean = jnp.where(finite, self._moment(1), 0.0)
        return jnp.broadcast_to(self._moment(2) - jnp.square(mean), self.batch_shape)

    @property
    def mode(self) -> Any:
        p, a = self.concentration, self.sharpness
        ratio = jnp.maximum(a * p - 1, 0.0) / (a + 1)
        return jnp.broadcast_to(self.scale * ratio ** (1 / jnp.asarray(a)), self.batch_shape)
