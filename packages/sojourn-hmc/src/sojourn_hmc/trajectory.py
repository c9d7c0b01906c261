"""What a trajectory hands back, whichever way it was built, and the trajectory of fixed length.

Source: Neal 2011, "MCMC using Hamiltonian dynamics", §5.3; Duane et al. 1987.

Invariant: the end of the trajectory, its momentum negated, would lead back to the start, so
accepting it with probability ``min(1, exp(-energy error))`` leaves ``exp(-energy)`` invariant.
"""

from collections.abc import Callable
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


class StepwiseTrajectory(NamedTuple):
    """A trajectory built one step at a time, pure functions of one chain.

    Attributes
    ----------
    begin : Callable
        ``begin(start, seed, last) -> progress``; ``last`` is that of another trajectory, whose
        memory may be taken over, or None.
    step : Callable
        ``step(progress) -> progress``; one that is complete stays as it is.
    is_complete : Callable
        ``is_complete(progress)``, a boolean scalar.
    outcome : Callable
        ``outcome(progress)``, the `Proposal` and the `TrajectoryInfo` of a complete one.
    """

    begin: Callable[[PhasePoint, jax.Array, Any], Any]
    step: Callable[[Any], Any]
    is_complete: Callable[[Any], jax.Array]
    outcome: Callable[[Any], tuple[Proposal, TrajectoryInfo]]


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
    end = lax.fori_loop(0, num_steps, lambda _, point: hamiltonian.step(point, step_size), start)
    start_energy = hamiltonian.energy(start)
    stay = hamiltonian.proposal(start, start_energy)
    return _accept_or_stay(hamiltonian, stay, end, seed, num_steps)


def _accept_or_stay(
    hamiltonian: Hamiltonian,
    stay: Proposal,
    end: PhasePoint,
    seed: jax.Array,
    num_steps: jax.Array,
) -> tuple[Proposal, TrajectoryInfo]:
    end_energy = hamiltonian.energy(end)
    error = energy_error(end_energy, stay.energy)
    accept_prob = jnp.minimum(1.0, jnp.exp(-error))
    accepted = uniform(seed, jnp.uint32(0), error.dtype) < accept_prob
    proposal = select(accepted, hamiltonian.proposal(end, end_energy), stay)
    return proposal, TrajectoryInfo(num_steps, accept_prob, error > MAX_ENERGY_ERROR)


class Flight(NamedTuple):
    """A trajectory of fixed length under way.

    Attributes
    ----------
    stay : Proposal
        Its start, should its end be rejected.
    point : PhasePoint
        Where it is.
    num_taken : Array
        Steps so far.
    seed : Array
        Decides the acceptance.
    """

    stay: Proposal
    point: PhasePoint
    num_taken: jax.Array
    seed: jax.Array


def fixed_length_step_by_step(
    hamiltonian: Hamiltonian, step_size: jax.Array, num_steps: jax.Array
) -> StepwiseTrajectory:
    """Take the steps of `fixed_length_trajectory` one at a time; parameters as there."""

    def begin(start: PhasePoint, seed: jax.Array, last: Flight | None) -> Flight:
        stay = hamiltonian.proposal(start, hamiltonian.energy(start))
        return Flight(stay, start, jnp.int32(0), seed)

    def step(flight: Flight) -> Flight:
        under_way = flight.num_taken < num_steps
        point = hamiltonian.step(flight.point, step_size)
        return flight._replace(
            point=select(under_way, point, flight.point),
            num_taken=flight.num_taken + under_way.astype(jnp.int32),
        )

    return StepwiseTrajectory(
        begin=begin,
        step=step,
        is_complete=lambda flight: flight.num_taken >= num_steps,
        outcome=lambda flight: _accept_or_stay(
            hamiltonian, flight.stay, flight.point, flight.seed, num_steps
        ),
    )
