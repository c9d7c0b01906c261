"""Conduct a run to its end: between two chunks it is shown, kept on disk, and looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from sojourn_hmc.checkpoint import Checkpoint
from sojourn_hmc.description import Description
from sojourn_hmc.progress import display
from sojourn_hmc.run import Run
from sojourn_hmc.view import RunView

Watcher = Callable[[RunView], Any]


class Audience(NamedTuple):
    """Who watches a run.

    Attributes
    ----------
    callback : Callable or None
        Called after each chunk.
    stop_when : Callable or None
        Called then, too: something true ends the run.
    bar : bool
        Whether progress is shown.
    each_time : bool
        Whether it is shown after each chunk, and not only a few times a second.
    """

    callback: Watcher | None
    stop_when: Watcher | None
    bar: bool
    each_time: bool


def conduct(run: Run, keeper: Checkpoint | None, audience: Audience) -> str | None:
    """Go on with a run.

    Parameters
    ----------
    run : Run
        The run, wherever it is.
    keeper : Checkpoint or None
        What keeps it on disk.
    audience : Audience
        Who watches it.

    Returns
    -------
    str or None
        The rule that ended it early; None at its end. Any exception goes on its way.
    """
    view, describe = RunView(run), Description(run)
    shown = display(run.num_planned, audience.bar, done=run.num_done, each_time=audience.each_time)

    def between() -> str | None:
        shown.show(run.num_done, run.phase.name, describe)
        if keeper is not None:
            keeper.save_if_due(run)
        if run.stream is not None and run.is_streaming:
            run.stream.commit_if_due()
        if audience.callback is not None:
            audience.callback(view)
        rule = audience.stop_when
        if rule is not None and rule(view):
            return getattr(rule, "__name__", None) or repr(rule)
        return None

    try:
        return run.go_on(between)
    finally:
        shown.close()
