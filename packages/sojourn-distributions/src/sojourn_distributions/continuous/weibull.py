"""The Weibull distribution."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike
from sojourn_distributions.distribution import Distribution
from sojourn_distributions.numerics import log_power

__all__ = ["Weibull"]

Shape = tuple[int, ...]


class Weibull(Distribution):
    """Weibull distribution: a lifetime whose hazard is a power of the age.

    Its cdf is ``1 - exp(-(value / scale)**concentration)``.

    Parameters
    ----------
    scale
        Unit of the values, positive.
    concentration
        Exponent, positive.

    Examples
    --------
    >>> import sojourn_distributions as dist
    >>> round(float(dist.Weibull(2.0, 1.5).icdf(0.5)), 4)
    1.5664
    """

    arg_constraints: ClassVar = {
        "scale": constraints.positive,
        "concentration": constraints.positive,
    }
    support = constraints.positive
    reparametrized_params = ("scale", "concentration")

    scale: ArrayLike
    concentration: ArrayLike

    def __init__(
        self, scale: ArrayLike, concentration: ArrayLike, *, validate_args: bool | None = None
    ) -> None:
        self._set_parameters(validate_args, scale=scale, concentration=concentration)

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        return self._quantile(jax.random.exponential(key, self.shape(sample_shape), self._dtype))

    def _quantile(self, hazard: Any) -> Any:
        return self.scale * hazard ** (1 / jnp.asarray(self.concentration, self._dtype))

    def _hazard(self, value: Any) -> Any:
        """Minus the log of the probability above a value; with a finite gradient at 0."""
        inside = jnp.greater(value, 0)
        ratio = jnp.where(inside, value, 1.0) / self.scale
        return jnp.where(inside, ratio**self.concentration, 0.0)

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        k, scale = self.concentration, self.scale
        log_rate = jnp.log(k) - jnp.log(scale) + log_power(value / scale, k - 1)
        return log_rate - self._hazard(value)

    def cdf(self, value: ArrayLike) -> Any:
        return -jnp.expm1(-self._hazard(value))

    def log_survival(self, value: ArrayLike) -> Any:
        return -self._hazard(value)

    def icdf(self, q: ArrayLike) -> Any:
        return self._quantile(-jnp.log1p(-q))

    def _moment(self, order: int) -> Any:
        return jnp.exp(gammaln(1 + order / self.concentration))

    @property
    def mean(self) -> Any:
        return jnp.broadcast_to(self.scale * self._moment(1), self.batch_shape)

    @property
    def variance(self) -> Any:
        standard = self._moment(2) - jnp.square(self._moment(1))
        return jnp.broadcast_to(jnp.square(self.scale) * standard, self.batch_shape)

    @property
    def mode(self) -> Any:
        return jnp.broadcast_to(
            self._quantile(jnp.maximum(1 - 1 / self.concentration, 0.0)), self.batch_shape
        )

    def entropy(self) -> Any:
        k = self.concentration
        entropy = 1 + float(np.euler_gamma) * (1 - 1 / k) + jnp.log(self.scale) - jnp.log(k)
        return jnp.broadcast_to(entropy, self.batch_shape)
