"""Handler that repeats the draws of an earlier trace."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sojourn_primitives.message import Message
from sojourn_primitives.messenger import Messenger


class replay(Messenger):
    """Give latent sample sites, and plates their indices, the values that they have in a trace.

    Sites that the trace does not name are drawn as usual; observed sites keep their data.

    Parameters
    ----------
    fn : callable, optional
        The model.
    trace : dict
        A trace as `trace` makes it.

    Raises
    ------
    ValueError
        No trace is given.
    RuntimeError
        A site is latent in the model and something else in the trace.
    """

    def __init__(
        self, fn: Callable[..., Any] | None = None, trace: Mapping[str, Message] | None = None
    ) -> None:
        super().__init__(fn)
        if trace is None:
            raise ValueError(
                "handlers.replay needs trace=..., for example "
                "handlers.trace(model).get_trace(*args)."
            )
        if not isinstance(trace, Mapping):
            raise TypeError(
                "handlers.replay: trace must be a dict from names to messages, got "
                f"{type(trace).__name__}. handlers.trace(model).get_trace(*args) makes one; to "
                "give bare values use handlers.substitute."
            )
        self.trace = trace

    def process_message(self, msg: Message) -> None:
        kind = msg["type"]
        if kind not in ("sample", "plate") or (kind == "sample" and msg["is_observed"]):
            return
        earlier = self.trace.get(msg["name"])  # type: ignore[arg-type]
        if earlier is None:
            return
        if earlier["type"] != kind or earlier.get("is_observed", False):
            was = "an observed" if earlier.get("is_observed", False) else "a"
            raise RuntimeError(
                f"handlers.replay: {msg['name']!r} is a latent {kind} site in the model, but {was} "
                f"{earlier['type']} site in the trace. Replay a trace in which it is drawn, or set "
                "its value with handlers.substitute."
            )
        msg["value"] = earlier["value"]
