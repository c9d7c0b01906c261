"""A step size of the right order of magnitude, by doubling or halving.

Source: Hoffman and Gelman 2014, "The No-U-Turn sampler", algorithm 4, with a fresh momentum for
every trial; the threshold is that of Stan.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jax import lax

from sojourn_hmc.phase_space import Hamiltonian, PhasePoint
from sojourn_hmc.start import StartPoint

LOG_ACCEPTABLE = math.log(0.8)


def search_step_size(
    hamiltonian: Hamiltonian, start: StartPoint, step_size: jax.Array, key: jax.Array
) -> jax.Array:
    """Double (or halve) the step size until one step crosses an acceptance probability of 0.8.

    Parameters
    ----------
    hamiltonian : Hamiltonian
        The system.
    start : StartPoint
        Where every trial begins.
    step_size : Array
        The first trial, positive.
    key : Array
        Trial ``n`` draws its momentum with ``fold_in(key, n)``.
    """

    def direction(step_size: jax.Array, trial: jax.Array) -> jax.Array:
        momentum = hamiltonian.metric.momentum(jax.random.fold_in(key, trial))
        before = PhasePoint(start.position, momentum, *start[1:])
        after = hamiltonian.step(before, step_size)
        gain = hamiltonian.energy(before) - hamiltonian.energy(after)
        # A gain that is not a number is no acceptance.
        return jnp.where(gain > LOG_ACCEPTABLE, 1, -1).astype(jnp.int32)

    limits = jnp.finfo(step_size.dtype)

    def undecided(carry: tuple) -> jax.Array:
        trial, step_size, before, now = carry
        in_range = (step_size > limits.tiny * 2) & (step_size < limits.max / 2)
        return (trial < 2) | ((now == before) & in_range)

    def attempt(carry: tuple) -> tuple:
        trial, step_size, _, now = carry
        step_size = step_size * jnp.exp2(now.astype(step_size.dtype))
        return trial + 1, step_size, now, direction(step_size, trial)

    zero = jnp.int32(0)
    return lax.while_loop(undecided, attempt, (zero, step_size, zero, zero))[1]
