"""Drive lanes to the end of a run, chunk by chunk, with the host free between two chunks.

Between chunks draws leave the device, progress is shown, and an interrupt or an error finds every
draw made so far in place.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, NamedTuple

import jax
import numpy as np

from sojourn_hmc.chunk import Plan
from sojourn_hmc.draws import Store
from sojourn_hmc.engine import Engine
from sojourn_hmc.placement import Placement
from sojourn_hmc.progress import Progress

FIRST_CHUNK = 10
CHUNK_SECONDS = 0.1  # often enough for a display, rare enough to cost nothing
GROWTH = (0.1, 10.0)  # of a chunk from one to the next


class Phase(NamedTuple):
    """A stretch of a run.

    Attributes
    ----------
    name : str
        For the display.
    num_transitions : int
        Its length.
    first_kept : int
        First transition of the phase that is kept; ``num_transitions`` keeps none.
    thinning : int
        Every ``thinning``-th from there on is kept.
    """

    name: str
    num_transitions: int
    first_kept: int
    thinning: int

    def num_kept(self) -> int:
        """How many transitions of the whole phase are kept."""
        return self.plan(0, self.num_transitions).num_kept()

    def plan(self, done: int, num_transitions: int) -> Plan:
        """Plan a chunk that begins after ``done`` transitions of the phase."""
        first = self.first_kept - done
        if first < 0:
            first %= self.thinning
        return Plan(num_transitions, min(first, num_transitions), self.thinning)


class Lane:
    """The chains that one program call advances, and how far they are.

    Parameters
    ----------
    chains : tuple of int
        Their indices.
    state : pytree
        Their state, with a leading axis if the lane is batched.
    """

    def __init__(self, chains: tuple[int, ...], state: Any):
        self.chains = chains
        self.state = state
        self.done = 0
        self.kept = 0
        self.chunk = FIRST_CHUNK

    def chain_states(self, batched: bool) -> list[Any]:
        """The state of each chain, on the host, to be looked at; keys of a batch stay together."""
        state = jax.device_get(self.state)
        if not batched:
            return [state]
        # Typed keys live on the device: taking one out would compile a program.
        return [
            jax.tree.map(lambda leaf, n=n: leaf[n] if isinstance(leaf, np.ndarray) else leaf, state)
            for n in range(len(self.chains))
        ]


def drive(
    engine: Engine,
    data: tuple,
    placement: Placement,
    lanes: Sequence[Lane],
    phase: Phase,
    store: Store,
    progress: Progress,
    describe: Callable[[Any], str],
) -> None:
    """Advance every lane through ``phase``; what is done when an exception comes stays done.

    Parameters
    ----------
    engine : Engine
        What advances a lane.
    data : tuple
        Data of the model's arguments.
    placement : Placement
        How lanes are laid out.
    lanes : sequence of Lane
        Advanced in place.
    phase : Phase
        What to do.
    store : Store
        Where kept draws go.
    progress : Progress
        The display.
    describe : Callable
        Describes a concrete state of one chain in a few words.
    """
    for lane in lanes:
        lane.done = lane.kept = 0

    def advance(lane: Lane) -> int:
        length = _chunk_length(lane, phase, engine.num_rows)
        plan = phase.plan(lane.done, length)
        begin = time.perf_counter()
        state, rows = jax.block_until_ready(engine.advance(lane.state, data, plan.as_arrays()))
        seconds = time.perf_counter() - begin
        count = plan.num_kept()
        if count:
            store.write(lane.chains, lane.kept, rows, count)
        lane.state = state
        lane.done += length
        lane.kept += count
        lane.chunk = max(1, int(length * np.clip(CHUNK_SECONDS / seconds, *GROWTH)))
        return length

    def report(lane: Lane, length: int) -> None:
        def text() -> str:
            return describe(lane.chain_states(placement.batched)[0])

        progress.advance(length * len(lane.chains), phase.name, text)

    waiting = [lane for lane in lanes if phase.num_transitions > 0]
    running: dict[Future[int], Lane] = {}
    with ThreadPoolExecutor(placement.workers) as pool:
        while waiting or running:
            # Lanes take turns, so that all chains are about as far at any time.
            while waiting and len(running) < placement.workers:
                lane = waiting.pop(0)
                running[pool.submit(advance, lane)] = lane
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                lane = running.pop(future)
                length = future.result()
                report(lane, length)
                if lane.done < phase.num_transitions:
                    waiting.append(lane)


def _chunk_length(lane: Lane, phase: Phase, rows: int) -> int:
    """Transitions of the next chunk: about `CHUNK_SECONDS` of them, and no more kept than fit."""
    length = min(lane.chunk, phase.num_transitions - lane.done)
    first_kept = max(lane.done, phase.first_kept)
    most = first_kept - lane.done + (rows - 1) * phase.thinning
    return max(1, min(length, most))
