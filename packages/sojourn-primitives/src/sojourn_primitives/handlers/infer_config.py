"""Handler that adds options for inference to sites."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sojourn_primitives.message import Message
from sojourn_primitives.messenger import Messenger


class infer_config(Messenger):
    """Update ``infer`` of each sample site with what ``config_fn`` returns.

    Parameters
    ----------
    fn : callable, optional
        The model.
    config_fn : callable
        A function of the message that returns a dict, which may be empty.
    """

    def __init__(
        self,
        fn: Callable[..., Any] | None = None,
        config_fn: Callable[[Message], dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(fn)
        if not callable(config_fn):
            raise TypeError(
                "handlers.infer_config needs config_fn=..., a function from the message to a dict "
                f"of options, got {config_fn!r}."
            )
        self.config_fn = config_fn

    def process_message(self, msg: Message) -> None:
        if msg["type"] == "sample":
            # a new dict: the one in the message is the user's own
            msg["infer"] = {**msg["infer"], **self.config_fn(msg)}
