"""`markov`: a declaration that steps of a model depend on a few earlier steps only."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any

from sojourn_primitives.message import MarkovFrame, Message
from sojourn_primitives.messenger import Messenger

_numbers = itertools.count()


def markov(
    fn: Callable[..., Any] | Iterable[Any] | None = None, history: int = 1, keep: bool = False
) -> Any:
    """Declare that a step depends on discrete sites of the last ``history`` steps only.

    Discrete sites that are summed out each need a dim of their own, left of the plates; those of
    steps that are out of reach give theirs back. Models that are not enumerated run as without it.

    Parameters
    ----------
    fn : iterable, callable or None
        An iterable gives an iterator over its items, each a step: ``for t in markov(range(9))``. Of
        a function, each call is a step; in a recursion, calls inside of it are the steps that
        follow. Without it: a context manager, each entry a step, which also decorates functions.
    history : int
        How many earlier steps a step may depend on; 0 for independent steps.
    keep : bool
        Whether entries that follow each other, without one lying inside the other, are successive
        steps. By default they are branches that do not depend on each other.

    Raises
    ------
    ValueError
        ``history`` is negative.
    TypeError
        ``fn`` is neither callable nor iterable.

    Examples
    --------
    >>> from sojourn_primitives import deterministic, handlers, markov
    >>> def model():
    ...     for t in markov(range(3)):
    ...         deterministic(f"x_{t}", float(t))
    >>> list(handlers.trace(model).get_trace())
    ['x_0', 'x_1', 'x_2']
    """
    if history < 0:
        raise ValueError(f"markov: history counts earlier steps, so it is not negative: {history}.")
    if fn is None or callable(fn):
        return _Steps(fn, history, keep)
    if not isinstance(fn, Iterable):
        raise TypeError(
            f"markov: the first argument is a function or what is iterated over, got {fn!r}. "
            "Write for t in markov(range(n)), or with markov():"
        )
    return _iterate(fn, history)


class _Steps(Messenger):
    """The context itself: knows the steps that led to the current one."""

    def __init__(self, fn: Callable[..., Any] | None, history: int, keep: bool) -> None:
        super().__init__(fn)
        self.history = history
        self.keep = keep
        self.path: list[int] = []
        self._context = next(_numbers)

    def __enter__(self) -> Any:
        self.path.append(next(_numbers))
        return super().__enter__()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        super().__exit__(exc_type, exc, tb)
        if not self.keep:
            self.path.pop()

    def process_message(self, msg: Message) -> None:
        if msg["type"] != "sample":
            return
        frames = msg.get("markov", ())
        if any(frame.context == self._context for frame in frames):
            return  # entered again inside of itself: the innermost entry has spoken
        tail = tuple(self.path[-(self.history + 2) :])
        msg["markov"] = (*frames, MarkovFrame(self._context, tail, self.history))


def _iterate(items: Iterable[Any], history: int) -> Iterator[Any]:
    steps = _Steps(None, history, keep=True)
    for item in items:
        with steps:
            yield item
