"""Handler that hides sites from the handlers outside of it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from sojourn_primitives.message import Message
from sojourn_primitives.messenger import Messenger


class block(Messenger):
    """Hide sites from the handlers outside; without an argument, all of them.

    Parameters
    ----------
    fn : callable, optional
        The model.
    hide_fn : callable, optional
        A function of the message that tells whether to hide it.
    hide : list of str, optional
        Names to hide.
    expose_types : list of str, optional
        Types of messages to show; all others are hidden.
    expose : list of str, optional
        Names to show; all others are hidden. At most one of the four is given.
    """

    def __init__(
        self,
        fn: Callable[..., Any] | None = None,
        hide_fn: Callable[[Message], bool] | None = None,
        hide: Collection[str] | None = None,
        expose_types: Collection[str] | None = None,
        expose: Collection[str] | None = None,
    ) -> None:
        super().__init__(fn)
        given = {"hide_fn": hide_fn, "hide": hide, "expose_types": expose_types, "expose": expose}
        chosen = [name for name, value in given.items() if value is not None]
        if len(chosen) > 1:
            raise ValueError(
                f"handlers.block takes at most one of {', '.join(given)}, got "
                f"{' and '.join(chosen)}."
            )
        if hide_fn is not None and not callable(hide_fn):
            raise TypeError(
                f"handlers.block: hide_fn must be a function of the message, got {hide_fn!r}."
            )
        for argument in ("hide", "expose_types", "expose"):
            if isinstance(given[argument], str):
                raise TypeError(
                    f"handlers.block: {argument} must be a list of names, got the str "
                    f"{given[argument]!r}."
                )
        if hide_fn is not None:
            self._hides: Callable[[Message], bool] = hide_fn
        elif hide is not None:
            self._hides = lambda msg: msg["name"] in hide
        elif expose_types is not None:
            self._hides = lambda msg: msg["type"] not in expose_types
        elif expose is not None:
            self._hides = lambda msg: msg["name"] not in expose
        else:
            self._hides = lambda msg: True

    def process_message(self, msg: Message) -> None:
        if self._hides(msg):
            msg["stop"] = True
