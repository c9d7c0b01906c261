"""How many dims the plates of a model take, found by one run without numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_primitives import Message, Messenger, handlers
from sojourn_primitives.stack import no_handlers


class _Widest(Messenger):
    """Notes how far to the left plates and batch shapes reach, in scanned functions as well."""

    def __init__(self) -> None:
        super().__init__()
        self.dims = 0

    def process_message(self, msg: Message) -> None:
        if msg["type"] != "sample":
            return
        fn: Any = msg["fn"]
        rank = len(fn.batch_shape)
        if msg["is_observed"] and "_scan_depth" not in msg:
            rank = max(rank, np.ndim(msg["value"]) - len(fn.event_shape))
        plates = [-frame.dim for frame in msg["cond_indep_stack"]]
        self.dims = max(self.dims, rank, *plates)


def max_plate_nesting(model: Callable[..., Any], args: tuple, kwargs: dict) -> int:
    """Return the number of dims, from the right, that plates and batch shapes of a model use.

    The model runs without numbers, unseen by the handlers in force; latent sites have values of
    their shape.
    """
    widest = _Widest()

    def some_value(site: Message) -> Any:
        if site["type"] != "sample" or site["is_observed"] or site["value"] is not None:
            return None
        fn: Any = site["fn"]
        shape = (*site["kwargs"]["sample_shape"], *fn.batch_shape, *fn.event_shape)
        is_discrete = getattr(getattr(fn, "support", None), "is_discrete", False)
        return jnp.zeros(shape, int if is_discrete else float)

    def run() -> None:
        with no_handlers(), widest:
            valued = handlers.substitute(model, substitute_fn=some_value)
            # Keys are made for those who ask for one: sites have values already.
            handlers.seed(valued, rng_seed=0)(*args, **kwargs)

    jax.eval_shape(run)
    return widest.dims
