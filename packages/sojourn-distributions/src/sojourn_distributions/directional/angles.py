"""Angles brought to one turn, and the Bessel functions of densities over them."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy.special import i0e, i1e

__all__ = ["bessel_ratio_deficit", "log_i0e", "wrap"]


def wrap(angle: Any) -> Any:
    """Angle between -pi and pi; one that already lies there keeps all of its digits."""
    turns = jnp.round(angle / (2 * math.pi))
    return jnp.clip(angle - 2 * math.pi * turns, -math.pi, math.pi)


def _deficit_coefficients(count: int) -> list[float]:
    """Coefficients of ``1 - I1(k) / I0(k)`` in powers of 1/k, from 1/k on.

    By the Riccati equation ``A' = 1 - A / k - A**2`` of the ratio A (Mardia & Jupp 2000,
    appendix 1), term by term.
    """
    terms = [0.0]
    for n in range(1, count + 1):
        products = sum(terms[i] * terms[n - i] for i in range(1, n))
        terms.append(0.5 * ((n == 1) + (n - 2) * terms[n - 1] + products))
    return terms[1:]


_COEFFICIENTS = _deficit_coefficients(14)
_SERIES_FROM = 50.0


def bessel_ratio_deficit(concentration: Any) -> Any:
    """``1 - I1(k) / I0(k)``, with its relative precision for large k (where it is near 1/(2k))."""
    far = concentration > _SERIES_FROM
    near = jnp.where(far, 1.0, concentration)
    inverse = 1 / jnp.where(far, concentration, _SERIES_FROM)
    series = jnp.zeros_like(inverse)
    for coefficient in reversed(_COEFFICIENTS):
        series = (series + coefficient) * inverse
    return jnp.where(far, series, 1 - i1e(near) / i0e(near))


@jax.custom_jvp
def log_i0e(concentration: Any) -> Any:
    """Log of ``exp(-k) I0(k)``, with a derivative that keeps its digits for large k."""
    return jnp.log(i0e(concentration))


@log_i0e.defjvp
def _log_i0e_jvp(primals: Any, tangents: Any) -> Any:
    (concentration,), (tangent,) = primals, tangents
    return log_i0e(concentration), -bessel_ratio_deficit(concentration) * tangent
