"""What the `enum` handler writes into messages, for the layer that sums discrete sites out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from sojourn_infer.enumeration.factors import Variable
from sojourn_primitives import CondIndepStackFrame, Message


class Enumeration(NamedTuple):
    """A site's place among the enumerated ones.

    Attributes
    ----------
    variable : Variable or None
        What the site itself is, if it is enumerated; its value then lists its support.
    dims : dict
        What batch dims left of the plates stand for, at this site.
    support : array or None
        The value that lists the support, if the site is enumerated.
    stand_in : Callable or None
        Gives a scanned site that is latent its value at the steps after those that are known, from
        their number and the type of the values; these steps then leave no term. Without it the
        values are drawn.
    """

    variable: Variable | None
    dims: dict[int, Variable]
    support: Any = None
    stand_in: Callable[[int, Any], Any] | None = None


class Term(NamedTuple):
    """What a site's log density is computed from."""

    fn: Any
    value: Any
    scale: Any


class Source(NamedTuple):
    """What the terms of steps are computed from.

    Attributes
    ----------
    inputs : tree of array
        By step, along the leading axis.
    outputs_of : Callable
        Computes what differs from step to step, for a part of the inputs: arrays with a leading
        time axis, by the number of the program's output.
    """

    inputs: Any
    outputs_of: Callable[[Any], dict[int, Any]]


class Steps(NamedTuple):
    """A scan whose sites are enumerated, or depend on enumerated ones.

    Attributes
    ----------
    number : int
        Tells scans of one model apart.
    first : int
        How many steps at the start stand by themselves.
    length : int
        How many steps there are.
    reverse : bool
        Whether the scan runs from the last step to the first; here they are in this order.
    state : tuple of Variable
        What a later step takes over from those before; lags of at least 1.
    how : str
        How a site asks for the steps to be summed out, see `elimination_of_steps`.
    source : Source
        The steps after the first ones, to be computed anew a part at a time.
    """

    number: int
    first: int
    length: int
    reverse: bool
    state: tuple[Variable, ...]
    how: str
    source: Source


class Scanned(NamedTuple):
    """A site of such a scan.

    Attributes
    ----------
    steps : Steps
        The scan.
    name : str
        The site's name.
    variable : Variable or None
        The copy of the current step, if the site is enumerated.
    plates : list of CondIndepStackFrame
        The plates around it, inside and outside of the scan.
    dims : dict
        What batch dims left of the plates stand for, in one step.
    first : list of Term
        The first steps, one by one.
    leaves : list
        Leaves of the terms of all other steps; those with ``by_step`` have a leading time axis.
    by_step : list of bool
        Which leaves differ by step.
    outputs : list of int or None
        Which output of the program of a step a leaf is, see `Source`.
    build : Callable or None
        Makes a `Term` of one step's leaves; None without other steps.
    support : array or None
        The value that lists the support, if the site is enumerated.
    """

    steps: Steps
    name: str
    variable: Variable | None
    plates: list[CondIndepStackFrame]
    dims: dict[int, Variable]
    first: list[Term]
    leaves: list[Any]
    by_step: list[bool]
    outputs: list[int | None]
    build: Callable[[list[Any]], Term] | None
    support: Any


def is_enumerated(site: Message) -> bool:
    """Whether a site's value lists its support, no handler further out having given another."""
    note = site.get("enumeration")
    if note is None or note.variable is None:
        return False
    return isinstance(note, Scanned) or site["value"] is note.support
