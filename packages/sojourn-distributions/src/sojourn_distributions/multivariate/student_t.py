"""The multivariate Student t distribution."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike
from sojourn_distributions.distribution import Distribution
from sojourn_distributions.gamma_functions import log_gamma_half_step
from sojourn_distributions.multivariate.cholesky import (
    derived_inverse,
    derived_product,
    log_diagonal,
    solve_factor,
    vector_loc,
)

__all__ = ["MultivariateStudentT"]

Shape = tuple[int, ...]


class MultivariateStudentT(Distribution):
    """Distribution of ``loc + L z / sqrt(g / df)`` for standard normal z and g of Chi2(df).

    Kotz & Nadarajah (2004), Multivariate t Distributions, chapter 1.

    Parameters
    ----------
    df
        Degrees of freedom, positive; shape batch_shape.
    loc
        Center; shape batch_shape + event_shape, or a number for all elements.
    scale_tril
        Lower Cholesky factor L of the shape matrix; shape batch_shape + event_shape + event_shape.
        `covariance_matrix` and `precision_matrix` are ``L L^T`` and its inverse; the covariance of
        the distribution itself is ``df / (df - 2)`` times the former, for df above 2.

    Examples
    --------
    >>> import numpy as np
    >>> import sojourn_distributions as dist
    >>> d = dist.MultivariateStudentT(4.0, np.zeros(2), np.eye(2))
    >>> print(d.variance)
    [2. 2.]
    """

    arg_constraints: ClassVar = {
        "df": constraints.positive,
        "loc": constraints.real_vector,
        "scale_tril": constraints.lower_cholesky,
    }
    support = constraints.real_vector
    reparametrized_params = ("df", "loc", "scale_tril")

    df: ArrayLike
    loc: ArrayLike
    scale_tril: ArrayLike

    covariance_matrix = derived_product("scale_tril")
    precision_matrix = derived_inverse("scale_tril")

    def __init__(
        self,
        df: ArrayLike,
        loc: ArrayLike = 0.0,
        scale_tril: ArrayLike | None = None,
        *,
        validate_args: bool | None = None,
    ) -> None:
        if scale_tril is None or np.ndim(scale_tril) < 2:
            raise ValueError(
                "MultivariateStudentT: scale_tril must be given, a matrix or a batch of them; "
                f"got {None if scale_tril is None else np.shape(scale_tril)}"
            )
        loc = vector_loc(loc, scale_tril)
        if np.shape(loc)[-1] != np.shape(scale_tril)[-1]:
            raise ValueError(
                f"MultivariateStudentT: loc of shape {np.shape(loc)} does not match scale_tril of "
                f"shape {np.shape(scale_tril)}"
            )
        self._set_parameters(validate_args, df=df, loc=loc, scale_tril=scale_tril)

    def _event_shape(self) -> Shape:
        return np.shape(self.loc)[-1:]

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        key_normal, key_gamma = jax.random.split(key)
        shape = self.shape(sample_shape)
        noise = jax.random.normal(key_normal, shape, self._dtype)
        # By the logarithm, since with few degrees of freedom the gamma variable underflows.
        half_df = 0.5 * jnp.asarray(self.df, self._dtype)
        log_gamma = jax.random.loggamma(key_gamma, half_df, shape[:-1], self._dtype)
        stretch = jnp.exp(0.5 * (jnp.log(half_df) - log_gamma))
        return self.loc + stretch[..., None] * jnp.squeeze(
            jnp.matmul(self.scale_tril, noise[..., None]), -1
        )

    def _log_rising(self, half_df: Any) -> Any:
        """``log(gamma(x + n / 2) / (gamma(x) x^(n / 2)))``, exact however large x is."""
        size = self.event_shape[0]
        shift = (np.arange(size // 2) + 0.5 * (size % 2)).astype(self._dtype)
        rising = jnp.sum(jnp.log1p(shift / half_df[..., None]), axis=-1)
        return rising + log_gamma_half_step(half_df) if size % 2 else rising

    def _log_normalizer(self) -> Any:
        half_log_det = jnp.sum(log_diagonal(self.scale_tril), axis=-1)
        log_rising = self._log_rising(0.5 * jnp.asarray(self.df, self._dtype))
        return half_log_det + 0.5 * self.event_shape[0] * math.log(2 * math.pi) - log_rising

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        z = solve_factor(self.scale_tril, value - self.loc)
        # Beyond 1e15, where the 1 of log1p is lost in either precision, squares might overflow.
        largest = jnp.max(abs(z), axis=-1)
        shrink = jax.lax.stop_gradient(jnp.maximum(largest * 1e-15, 1.0))
        squared = jnp.sum(jnp.square(z / shrink[..., None]), axis=-1)
        log_ratio = jnp.log1p(squared / self.df + (1 / shrink**2 - 1)) + 2 * jnp.log(shrink)
        return -0.5 * (self.df + self.event_shape[0]) * log_ratio - self._log_normalizer()

    @property
    def mean(self) -> Any:
        df = jnp.expand_dims(jnp.asarray(self.df), -1)
        return jnp.broadcast_to(jnp.where(df > 1, self.loc, jnp.nan), self.shape())

    @property
    def variance(self) -> Any:
        df = jnp.expand_dims(jnp.asarray(self.df), -1)
        factor = jnp.where(df > 2, df / jnp.where(df > 2, df - 2, 1.0), jnp.inf)
        variance = factor * jnp.sum(jnp.square(self.scale_tril), axis=-1)
        return jnp.broadcast_to(jnp.where(df > 1, variance, jnp.nan), self.shape())

    @property
    def mode(self) -> Any:
        return jnp.broadcast_to(self.loc, self.shape())

    def entropy(self) -> Any:
        half_df = 0.5 * jnp.asarray(self.df, self._dtype)
        half_size = 0.5 * self.event_shape[0]
        # The slope of `_log_rising` is a difference of digamma functions less n / (2 x).
        _, slope = jax.jvp(self._log_rising, (half_df,), (jnp.ones_like(half_df),))
        entropy = self._log_normalizer() + (half_df + half_size) * (slope + half_size / half_df)
        return jnp.broadcast_to(entropy, self.batch_shape)
