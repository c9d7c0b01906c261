"""Drive lanes to the end of a phase, chunk by chunk, with the host free between two chunks.

Between chunks draws leave the device and who watches the run is asked. An interrupt or an error
finds every draw made so far in place, and the run can go on from there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np

from sojourn_hmc.chunk import Plan
from sojourn_hmc.engine import Engine
from sojourn_hmc.lane import Lane, Reached
from sojourn_hmc.placement import Placement

CHUNK_SECONDS = 0.1  # often enough for a display, rare enough to cost nothing
# Where the end of a chunk is where chains wait for each other:
OWN_PACE_SECONDS, OWN_PACE_LEAST = 0.5, 32
GROWTH = (0.1, 10.0)  # of a chunk from one to the next


class Sink(Protocol):
    """Where draws go as they leave the device."""

    def write(self, chains: tuple[int, ...], first: int, rows: Any, count: int) -> None:
        """Take the first ``count`` rows of a lane as its draws from ``first`` on.

        Called from the thread that advances the lane. The same draws may come twice.
        """


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


def drive(
    engine: Engine,
    data: tuple,
    placement: Placement,
    lanes: Sequence[Lane],
    phase: Phase,
    sink: Sink,
    between: Callable[[], str | None],
    longest_chunk: int | None = None,
) -> str | None:
    """Advance every lane to the end of ``phase``; what is done when an exception comes stays done.

    Parameters
    ----------
    engine : Engine
        What advances a lane.
    data : tuple
        Data of the model's arguments.
    placement : Placement
        How lanes are laid out.
    lanes : sequence of Lane
        Advanced in place, from wherever they are.
    phase : Phase
        What to do.
    sink : Sink
        Where kept draws go.
    between : Callable
        Called after each chunk, on this thread; gives a reason to stop, or None.
    longest_chunk : int, optional
        Transitions that a chunk makes at most.

    Returns
    -------
    str or None
        Why the phase ended early; None at its end.
    """
    own_pace = engine.pace is not None and engine.pace.own
    aim, least = (OWN_PACE_SECONDS, OWN_PACE_LEAST) if own_pace else (CHUNK_SECONDS, 1)
    for lane in lanes:
        lane.chunk = max(least, lane.chunk)

    def advance(lane: Lane) -> None:
        state, done, kept, spent = lane.reached
        length = _chunk_length(lane, phase, engine.num_rows)
        if longest_chunk is not None:
            length = min(length, longest_chunk)
        plan = phase.plan(done, length)
        begin = time.perf_counter()
        state, rows, effort = jax.block_until_ready(engine.advance(state, data, plan.as_arrays()))
        seconds = time.perf_counter() - begin
        count = plan.num_kept()
        if count:
            sink.write(lane.chains, kept, rows, count)
        spent = spent if effort is None else spent.plus(effort.of_all())
        lane.reached = Reached(state, done + length, kept + count, spent)
        lane.chunk = max(least, int(length * np.clip(aim / seconds, *GROWTH)))

    # A second interrupt may have left a thread behind that had not finished its chunk.
    wait([lane.working for lane in lanes if lane.working is not None])
    waiting = [lane for lane in lanes if lane.done < phase.num_transitions]
    running: dict[Any, Lane] = {}
    reason = None
    with ThreadPoolExecutor(placement.workers, "advance") as pool:
        while running or (waiting and reason is None):
            # Lanes take turns, so that all chains are about as far at any time.
            while waiting and len(running) < placement.workers and reason is None:
                lane = waiting.pop(0)
                lane.working = pool.submit(advance, lane)
                running[lane.working] = lane
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                lane = running.pop(future)
                future.result()
                reason = between() or reason
                if lane.done < phase.num_transitions:
                    waiting.append(lane)
    return reason if waiting else None


def _chunk_length(lane: Lane, phase: Phase, rows: int) -> int:
    """Transitions of the next chunk: about `CHUNK_SECONDS` of them, and no more kept than fit."""
    length = min(lane.chunk, phase.num_transitions - lane.done)
    first_kept = max(lane.done, phase.first_kept)
    most = first_kept - lane.done + (rows - 1) * phase.thinning
    return max(1, min(length, most))
