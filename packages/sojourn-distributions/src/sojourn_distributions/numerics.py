"""Functions of densities that stay exact, with finite gradients, at the edges of their domains.

They are compiled functions so that a traced model, which calls them at many sites, traces each
once for a type and shape.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp

from sojourn_distributions.arrays import float_dtype, namespace
from sojourn_distributions.special import log_ndtr, ndtri

__all__ = ["log1mexp", "log1p_square", "log_positive", "log_power", "log_sum_exp", "ndtri_exp"]


def log_positive(x: Any) -> Any:
    """``log(x)`` where ``x > 0``; elsewhere 0, with gradient 0."""
    x = jnp.asarray(x)
    if not jnp.issubdtype(x.dtype, jnp.floating):
        x = x.astype(float_dtype(x))
    return _log_positive(x)


# The rule spares programs the intermediate value that replaces what is not positive: kept for the
# gradient, it would be one more array and one more kernel.
@jax.custom_jvp
def _log_positive(x: Any) -> Any:
    return jax.lax.log(_positive_or(x, 1.0))


@_log_positive.defjvp
def _log_positive_jvp(primals: tuple[Any], tangents: tuple[Any]) -> tuple[Any, Any]:
    ((x,), (dx,)) = primals, tangents
    return jax.lax.log(_positive_or(x, 1.0)), jax.lax.div(dx, _positive_or(x, jnp.inf))


def _positive_or(x: Any, other: float) -> Any:
    return jax.lax.select(x > 0, x, jax.lax.full_like(x, other))


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def log_sum_exp(x: Any, axes: tuple[int, ...]) -> Any:
    """Log of the sum of exponentials over axes; where all terms are -inf, -inf with gradient 0."""
    top = jnp.max(x, axes, keepdims=True)
    total = jnp.sum(jnp.exp(x - _finite(top)), axes)
    return jnp.log(total) + jnp.squeeze(top, axes)


# The rule computes the exponentials anew from the result: nothing but it is kept for the gradient,
# and where nothing is possible there is no 0 to divide by.
@log_sum_exp.defjvp
def _log_sum_exp_jvp(
    axes: tuple[int, ...], primals: tuple[Any], tangents: tuple[Any]
) -> tuple[Any, Any]:
    (x,), (dx,) = primals, tangents
    result = log_sum_exp(x, axes)
    shares = jnp.exp(x - jnp.expand_dims(_finite(result), axes))
    return result, jnp.sum(shares * dx, axes)


def _finite(shift: Any) -> Any:
    """Replace what is infinite, and cannot be subtracted from itself, by 0."""
    return jax.lax.select(jax.lax.is_finite(shift), shift, jnp.zeros_like(shift))


def log_power(value: Any, exponent: Any) -> Any:
    """``log(value ** exponent)`` for a density on the nonnegative numbers.

    Its limit at 0 (0 where the exponent is 0, else plus or minus infinity), and minus infinity
    below. Gradients are those of the formula above 0 and 0 elsewhere, never NaN: the logarithm
    only ever sees positive numbers.
    """
    xp = namespace(exponent)
    limit = xp.where(xp.greater(exponent, 0), -xp.inf, xp.inf)
    at_zero = xp.where(xp.equal(exponent, 0), 0.0, limit)
    return _log_power(value, exponent, at_zero.astype(float_dtype(value, exponent)))


@jax.jit
def _log_power(value: Any, exponent: Any, at_zero: Any) -> Any:
    below = jnp.where(jnp.equal(value, 0), at_zero, -jnp.inf)
    return jnp.where(jnp.greater(value, 0), exponent * log_positive(value), below)


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
