"""Handler that intervenes on sample sites."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sojourn_primitives.handlers.site_values import check_data
from sojourn_primitives.message import Message
from sojourn_primitives.messenger import Messenger
from sojourn_primitives.stack import apply_outer


class do(Messenger):
    """Set sample sites to values by intervention, which cuts them off from what they depend on.

    The model goes on with the given value. The site itself is still drawn, and the handlers outside
    see that draw: its distribution is unaffected, as the do-operator asks (Pearl 2009, Causality,
    ch. 3).

    Parameters
    ----------
    fn : callable, optional
        The model.
    data : dict
        Values by site name; names without a sample site are ignored.

    Raises
    ------
    ValueError
        No data are given.
    """

    def __init__(
        self, fn: Callable[..., Any] | None = None, data: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(fn)
        if data is None:
            raise ValueError("handlers.do needs data=..., a dict from site names to values.")
        self.data = check_data("do", data)

    def process_message(self, msg: Message) -> None:
        if msg["type"] != "sample":
            return
        value = self.data.get(msg["name"])  # type: ignore[arg-type]
        if value is None:
            return
        drawn = msg.copy()
        drawn["kwargs"] = dict(msg["kwargs"])
        drawn["infer"] = dict(msg["infer"])
        drawn["cond_indep_stack"] = list(msg["cond_indep_stack"])
        apply_outer(self, drawn)
        msg["value"] = value
        msg["is_observed"] = True
        msg["stop"] = True
