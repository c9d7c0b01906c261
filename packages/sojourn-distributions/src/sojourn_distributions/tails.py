"""Tail probabilities of the t and gamma families in logs, and their quantiles.

The density of the variable on a suitable scale (the inverse hyperbolic sine of a t variable, the
logarithm of a gamma one) is log-concave. Beyond its mode a tail is therefore the density times an
integral of ``exp(-phi(y))`` over positive y, with phi convex and 0 at 0, which one double
exponential rule (Takahasi & Mori 1974) takes to rounding error, with derivatives in every
parameter and without underflow. The logarithm of a tail is concave as well (Bagnoli & Bergstrom
2005, theorem 3), so that Newton's method finds quantiles from any start.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_distributions.gamma_functions import log_gamma_correction, log_gamma_half_step
from sojourn_distributions.numerics import log1mexp

__all__ = [
    "gamma_log_quantile",
    "gamma_log_tails",
    "solve_log_tail",
    "student_t_log_tail",
    "student_t_quantile",
    "tail_integral",
]

_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)
_LOG_2 = math.log(2.0)

# Nodes exp(x - exp(-x)) of the rule, at steps of x at which its error is below 1e-15.
_STEP = 0.1
_X = np.arange(-3.6, 4.9, _STEP)
_NODES = np.exp(_X - np.exp(-_X))
_WEIGHTS = _STEP * _NODES * (1 + np.exp(-_X))


def tail_integral(phi: Callable[[Any], Any], length: Any) -> Any:
    """Integral of ``exp(-phi(y))`` from 0; `phi` takes nodes along a new last dimension.

    `length` is that over which the integrand decays; a factor of a few is immaterial.
    """
    length = length[..., None]
    nodes, weights = _NODES.astype(length.dtype), _WEIGHTS.astype(length.dtype)
    return jnp.sum(length * weights * jnp.exp(-phi(length * nodes)), axis=-1)


def solve_log_tail(
    log_tail: Callable[..., tuple[Any, Any]], start: Any, log_q: Any, *args: Any
) -> Any:
    """Point where ``log_tail(x, *args)[0]`` is `log_q`; the second result is its derivative.

    The last step, from a point held constant, carries the derivatives of the solution.
    """
    fixed = jax.lax.stop_gradient((start, log_q, args))
    x = jax.lax.fori_loop(0, 7, lambda _, x: _newton(log_tail, x, fixed[1], *fixed[2]), fixed[0])
    return _newton(log_tail, x, log_q, *args)


def _newton(log_tail: Callable[..., tuple[Any, Any]], x: Any, log_q: Any, *args: Any) -> Any:
    value, slope = log_tail(x, *args)
    return x - (value - log_q) / slope


def _broadcast(*values: Any) -> list[Any]:
    dtype = jnp.result_type(*values, 0.0)
    return jnp.broadcast_arrays(*(jnp.asarray(value, dtype) for value in values))


def _normal_bound(log_q: Any) -> Any:
    """A bound, and an approximation, of the x beyond which a normal variable lies with q <= 1/2."""
    return jnp.sqrt(jnp.maximum(-2 * (log_q + _LOG_2), 0.0))


# --- Student's t ---------------------------------------------------------------------------


def _t_tail(u: Any, df: Any) -> tuple[Any, Any]:
    """Log of the tail beyond ``sqrt(df) sinh(u)``, proportional to that of ``cosh(u)**-df``."""
    tanh = jnp.tanh(u)

    def phi(y: Any) -> Any:
        # log(cosh(u + y) / cosh(u)) without cancellation near 0, without overflow far away.
        near = y < 1
        y_near, y_far = jnp.where(near, y, 0.5), jnp.where(near, 1.0, y)
        slope = tanh[..., None]
        inner = jnp.log1p(2 * jnp.square(jnp.sinh(0.5 * y_near)) + slope * jnp.sinh(y_near))
        outer = y_far + jnp.log1p(0.5 * (1 - slope) * jnp.expm1(-2 * y_far))
        return df[..., None] * jnp.where(near, inner, outer)

    integral = tail_integral(phi, 1 / (df * tanh + jnp.minimum(jnp.sqrt(df), df)))
    # log cosh(u), likewise.
    distance = jnp.abs(u)
    small = distance < 1
    inner = jnp.log1p(2 * jnp.square(jnp.sinh(0.5 * jnp.where(small, u, 0.5))))
    outer = distance + jnp.log1p(jnp.exp(-2 * distance)) - _LOG_2
    log_cosh = jnp.where(small, inner, outer)
    constant = log_gamma_half_step(0.5 * df) - _HALF_LOG_2PI + 0.5 * jnp.log(df)
    return constant - df * log_cosh + jnp.log(integral), -1 / integral


@jax.jit
def student_t_log_tail(t: Any, df: Any) -> Any:
    """Log of the probability beyond `t` (0 or more) of Student's t distribution."""
    t, df = _broadcast(t, df)
    return _t_tail(jnp.arcsinh(t / jnp.sqrt(df)), df)[0]


@jax.jit
def student_t_quantile(log_q: Any, df: Any) -> Any:
    """The t (0 or more) beyond which the probability is ``exp(log_q)``, at most 1/2."""
    log_q, df = _broadcast(log_q, df)
    # Two bounds, of which the normal one is near for large df and the other, from
    # cosh(u) >= exp(u) / 2, far out.
    normal = _normal_bound(log_q) / jnp.sqrt(df)
    constant = log_gamma_half_step(0.5 * df) - _HALF_LOG_2PI - 0.5 * jnp.log(df)
    outer = _LOG_2 + (constant - log_q) / df
    u = solve_log_tail(_t_tail, jnp.maximum(jnp.minimum(normal, outer), 0.0), log_q, df)
    return jnp.sqrt(df) * jnp.sinh(jnp.maximum(u, 0.0))


# --- gamma ---------------------------------------------------------------------------------


def _gamma_tails(s: Any, a: Any) -> tuple[Any, Any, Any]:
    """Logs of the density of the logarithm s, and of the probabilities below and above."""
    # x^a exp(-x) / gamma(a) about its maximum: the large terms cancel before rounding.
    delta = s - jnp.log(a)
    log_density = 0.5 * jnp.log(a) - _HALF_LOG_2PI - log_gamma_correction(a)
    log_density = log_density - a * (jnp.expm1(delta) - delta)
    x = jnp.exp(s)
    # From the side where the integrand falls from the start, or nearly so.
    upper = x > a + 1
    sign = jnp.where(upper, 1.0, -1.0).astype(s.dtype)

    def phi(y: Any) -> Any:
        signed = sign[..., None] * y
        signed = jnp.minimum(signed, 80.0)  # the integrand vanishes long before
        return (x - a)[..., None] * signed + x[..., None] * (jnp.expm1(signed) - signed)

    below = 1 / (jnp.maximum(a - x, 0.0) + jnp.minimum(jnp.sqrt(x), a))
    above = 1 / (jnp.maximum(x - a, 0.0) + jnp.sqrt(x))
    length = jnp.where(upper, above, below)
    log_tail = log_density + jnp.log(tail_integral(phi, length))
    log_rest = log1mexp(jnp.minimum(log_tail, -jnp.finfo(s.dtype).tiny))
    return (
        log_density,
        jnp.where(upper, log_rest, log_tail),
        jnp.where(upper, log_tail, log_rest),
    )


@jax.jit
def gamma_log_tails(x: Any, concentration: Any) -> tuple[Any, Any]:
    """Logs of the probabilities below and above `x` (positive) of the gamma distribution.

    With concentrations of 0.05 and more to rounding error; the upper one loses digits below that
    (it is right to 1e-8 at 0.001).
    """
    x, a = _broadcast(x, concentration)
    return _gamma_tails(jnp.log(x), a)[1:]


@jax.jit
def gamma_log_quantile(log_q: Any, log_p: Any, concentration: Any) -> Any:
    """Log of the value with probability ``exp(log_q)`` below and ``exp(log_p)`` above it.

    The two sum to 1, and the smaller one is relied on.
    """
    log_q, log_p, a = _broadcast(log_q, log_p, concentration)
    lower = log_q < log_p
    # P(x) < x^a / gamma(a + 1) bounds the quantile from below; Wilson & Hilferty 1931 approach it.
    bound = (log_q + log_gamma_correction(a) + (a + 0.5) * jnp.log(a) - a + _HALF_LOG_2PI) / a
    z = jnp.where(lower, -1, 1) * _normal_bound(jnp.where(lower, log_q, log_p))
    root = 1 - 1 / (9 * a) + z / (3 * jnp.sqrt(a))
    approached = jnp.log(a) + 3 * jnp.log(jnp.maximum(root, 1e-6))
    # Above, with a <= 1 the tail is at most exp(-x); the search must not begin below the solution.
    beyond = jnp.log(-jnp.where(lower, -1.0, log_p))
    start = jnp.where(lower | (a > 1), jnp.maximum(bound, approached), beyond)

    def log_tail(s: Any, a: Any, lower: Any) -> tuple[Any, Any]:
        log_density, below, above = _gamma_tails(s, a)
        tail = jnp.where(lower, below, above)
        return tail, jnp.where(lower, 1, -1) * jnp.exp(log_density - tail)

    return solve_log_tail(log_tail, start, jnp.where(lower, log_q, log_p), a, lower)
