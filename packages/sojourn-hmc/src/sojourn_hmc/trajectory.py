"""What a trajectory hands back, whichever way it was built, and the trajectory of fixed length.

Source: Neal 2011, "MCMC using Hamiltonian dynamics", §5.3; Duane et al. 1987.

Invariant: the end of the trajectory, its momentum negated, would lead back to the start, so
accepting it with probability ``min(1, exp(-energy error))`` leaves ``exp(-energy)`` invariant.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from sojourn_hmc.phase_space import Hamiltonian, PhasePoint, Proposal
from sojourn_hmc.uniforms import uniform

MAX_ENERGY_ERROR = 1000.0
"""An energy error above this is a divergence (Betancourt 2017, §6.2; Stan's default)."""


class TrajectoryInfo(NamedTuple):
    """What a trajectory reports; adaptation and diagnostics listen, nothing is carried on.

    Attributes
    ----------
    num_steps : Array
        Integer, the leapfrog steps taken.
    accept_prob : Array
        Mean over the steps (NUTS) or value at the end (HMC) of ``min(1, exp(-energy error))``.
    diverging : Array
        Boolean, whether an energy error was above `MAX_ENERGY_ERROR` or not a number.
    """

    num_steps: jax.Array
    accept_prob: jax.Array
    diverging: jax.Array


def energy_error(energy: jax.Array, start_energy: jax.Array) -> jax.Array:
    """Energy gained since the start; infinite where the energy is not a number."""
    error = energy - start_energy
    return jnp.where(jnp.isnan(error), jnp.inf, error)


def select(condition: jax.Array, if_true: Any, if_false: Any) -> Any:
    """Choose between two states of the same structure."""
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), if_true, if_false)


def fixed_length_trajectory(
    hamiltonian: Hamiltonian,
    start: PhasePoint,
    step_size: jax.Array,
    seed: jax.Array,
    num_steps: jax.Array,
) -> tuple[Proposal, TrajectoryInfo]:
    """Take ``num_steps`` steps and accept or reject the end.

    Parameters
    ----------
    hamiltonian : Hamiltonian
        The system.
    start : PhasePoint
        The current state with a fresh momentum.
    step_size : Array
        Positive scalar.
    seed : Array
        From `seed_from_words`; decides the acceptance.
    num_steps : Array
        Integer scalar, traced.

    Returns
    -------
    tuple
        The `Proposal` (the start, if rejected) and the `TrajectoryInfo`.
    """
    start_energy = hamiltonian.energy(start)
    end = lax.fori_loop(0, num_steps, lambda _, point: hamiltonian.step(point, step_size), start)
    end_energy = hamiltonian.energy(end)
    error = energy_error(end_energy, start_energy)
    accept_prob = jnp.minimum(1.0, jnp.exp(-error))
    accepted = uniform(seed, jnp.uint32(0), error.dtype) < accept_prob
    proposal = select(
        accepted,
        hamiltonian.proposal(end, end_energy),
        hamiltonian.proposal(start, start_energy),
    )
    return proposal, TrajectoryInfo(num_steps, accept_prob, error > MAX_ENERGY_ERROR)
