"""The mould of the distributions of ``loc + scale * z``, which state z's alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from sojourn_distributions import constraints, known
from sojourn_distributions.arrays import Array, ArrayLike
from sojourn_distributions.distribution import Distribution
from sojourn_distributions.numerics import divide

__all__ = ["LocationScale"]

Shape = tuple[int, ...]


class LocationScale(Distribution):
    """Distribution of ``loc + scale * z`` for a standard variable z.

    A subclass writes `_noise` (draws of z) and `_standard_log_prob`, and, where they exist, the
    standard cdf, quantile function, moments and entropy.

    Parameters
    ----------
    loc
        What is added to the standard variable, a real number.
    scale
        What multiplies it, positive.
    """

    arg_constraints: ClassVar = {"loc": constraints.real, "scale": constraints.positive}
    support: Any = constraints.real
    reparametrized_params: ClassVar[Sequence[str]] = ("loc", "scale")

    # Whether -z has the distribution of z, and so the upper tail the accuracy of the lower.
    _symmetric: ClassVar[bool] = False

    loc: ArrayLike
    scale: ArrayLike

    def __init__(
        self, loc: ArrayLike = 0.0, scale: ArrayLike = 1.0, *, validate_args: bool | None = None
    ) -> None:
        self._set_parameters(validate_args, loc=loc, scale=scale)

    # --- the standard variable -----------------------------------------------------------

    def _noise(self, key: Array, shape: Shape) -> Any:
        """Draws of the standard variable."""
        raise self._unavailable("sample")

    def _standard_log_prob(self, z: Any) -> Any:
        raise self._unavailable("log_prob")

    def _standard_cdf(self, z: Any) -> Any:
        raise self._unavailable("cdf")

    def _standard_log_cdf(self, z: Any) -> Any:
        return jnp.log(self._standard_cdf(z))

    def _standard_icdf(self, q: Any) -> Any:
        raise self._unavailable("icdf")

    def _standard_icdf_from_log(self, log_q: Any) -> Any:
        return self._standard_icdf(jnp.exp(log_q))

    @property
    def _standard_mean(self) -> Any:
        return 0.0

    @property
    def _standard_variance(self) -> Any:
        raise self._unavailable("variance")

    @property
    def _standard_mode(self) -> Any:
        return 0.0

    @property
    def _standard_entropy(self) -> Any:
        raise self._unavailable("entropy")

    # --- the variable itself -------------------------------------------------------------

    def _standardize(self, value: Any) -> Any:
        is_float = isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jnp.floating)
        # Zero changes no more than the type.
        shifted = value if is_float and known.is_number(self.loc, 0) else value - self.loc
        return divide(shifted, self.scale)

    def _place(self, z: Any) -> Any:
        return self.loc + self.scale * z

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        return self._place(self._noise(key, self.shape(sample_shape)))

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        log_density = self._standard_log_prob(self._standardize(value))
        log_scale = known.log(self.scale)
        return log_density if known.is_number(log_scale, 0) else log_density - log_scale

    def cdf(self, value: ArrayLike) -> Any:
        return self._standard_cdf(self._standardize(value))

    def log_cdf(self, value: ArrayLike) -> Any:
        return self._standard_log_cdf(self._standardize(value))

    def log_survival(self, value: ArrayLike) -> Any:
        if self._symmetric:
            return self._standard_log_cdf(-self._standardize(value))
        return super().log_survival(value)

    def icdf(self, q: ArrayLike) -> Any:
        return self._place(self._standard_icdf(q))

    def icdf_from_log(self, log_q: ArrayLike) -> Any:
        return self._place(self._standard_icdf_from_log(log_q))

    @property
    def mean(self) -> Any:
        return jnp.broadcast_to(self._place(self._standard_mean), self.batch_shape)

    @property
    def variance(self) -> Any:
        return jnp.broadcast_to(self._standard_variance * jnp.square(self.scale), self.batch_shape)

    @property
    def mode(self) -> Any:
        return jnp.broadcast_to(self._place(self._standard_mode), self.batch_shape)

    def entropy(self) -> Any:
        return jnp.broadcast_to(self._standard_entropy + jnp.log(self.scale), self.batch_shape)
