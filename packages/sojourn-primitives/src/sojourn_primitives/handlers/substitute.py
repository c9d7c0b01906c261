"""Handler that gives sites their values without making them observed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax

from sojourn_primitives.handlers.site_values import values_from
from sojourn_primitives.message import Message
from sojourn_primitives.messenger import Messenger


class substitute(Messenger):
    """Set the values of sites; whether a site is observed stays as it is.

    Applies to every named statement: samples, parameters, deterministic values and the indices of
    plates. Of several handlers that give one site a value, the outermost decides.

    Parameters
    ----------
    fn : callable, optional
        The model.
    data : dict, optional
        Values by site name; names without a site are ignored.
    substitute_fn : callable, optional
        A function of the message that returns the value, or None to leave the site alone. Exactly
        one of the two is given.

    Examples
    --------
    >>> from sojourn_primitives import handlers, param
    >>> handlers.substitute(lambda: param("a", 1.0), data={"a": 5.0})()
    5.0
    """

    def __init__(
        self,
        fn: Callable[..., Any] | None = None,
        data: Mapping[str, Any] | None = None,
        substitute_fn: Callable[[Message], Any] | None = None,
    ) -> None:
        super().__init__(fn)
        self.data = data
        self.substitute_fn = substitute_fn
        self._value_of = values_from("substitute", "substitute_fn", data, substitute_fn)

    def process_message(self, msg: Message) -> None:
        if msg["name"] is None:
            return
        value = self._value_of(msg)
        if value is None:
            return
        if msg["type"] == "mutable":
            if msg["value"] is not None:
                return  # stated before in this run, and perhaps changed since
            value = jax.tree.map(lambda leaf: leaf, value)  # the model may change it in place
        msg["value"] = value
