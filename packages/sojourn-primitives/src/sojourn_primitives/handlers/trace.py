"""Handler that records the sites of a model."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from sojourn_primitives.message import Message, Trace
from sojourn_primitives.messenger import Messenger

_MAY_REPEAT = frozenset({"plate", "param", "mutable"})


class trace(Messenger):
    """Record every named statement, in the order of execution.

    As a context manager it gives the dict that it fills; `get_trace` runs the wrapped model and
    returns its dict.

    Raises
    ------
    ValueError
        Two sites have one name (plates of one size, and parameters, may be stated again).

    Examples
    --------
    >>> from sojourn_primitives import deterministic, handlers
    >>> def model():
    ...     deterministic("a", deterministic("b", 1.0) + 1.0)
    >>> list(handlers.trace(model).get_trace())
    ['b', 'a']
    """

    def __init__(self, fn: Callable[..., Any] | None = None) -> None:
        super().__init__(fn)
        self.trace: Trace = {}

    def __enter__(self) -> Trace:
        super().__enter__()
        self.trace = {}
        return self.trace

    def get_trace(self, *args: Any, **kwargs: Any) -> Trace:
        """Run the model on these arguments and return the trace of that run."""
        if self.fn is None:
            raise TypeError(
                "handlers.trace(...).get_trace needs a model: write "
                "handlers.trace(model).get_trace(*args)."
            )
        with copy.copy(self) as recorded:
            self.fn(*args, **kwargs)
        return recorded

    def process_message(self, msg: Message) -> None:
        if msg["type"] == "mutable" and msg["name"] in self.trace:
            msg["value"] = self.trace[msg["name"]]["value"]

    def postprocess_message(self, msg: Message) -> None:
        name = msg["name"]
        if name is None:
            return
        if name in self.trace:
            _check_repeats(self.trace[name], msg)
        self.trace[name] = msg.copy()


def _check_repeats(first: Message, again: Message) -> None:
    name, kind = again["name"], again["type"]
    if first["type"] != kind or kind not in _MAY_REPEAT:
        what = (
            f"two {kind} sites"
            if first["type"] == kind
            else f"a {first['type']} site and a {kind} site"
        )
        raise ValueError(
            f"{what} are named {name!r}. Every site needs a name of its own: rename one of them, "
            "or run the part of the model that repeats inside handlers.scope(prefix=...)."
        )
    if kind == "plate" and first["args"] != again["args"]:
        size, subsample_size = first["args"]
        new_size, new_subsample_size = again["args"]
        raise ValueError(
            f"plate {name!r} is stated with size {size} and subsample_size {subsample_size}, and "
            f"again with size {new_size} and subsample_size {new_subsample_size}. Give the second "
            "plate another name, or the same sizes."
        )
