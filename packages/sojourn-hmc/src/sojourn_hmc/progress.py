"""One display for all chains: a bar on a terminal or in a notebook, plain lines in a log."""

import math
import sys
import time
from collections.abc import Callable
from typing import Protocol

from sojourn_hmc.run import Run

LINES = 10  # how often a plain log is written to
REFRESH_SECONDS = 0.1


class Display(Protocol):
    """Shows how far a run is."""

    def show(self, run: Run) -> None:
        """Look at a run between two chunks."""

    def close(self) -> None:
        """Finish the display."""


class Silent:
    """No display."""

    def show(self, run: Run) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class Description:
    """What a display says of a run beside its length; counts draws as they come."""

    def __init__(self) -> None:
        self._phase = -1
        self._begin()

    def _begin(self) -> None:
        self._counted = self._divergences = self._steps = 0

    def __call__(self, run: Run) -> str:
        """The kernel's words on a chain, mean steps of all draws so far, divergences so far."""
        if run.phase_number != self._phase:
            self._phase = run.phase_number
            self._begin()
        parts = [self._diagnostics(run)]
        names = run.job.fields.names
        counted, self._counted = self._counted, run.num_draws
        if self._counted and "num_steps" in names:
            steps = run.fields()[names.index("num_steps")]
            self._steps += int(steps[:, counted:].sum())
            per_draw = self._steps / (self._counted * run.num_chains)
            parts.append(f"{per_draw:.1f} steps per draw")
        if self._counted and "diverging" in names:
            diverging = run.fields()[names.index("diverging")]
            self._divergences += int(diverging[:, counted:].sum())
            parts.append(f"{self._divergences} divergences")
        return ", ".join(part for part in parts if part)

    def _diagnostics(self, run: Run) -> str:
        states = run.lanes[0].chain_states(run.job.placement.batched)
        return run.job.kernel.get_diagnostics_str(states[0])


class Bar:
    """A tqdm bar, drawn at most ten times a second, or after every chunk."""

    def __init__(self, run: Run, describe: Callable[[Run], str], every_chunk: bool):
        # Imported late: it looks for a notebook, which a run without a bar should not pay for.
        from tqdm.auto import tqdm

        self._bar = tqdm(
            total=run.num_planned,
            initial=run.num_done,
            desc="compile",
            dynamic_ncols=True,
            unit="draw",
            mininterval=0,  # how often is decided here
        )
        self._describe = describe
        self._seconds = 0.0 if every_chunk else REFRESH_SECONDS
        self._shown = -math.inf

    def show(self, run: Run) -> None:
        """Move the bar on."""
        now = time.perf_counter()
        if now - self._shown > self._seconds or run.num_done == run.num_planned:
            self._shown = now
            self._bar.set_description(run.phase.name, refresh=False)
            self._bar.set_postfix_str(self._describe(run), refresh=False)
            self._bar.update(run.num_done - self._bar.n)

    def close(self) -> None:
        """Leave the bar where it is, drawn a last time."""
        self._bar.refresh()
        self._bar.close()


class Log:
    """Plain lines without control characters, for files and pipes."""

    def __init__(self, run: Run, describe: Callable[[Run], str], every_chunk: bool):
        self._describe = describe
        self._every_chunk = every_chunk
        self._lines = LINES * run.num_done // run.num_planned
        self._start = time.perf_counter()

    def show(self, run: Run) -> None:
        """Write a line at each tenth of the way, or after every chunk."""
        lines = LINES * run.num_done // run.num_planned
        if lines > self._lines or self._every_chunk:
            self._lines = lines
            seconds = time.perf_counter() - self._start
            percent = 100 * run.num_done // run.num_planned
            where = f"{percent:3d}% {run.num_done}/{run.num_planned} [{seconds:.1f} s]"
            text = f"{where} {run.phase.name}: {self._describe(run)}"
            print(text, file=sys.stderr, flush=True)

    def close(self) -> None:
        """Do nothing: each line stands for itself."""


def display(run: Run, enabled: bool) -> Display:
    """Choose the display for a run; one with a longest chunk is shown after every chunk."""
    if not enabled or run.num_planned == 0:
        return Silent()
    has_bar = sys.stderr.isatty() or "ipykernel" in sys.modules
    make: type[Bar] | type[Log] = Bar if has_bar else Log
    return make(run, Description(), run.longest_chunk is not None)
