"""Which batch dim, left of all plates, stands for which discrete site.

Each enumerated site gets a dim of its own, further and further to the left. Sites of `markov`
contexts give their dims back when no later step may depend on them; they wait one step more than
that before another site gets them, so that a step that reaches back too far meets a dim that stands
for nothing, which is an error, rather than for another site.
"""

from __future__ import annotations

from typing import NamedTuple

from sojourn_infer.enumeration.factors import Variable
from sojourn_primitives import MarkovFrame

MAX_DIMS = 60
"""Arrays have at most 64 dims in NumPy; the rest is left to plates and events."""

Frames = tuple[MarkovFrame, ...]


class Owner(NamedTuple):
    """What a dim stands for, and in which `markov` contexts it came to be."""

    variable: Variable
    frames: Frames


class Dims:
    """The dims of one run of a model.

    Parameters
    ----------
    first_available_dim : int
        The rightmost dim that no plate and no batch shape uses, negative.
    """

    def __init__(self, first_available_dim: int) -> None:
        self.first_available_dim = first_available_dim
        self._owners: dict[int, Owner] = {}
        self._reserved: dict[int, str] = {}

    def allocate(self, variable: Variable, frames: Frames) -> int:
        """Return the dim of a variable: its own, or the first that is free."""
        for dim, owner in self._owners.items():
            if owner.variable == variable:
                return dim
        dim = self._free(variable.site, frames)
        self._owners[dim] = Owner(variable, frames)
        return dim

    def reserve(self, site: str, number: int) -> tuple[int, ...]:
        """Set dims apart for the copies of a scanned site: of the current step and earlier ones."""
        dims = []
        for _ in range(number):
            dims.append(self._free(site, None))
            self._reserved[dims[-1]] = site
        return tuple(dims)

    def assign(self, dim: int, variable: Variable) -> None:
        """Let a dim that was set apart stand for a variable from now on."""
        self._owners[dim] = Owner(variable, ())

    def visible(self, frames: Frames) -> dict[int, Variable]:
        """Return what the dims stand for in these `markov` contexts."""
        return {
            dim: owner.variable
            for dim, owner in self._owners.items()
            if _reach(owner.frames, frames, spare=0) is not False
        }

    def _free(self, site: str, frames: Frames | None) -> int:
        for dim in range(self.first_available_dim, self.first_available_dim - MAX_DIMS, -1):
            if -dim > MAX_DIMS:
                break
            if dim in self._reserved:
                continue
            owner = self._owners.get(dim)
            if owner is None:
                return dim
            if frames is not None and _reach(owner.frames, frames, spare=1) is not True:
                return dim
        raise ValueError(
            f"discrete site {site!r}: no dim is left to enumerate it, {len(self._owners)} sites "
            f"have one each and an array has no more than {MAX_DIMS}. Put sites that are alike "
            "into a plate; run steps that depend on the last ones only through scan or "
            "for t in markov(range(n))."
        )


def _reach(frames: Frames, now: Frames, spare: int) -> bool | None:
    """Tell whether what came to be in some contexts is within reach: None where they were left."""
    current = {frame.context: frame for frame in now}
    answer: bool | None = True
    for frame in frames:
        here = current.get(frame.context)
        if here is None:
            answer = None
            continue
        if frame.path[-1] not in here.path[-(here.history + 1 + spare) :]:
            return None if _is_branch(frame, here) else False
    return answer


def _is_branch(frame: MarkovFrame, here: MarkovFrame) -> bool:
    """Whether a step lies on another branch, rather than too far back on this one."""
    return frame.path[-1] > here.path[0]
