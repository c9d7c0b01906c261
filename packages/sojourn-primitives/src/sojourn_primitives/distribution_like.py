"""What the primitives ask of a distribution, and the check that names what is missing."""

from __future__ import annotations

from typing import Any, Protocol

_PARTS = {
    "__call__": "a call fn(rng_key=..., sample_shape=...) that draws",
    "batch_shape": "batch_shape",
    "event_shape": "event_shape",
    "expand": "expand(batch_shape)",
    "mask": "mask(mask)",
}


class DistributionLike(Protocol):
    """Anything that `sample` can draw from or condition on.

    No base class is asked for; having these five parts is enough. A layer that computes densities
    also asks for ``log_prob`` and ``support``, which the primitives never touch.
    """

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """Shape of the independent draws that one call without ``sample_shape`` makes."""

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of one draw."""

    def __call__(self, *args: Any, rng_key: Any, sample_shape: tuple[int, ...] = ()) -> Any:
        """Draw a value of shape ``sample_shape + batch_shape + event_shape``."""

    def expand(self, batch_shape: tuple[int, ...]) -> DistributionLike:
        """Return the distribution of independent copies with this batch shape."""

    def mask(self, mask: Any) -> DistributionLike:
        """Return the distribution whose log density counts only where ``mask`` is True."""


def check_distribution_like(name: str, fn: Any) -> None:
    """Raise a TypeError that names the missing parts where ``fn`` is not `DistributionLike`."""
    if isinstance(fn, type):
        raise TypeError(
            f"sample site {name!r}: got the class {fn.__name__} where a distribution is expected. "
            f"Create an instance of it: sample({name!r}, {fn.__name__}(...))."
        )
    missing = [part for part in _PARTS if not hasattr(fn, part)]
    if missing:
        parts = ", ".join(_PARTS[part] for part in missing)
        raise TypeError(
            f"sample site {name!r}: {fn!r} (of type {type(fn).__name__}) is not distribution-like; "
            f"it lacks {parts}. Pass a distribution as the second argument; for a computed value "
            f"use deterministic({name!r}, value)."
        )
