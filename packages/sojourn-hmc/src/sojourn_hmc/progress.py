"""One display for all chains: a bar on a terminal or in a notebook, plain lines in a log."""

import sys
import time
from typing import Protocol

LINES = 10  # how often a plain log is written to


class Progress(Protocol):
    """What the driver tells a display."""

    def advance(self, num_transitions: int, description: str) -> None:
        """Take note of transitions that are done."""

    def close(self) -> None:
        """Finish the display."""


class Silent:
    """No display."""

    def advance(self, num_transitions: int, description: str) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class Bar:
    """A tqdm bar."""

    def __init__(self, total: int):
        # Imported late: it looks for a notebook, which a run without a bar should not pay for.
        from tqdm.auto import tqdm

        self._bar = tqdm(total=total, desc="compile", dynamic_ncols=True, unit="draw")

    def advance(self, num_transitions: int, description: str) -> None:
        """Move the bar on."""
        phase, _, text = description.partition(": ")
        self._bar.set_description(phase, refresh=False)
        self._bar.set_postfix_str(text, refresh=False)
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

    def advance(self, num_transitions: int, description: str) -> None:
        """Write a line at each tenth of the way."""
        self._done += num_transitions
        lines = LINES * self._done // self._total
        if lines > self._lines:
            self._lines = lines
            seconds = time.perf_counter() - self._start
            percent = 100 * self._done // self._total
            line = f"{percent:3d}% {self._done}/{self._total} [{seconds:.1f} s] {description}"
            print(line, file=sys.stderr, flush=True)

    def close(self) -> None:
        """Do nothing: each line stands for itself."""


def display(total: int, enabled: bool) -> Progress:
    """Choose the display for a run of ``total`` transitions over all chains."""
    if not enabled:
        return Silent()
    return Bar(total) if sys.stderr.isatty() or "ipykernel" in sys.modules else Log(total)
