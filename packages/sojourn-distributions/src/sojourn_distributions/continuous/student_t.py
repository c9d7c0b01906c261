"""The Student t distribution."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax.scipy.special import betainc

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike
from sojourn_distributions.continuous.location_scale import LocationScale
from sojourn_distributions.gamma_functions import log_gamma_half_step
from sojourn_distributions.numerics import log1mexp, log1p_square
from sojourn_distributions.tails import student_t_log_tail, student_t_quantile

__all__ = ["StudentT"]

Shape = tuple[int, ...]

_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


class StudentT(LocationScale):
    """Student t distribution, shifted and scaled.

    The standard variable has the density ``(1 + z**2 / df)**(-(df + 1) / 2) / c`` with the constant
    ``c = sqrt(df) * B(1/2, df / 2)`` and the beta function B.

    Parameters
    ----------
    df
        Degrees of freedom, positive.
    loc
        Median (and mean, for df above 1).
    scale
        Factor of the standard t variable, positive.
    """

    arg_constraints: ClassVar = {
        "df": constraints.positive,
        "loc": constraints.real,
        "scale": constraints.positive,
    }
    reparametrized_params = ("df", "loc", "scale")

    _symmetric = True

    df: ArrayLike

    def __init__(
        self,
        df: ArrayLike,
        loc: ArrayLike = 0.0,
        scale: ArrayLike = 1.0,
        *,
        validate_args: bool | None = None,
    ) -> None:
        self._set_parameters(validate_args, df=df, loc=loc, scale=scale)

    def _noise(self, key: Array, shape: Shape) -> Any:
        return jax.random.t(key, self.df, shape, self._dtype)

    @property
    def _log_height(self) -> Any:
        """Log density of the standard variable at 0."""
        return log_gamma_half_step(0.5 * self.df) - _HALF_LOG_2PI

    def _standard_log_prob(self, z: Any) -> Any:
        df = self.df
        return self._log_height - 0.5 * (df + 1) * log1p_square(z / jnp.sqrt(df))

    def _standard_cdf(self, z: Any) -> Any:
        # Both tails from the incomplete beta function that is small there (NIST DLMF 8.17).
        tail = 0.5 * betainc(0.5 * self.df, 0.5, self.df / (self.df + z * z))
        return jnp.where(z < 0, tail, 1 - tail)

    def _standard_log_cdf(self, z: Any) -> Any:
        log_tail = student_t_log_tail(jnp.abs(z), self.df)
        return jnp.where(z < 0, log_tail, jnp.log1p(-jnp.exp(log_tail)))

    def _standard_icdf(self, q: Any) -> Any:
        distance = student_t_quantile(jnp.log(jnp.minimum(q, 1 - q)), self.df)
        return jnp.where(jnp.less(q, 0.5), -distance, distance)

    def _standard_icdf_from_log(self, log_q: Any) -> Any:
        below = jnp.less(log_q, -math.log(2.0))
        log_rest = log1mexp(jnp.where(below, -1.0, log_q))
        distance = student_t_quantile(jnp.where(below, log_q, log_rest), self.df)
        return jnp.where(below, -distance, distance)

    @property
    def _standard_mean(self) -> Any:
        return jnp.where(jnp.greater(self.df, 1), 0.0, jnp.nan)

    @property
    def _standard_variance(self) -> Any:
        df = self.df
        finite = jnp.greater(df, 2)
        safe = jnp.where(finite, df, 3.0)
        infinite = jnp.where(jnp.greater(df, 1), jnp.inf, jnp.nan)
        return jnp.where(finite, safe / (safe - 2), infinite)

    @property
    def _standard_entropy(self) -> Any:
        # (df + 1) / 2 times the difference of digamma functions half a step apart, which is the
        # slope of what `log_gamma_half_step` gives plus 1 / df.
        x = jnp.asarray(0.5 * self.df)
        _, slope = jax.jvp(log_gamma_half_step, (x,), (jnp.ones_like(x),))
        return (x + 0.5) * (slope + 0.5 / x) - self._log_height
