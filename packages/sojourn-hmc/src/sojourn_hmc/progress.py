"""One display for whatever takes long: a bar on a terminal or in a notebook, lines in a log."""

from __future__ import annotations

import math
import sys
import time
import warnings
from collections.abc import Callable
from typing import Protocol

LINES = 10  # how often a plain log is written to
REFRESH_SECONDS = 0.1


class Display(Protocol):
    """Shows how far something is."""

    def show(self, done: int, label: str, describe: Callable[[], str]) -> None:
        """Take note of what is done; ``describe`` costs time, and is for when it is shown."""

    def close(self) -> None:
        """Finish the display."""


class Silent:
    """No display."""

    def show(self, done: int, label: str, describe: Callable[[], str]) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class Bar:
    """A tqdm bar, drawn at most ten times a second, or each time."""

    def __init__(self, done: int, total: int, each_time: bool):
        # Imported late: it looks for a notebook, which a run without a bar should not pay for.
        from tqdm import TqdmWarning

        with warnings.catch_warnings():
            # A notebook without widgets has a bar of characters, which says enough.
            warnings.simplefilter("ignore", TqdmWarning)
            from tqdm.auto import tqdm

        self._bar = tqdm(
            total=total,
            initial=done,
            desc="compile",
            dynamic_ncols=True,
            unit="draw",
            mininterval=0,  # how often is decided here
        )
        self._seconds = 0.0 if each_time else REFRESH_SECONDS
        self._shown = -math.inf

    def show(self, done: int, label: str, describe: Callable[[], str]) -> None:
        """Move the bar on."""
        now = time.perf_counter()
        if now - self._shown >= self._seconds or done == self._bar.total:
            self._shown = now
            self._bar.set_description(label, refresh=False)
            self._bar.set_postfix_str(describe(), refresh=False)
            self._bar.update(done - self._bar.n)

    def close(self) -> None:
        """Leave the bar where it is, drawn a last time."""
        self._bar.refresh()
        self._bar.close()


class Log:
    """Plain lines without control characters, for files and pipes."""

    def __init__(self, done: int, total: int, each_time: bool):
        self._total = total
        self._each_time = each_time
        self._lines = LINES * done // total
        self._start = time.perf_counter()

    def show(self, done: int, label: str, describe: Callable[[], str]) -> None:
        """Write a line at each tenth of the way, or each time."""
        lines = LINES * done // self._total
        if lines > self._lines or self._each_time:
            self._lines = lines
            seconds = time.perf_counter() - self._start
            where = f"{100 * done // self._total:3d}% {done}/{self._total} [{seconds:.1f} s]"
            print(f"{where} {label}: {describe()}", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Do nothing: each line stands for itself."""


def display(total: int, enabled: bool, *, done: int = 0, each_time: bool = False) -> Display:
    """Choose the display.

    Parameters
    ----------
    total : int
        What there is to do.
    enabled : bool
        Whether to show anything.
    done : int
        What is done already.
    each_time : bool
        Whether to show every note that is taken, however quickly they come.
    """
    if not enabled or total == 0:
        return Silent()
    in_a_notebook = type(sys.stderr).__module__.startswith("ipykernel")
    has_bar = sys.stderr.isatty() or in_a_notebook
    make: type[Bar] | type[Log] = Bar if has_bar else Log
    return make(done, total, each_time)
