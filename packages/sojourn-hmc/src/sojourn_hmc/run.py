"""One run of chains: what advances it, how far it is, what it has drawn.

It can be broken off between any two chunks, by whatever comes, and goes on as if nothing had been.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax

from sojourn_hmc.chunk import NO_EFFORT, Effort
from sojourn_hmc.draws import Memory, constrain
from sojourn_hmc.driver import Phase, drive
from sojourn_hmc.engine import Engine, Job
from sojourn_hmc.lane import Lane, Reached, join, map_on_host
from sojourn_hmc.placement import Placement
from sojourn_hmc.stores import DrawStore
from sojourn_hmc.stream import Stream


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
    stream : Stream or None
        What takes the draws of the last phase to a store, if not to memory.
    effort_before : Effort
        What it had cost to get to where its lanes began: in another process, or an earlier run.
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
        self.stream: Stream | None = None
        self.effort_before = NO_EFFORT
        self.lanes: list[Lane] = []
        self.phase_number = 0

    @property
    def num_chains(self) -> int:
        """Number of chains."""
        return sum(len(chains) for chains in self.job.placement.lanes)

    @property
    def placement(self) -> Placement:
        """How its chains are laid out, with a description of how they advance."""
        placement, pace = self.job.placement, self.engine.pace
        if pace is None:
            return placement
        return placement._replace(description=f"{placement.description}, {pace}")

    @property
    def effort(self) -> Effort:
        """What all chains have cost so far, as far as it was counted."""
        return self.effort_up_to([lane.reached for lane in self.lanes])

    def effort_up_to(self, reached: Sequence[Reached]) -> Effort:
        """What it costs to get to where lanes were at some instant."""
        return functools.reduce(
            Effort.plus, (place.effort for place in reached), self.effort_before
        )

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

    def stream_to(self, store: DrawStore) -> Stream:
        """Let the draws of the last phase go to a store, which is to be opened for them."""
        placement = self.job.placement
        self.stream = Stream(
            store,
            self.job.fields,
            jax.eval_shape(self.job.fields.select, self.chain_shape),
            self.engine.constrain.out_shape,
            placement.lanes,
            placement.batched,
            self.phases[-1].num_kept(),
            self.engine.block,
            self.constrain,
        )
        return self.stream

    def begin_phase(self, phase_number: int) -> None:
        """Make room for the draws of a phase."""
        self.phase_number = phase_number
        self.memory = Memory(
            self.num_chains,
            0 if self.is_streaming else self.phase.num_kept(),
            self.engine.sample_shape,
            self.job.placement.batched,
        )

    def release(self) -> None:
        """Let go of the draws, once a complete run has given them away; its states stay."""
        sample_shape, batched = self.engine.sample_shape, self.job.placement.batched
        self.memory = Memory(self.num_chains, 0, sample_shape, batched)

    @property
    def is_streaming(self) -> bool:
        """Whether the draws of the present phase go to a store."""
        return self.stream is not None and self.phase_number == len(self.phases) - 1

    @property
    def draws(self) -> Memory | Stream:
        """Where the draws of the present phase go."""
        if self.is_streaming:
            assert self.stream is not None
            return self.stream
        return self.memory

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
                lane.reached = lane.reached._replace(done=0, kept=0)
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
        """The collected fields of the draws that every chain has made, ``(chains, draws, ...)``.

        The first are positions in the unconstrained space, or, of draws that went to a store, what
        users read.
        """
        return self.draws.first(self.num_draws)

    def samples(self) -> Any:
        """The same draws in the space that users read."""
        if self.is_streaming:
            return self.fields()[0]
        return self.constrain(self.fields()[0], self.num_chains, self.num_draws)

    def constrain(self, samples: Any, num_chains: int, num_draws: int) -> Any:
        """Map positions ``(chains, draws, ...)`` to the space that users read."""
        engine, data = self.engine, self.job.arguments.data
        return constrain(engine.constrain, engine.block, data, samples, num_chains, num_draws)
