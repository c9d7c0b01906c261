"""One run of chains: what advances it, how far it is, what it has drawn.

It can be broken off between any two chunks, by whatever comes, and goes on as if nothing had been.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax

from sojourn_hmc.draws import Memory, constrain
from sojourn_hmc.driver import Phase, drive
from sojourn_hmc.engine import Engine, Job
from sojourn_hmc.lane import Lane, Reached, join, map_on_host


class Run:
    """A run in progress.

    Parameters
    ----------
    job : Job
        What is run.
    engine : Engine
        What advances its lanes.
    lane_shape : pytree
        Shapes of the state of a lane.
    phases : sequence of Phase
        What it does, one after the other; the draws of the last are what it is for.
    longest_chunk : int, optional
        Transitions that a chunk makes at most.

    Attributes
    ----------
    chain_shape : pytree
        Shapes of the state of a chain.
    lanes : list of Lane
        How far its lanes are.
    phase_number : int
        Place of the present phase among ``phases``.
    """

    def __init__(
        self,
        job: Job,
        engine: Engine,
        lane_shape: Any,
        phases: Sequence[Phase],
        longest_chunk: int | None = None,
    ):
        self.job = job
        self.engine = engine
        self.phases = tuple(phases)
        self.longest_chunk = longest_chunk
        skip = 1 if job.placement.batched else 0
        self.chain_shape = jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct(leaf.shape[skip:], leaf.dtype), lane_shape
        )
        self.lanes: list[Lane] = []
        self.phase_number = 0

    @property
    def num_chains(self) -> int:
        """Number of chains."""
        return sum(len(chains) for chains in self.job.placement.lanes)

    @property
    def phase(self) -> Phase:
        """The phase that is being run."""
        return self.phases[self.phase_number]

    @property
    def num_draws(self) -> int:
        """Draws of the present phase that every chain has made."""
        return min(lane.kept for lane in self.lanes)

    @property
    def num_planned(self) -> int:
        """Transitions of all phases and chains together."""
        return self.num_chains * sum(phase.num_transitions for phase in self.phases)

    @property
    def num_done(self) -> int:
        """Transitions that are made, of all phases and chains together."""
        before = sum(phase.num_transitions for phase in self.phases[: self.phase_number])
        here = sum(len(lane.chains) * lane.done for lane in self.lanes)
        return self.num_chains * before + here

    @property
    def is_complete(self) -> bool:
        """Whether every phase is at its end."""
        at_last = self.phase_number == len(self.phases) - 1
        return at_last and all(lane.done >= self.phase.num_transitions for lane in self.lanes)

    def stand_at(self, phase_number: int, reached: Sequence[Reached]) -> None:
        """Put every lane where it is to go on from, in a phase whose draws are still to come."""
        self.lanes = [
            Lane(chains, place)
            for chains, place in zip(self.job.placement.lanes, reached, strict=True)
        ]
        self.begin_phase(phase_number)

    def begin_phase(self, phase_number: int) -> None:
        """Make room for the draws of a phase."""
        self.phase_number = phase_number
        self.draws = Memory(
            self.num_chains,
            self.phase.num_kept(),
            self.engine.sample_shape,
            self.job.placement.batched,
        )

    def go_on(self, between: Callable[[], str | None]) -> str | None:
        """Run to the end of the last phase.

        Parameters
        ----------
        between : Callable
            Called after each chunk; gives a reason to stop, or None.

        Returns
        -------
        str or None
            Why the run ended early; None at its end.
        """
        while True:
            reason = drive(
                self.engine,
                self.job.arguments.data,
                self.job.placement,
                self.lanes,
                self.phase,
                self.draws,
                between,
                self.longest_chunk,
            )
            if reason is not None:
                return reason
            if self.phase_number == len(self.phases) - 1:
                return None
            for lane in self.lanes:
                lane.reached = Reached(lane.state, 0, 0)
            self.begin_phase(self.phase_number + 1)

    def states(self) -> Any:
        """The states of all chains with a leading axis of chains, on the host."""
        states = [lane.state for lane in self.lanes]
        return join(states, self.job.placement.batched, self.num_chains)

    def last_state(self) -> Any:
        """The same states as a user reads them: on the device, of one chain without that axis."""
        batched = self.job.placement.batched
        filled = self.num_chains % self.job.placement.num_shards == 0
        if len(self.lanes) == 1 and batched == (self.num_chains > 1) and filled:
            return self.lanes[0].state
        states = self.states()
        if self.num_chains == 1:
            states = map_on_host(lambda leaf: leaf[0], states)
        return jax.device_put(states)

    def fields(self) -> tuple:
        """The collected fields of the draws that every chain has made, ``(chains, draws, ...)``."""
        return self.draws.first(self.num_draws)

    def samples(self) -> Any:
        """The same draws in the space that users read."""
        num_draws, engine = self.num_draws, self.engine
        unconstrained = self.draws.first(num_draws)[0]
        data = self.job.arguments.data
        return constrain(
            engine.constrain, engine.block, data, unconstrained, self.num_chains, num_draws
        )
