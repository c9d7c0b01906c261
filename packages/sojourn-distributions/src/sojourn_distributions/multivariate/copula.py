"""Gaussian copulas: given distributions of single elements, coupled like correlated normals."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike
from sojourn_distributions.continuous import Beta
from sojourn_distributions.distribution import Distribution
from sojourn_distributions.multivariate.cholesky import (
    derived_factor,
    derived_product,
    log_diagonal,
    mahalanobis_squared,
    only_given,
)
from sojourn_distributions.multivariate.normal import MultivariateNormal
from sojourn_distributions.numerics import ndtri_exp
from sojourn_distributions.special import log_ndtr

__all__ = ["GaussianCopula", "GaussianCopulaBeta"]

Shape = tuple[int, ...]


class GaussianCopula(Distribution):
    """Vectors whose elements have given distributions and correlated normal scores.

    Element i is the quantile, in its own distribution, of the probability that a standard normal
    variable is at most z_i, for z normal with mean 0 and the given correlation matrix (Song 2000,
    "Multivariate Dispersion Models Generated from Gaussian Copula"). Exactly one of the two
    matrices must be given.

    Parameters
    ----------
    marginal_dist
        Distribution of numbers with `icdf` (to sample) and `cdf` (for the density); its batch
        shape broadcasts with batch_shape + event_shape.
    correlation_matrix
        Correlation of the normal scores; shape batch_shape + event_shape + event_shape.
    correlation_cholesky
        Its lower Cholesky factor.

    Notes
    -----
    Scores are exact in the far tails where `marginal_dist` has its own `log_cdf` and
    `log_survival`; where it has not, they end where `cdf` rounds to 0 or 1.

    Examples
    --------
    >>> import numpy as np
    >>> import sojourn_distributions as dist
    >>> matrix = np.array([[1.0, 0.6], [0.6, 1.0]])
    >>> d = dist.GaussianCopula(dist.Gamma(np.array([2.0, 3.0]), 1.0), matrix)
    >>> print(d.mean)
    [2. 3.]
    """

    arg_constraints: ClassVar = {
        "correlation_matrix": constraints.corr_matrix,
        "correlation_cholesky": constraints.corr_cholesky,
    }
    reparametrized_params = ("correlation_matrix", "correlation_cholesky")
    pytree_data_fields = ("marginal_dist",)

    marginal_dist: Any
    correlation_cholesky = derived_factor("correlation_matrix")
    correlation_matrix = derived_product("correlation_cholesky")

    def __init__(
        self,
        marginal_dist: Distribution,
        correlation_matrix: ArrayLike | None = None,
        correlation_cholesky: ArrayLike | None = None,
        *,
        validate_args: bool | None = None,
    ) -> None:
        name = type(self).__name__
        if not isinstance(marginal_dist, Distribution):
            raise TypeError(
                f"{name}: marginal_dist must be a distribution, got {type(marginal_dist).__name__}"
            )
        if marginal_dist.event_shape:
            raise ValueError(
                f"{name}: marginal_dist must be a distribution of numbers, got a "
                f"{type(marginal_dist).__name__} with event shape {marginal_dist.event_shape}"
            )
        self.marginal_dist = marginal_dist
        self._set_copula(validate_args, correlation_matrix, correlation_cholesky)

    def _set_copula(
        self,
        validate_args: bool | None,
        correlation_matrix: ArrayLike | None,
        correlation_cholesky: ArrayLike | None,
        **parameters: ArrayLike,
    ) -> None:
        name = type(self).__name__
        matrices: dict[str, Any] = {
            "correlation_matrix": correlation_matrix,
            "correlation_cholesky": correlation_cholesky,
        }
        given = only_given(**matrices)
        shape = np.shape(matrices[given])
        if len(shape) < 2 or shape[-1] != shape[-2]:
            raise ValueError(
                f"{name}: {given} must be a square matrix or a batch of them, got shape {shape}"
            )
        self._set_parameters(validate_args, **matrices, **parameters)
        marginal_shape = self.marginal_dist.batch_shape
        if marginal_shape[-1:] not in ((), (1,), shape[-1:]):
            raise ValueError(
                f"{name}: the last batch dimension of the marginal distributions (batch shape "
                f"{marginal_shape}) does not match {given} of shape {shape}"
            )

    def _matrix_shape(self) -> Shape:
        args = self.get_args()
        name = "correlation_matrix" if "correlation_matrix" in args else "correlation_cholesky"
        return np.shape(args[name])

    def _batch_shape(self) -> Shape:
        return np.broadcast_shapes(self.marginal_dist.batch_shape[:-1], self._matrix_shape()[:-2])

    def _event_shape(self) -> Shape:
        return self._matrix_shape()[-1:]

    @constraints.dependent_property
    def support(self) -> Any:
        """Vectors whose every element lies in the support of its own distribution."""
        return constraints.independent(self.marginal_dist.support, 1)

    @property
    def base_dist(self) -> MultivariateNormal:
        """Distribution of the normal scores."""
        return MultivariateNormal(0.0, scale_tril=self.correlation_cholesky, validate_args=False)

    @property
    def has_rsample(self) -> bool:
        return self.marginal_dist.has_rsample

    def _log_largest(self) -> float:
        """Logarithm of the largest probability below 1."""
        return math.log1p(-0.5 * float(jnp.finfo(self._dtype).eps))

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        scores = self.base_dist.expand(self.batch_shape).sample(key, sample_shape)
        log_q = jnp.minimum(log_ndtr(scores), self._log_largest())
        return self.marginal_dist.icdf_from_log(log_q)

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        marginal = self.marginal_dist
        if marginal.is_discrete:
            raise NotImplementedError(
                f"{type(self).__name__} has no log_prob for a discrete marginal_dist "
                f"({type(marginal).__name__}): a mass is a normal integral over a box"
            )
        # Each score from the smaller tail, which keeps its precision. One that has underflowed to
        # 0 counts as the smallest probability (below) or distance from 1 (above) of the type.
        limits = jnp.finfo(self._dtype)
        below = _representable(marginal.log_cdf(value), float(limits.tiny))
        above = _representable(marginal.log_survival(value), 0.5 * float(limits.eps))
        tail = ndtri_exp(jnp.minimum(below, above))
        scores = jnp.where(below < above, tail, -tail)
        factor = self.correlation_cholesky
        excess = mahalanobis_squared(factor, scores) - jnp.sum(jnp.square(scores), axis=-1)
        half_log_det = jnp.sum(log_diagonal(factor), axis=-1)
        return jnp.sum(marginal.log_prob(value), axis=-1) - 0.5 * excess - half_log_det

    @property
    def mean(self) -> Any:
        return jnp.broadcast_to(self.marginal_dist.mean, self.shape())

    @property
    def variance(self) -> Any:
        return jnp.broadcast_to(self.marginal_dist.variance, self.shape())


def _representable(log_tail: Any, smallest: float) -> Any:
    """Logarithms of tail probabilities, none of them of 0 and none too large to be squared."""
    finite = jnp.maximum(log_tail, -1e6)
    return jnp.where(jnp.isneginf(log_tail), math.log(smallest), finite)


class GaussianCopulaBeta(GaussianCopula):
    """A Gaussian copula of beta variables.

    Parameters
    ----------
    concentration1, concentration0
        Exponents (plus 1) of ``value`` and of ``1 - value`` in the density of an element,
        positive; shape batch_shape + event_shape, or one that broadcasts to it.
    correlation_matrix
        Correlation of the normal scores; shape batch_shape + event_shape + event_shape.
    correlation_cholesky
        Its lower Cholesky factor. Exactly one of the two must be given.

    Examples
    --------
    >>> import numpy as np
    >>> import sojourn_distributions as dist
    >>> matrix = np.array([[1.0, 0.6], [0.6, 1.0]])
    >>> d = dist.GaussianCopulaBeta(np.array([2.0, 1.0]), np.array([2.0, 3.0]), matrix)
    >>> print(d.mean)
    [0.5  0.25]
    """

    arg_constraints: ClassVar = {
        "concentration1": constraints.positive,
        "concentration0": constraints.positive,
        "correlation_matrix": constraints.corr_matrix,
        "correlation_cholesky": constraints.corr_cholesky,
    }
    support = constraints.independent(constraints.unit_interval, 1)

    concentration1: ArrayLike
    concentration0: ArrayLike

    def __init__(
        self,
        concentration1: ArrayLike,
        concentration0: ArrayLike,
        correlation_matrix: ArrayLike | None = None,
        correlation_cholesky: ArrayLike | None = None,
        *,
        validate_args: bool | None = False,
    ) -> None:
        self._set_copula(
            validate_args,
            correlation_matrix,
            correlation_cholesky,
            concentration1=concentration1,
            concentration0=concentration0,
        )

    @property
    def has_rsample(self) -> bool:
        # Quantiles of beta variables have no derivatives in the concentrations.
        return False

    @property
    def marginal_dist(self) -> Distribution:
        """Beta distributions of the elements."""
        return Beta(self.concentration1, self.concentration0, validate_args=False)
