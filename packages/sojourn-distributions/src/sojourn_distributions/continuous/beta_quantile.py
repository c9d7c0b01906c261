"""Quantiles of the beta distribution."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import betainc

from sojourn_distributions.gamma_functions import log_beta
from sojourn_distributions.special import ndtri

__all__ = ["beta_quantile"]


_STEPS = 24


def _tails(y: Any, a: Any, b: Any) -> tuple[Any, Any]:
    """Probabilities below and above ``sigmoid(y)``: the one on its side of the mean is exact."""
    left = y < jnp.log(a) - jnp.log(b)
    part = betainc(
        jnp.where(left, a, b), jnp.where(left, b, a), jax.nn.sigmoid(jnp.where(left, y, -y))
    )
    return jnp.where(left, part, 1 - part), jnp.where(left, 1 - part, part)


@jax.jit
def beta_quantile(q: Any, a: Any, b: Any) -> Any:
    """Value below which a Beta(a, b) variable lies with probability `q`.

    By Newton's method on the log of the smaller tail as a function of the value's logit, with
    bisection where a step leaves the interval known to hold the solution: the density of the logit
    is log-concave, hence so are its tails (Bagnoli & Bergstrom 2005, theorem 3). There are
    derivatives in `q` and, as of the incomplete beta function, none in `a` and `b`.
    """
    dtype = np.dtype(jnp.result_type(q, a, b, 0.0))
    q, a, b = jnp.broadcast_arrays(*(jnp.asarray(value, dtype) for value in (q, a, b)))
    fixed, a, b = jax.lax.stop_gradient((q, a, b))
    tiny = float(jnp.finfo(dtype).tiny)
    limit = -float(np.log(tiny))
    lower = fixed < 0.5
    log_goal = jnp.log(jnp.maximum(jnp.where(lower, fixed, 1 - fixed), tiny))
    log_normalizer = log_beta(a, b)

    def log_density(y: Any) -> Any:
        return a * jax.nn.log_sigmoid(y) + b * jax.nn.log_sigmoid(-y) - log_normalizer

    def step(_: Any, state: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
        y, low, high = state
        below, above = _tails(y, a, b)
        log_tail = jnp.log(jnp.maximum(jnp.where(lower, below, above), tiny))
        beyond = (log_tail > log_goal) == lower
        low, high = jnp.where(beyond, low, y), jnp.where(beyond, y, high)
        slope = jnp.where(lower, 1, -1) * jnp.exp(log_density(y) - log_tail)
        newton = y - (log_tail - log_goal) / slope
        return jnp.where((newton >= low) & (newton <= high), newton, 0.5 * (low + high)), low, high

    # x^a / (a B(a, b)) is near the lower tail far out, as a normal variable is near the middle.
    z = ndtri(jnp.clip(fixed, 1e-6, 1 - 1e-6))
    middle = jnp.log(a) - jnp.log(b) + z * jnp.sqrt(1 / a + 1 / b)
    outer_low = (log_goal + jnp.log(a) + log_normalizer) / a
    outer_high = -(log_goal + jnp.log(b) + log_normalizer) / b
    start = jnp.where(lower, jnp.maximum(middle, outer_low), jnp.minimum(middle, outer_high))
    start = jnp.clip(start, -limit, limit)
    ends = jnp.full_like(q, -limit), jnp.full_like(q, limit)
    y = jax.lax.fori_loop(0, _STEPS, step, (start, *ends))[0]
    inside = (fixed > 0) & (fixed < 1)
    x = jnp.where(inside, jax.nn.sigmoid(y), jnp.where(fixed <= 0, 0.0, 1.0))
    # The derivative of the quantile is 1 / density: this adds 0, with that slope in q.
    log_slope = jax.nn.log_sigmoid(y) + jax.nn.log_sigmoid(-y) - log_density(y)
    return x + (q - fixed) * jnp.where(inside, jnp.exp(log_slope), 0.0)
