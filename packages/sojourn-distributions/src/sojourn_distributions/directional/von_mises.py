"""The von Mises distribution on the circle."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import i0e

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike, float_dtype
from sojourn_distributions.directional.angles import bessel_ratio_deficit, log_i0e, wrap
from sojourn_distributions.distribution import Distribution
from sojourn_distributions.numerics import on_support
from sojourn_distributions.special import ndtr

__all__ = ["VonMises", "centered_von_mises"]

Shape = tuple[int, ...]

_LOG_2PI = math.log(2 * math.pi)


class VonMises(Distribution):
    """Von Mises distribution: density proportional to ``exp(concentration cos(x - loc))``.

    Angles are in radians between -pi and pi. For a large concentration it is nearly normal, of
    variance 1 / concentration.

    Parameters
    ----------
    loc
        Mean direction, real; any turn counts as the same.
    concentration
        Positive.

    Notes
    -----
    `mean` is the mean direction and `variance` the circular variance ``1 - I1(k) / I0(k)``. Draws
    are differentiable in `loc` alone.

    Examples
    --------
    >>> import sojourn_distributions as dist
    >>> round(float(dist.VonMises(0.0, 2.0).log_prob(0.5)), 4)
    -0.9067
    """

    arg_constraints: ClassVar = {
        "loc": constraints.real,
        "concentration": constraints.positive,
    }
    support = constraints.circular
    reparametrized_params = ("loc",)

    loc: ArrayLike
    concentration: ArrayLike

    def __init__(
        self,
        loc: ArrayLike,
        concentration: ArrayLike,
        *,
        validate_args: bool | None = None,
    ) -> None:
        self._set_parameters(validate_args, loc=loc, concentration=concentration)

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        concentration = jnp.broadcast_to(self.concentration, self.shape(sample_shape))
        return wrap(self.loc + centered_von_mises(key, concentration.astype(self._dtype)))

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        # cos(t) - 1 = -2 sin(t / 2)**2 does not cancel at the small angles of a large k.
        half_sine = jnp.sin(0.5 * (value - self.loc))
        k = jnp.asarray(self.concentration, self._dtype)
        log_density = -2 * k * half_sine * half_sine - log_i0e(k) - _LOG_2PI
        inside = jnp.logical_and(jnp.greater_equal(value, -math.pi), jnp.less_equal(value, math.pi))
        return on_support(inside, log_density)

    def cdf(self, value: ArrayLike) -> Any:
        dtype = float_dtype(value, self.loc, self.concentration)
        k = jnp.asarray(self.concentration, dtype)
        value = jnp.clip(jnp.asarray(value, dtype), -math.pi, math.pi)
        return _unrolled_cdf(value - self.loc, k) - _unrolled_cdf(-math.pi - self.loc, k)

    @property
    def mean(self) -> Any:
        return jnp.broadcast_to(wrap(self.loc), self.shape())

    @property
    def mode(self) -> Any:
        return self.mean

    @property
    def variance(self) -> Any:
        k = jnp.asarray(self.concentration, self._dtype)
        return jnp.broadcast_to(bessel_ratio_deficit(k), self.shape())

    def entropy(self) -> Any:
        k = jnp.asarray(self.concentration, self._dtype)
        entropy = _LOG_2PI + log_i0e(k) + k * bessel_ratio_deficit(k)
        return jnp.broadcast_to(entropy, self.batch_shape)


def centered_von_mises(key: Array, concentration: Array) -> Any:
    """One draw of mean direction 0 for each concentration; 0 is allowed (the uniform).

    Rejection from a wrapped Cauchy distribution (Best & Fisher 1979), accepted at least two times
    in three. Written in ``k (r - 1)`` and ``k (r - cos t)``, with their r, which do not cancel for
    a large concentration.
    """
    k = jax.lax.stop_gradient(concentration)
    root = jnp.hypot(1.0, 2 * k)
    offset = 0.5 * (1 + 1 / (root + 2 * k))
    # A wrapped Cauchy angle is a uniform one whose half-angle's tangent is scaled.
    scale = jnp.sqrt(offset / (offset + 2 * k))
    pi = float(np.nextafter(np.asarray(math.pi, k.dtype), np.asarray(0, k.dtype)))

    def propose(state: Any) -> Any:
        key, angle, pending = state
        key, key_angle, key_accept = jax.random.split(key, 3)
        uniform = jax.random.uniform(key_angle, k.shape, k.dtype, -pi, pi)
        proposal = 2 * jnp.arctan(scale * jnp.tan(0.5 * uniform))
        excess = offset + 2 * k * jnp.sin(0.5 * proposal) ** 2
        log_height = -jax.random.exponential(key_accept, k.shape, k.dtype)
        accepted = log_height <= 1 - excess + jnp.log(excess)
        angle = jnp.where(pending & accepted, proposal, angle)
        return key, angle, pending & ~accepted

    start = (key, jnp.zeros_like(k), ~jnp.isnan(k))
    angle = jax.lax.while_loop(lambda state: jnp.any(state[2]), propose, start)[1]
    return jnp.where(jnp.isnan(k), jnp.nan, angle)


_SERIES_TERMS = 80
_EXPANSION_FROM = 50.0


def _unrolled_cdf(angle: Any, k: Any) -> Any:
    """Integral of the density of mean direction 0 from -pi to an angle of any turn."""
    turns = jnp.round(angle / (2 * math.pi))
    angle = jnp.asarray(angle - 2 * math.pi * turns, k.dtype)
    far = k > _EXPANSION_FROM
    below = jnp.where(
        far,
        _normal_expansion(angle, jnp.where(far, k, _EXPANSION_FROM)),
        _fourier_series(angle, jnp.where(far, 1.0, k)),
    )
    return turns + below


def _fourier_series(angle: Any, k: Any) -> Any:
    """By ``sum_n I_n(k) sin(n t) / n``, backwards (Hill 1977, Algorithm 518)."""

    def add_term(i: Any, state: Any) -> Any:
        ratio, total = state
        n = (_SERIES_TERMS - i).astype(angle.dtype)
        ratio = k / (2 * n + k * ratio)  # I_n / I_(n-1)
        return ratio, ratio * (jnp.sin(n * angle) / n + total)

    zero = jnp.zeros(jnp.broadcast_shapes(jnp.shape(angle), jnp.shape(k)), angle.dtype)
    total = jax.lax.fori_loop(0, _SERIES_TERMS, add_term, (zero, zero))[1]
    return 0.5 + angle / (2 * math.pi) + total / math.pi


def _normal_expansion(angle: Any, k: Any) -> Any:
    """In ``u = 2 sqrt(k) sin(t / 2)`` the density is normal but for ``(1 - u**2 / 4k)**-1/2``.

    That factor is expanded in powers of u**2 and integrated term by term; what the normal has
    beyond half a turn is below ``exp(-2 k)``.
    """
    # Beyond 13 standard deviations nothing is left, and high powers would overflow.
    u = jnp.clip(2 * jnp.sqrt(k) * jnp.sin(0.5 * angle), -13.0, 13.0)
    normal = jnp.exp(-0.5 * u * u) / math.sqrt(2 * math.pi)
    moment = ndtr(u)  # integral of t**2n times the normal density up to u
    power = u
    coefficient: Any = 1.0
    total = moment
    for n in range(1, 13):
        moment = (2 * n - 1) * moment - power * normal
        power = power * u * u
        coefficient = coefficient * (2 * n - 1) / (2 * n) / (4 * k)
        total = total + coefficient * moment
    return jnp.clip(total / (jnp.sqrt(2 * math.pi * k) * i0e(k)), 0.0, 1.0)
