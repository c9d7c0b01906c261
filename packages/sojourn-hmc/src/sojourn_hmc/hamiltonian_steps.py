"""How Hamiltonian chains go their own way in a batch: their steps, and their meetings."""

from __future__ import annotations

from typing import Any, Protocol

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from sojourn_hmc.adaptation.shared import SharedWarmup
from sojourn_hmc.adaptation.warmup import HMCAdaptState, SearchStepSize
from sojourn_hmc.blocks import Blocks
from sojourn_hmc.hmc_state import HMCState
from sojourn_hmc.mass_matrix import Metric
from sojourn_hmc.only_where import only_where
from sojourn_hmc.phase_space import Hamiltonian, PhasePoint, Proposal
from sojourn_hmc.start import StartPoint
from sojourn_hmc.stepwise import Meeting, Steps
from sojourn_hmc.trajectory import StepwiseTrajectory, TrajectoryInfo, select


class MovesByTrajectories(Protocol):
    """What is asked of the kernel; see `sojourn_hmc.hamiltonian.HamiltonianKernel`."""

    def hamiltonian(
        self, state: HMCState, model_args: tuple, model_kwargs: dict
    ) -> Hamiltonian: ...

    def departure(
        self, state: HMCState, hamiltonian: Hamiltonian
    ) -> tuple[PhasePoint, jax.Array]: ...

    def stepwise_trajectory(
        self, hamiltonian: Hamiltonian, state: HMCState
    ) -> StepwiseTrajectory: ...

    def moved(
        self, state: HMCState, hamiltonian: Hamiltonian, proposal: Proposal, info: TrajectoryInfo
    ) -> HMCState: ...

    def learned(
        self, state: HMCState, hamiltonian: Hamiltonian, proposal: Proposal, info: TrajectoryInfo
    ) -> HMCAdaptState: ...

    def blocks(self, position: Any) -> Blocks | None: ...

    def search(
        self, state: HMCState, hamiltonian: Hamiltonian, start: StartPoint
    ) -> SearchStepSize: ...


def steps_of_trajectories(
    kernel: MovesByTrajectories, model_args: tuple, model_kwargs: dict
) -> Steps:
    """Return the steps of a kernel's transitions.

    Parameters
    ----------
    kernel : MovesByTrajectories
        The kernel.
    model_args, model_kwargs
        As for `MCMCKernel.sample`.
    """

    def trajectory(state: HMCState) -> tuple[Hamiltonian, StepwiseTrajectory]:
        hamiltonian = kernel.hamiltonian(state, model_args, model_kwargs)
        return hamiltonian, kernel.stepwise_trajectory(hamiltonian, state)

    def begin(state: HMCState, last: Any) -> Any:
        hamiltonian, stepwise = trajectory(state)
        return stepwise.begin(*kernel.departure(state, hamiltonian), last)

    def finish(state: HMCState, progress: Any, here: jax.Array) -> HMCState:
        hamiltonian, stepwise = trajectory(state)
        outcome = stepwise.outcome(progress)
        # What was learned may be large and changes in the warmup only: it is passed by otherwise.
        adapt_state = only_where(
            here & (state.i < state.adapt_state.schedule.num_warmup),
            lambda: kernel.learned(state, hamiltonian, *outcome),
            state.adapt_state,
        )
        moved = kernel.moved(state, hamiltonian, *outcome)._replace(adapt_state=adapt_state)
        after: HMCState = select(here, moved, state._replace(adapt_state=adapt_state))
        return after

    return Steps(
        begin=begin,
        step=lambda state, progress: trajectory(state)[1].step(progress),
        is_complete=lambda state, progress: trajectory(state)[1].is_complete(progress),
        finish=finish,
        num_steps=lambda state: state.num_steps,
    )


def meeting_of_warmup(
    kernel: MovesByTrajectories, warmup: SharedWarmup, model_args: tuple, model_kwargs: dict
) -> Meeting:
    """Return the meetings at which all chains learn from each other.

    Parameters
    ----------
    kernel : MovesByTrajectories
        The kernel.
    warmup : SharedWarmup
        What is learned.
    model_args, model_kwargs
        As for `MCMCKernel.sample`.
    """

    def hold(states: HMCState, counts: jax.Array) -> HMCState:
        def search_of_one(state: HMCState, metric: Metric, step_size: jax.Array) -> jax.Array:
            start = StartPoint(
                ravel_pytree(state.z)[0], state.potential_energy, ravel_pytree(state.z_grad)[0]
            )
            hamiltonian = kernel.hamiltonian(state, model_args, model_kwargs)
            return kernel.search(state, hamiltonian, start)(metric, step_size)

        def search(metric: Metric, step_size: jax.Array) -> jax.Array:
            found = jax.vmap(lambda state: search_of_one(state, metric, step_size))(states)
            return jnp.exp(jnp.mean(jnp.log(found), where=counts))

        one: HMCState = jax.tree.map(lambda leaf: leaf[0], states)
        learned = warmup.hold(states.adapt_state, counts, one.i, kernel.blocks(one.z), search)
        num_chains = states.i.shape[0]
        return states._replace(
            adapt_state=jax.tree.map(
                lambda leaf: jnp.broadcast_to(leaf, (num_chains, *leaf.shape)), learned
            )
        )

    return Meeting(lambda state: warmup.is_due(state.adapt_state, state.i), hold)
