"""One display for all chains: a bar on a terminal or in a notebook, plain lines in a log."""

import math
import sys
import time
from collections.abc import Callable
from typing import Protocol

LINES = 10  # how often a plain log is written to
REFRESH_SECONDS = 0.1


class Progress(Protocol):
    """What the driver tells a display."""

    def advance(self, num_transitions: int, phase: str, describe: Callable[[], str]) -> None:
        """Take note of transitions that are done; ``describe`` costs time, for when it is shown."""

    def close(self) -> None:
        """Finish the display."""


class Silent:
    """No display."""

    def advance(self, num_transitions: int, phase: str, describe: Callable[[], str]) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class Bar:
    """A tqdm bar."""

    def __init__(self, total: int):
        # Imported late: it looks for a notebook, which a run without a bar should not pay for.
        from tqdm.auto import tqdm

        self._bar = tqdm(total=total, desc="compile", dynamic_ncols=True, unit="draw")
        self._shown = -math.inf

    def advance(self, num_transitions: int, phase: str, describe: Callable[[], str]) -> None:
        """Move the bar on."""
        now = time.perf_counter()
        done = self._bar.n + num_transitions >= self._bar.total
        if done or now - self._shown > REFRESH_SECONDS:
            self._shown = now
            self._bar.set_description(phase, refresh=False)
            self._bar.set_postfix_str(describe(), refresh=False)
        self._bar.update(num_transitions)

    def close(self) -> None:
        """Leave the bar where it is, drawn a last time."""
        self._bar.refresh()
        self._bar.close()


class Log:
    """Plain lines without control characters, for files and pipes."""

    def __init__(self, total: int):
        self._total = total
        self._done = 0
        self._lines = 0
        self._start = time.perf_counter()

    def advance(self, num_transitions: int, phase: str, describe: Callable[[], str]) -> None:
        """Write a line at each tenth of the way."""
        self._done += num_transitions
        lines = LINES * self._done // self._total
        if lines > self._lines:
            self._lines = lines
            seconds = time.perf_counter() - self._start
            percent = 100 * self._done // self._total
            where = f"{percent:3d}% {self._done}/{self._total} [{seconds:.1f} s]"
            print(f"{where} {phase}: {describe()}", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Do nothing: each line stands for itself."""


def display(total: int, enabled: bool) -> Progress:
    """Choose the display for a run of ``total`` transitions over all chains."""
    if not enabled:
        return Silent()
    return Bar(total) if sys.stderr.isatty() or "ipykernel" in sys.modules else Log(total)
