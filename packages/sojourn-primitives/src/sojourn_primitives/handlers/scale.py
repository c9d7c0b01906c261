"""Handler that multiplies log density terms by a factor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from sojourn_primitives.message import Message
from sojourn_primitives.messenger import Messenger


class scale(Messenger):
    """Multiply the log density of the sites inside by ``scale``; nested scales multiply.

    Parameters
    ----------
    fn : callable, optional
        The model.
    scale : number or array
        Positive; its shape broadcasts with the sites' batch shapes.

    Raises
    ------
    ValueError
        The scale is not positive (checked where it is a number or a NumPy array).
    """

    def __init__(self, fn: Callable[..., Any] | None = None, scale: Any = 1.0) -> None:
        super().__init__(fn)
        if isinstance(scale, (bool, int, float, np.ndarray, np.generic)):
            if not np.all(np.greater(scale, 0)):
                raise ValueError(
                    f"handlers.scale: scale must be positive, got {scale!r}. To leave terms out "
                    "use handlers.mask."
                )
        self.scale = scale

    def process_message(self, msg: Message) -> None:
        if msg["type"] not in ("sample", "param", "plate"):
            return
        inner = msg["scale"]
        msg["scale"] = self.scale if inner is None else inner * self.scale
