"""Judge concrete parameters and values against their constraints, and word the complaint."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import numpy as np

from sojourn_distributions.arrays import is_concrete, on_host
from sojourn_distributions.constraints import Constraint

__all__ = ["enable_validation", "first_violation", "is_validating", "validation_enabled"]

# The setting of the process, and one that a `with` block puts before it in its own thread.
_process_setting = {"enabled": True}
_block_setting: ContextVar[bool | None] = ContextVar("sojourn_validation", default=None)


def enable_validation(is_validate: bool = True) -> None:
    """Turn the validation of concrete parameters on (the default) or off for the process.

    A distribution built with an explicit ``validate_args`` keeps its own setting.
    """
    _process_setting["enabled"] = bool(is_validate)


@contextlib.contextmanager
def validation_enabled(is_validate: bool = True) -> Iterator[None]:
    """Turn validation on or off within a `with` block.

    Examples
    --------
    >>> import sojourn_distributions as dist
    >>> with dist.validation_enabled(False):
    ...     unchecked = dist.Normal(0.0, -1.0)
    """
    token = _block_setting.set(bool(is_validate))
    try:
        yield
    finally:
        _block_setting.reset(token)


def is_validating() -> bool:
    """Whether distributions built now validate their concrete parameters."""
    block = _block_setting.get()
    return _process_setting["enabled"] if block is None else block


def first_violation(
    value: Any, constraint: Constraint, mask: Any = True
) -> tuple[tuple[int, ...], Any] | None:
    """Index and value of the first element of a concrete `value` outside the constraint.

    Elements where `mask` (over the batch) is False are not judged. None if all is well, or if
    the constraint's own bounds are traced and nothing can be said.
    """
    holds = constraint(value)
    if holds is True or not is_concrete(holds):  # the usual parameter is one Python number
        return None
    violated = np.logical_and(np.logical_not(holds), mask)
    if not violated.any():
        return None
    index = tuple(int(i) for i in np.argwhere(violated)[0]) if violated.ndim else ()
    host = np.asarray(on_host(value))
    # Bounds or mask may have more batch dimensions than the value: look it up broadcast.
    event_shape = host.shape[host.ndim - constraint.event_dim :] if constraint.event_dim else ()
    return index, np.broadcast_to(host, violated.shape + event_shape)[index]
