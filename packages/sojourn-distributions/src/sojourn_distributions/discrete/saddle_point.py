"""Log masses of counts by the saddle-point expansion, accurate however large the counts are.

The textbook formulas subtract log gamma functions of the size of ``n log(n)`` to arrive at a few
nats: at a million trials nothing is left of a float32. Loader (2000, "Fast and accurate
computation of binomial probabilities") writes every mass through two functions that lose nothing,

- the excess ``h(x) = log(gamma(x + 1)) - x log(x) + x``, minus the log mass that the Poisson
  distribution of mean x has at x, and
- the deviance ``D(x, m) = x log(x / m) + m - x``, what it costs that the mean is m instead,

so that a Poisson log mass is ``-h(k) - D(k, m)``. The binomial and the multinomial are Poisson
counts given their sum, the beta-binomial and its kin negative binomial ones given theirs.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln

from sojourn_distributions.arrays import float_dtype

__all__ = [
    "beta_binomial_log_mass",
    "binomial_log_mass",
    "binomial_log_mass_of_logits",
    "deviance",
    "deviance_of_log",
    "excess",
    "negative_binomial_log_mass",
    "negative_binomial_log_mass_of_logits",
    "poisson_log_mass",
    "within",
]

_LOG_2PI = math.log(2 * math.pi)

# log(gamma(x + 1)) - (x + 1/2) log(x) + x - log(2 pi)/2, in powers 1/x, 1/x**3, ... (NIST DLMF
# 5.11.1); from x = 10 on the eight terms reach double precision.
_STIRLING = (
    1 / 12,
    -1 / 360,
    1 / 1260,
    -1 / 1680,
    1 / 1188,
    -691 / 360360,
    1 / 156,
    -3617 / 122400,
)

# 1/3 + v**2/5 + v**4/7 + ...: what remains of atanh(v)/v after its first term, over v**2.
_ATANH = tuple(1 / (2 * j + 3) for j in range(9))


def _polynomial(coefficients: tuple[float, ...], x: Any) -> Any:
    result: Any = coefficients[-1]
    for coefficient in reversed(coefficients[:-1]):
        result = coefficient + x * result
    return result


def _floats(*values: Any) -> list[Any]:
    dtype = float_dtype(*values)
    return jnp.broadcast_arrays(*(jnp.asarray(value, dtype) for value in values))


def within(value: Any, low: Any = 0, high: Any = None) -> tuple[Any, Any]:
    """Whether a value is an integer from `low` to `high`, and a value that surely is one."""
    kind = jnp.result_type(value)
    if not jnp.issubdtype(kind, jnp.floating):
        # Counts often come as uint8 or the like, which could not hold `total_count - value`.
        value = jnp.asarray(value, jnp.promote_types(kind, jnp.int32))
    inside = jnp.greater_equal(value, low)
    if high is not None:
        inside = inside & jnp.less_equal(value, high)
    if jnp.issubdtype(kind, jnp.floating):
        inside = inside & jnp.equal(value, jnp.floor(value)) & jnp.less(value, jnp.inf)
    return inside, jnp.where(inside, value, low)


# The excess of 0, ..., 9: counts are integers, and a look-up spares the gamma function.
_SMALL = np.array([math.lgamma(k + 1) - (k * math.log(k) if k else 0) + k for k in range(10)])


@functools.partial(jax.jit, static_argnames="dtype")
def excess(x: Any, dtype: Any = None) -> Any:
    """Compute ``log(gamma(x + 1)) - x log(x) + x`` for ``x >= 0``; its value at 0 is 0."""
    dtype = float_dtype(x) if dtype is None else dtype
    integer = not jnp.issubdtype(jnp.result_type(x), jnp.floating)
    index, x = x, jnp.asarray(x, dtype)
    large = x >= 10
    z = jnp.where(large, x, 10.0)
    series = 0.5 * (_LOG_2PI + jnp.log(z)) + _polynomial(_STIRLING, 1 / (z * z)) / z
    if integer:
        small = jnp.asarray(_SMALL, dtype)[jnp.clip(index, 0, 9)]
    else:
        # Neither branch sees an argument of the other: its derivative there may be infinite.
        inside = (x > 0) & ~large
        y = jnp.where(inside, x, 1.0)
        small = jnp.where(inside, gammaln(y + 1) - y * jnp.log(y) + y, 0.0)
    return jnp.where(large, series, small)


def _combine(x: Any, m: Any, log_ratio: Any) -> Any:
    """Deviance of x from m, by a series where they are close and from ``log(x / m)`` elsewhere."""
    v = (m - x) / (m + x)
    near = jnp.abs(v) < 0.1
    v = jnp.where(near, v, 0.0)
    series = (m - x) * v - 2 * x * v**3 * _polynomial(_ATANH, v * v)
    far = jnp.where(x > 0, x * jnp.where(x > 0, log_ratio, 0.0), 0.0) + (m - x)
    return jnp.where(near, series, far)


def _ratio(x: Any, m: Any) -> tuple[Any, Any]:
    """Whether neither is 0, and then x / m, else 1."""
    both = (x > 0) & (m > 0)
    ratio = jnp.where(both, x, 1.0) / jnp.where(both, m, 1.0)
    return both, jnp.minimum(ratio, jnp.finfo(ratio.dtype).max)


def _is_zero(tangent: Any) -> bool:
    return isinstance(tangent, jax.custom_derivatives.SymbolicZero)


@jax.custom_jvp
def _deviance_from_mean(x: Any, m: Any) -> Any:
    both, ratio = _ratio(x, m)
    return _combine(x, m, jnp.where(both, jnp.log(ratio), jnp.inf))


def _deviance_from_mean_jvp(primals: Any, tangents: Any) -> Any:
    x, m = primals
    dx, dm = tangents
    both, ratio = _ratio(x, m)
    slope = jnp.zeros_like(x)
    if not _is_zero(dx):  # counts hardly ever have tangents, and this would cost a logarithm
        slope += dx * jnp.where(both, jnp.log(ratio), 0.0)
    if not _is_zero(dm):
        slope += dm * (1 - jnp.where(both, ratio, 0.0))
    return _deviance_from_mean(x, m), slope


_deviance_from_mean.defjvp(_deviance_from_mean_jvp, symbolic_zeros=True)


@jax.jit
def deviance(x: Any, m: Any) -> Any:
    """Compute ``x log(x / m) + m - x`` for nonnegative x and m: 0 at x = m, else positive.

    Infinite where m is 0 and x is not, with a finite derivative there.
    """
    return _deviance_from_mean(*_floats(x, m))


@jax.custom_jvp
def _deviance_from_log(x: Any, log_m: Any) -> Any:
    m = jnp.exp(log_m)
    normal = m > jnp.finfo(m.dtype).tiny
    positive = jnp.where(x > 0, x, 1.0)
    of_ratio = jnp.log(positive / jnp.where(normal, m, 1.0))
    return _combine(x, m, jnp.where(normal, of_ratio, jnp.log(positive) - log_m))


def _deviance_from_log_jvp(primals: Any, tangents: Any) -> Any:
    x, log_m = primals
    dx, dlog_m = tangents
    slope = jnp.zeros_like(x)
    if not _is_zero(dx):
        both = (x > 0) & (log_m > -jnp.inf)
        log_ratio = jnp.log(jnp.where(both, x, 1.0)) - jnp.where(both, log_m, 0.0)
        slope += dx * jnp.where(both, log_ratio, 0.0)
    if not _is_zero(dlog_m):
        slope += dlog_m * (jnp.exp(log_m) - x)
    return _deviance_from_log(x, log_m), slope


_deviance_from_log.defjvp(_deviance_from_log_jvp, symbolic_zeros=True)


@jax.jit
def deviance_of_log(x: Any, log_m: Any) -> Any:
    """`deviance` from ``exp(log_m)``, also where that underflows."""
    return _deviance_from_log(*_floats(x, log_m))


@jax.jit
def poisson_log_mass(k: Any, rate: Any) -> Any:
    """Log probability of k under the Poisson distribution, for ``k >= 0`` and ``rate >= 0``."""
    return -excess(k, float_dtype(k, rate)) - deviance(k, rate)


def _log_ways(k: Any, rest: Any, dtype: Any) -> Any:
    return excess(k + rest, dtype) - excess(k, dtype) - excess(rest, dtype)


@jax.jit
def binomial_log_mass(k: Any, rest: Any, p: Any, q: Any) -> Any:
    """Log probability of k successes and `rest` failures, of probabilities p and q = 1 - p."""
    ways = _log_ways(k, rest, float_dtype(k, rest, p, q))
    k, rest, p, q = _floats(k, rest, p, q)
    n = k + rest
    return ways - deviance(k, n * p) - deviance(rest, n * q)


@jax.jit
def binomial_log_mass_of_logits(k: Any, rest: Any, logits: Any) -> Any:
    """`binomial_log_mass` by the log odds of a success, which may be far beyond those of 0 or 1."""
    ways = _log_ways(k, rest, float_dtype(k, rest, logits))
    k, rest, logits = _floats(k, rest, logits)
    n = k + rest
    log_n = jnp.log(jnp.maximum(n, 1))
    log_p, log_q = -jax.nn.softplus(-logits), -jax.nn.softplus(logits)
    costs = deviance_of_log(k, log_n + log_p) + deviance_of_log(rest, log_n + log_q)
    return jnp.where(n > 0, ways - costs, 0.0)


def _log_orders(k: Any, r: Any, dtype: Any) -> Any:
    of_k = excess(k, dtype)  # by the table, where it is an integer
    k, r = _floats(k, r)
    return excess(k + r, dtype) - of_k - excess(r, dtype) - jnp.log1p(k / r)


@jax.jit
def negative_binomial_log_mass(k: Any, r: Any, p: Any, q: Any) -> Any:
    """Log probability of k failures, of probability q = 1 - p, before the r-th success.

    Real k and positive real r are allowed; p and q are given both so that neither need be near 1.
    """
    orders = _log_orders(k, r, float_dtype(k, r, p, q))
    k, r, p, q = _floats(k, r, p, q)
    n = k + r
    return orders - deviance(k, n * q) - deviance(r, n * p)


@jax.jit
def negative_binomial_log_mass_of_logits(k: Any, r: Any, logits: Any) -> Any:
    """`negative_binomial_log_mass` by the log odds ``log(q / p)``."""
    orders = _log_orders(k, r, float_dtype(k, r, logits))
    k, r, logits = _floats(k, r, logits)
    log_n = jnp.log(k + r)
    log_p, log_q = -jax.nn.softplus(logits), -jax.nn.softplus(-logits)
    cost = deviance_of_log(k, log_n + log_q) + deviance_of_log(r, log_n + log_p)
    return orders - cost


@jax.jit
def beta_binomial_log_mass(k: Any, rest: Any, a: Any, b: Any) -> Any:
    """Log of the beta-binomial mass of k successes and `rest` failures, for positive a and b.

    Two negative binomial counts of sizes a and b given their sum. The probability that they
    share is arbitrary and taken such that the sum is at its mean.
    """
    n, size = k + rest, a + b
    total = jax.lax.stop_gradient(n + size)
    p, q = jax.lax.stop_gradient(size) / total, jax.lax.stop_gradient(n) / total
    parts = negative_binomial_log_mass(k, a, p, q) + negative_binomial_log_mass(rest, b, p, q)
    return parts - negative_binomial_log_mass(n, size, p, q)
