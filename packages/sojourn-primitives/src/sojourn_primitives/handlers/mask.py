"""Handler that leaves terms out of the log density."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from sojourn_primitives.message import Message
from sojourn_primitives.messenger import Messenger


class mask(Messenger):
    """Count the log density of sample sites only where the mask is True.

    Masks of nested handlers combine by "and". `get_mask` tells a model the mask in force.

    Parameters
    ----------
    fn : callable, optional
        The model.
    mask : bool or bool array
        Its shape broadcasts with the sites' batch shapes.

    Raises
    ------
    ValueError
        The mask is not boolean.

    Examples
    --------
    >>> from sojourn_primitives import get_mask, handlers
    >>> handlers.mask(get_mask, mask=False)()
    False
    """

    def __init__(self, fn: Callable[..., Any] | None = None, mask: Any = True) -> None:
        super().__init__(fn)
        dtype = getattr(mask, "dtype", None)
        is_bool = isinstance(mask, bool) if dtype is None else jnp.issubdtype(dtype, jnp.bool_)
        if not is_bool:
            what = f"an array of dtype {dtype}" if dtype is not None else repr(mask)
            raise ValueError(
                f"handlers.mask: mask must be a bool or an array of bools, got {what}. Compare or "
                "convert it first, e.g. mask=weights > 0; to weight terms use handlers.scale."
            )
        self.mask = mask

    def process_message(self, msg: Message) -> None:
        kind = msg["type"]
        if kind == "sample":
            if self.mask is not True:
                fn: Any = msg["fn"]
                msg["fn"] = fn.mask(self.mask)
        elif kind == "inspect":
            msg["mask"] = _both(msg["mask"], self.mask)


def _both(inner: Any, outer: Any) -> Any:
    if inner is None or inner is True:
        return outer
    if outer is True or inner is False:
        return inner
    return outer if outer is False else inner & outer
