"""Dual averaging of the log step size towards a target acceptance probability.

Source: Hoffman and Gelman 2014, "The No-U-Turn sampler", §3.2, eq. 6; constants as in Stan.
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

T0 = 10.0  # stabilises the first iterations (§3.2.1)
KAPPA = 0.75  # decay of the weights of the average
GAMMA = 0.05  # shrinkage towards mu


class DualAveragingState(NamedTuple):
    """Attributes, all scalars.

    Attributes
    ----------
    log_step_size : Array
        The iterate, used while adapting.
    log_step_size_average : Array
        The average of the iterates, used after warmup.
    error_average : Array
        Running mean of target minus acceptance.
    num_updates : Array
        Updates since the last restart.
    shrinkage_point : Array
        ``mu``, where the iterates are drawn to.
    """

    log_step_size: jax.Array
    log_step_size_average: jax.Array
    error_average: jax.Array
    num_updates: jax.Array
    shrinkage_point: jax.Array


def init(step_size: jax.Array) -> DualAveragingState:
    """Start, or restart, from a step size: iterates are drawn to ten times it (§3.2.1)."""
    zero = jnp.zeros_like(step_size)
    # Adding logarithms cannot overflow where 10 * step_size could.
    return DualAveragingState(
        zero, zero, zero, jnp.zeros((), jnp.int32), math.log(10.0) + jnp.log(step_size)
    )


def update(state: DualAveragingState, error: jax.Array) -> DualAveragingState:
    """Take in one ``error``, target minus observed acceptance probability.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> state = update(init(jnp.float32(0.1)), jnp.float32(0.8 - 1.0))
    >>> bool(state.log_step_size > 0)  # accepted too often: larger steps
    True
    """
    count = state.num_updates + 1
    t = count.astype(error.dtype)
    weight = 1.0 / (t + T0)
    error_average = (1.0 - weight) * state.error_average + weight * error
    log_step_size = state.shrinkage_point - jnp.sqrt(t) / GAMMA * error_average
    decay = t**-KAPPA
    average = (1.0 - decay) * state.log_step_size_average + decay * log_step_size
    return DualAveragingState(log_step_size, average, error_average, count, state.shrinkage_point)


def clipped_exp(log_step_size: jax.Array) -> jax.Array:
    """Exponentiate into the positive finite numbers of the dtype."""
    limits = jnp.finfo(log_step_size.dtype)
    return jnp.clip(jnp.exp(log_step_size), limits.tiny, limits.max)


def adapt_step_size(state: Any, error: jax.Array, last: jax.Array) -> Any:
    """Take in one error; the step size becomes the iterate or, at the last step, the average.

    Parameters
    ----------
    state : HMCAdaptState
        Its ``ss_state`` and ``step_size`` are renewed.
    error : Array
        Target minus observed acceptance probability.
    last : Array
        Whether the warmup ends here.
    """
    averaging = update(state.ss_state, error)
    log_step_size = jnp.where(last, averaging.log_step_size_average, averaging.log_step_size)
    return state._replace(ss_state=averaging, step_size=clipped_exp(log_step_size))
