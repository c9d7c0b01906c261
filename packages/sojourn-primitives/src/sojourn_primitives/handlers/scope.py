"""Handler that puts a prefix before the names of sites."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from sojourn_primitives.message import Message
from sojourn_primitives.messenger import Messenger


class scope(Messenger):
    """Name the sites inside ``prefix + divider + name``; nested scopes nest their prefixes.

    Parameters
    ----------
    fn : callable, optional
        The model.
    prefix : str
        The prefix.
    divider : str
        What stands between prefix and name.
    hide_types : iterable of str, optional
        Types of messages that keep their names.

    Examples
    --------
    >>> from sojourn_primitives import deterministic, handlers
    >>> scoped = handlers.scope(lambda: deterministic("x", 1.0), prefix="a")
    >>> list(handlers.trace(scoped).get_trace())
    ['a/x']
    """

    def __init__(
        self,
        fn: Callable[..., Any] | None = None,
        prefix: str = "",
        divider: str = "/",
        *,
        hide_types: Iterable[str] | None = None,
    ) -> None:
        super().__init__(fn)
        for argument, text in (("prefix", prefix), ("divider", divider)):
            if not isinstance(text, str):
                raise TypeError(f"handlers.scope: {argument} must be a str, got {text!r}.")
        self.prefix = prefix
        self.divider = divider
        self.hide_types = frozenset() if hide_types is None else frozenset(hide_types)

    def process_message(self, msg: Message) -> None:
        before = f"{self.prefix}{self.divider}"
        if msg["name"] is not None and msg["type"] not in self.hide_types:
            msg["name"] = before + msg["name"]
        # The frames here are those of plates inside this scope: plates outside have not seen the
        # message.
        if "plate" not in self.hide_types and msg.get("cond_indep_stack"):
            msg["cond_indep_stack"] = [
                frame._replace(name=before + frame.name) for frame in msg["cond_indep_stack"]
            ]
