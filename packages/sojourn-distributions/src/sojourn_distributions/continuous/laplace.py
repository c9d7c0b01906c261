"""The Laplace distribution, its smooth and its asymmetric variants."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike
from sojourn_distributions.continuous.location_scale import LocationScale

__all__ = ["AsymmetricLaplace", "AsymmetricLaplaceQuantile", "Laplace", "SoftLaplace"]

Shape = tuple[int, ...]

_LOG_2 = math.log(2.0)


class Laplace(LocationScale):
    """Laplace (double exponential) distribution on the real numbers.

    The standard variable has the density ``exp(-|z|) / 2``.

    Parameters
    ----------
    loc
        Mean.
    scale
        Mean absolute deviation, positive.
    """

    _symmetric = True
    _standard_variance = 2.0
    _standard_entropy = 1 + _LOG_2

    def _noise(self, key: Array, shape: Shape) -> Any:
        return jax.random.laplace(key, shape, self._dtype)

    def _standard_log_prob(self, z: Any) -> Any:
        return -jnp.abs(z) - _LOG_2

    def _standard_cdf(self, z: Any) -> Any:
        tail = 0.5 * jnp.exp(-jnp.abs(z))
        return jnp.where(z < 0, tail, 1 - tail)

    def _standard_log_cdf(self, z: Any) -> Any:
        return jnp.where(z < 0, z - _LOG_2, jnp.log1p(-0.5 * jnp.exp(-jnp.abs(z))))

    def _standard_icdf(self, q: Any) -> Any:
        below = jnp.less(q, 0.5)
        tail = jnp.where(below, q, 1 - q)
        return jnp.where(below, 1, -1) * jnp.log(2 * tail)

    def _standard_icdf_from_log(self, log_q: Any) -> Any:
        below = jnp.less(log_q, -_LOG_2)
        upper = jnp.where(below, -_LOG_2, log_q)
        return jnp.where(below, log_q + _LOG_2, -jnp.log(-2 * jnp.expm1(upper)))


class SoftLaplace(LocationScale):
    """Hyperbolic secant distribution: tails of a Laplace distribution, smooth at the mode.

    The standard variable has the density ``sech(z) / pi``.

    Parameters
    ----------
    loc
        Mean.
    scale
        Decay length of the tails, positive.
    """

    _symmetric = True
    _standard_variance = math.pi**2 / 4
    # log(pi) + E log cosh z, the latter being log 2.
    _standard_entropy = math.log(2 * math.pi)

    def __init__(
        self, loc: ArrayLike, scale: ArrayLike, *, validate_args: bool | None = None
    ) -> None:
        super().__init__(loc, scale, validate_args=validate_args)

    def _noise(self, key: Array, shape: Shape) -> Any:
        # By size and sign, so that both tails are drawn as far out.
        magnitude, sign = jax.random.split(key)
        tail = jax.random.uniform(magnitude, shape, self._dtype, minval=jnp.finfo(self._dtype).tiny)
        size = -jnp.log(jnp.tan(0.25 * math.pi * tail))
        return size * jax.random.rademacher(sign, shape, self._dtype)

    def _standard_log_prob(self, z: Any) -> Any:
        distance = jnp.abs(z)
        return math.log(2 / math.pi) - distance - jnp.log1p(jnp.exp(-2 * distance))

    def _standard_cdf(self, z: Any) -> Any:
        tail = 2 / math.pi * jnp.arctan(jnp.exp(-jnp.abs(z)))
        return jnp.where(z < 0, tail, 1 - tail)

    def _standard_log_cdf(self, z: Any) -> Any:
        # arctan(x) = x (1 - x^2 / 3 + ...): the logarithm of x is -|z| itself.
        x = jnp.exp(-jnp.abs(z))
        small = x < 1e-4
        ratio = jnp.arctan(jnp.where(small, 1.0, x)) / jnp.where(small, 1.0, x)
        log_tail = jnp.where(small, -jnp.square(x) / 3, jnp.log(ratio)) - jnp.abs(z)
        log_tail = log_tail + math.log(2 / math.pi)
        return jnp.where(z < 0, log_tail, jnp.log1p(-2 / math.pi * jnp.arctan(x)))

    def _standard_icdf(self, q: Any) -> Any:
        below = jnp.less(q, 0.5)
        tail = jnp.where(below, q, 1 - q)
        return jnp.where(below, 1, -1) * jnp.log(jnp.tan(0.5 * math.pi * tail))

    def _standard_icdf_from_log(self, log_q: Any) -> Any:
        below = jnp.less(log_q, -_LOG_2)
        log_tail = jnp.where(below, log_q, jnp.log(-jnp.expm1(jnp.where(below, -_LOG_2, log_q))))
        # tan(x) = x (1 + x^2 / 3 + ...): the logarithm of x is known.
        log_angle = log_tail + math.log(0.5 * math.pi)
        angle = jnp.exp(log_angle)
        small = angle < 1e-4
        ratio = jnp.tan(jnp.where(small, 1.0, angle)) / jnp.where(small, 1.0, angle)
        z = log_angle + jnp.where(small, jnp.square(angle) / 3, jnp.log(ratio))
        return jnp.where(below, 1, -1) * z


class AsymmetricLaplace(LocationScale):
    """Laplace distribution whose two tails decay at different rates.

    With ``left = asymmetry`` and ``right = 1 / asymmetry`` the standard variable has the density
    ``exp(z / left)`` below 0 and ``exp(-z / right)`` above, divided by ``left + right`` (Kotz,
    Kozubowski & Podgórski 2001, "The Laplace Distribution and Generalizations", chapter 3).

    Parameters
    ----------
    loc
        Mode.
    scale
        Geometric mean of the decay lengths of the tails, positive.
    asymmetry
        Square root of the ratio of the left to the right decay length, positive.
    """

    arg_constraints: ClassVar = {
        "loc": constraints.real,
        "scale": constraints.positive,
        "asymmetry": constraints.positive,
    }
    reparametrized_params = ("loc", "scale", "asymmetry")

    asymmetry: ArrayLike

    def __init__(
        self,
        loc: ArrayLike = 0.0,
        scale: ArrayLike = 1.0,
        asymmetry: ArrayLike = 1.0,
        *,
        validate_args: bool | None = None,
    ) -> None:
        self._set_parameters(validate_args, loc=loc, scale=scale, asymmetry=asymmetry)

    @property
    def left_scale(self) -> Any:
        """Decay length below `loc`."""
        return self.scale * self.asymmetry

    @property
    def right_scale(self) -> Any:
        """Decay length above `loc`."""
        return self.scale / self.asymmetry

    @property
    def _decay(self) -> tuple[Any, Any]:
        """Decay lengths of the standard variable; their ratio is that of the tails' masses."""
        return self.asymmetry, 1 / self.asymmetry

    def _noise(self, key: Array, shape: Shape) -> Any:
        # A difference of two exponential variables (Kotz et al., proposition 3.2.1).
        left, right = self._decay
        up, down = jax.random.exponential(key, (2, *shape), self._dtype)
        return right * up - left * down

    def _standard_log_prob(self, z: Any) -> Any:
        left, right = self._decay
        return jnp.where(z < 0, z / left, -z / right) - jnp.log(left + right)

    def _standard_cdf(self, z: Any) -> Any:
        left, right = self._decay
        below = left / (left + right) * jnp.exp(jnp.minimum(z, 0.0) / left)
        above = right / (left + right) * jnp.exp(-jnp.maximum(z, 0.0) / right)
        return jnp.where(z < 0, below, 1 - above)

    def _standard_log_cdf(self, z: Any) -> Any:
        left, right = self._decay
        below = jnp.log(left / (left + right)) + jnp.minimum(z, 0.0) / left
        above = right / (left + right) * jnp.exp(-jnp.maximum(z, 0.0) / right)
        return jnp.where(z < 0, below, jnp.log1p(-above))

    def log_survival(self, value: ArrayLike) -> Any:
        z = self._standardize(value)
        left, right = self._decay
        above = jnp.log(right / (left + right)) - jnp.maximum(z, 0.0) / right
        below = left / (left + right) * jnp.exp(jnp.minimum(z, 0.0) / left)
        return jnp.where(z < 0, jnp.log1p(-below), above)

    def _standard_icdf(self, q: Any) -> Any:
        left, right = self._decay
        at_mode = left / (left + right)
        below = jnp.less(q, at_mode)
        lower = left * jnp.log(jnp.where(below, q, at_mode) / at_mode)
        upper = -right * jnp.log(jnp.where(below, 1 - at_mode, 1 - q) / (1 - at_mode))
        return jnp.where(below, lower, upper)

    @property
    def _standard_mean(self) -> Any:
        left, right = self._decay
        return right - left

    @property
    def _standard_variance(self) -> Any:
        left, right = self._decay
        return left**2 + right**2

    @property
    def _standard_entropy(self) -> Any:
        left, right = self._decay
        return 1 + jnp.log(left + right)


class AsymmetricLaplaceQuantile(AsymmetricLaplace):
    """Asymmetric Laplace distribution by the probability below its mode, for quantile regression.

    Its negative log density is the tilted absolute loss ``z * (quantile - (z < 0))`` of
    ``z = (value - loc) / scale``, up to a constant (Yu & Moyeed 2001, "Bayesian quantile
    regression").

    Parameters
    ----------
    loc
        The quantile, a real number (and the mode).
    scale
        Unit of the loss, positive.
    quantile
        Probability of at most `loc`, between 0 and 1.
    """

    arg_constraints: ClassVar = {
        "loc": constraints.real,
        "scale": constraints.positive,
        "quantile": constraints.open_interval(0.0, 1.0),
    }
    reparametrized_params = ("loc", "scale", "quantile")

    quantile: ArrayLike

    def __init__(
        self,
        loc: ArrayLike = 0.0,
        scale: ArrayLike = 1.0,
        quantile: ArrayLike = 0.5,
        *,
        validate_args: bool | None = None,
    ) -> None:
        self._set_parameters(validate_args, loc=loc, scale=scale, quantile=quantile)

    @property
    def _decay(self) -> tuple[Any, Any]:
        return 1 / (1 - self.quantile), 1 / self.quantile

    @property
    def left_scale(self) -> Any:
        return self.scale * self._decay[0]

    @property
    def right_scale(self) -> Any:
        return self.scale * self._decay[1]
