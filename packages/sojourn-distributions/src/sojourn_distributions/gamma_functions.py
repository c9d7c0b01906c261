"""Combinations of gamma functions that are small while the functions themselves are large."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy.special import gammaln

__all__ = ["log_beta", "log_gamma_correction", "log_gamma_half_step"]

_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)

# Coefficients |E_2m| / (m 4**(2 m + 1)) of an expansion in 1 / z**2, with Euler's numbers E.
_HALF_STEP = (
    1 / 64,
    -5 / 2048,
    61 / 49152,
    -1385 / 1048576,
    50521 / 20971520,
    -2702765 / 402653184,
)
# Coefficients B_2m / (2 m (2 m - 1)) of one in 1 / x, with Bernoulli's numbers B.
_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156)


def _horner(coefficients: tuple[float, ...], x: Any) -> Any:
    result: Any = coefficients[-1]
    for coefficient in reversed(coefficients[:-1]):
        result = coefficient + x * result
    return result


@jax.jit
def log_gamma_half_step(x: Any) -> Any:
    """``log(gamma(x + 1/2) / (gamma(x) sqrt(x)))`` for ``x > 0``, exact however large x is.

    By the recurrence up to ``x + 8`` and there the expansion of the ratio of gamma functions
    about the middle of their arguments (NIST DLMF 5.5.1 and 5.11.14): no difference of large
    logarithms, and elementary operations alone, which compile faster than `gammaln`.
    """
    product = x / (x + 0.5)
    for step in range(1, 8):
        product = product * (1 - 0.5 / (x + (step + 0.5)))
    w = 1 / jnp.square(x + 7.75)
    return jnp.log(product) + 0.5 * jnp.log1p(7.75 / x) + w * _horner(_HALF_STEP, w)


@jax.jit
def log_gamma_correction(x: Any) -> Any:
    """``log(gamma(x)) - ((x - 1/2) log(x) - x + log(2 pi) / 2)`` for ``x > 0``.

    The remainder of Stirling's formula, of the order of ``1 / (12 x)`` (NIST DLMF 5.11.1).
    """
    large = jnp.greater(x, 10)
    z = 1 / jnp.where(large, x, 10.0)
    y = jnp.where(large, 1.0, x)
    near = gammaln(y) - (y - 0.5) * jnp.log(y) + y - _HALF_LOG_2PI
    return jnp.where(large, z * _horner(_STIRLING, z * z), near)


@jax.jit
def log_beta(a: Any, b: Any) -> Any:
    """Log of the beta function for positive arguments, also where one or both are large.

    Stirling's formula for all three gamma functions, whose leading terms combine to ones that do
    not cancel, and the remainders of the formula.
    """
    small, large = jnp.minimum(a, b), jnp.maximum(a, b)
    total = small + large
    remainders = (
        log_gamma_correction(small) + log_gamma_correction(large) - log_gamma_correction(total)
    )
    leading = small * jnp.log(small / total) - (large - 0.5) * jnp.log1p(small / large)
    return _HALF_LOG_2PI - 0.5 * jnp.log(small) + leading + remainders
