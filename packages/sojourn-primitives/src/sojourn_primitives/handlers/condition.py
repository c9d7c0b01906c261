"""Handler that turns sample sites into observed ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sojourn_primitives.handlers.site_values import values_from
from sojourn_primitives.message import Message
from sojourn_primitives.messenger import Messenger


class condition(Messenger):
    """Condition a model on values of its sample sites: they get the values and become observed.

    Parameters
    ----------
    fn : callable, optional
        The model.
    data : dict, optional
        Values by site name; names without a sample site are ignored.
    condition_fn : callable, optional
        A function of the message that returns the value, or None to leave the site alone. Exactly
        one of the two is given.
    """

    def __init__(
        self,
        fn: Callable[..., Any] | None = None,
        data: Mapping[str, Any] | None = None,
        condition_fn: Callable[[Message], Any] | None = None,
    ) -> None:
        super().__init__(fn)
        self.data = data
        self.condition_fn = condition_fn
        self._value_of = values_from("condition", "condition_fn", data, condition_fn)

    def process_message(self, msg: Message) -> None:
        if msg["type"] != "sample":
            return
        value = self._value_of(msg)
        if value is not None:
            msg["value"] = value
            msg["is_observed"] = True
