"""Functions of densities that stay exact, with finite gradients, at the edges of their domains.

Those of many operations are compiled functions: a traced model, which calls them at many sites,
traces each once for a type and shape. Those that every model has are written in `jax.lax`, whose
operations are the quickest to trace, and have rules for their gradients.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from sojourn_distributions import known
from sojourn_distributions.arrays import float_dtype, is_concrete, namespace
from sojourn_distributions.broadcasting import broadcast, where
from sojourn_distributions.short_rows import Rows, join_rows, part_rows
from sojourn_distributions.special import log_ndtr, ndtri

__all__ = [
    "divide",
    "log1mexp",
    "log1p_square",
    "log_complement",
    "log_positive",
    "log_power",
    "log_sum_exp",
    "ndtri_exp",
    "on_support",
    "shares",
]


def log_positive(x: Any, otherwise: float = 0.0) -> Any:
    """``log(x)`` where ``x > 0``; elsewhere a number, with gradient 0.

    The number is 0, or a negative one that is also the least value of the result.
    """
    x = jnp.asarray(x)
    if not jnp.issubdtype(x.dtype, jnp.floating):
        x = x.astype(float_dtype(x))
    return _log_positive(x, otherwise)


# The rule spares programs the intermediate value that replaces what is not positive: kept for the
# gradient, it would be one more array and one more kernel.
@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def _log_positive(x: Any, otherwise: float) -> Any:
    if otherwise == 0.0:
        return lax.log(_positive_or(x, 1.0))
    # No selection after the logarithm, which would need x again wherever the result is used.
    result = lax.log(lax.max(x, lax.full_like(x, 0)))
    return result if otherwise == -math.inf else lax.max(result, lax.full_like(x, otherwise))


@_log_positive.defjvp
def _log_positive_jvp(
    otherwise: float, primals: tuple[Any], tangents: tuple[Any]
) -> tuple[Any, Any]:
    ((x,), (dx,)) = primals, tangents
    return _log_positive(x, otherwise), lax.div(dx, _positive_or(x, jnp.inf))


@jax.custom_jvp
def log_complement(x: Any) -> Any:
    """``log(1 - x)``; where ``x >= 1`` minus infinity, with gradient 0."""
    return jnp.log1p(-jnp.minimum(x, 1))


@log_complement.defjvp
def _log_complement_jvp(primals: tuple[Any], tangents: tuple[Any]) -> tuple[Any, Any]:
    ((x,), (dx,)) = primals, tangents
    return log_complement(x), -dx / jnp.where(x < 1, 1 - x, jnp.inf)


def _positive_or(x: Any, other: float) -> Any:
    return lax.select(lax.gt(x, lax.full_like(x, 0)), x, lax.full_like(x, other))


_MOST_TERMS, _MOST_ENTRIES = 8, 2**13
"""A log sum of no more terms, over an array of no more entries, is written out term by term; and
one of two terms, whatever the array."""


@functools.partial(jax.custom_jvp, nondiff_argnums=(1, 2))
def log_sum_exp(x: Any, axes: tuple[int, ...], bounded: bool = False) -> Any:
    """Log of the sum of exponentials over axes; where all terms are -inf, -inf with gradient 0.

    With `bounded`, no term is plus infinity. The program is then one of maxima, sums and
    exponentials alone, which some compilers make one kernel of.
    """
    return _log_sum_exp(x, axes, bounded)


# The rule computes the exponentials anew from the result: nothing but it is kept for the gradient,
# and where nothing is possible there is no 0 to divide by.
@log_sum_exp.defjvp
def _log_sum_exp_jvp(
    axes: tuple[int, ...], bounded: bool, primals: tuple[Any], tangents: tuple[Any]
) -> tuple[Any, Any]:
    (x,), (dx,) = primals, tangents
    result = _log_sum_exp(x, axes, bounded)
    (x, log_total, dx), rows = _joined_behind(axes, x, result, dx)
    slope = lax.reduce_sum(lax.mul(shares(x, log_total, axes), dx), axes)
    return result, part_rows(slope, rows)


def _joined_behind(axes: tuple[int, ...], x: Any, *others: Any) -> tuple[list[Any], Rows]:
    """Join short rows, unless their axes are among those to sum over."""
    return join_rows(x, *others) if max(axes) < x.ndim - 2 else ([x, *others], None)


def shares(x: Any, log_total: Any, axes: tuple[int, ...]) -> Any:
    """What the exponentials have of the sum of which `log_sum_exp` is the log; of no sum, 0."""
    return _exp_of_difference(x, _finite(log_total), axes)


def _log_sum_exp(x: Any, axes: tuple[int, ...], bounded: bool) -> Any:
    number = x.shape[axes[0]] if len(axes) == 1 else math.inf
    if number == 2 or (number <= _MOST_TERMS and x.size <= _MOST_ENTRIES):
        (x,), rows = _joined_behind(axes, x)
        log_total = _of_terms(lax.split(x, (1,) * int(number), axes[0]))
        return part_rows(lax.squeeze(log_total, axes), rows)
    shape = [n for axis, n in enumerate(x.shape) if axis not in axes]
    # Dims of size 1 go along: left in between, they keep the maximum and the sum apart.
    axes = tuple(axis for axis, n in enumerate(x.shape) if axis in axes or n == 1)
    fixed = lax.stop_gradient(x)
    if bounded:
        lowest = np.asarray(jnp.finfo(x.dtype).min, x.dtype)
        top = lax.reduce(fixed, lowest, lax.max, axes)
    else:
        top = _finite(lax.reduce_max(fixed, axes))
    total = lax.reduce_sum(_exp_of_difference(x, top, axes), axes)
    return lax.reshape(lax.add(lax.log(total), top), shape)


def _of_terms(terms: Sequence[Any]) -> Any:
    """Write out the terms: one kernel with what surrounds it, instead of a maximum and a sum."""
    top = lax.stop_gradient(_finite(functools.reduce(lax.max, terms)))
    total = functools.reduce(lax.add, [lax.exp(lax.sub(term, top)) for term in terms])
    return lax.add(lax.log(total), top)


def _exp_of_difference(x: Any, shift: Any, axes: tuple[int, ...]) -> Any:
    others = [axis for axis in range(x.ndim) if axis not in axes]
    return lax.exp(lax.sub(x, lax.broadcast_in_dim(shift, x.shape, others)))


def _finite(shift: Any) -> Any:
    """Replace what is infinite, and cannot be subtracted from itself, by the largest numbers."""
    largest = jnp.finfo(shift.dtype).max
    return lax.clamp(np.asarray(-largest, shift.dtype), shift, np.asarray(largest, shift.dtype))


def on_support(inside: Any, log_density: Any) -> Any:
    """Log density inside of the support, minus infinity outside; the arguments broadcast."""
    return where(inside, log_density, -math.inf)


def divide(x: Any, scale: Any) -> Any:
    """``x / scale``, for a scale that serves many ``x``: divided is once, also for the gradient."""
    if isinstance(scale, jax.core.Tracer):
        return x * _reciprocal(scale)
    is_float = isinstance(x, jax.Array) and jnp.issubdtype(x.dtype, jnp.floating)
    return x if is_float and known.is_number(scale, 1) else x / scale


# By its rule the gradient is a product of what is there; by the chain rule it divides once more.
@jax.custom_jvp
def _reciprocal(x: Any) -> Any:
    return 1 / x


@_reciprocal.defjvp
def _reciprocal_jvp(primals: tuple[Any], tangents: tuple[Any]) -> tuple[Any, Any]:
    ((x,), (dx,)) = primals, tangents
    result = 1 / x
    return result, -(result * result) * dx


def log_power(value: Any, exponent: Any) -> Any:
    """``log(value ** exponent)`` for a density on the nonnegative numbers.

    Its limit at 0 (0 where the exponent is 0, else plus or minus infinity), and minus infinity
    below. Gradients are those of the formula above 0 and 0 elsewhere, never NaN.
    """
    dtype = float_dtype(value, exponent)
    if is_concrete(exponent) and np.all(np.equal(exponent, 0)):
        # No logarithm, nor the gradient of one.
        flat = jnp.zeros(np.broadcast_shapes(np.shape(value), np.shape(exponent)), dtype)
        return on_support(jnp.greater_equal(value, 0), flat)
    if is_concrete(exponent) and np.all(np.not_equal(exponent, 0)):
        all_positive = bool(np.all(np.greater(exponent, 0)))
        shape = np.broadcast_shapes(np.shape(value), np.shape(exponent))
        value, exponent = (broadcast(jnp.asarray(x, dtype), shape) for x in (value, exponent))
        return _log_known_power(value, exponent, all_positive)
    xp = namespace(exponent)
    limit = xp.where(xp.greater(exponent, 0), -xp.inf, xp.inf)
    at_zero = xp.where(xp.equal(exponent, 0), 0.0, limit)
    return _log_power(value, exponent, at_zero.astype(dtype))


@functools.partial(jax.custom_jvp, nondiff_argnums=(2,))
def _log_known_power(value: Any, exponent: Any, all_positive: bool) -> Any:
    """Of arrays of one shape; the exponents are not 0, and constants."""
    result = lax.mul(exponent, lax.log(lax.max(value, lax.full_like(value, 0))))
    if all_positive:
        return result
    below = lax.lt(value, lax.full_like(value, 0))
    return lax.select(below, lax.full_like(value, -jnp.inf), result)


@_log_known_power.defjvp
def _log_known_power_jvp(
    all_positive: bool, primals: tuple[Any, Any], tangents: tuple[Any, Any]
) -> tuple[Any, Any]:
    (value, exponent), (dx, _) = primals, tangents
    slope = lax.div(exponent, _positive_or(value, jnp.inf))
    return _log_known_power(value, exponent, all_positive), lax.mul(slope, dx)


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
