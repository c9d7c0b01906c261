"""Moments as integrals over the probability below a value, where no closed form is known.

With the quantile function Q the mean is the integral of ``Q(q)`` over q from 0 to 1. The double
exponential rule (Takahasi & Mori 1974) puts q at ``1 / (1 + exp(-pi sinh(t)))`` for evenly spaced
t: what Q does at the ends of the interval, such as going to infinity, costs no accuracy, as long as
Q takes the logarithms of probabilities that underflow.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

__all__ = ["lower_partial_mean", "mean_and_variance"]

# Log odds of the outermost probability that a rule asks for: beyond it the values of the heaviest
# tails that have a variance would overflow.
_LAST_LOG_ODDS = {4: 170.0, 8: 1400.0}  # by the size of a number in bytes
_STEP = 1 / 24


def _rule(last_log_odds: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logs of the probabilities below and above the nodes, and of their weights."""
    count = int(np.arcsinh(last_log_odds / math.pi) / _STEP)
    t = _STEP * np.arange(-count, count + 1)
    log_odds = math.pi * np.sinh(t)
    log_below, log_above = -np.logaddexp(0.0, -log_odds), -np.logaddexp(0.0, log_odds)
    # dq = q (1 - q) pi cosh(t) dt, in logs as well: a weight may underflow where Q is huge.
    return log_below, log_above, log_below + log_above + np.log(_STEP * math.pi * np.cosh(t))


_RULES = {size: _rule(last) for size, last in _LAST_LOG_ODDS.items()}


def mean_and_variance(
    quantile: Callable[[Any, Any], Any], batch_shape: tuple[int, ...], dtype: Any
) -> tuple[Any, Any]:
    """Mean and variance of the distribution with a quantile function, if both are finite.

    Parameters
    ----------
    quantile
        ``quantile(log_below, log_above)`` is the value with these logs of probabilities below and
        above it, of shape ``(nodes, *batch_shape)``; the arguments have the shape
        ``(nodes, 1, ..., 1)``.
    batch_shape
        Shape of the results.
    dtype
        Their type.

    Returns
    -------
    tuple
        Mean and variance.
    """
    log_below, log_above, log_weight = _nodes(len(batch_shape), dtype)
    values = quantile(log_below, log_above)
    values = jnp.broadcast_to(values, (len(log_weight), *batch_shape))
    mean = _weighted_sum(log_weight, values, 1)
    return mean, _weighted_sum(log_weight, values - mean, 2)


def lower_partial_mean(quantile_from_log: Callable[[Any], Any], log_mass: Any, dtype: Any) -> Any:
    """Integral of a quantile function over probabilities up to ``exp(log_mass)``.

    Parameters
    ----------
    quantile_from_log
        Maps logs of probabilities, of shape ``(nodes, *batch_shape)``, to values.
    log_mass
        Log of the upper end, of shape ``batch_shape``.
    dtype
        Type of the result.
    """
    log_below, _, log_weight = _nodes(jnp.ndim(log_mass), dtype)
    return jnp.exp(log_mass) * _weighted_sum(log_weight, quantile_from_log(log_mass + log_below), 1)


def _nodes(batch_ndim: int, dtype: Any) -> list[Any]:
    """A rule in numbers of a type, ``(nodes, 1, ..., 1)``."""
    rule = _RULES.get(np.dtype(dtype).itemsize, _RULES[4])
    return [array.reshape(-1, *(1,) * batch_ndim).astype(dtype) for array in rule]


def _weighted_sum(log_weight: Any, values: Any, power: int) -> Any:
    """Sum of weights times a power of values; either factor may leave the range of numbers."""
    size = jnp.minimum(jnp.abs(values), jnp.finfo(values.dtype).max)
    some = size > 0
    log_size = jnp.log(jnp.where(some, size, 1.0))
    terms = jnp.where(some, jnp.exp(log_weight + power * log_size), 0.0)
    return jnp.sum(jnp.sign(values) ** power * terms, axis=0)
