"""What the four distributions of the Wishart family share: parameters and Bartlett's decomposition.

Bartlett (1933): the Cholesky factor A of a Wishart matrix of identity scale has independent
entries, standard normal below the diagonal and, in place i (from 0), the root of a chi-squared
variable of ``concentration - i`` degrees of freedom.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike, is_concrete
from sojourn_distributions.distribution import Distribution
from sojourn_distributions.multivariate.cholesky import (
    derived_factor,
    derived_inverse,
    derived_product,
    only_given,
)
from sojourn_distributions.parameters import complaint
from sojourn_distributions.validation import first_violation

__all__ = ["WishartFamily", "bartlett_factor", "mean_log_chi", "root_chi2_moment"]

Shape = tuple[int, ...]


class WishartFamily(Distribution):
    """A distribution with a concentration and a scale matrix, of square matrices.

    Exactly one of the three matrices must be given. A concrete one is factored on the host, once.

    Parameters
    ----------
    concentration
        Degrees of freedom, above the size of the matrix less 1; shape batch_shape.
    scale_matrix, rate_matrix
        The scale matrix or its inverse, positive definite; shape batch_shape + event_shape.
    scale_tril
        Lower Cholesky factor of the scale matrix; shape batch_shape + event_shape.
    """

    arg_constraints: ClassVar = {
        "concentration": constraints.dependent,
        "scale_matrix": constraints.positive_definite,
        "rate_matrix": constraints.positive_definite,
        "scale_tril": constraints.lower_cholesky,
    }
    reparametrized_params = ("concentration", "scale_matrix", "rate_matrix", "scale_tril")

    concentration: ArrayLike

    scale_tril = derived_factor("scale_matrix", "rate_matrix")
    scale_matrix = derived_product("scale_tril")
    rate_matrix = derived_inverse("scale_tril")

    def __init__(
        self,
        concentration: ArrayLike,
        scale_matrix: ArrayLike | None = None,
        rate_matrix: ArrayLike | None = None,
        scale_tril: ArrayLike | None = None,
        *,
        validate_args: bool | None = None,
    ) -> None:
        matrices: dict[str, Any] = {
            "scale_matrix": scale_matrix,
            "rate_matrix": rate_matrix,
            "scale_tril": scale_tril,
        }
        given = only_given(**matrices)
        shape = np.shape(matrices[given])
        if len(shape) < 2 or shape[-1] != shape[-2]:
            raise ValueError(
                f"{type(self).__name__}: {given} must be a square matrix or a batch of them, "
                f"got shape {shape}"
            )
        self._set_parameters(validate_args, concentration=concentration, **matrices)

    def validate_args(self, strict: bool = True) -> None:
        super().validate_args(strict)
        if is_concrete(self.concentration):
            above = constraints.greater_than(self._size - 1)
            found = first_violation(self.concentration, above)
            if found is not None:
                raise ValueError(
                    f"{type(self).__name__} distribution got invalid concentration parameter: "
                    + complaint("concentration", found, above, np.shape(self.concentration))
                )

    def _batch_shape(self) -> Shape:
        # From the parameters alone, for the transformed members of the family too.
        return Distribution._batch_shape(self)

    def _event_shape(self) -> Shape:
        args = self.get_args()
        return next(np.shape(args[name])[-2:] for name in args if name != "concentration")

    @property
    def _size(self) -> int:
        return self.event_shape[-1]

    @property
    def _concentration_of_rows(self) -> Any:
        """The concentration with a trailing dimension, in the type of samples."""
        return jnp.asarray(self.concentration, self._dtype)[..., None]

    @property
    def _row(self) -> Any:
        """Numbers of the rows, from 0."""
        return np.arange(self._size).astype(self._dtype)

    def _log_multivariate_gamma(self) -> Any:
        """``log gamma_p(concentration / 2)`` (Muirhead 1982, theorem 2.1.12)."""
        size = self._size
        terms = gammaln(0.5 * (self._concentration_of_rows - self._row))
        return 0.25 * size * (size - 1) * math.log(math.pi) + jnp.sum(terms, axis=-1)


def bartlett_factor(key: Array, df: Any, shape: Shape, dtype: Any) -> Any:
    """Draw lower triangular matrices of normal variables with, on the diagonal, roots of Chi2(df).

    The last dimension of `df` runs along the diagonal; `shape` is that of the draw.
    """
    size = shape[-1]
    key_normal, key_gamma = jax.random.split(key)
    # By the logarithm: with few degrees of freedom a gamma variable underflows before its root.
    log_gamma = jax.random.loggamma(key_gamma, 0.5 * df, shape[:-1], dtype)
    root_chi2 = jnp.exp(0.5 * (log_gamma + math.log(2.0)))
    normal = jax.random.normal(key_normal, shape, dtype) * np.tril(np.ones((size, size), dtype), -1)
    return normal + root_chi2[..., None] * np.eye(size, dtype=dtype)


def root_chi2_moment(df: Any, power: int) -> Any:
    """Mean of a Chi2(df) variable to the power `power` / 2; needs ``df + power > 0``."""
    half = 0.5 * df
    return jnp.exp(0.5 * power * math.log(2.0) + gammaln(half + 0.5 * power) - gammaln(half))


def mean_log_chi(df: Any) -> Any:
    """Mean of the logarithm of the root of a Chi2(df) variable."""
    return 0.5 * (jax.scipy.special.digamma(0.5 * df) + math.log(2.0))
