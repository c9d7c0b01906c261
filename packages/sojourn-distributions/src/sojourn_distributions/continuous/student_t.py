"""The Student t distribution."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax.scipy.special import betainc, digamma

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike
from sojourn_distributions.distribution import Distribution
from sojourn_distributions.numerics import log1p_square
from sojourn_distributions.special import betaln

__all__ = ["StudentT"]

Shape = tuple[int, ...]


class StudentT(Distribution):
    """Student t distribution, shifted and scaled.

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
    support = constraints.real
    reparametrized_params = ("df", "loc", "scale")

    df: ArrayLike
    loc: ArrayLike
    scale: ArrayLike

    def __init__(
        self,
        df: ArrayLike,
        loc: ArrayLike = 0.0,
        scale: ArrayLike = 1.0,
        *,
        validate_args: bool | None = None,
    ) -> None:
        self._set_parameters(validate_args, df=df, loc=loc, scale=scale)

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        noise = jax.random.t(key, self.df, self.shape(sample_shape), self._dtype)
        return self.loc + self.scale * noise

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        df = self.df
        z = (value - self.loc) / (self.scale * jnp.sqrt(df))
        normalizer = betaln(0.5, 0.5 * df) + 0.5 * jnp.log(df) + jnp.log(self.scale)
        return -0.5 * (df + 1) * log1p_square(z) - normalizer

    def cdf(self, value: ArrayLike) -> Any:
        z = (value - self.loc) / self.scale
        # Both tails from the incomplete beta function that is small there (NIST DLMF 8.17).
        tail = 0.5 * betainc(0.5 * self.df, 0.5, self.df / (self.df + z * z))
        return jnp.where(z < 0, tail, 1 - tail)

    @property
    def mean(self) -> Any:
        mean = jnp.where(jnp.greater(self.df, 1), self.loc, jnp.nan)
        return jnp.broadcast_to(mean, self.batch_shape)

    @property
    def variance(self) -> Any:
        df = self.df
        finite = jnp.greater(df, 2)
        safe = jnp.where(finite, df, 3.0)
        variance = jnp.square(self.scale) * safe / (safe - 2)
        variance = jnp.where(finite, variance, jnp.where(jnp.greater(df, 1), jnp.inf, jnp.nan))
        return jnp.broadcast_to(variance, self.batch_shape)

    @property
    def mode(self) -> Any:
        return jnp.broadcast_to(self.loc, self.batch_shape)

    def entropy(self) -> Any:
        half = 0.5 * (self.df + 1)
        entropy = half * (digamma(half) - digamma(0.5 * self.df))
        entropy = entropy + 0.5 * jnp.log(self.df) + betaln(0.5, 0.5 * self.df)
        return jnp.broadcast_to(entropy + jnp.log(self.scale), self.batch_shape)
