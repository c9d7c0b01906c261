"""Handler that turns observed sites into drawn ones."""

from __future__ import annotations

from sojourn_primitives.message import Message
from sojourn_primitives.messenger import Messenger


class uncondition(Messenger):
    """Draw observed sample sites instead of taking their data.

    The site's ``infer`` then has ``was_observed`` True and the data under ``obs``.
    """

    def process_message(self, msg: Message) -> None:
        if msg["type"] == "sample" and msg["is_observed"]:
            msg["infer"] = {**msg["infer"], "was_observed": True, "obs": msg["value"]}
            msg["value"] = None
            msg["is_observed"] = False
