"""Which block of a composition has which sites."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sojourn_gibbs.latents import moved_sites
from sojourn_infer.sites import is_latent, observed_sites
from sojourn_primitives import Trace

Selection = Sequence[str] | Callable[[Trace], Sequence[str]] | None


def check_selections(selections: Sequence[Selection]) -> None:
    """Raise on selections that no model could make right."""
    if sum(selection is None for selection in selections) > 1:
        raise ValueError(
            "only one block can have all remaining sites (None): name the sites of the others"
        )
    for selection in selections:
        if isinstance(selection, str):
            raise TypeError(f"the sites of a block are a list of names: write [{selection!r}]")
        if isinstance(selection, Sequence):
            if not selection:
                raise ValueError("a block without sites moves nothing: name its sites")
            for name in selection:
                if not isinstance(name, str):
                    raise TypeError(f"the sites of a block are a list of names, got {name!r}")


def share_out(selections: Sequence[Selection], trace: Trace) -> tuple[tuple[str, ...], ...]:
    """Return the names of the sites of each block.

    Parameters
    ----------
    selections : sequence
        For each block a list of names, a function of the trace, or None for all that remain.
    trace : dict
        Trace of the model.

    Raises
    ------
    ValueError
        If a name is no site that can be moved, or a site has no block or several.
    """
    moved = list(moved_sites(trace))
    chosen = [
        None if s is None else tuple(s(trace)) if callable(s) else tuple(s) for s in selections
    ]
    owners: dict[str, int] = {}
    for block, names in enumerate(chosen):
        for name in names or ():
            if name not in moved:
                raise ValueError(f"block {block}: {_why_not(name, trace, moved)}")
            if name in owners:
                raise ValueError(
                    f"site {name!r} belongs to blocks {owners[name]} and {block}: a site is moved "
                    "by one block"
                )
            owners[name] = block
    remaining = tuple(name for name in moved if name not in owners)
    if remaining and None not in chosen:
        raise ValueError(
            f"no block moves {list(remaining)}: add them to a block, or give one block None for "
            "its sites"
        )
    return tuple(remaining if names is None else names for names in chosen)


def _why_not(name: str, trace: Trace, moved: list[str]) -> str:
    if name in observed_sites(trace):
        return f"site {name!r} is observed and does not move"
    if name in trace and is_latent(trace[name]):
        return (
            f"site {name!r} is marked to be summed out (infer={{'enumerate': 'parallel'}}): remove "
            "the mark to have it moved"
        )
    return f"the model has no latent site {name!r}; it has {moved}"
