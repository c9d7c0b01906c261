"""Functions of densities that stay exact, with finite gradients, at the edges of their domains.

They are compiled functions so that a traced model, which calls them at many sites, traces each
once for a type and shape.
"""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp

from sojourn_distributions.special import log_ndtr, ndtri

__all__ = ["log1mexp", "log1p_square", "log_power", "ndtri_exp"]


@jax.jit
def log_power(value: Any, exponent: Any) -> Any:
    """``log(value ** exponent)`` for a density on the nonnegative numbers.

    Its limit at 0 (0 where the exponent is 0, else plus or minus infinity), and minus infinity
    below. Gradients are those of the formula above 0 and 0 elsewhere, never NaN: the logarithm
    only ever sees positive numbers.
    """
    positive = jnp.greater(value, 0)
    log_value = jnp.log(jnp.where(positive, value, 1.0))
    at_zero = jnp.where(
        jnp.equal(exponent, 0), 0.0, jnp.where(jnp.greater(exponent, 0), -jnp.inf, jnp.inf)
    )
    below = jnp.where(jnp.equal(value, 0), at_zero, -jnp.inf)
    return jnp.where(positive, exponent * log_value, below)


@jax.jit
def log1p_square(z: Any) -> Any:
    """``log(1 + z**2)`` without overflow of the square."""
    magnitude = jnp.abs(z)
    near = jnp.minimum(magnitude, 1e15)  # beyond it the 1 is lost in either precision
    return jnp.log1p(near * near) + 2 * jnp.log(jnp.maximum(magnitude * 1e-15, 1.0))


@jax.jit
def log1mexp(x: Any) -> Any:
    """``log(1 - exp(x))`` for ``x < 0`` (Maechler 2012, "Computing log(1-exp(-|a|))")."""
    near_zero = x > -math.log(2.0)
    log_expm1 = jnp.log(-jnp.expm1(jnp.where(near_zero, x, -1.0)))
    return jnp.where(near_zero, log_expm1, jnp.log1p(-jnp.exp(jnp.where(near_zero, -1.0, x))))


@jax.jit
def ndtri_exp(log_q: Any) -> Any:
    """Standard normal quantile of ``exp(log_q)``, also where the probability underflows.

    Below exp(-10) by Newton's method on ``log_ndtr``, which is concave and nearly quadratic
    there, from the leading term of its expansion; three steps reach rounding error.
    """
    log_q = jnp.asarray(log_q)
    far = log_q < -10.0
    tail = jnp.where(far, log_q, -10.0)
    x = -jnp.sqrt(-2.0 * tail)
    for _ in range(4):
        log_cdf = log_ndtr(x)
        slope = jnp.exp(-0.5 * x * x - 0.5 * math.log(2 * math.pi) - log_cdf)
        x = x - (log_cdf - tail) / slope
    return jnp.where(far, x, ndtri(jnp.exp(jnp.where(far, -10.0, log_q))))
