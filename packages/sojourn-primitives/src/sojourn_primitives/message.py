"""The message that a primitive statement sends through the handler stack.

The life of one message
-----------------------
A statement such as ``sample("x", fn)`` builds one `Message` and hands it to `apply_stack`::

    sample("x", fn)                 handlers of this thread, outermost first: [trace, seed, plate]
         |
         |  builds the message
         v
    value=None, fn, kwargs, ...     <-- process_message -- plate           innermost handler first
         |                          <-- process_message -- seed
         |                          <-- process_message -- trace
         |
         |  no value yet: default_process_message sets value = fn(*args, **kwargs)
         |  a value given: its shape is compared with fn's
         v
    value=...                       -- postprocess_message --> trace       outermost handler first
         |                          -- postprocess_message --> seed
         |                          -- postprocess_message --> plate
         v
    the statement returns msg["value"]

On the way up, handlers edit the message in place: a plate expands ``fn`` and appends its frame,
`seed` puts a key into ``kwargs["rng_key"]``, `substitute` sets ``value``. A handler that sets
``stop`` hides the message from every handler outside of it. On the way down, the handlers that saw
the message see it again with its value; `trace` records a copy there.

A *trace* is a plain dict from site names to messages, in the order of execution.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias, TypedDict


class CondIndepStackFrame(NamedTuple):
    """One open plate, as a message inside it sees it.

    Attributes
    ----------
    name : str
        The plate's name.
    dim : int
        The batch dimension that the plate owns, negative, counted from the right of the batch
        shape.
    size : int
        Number of elements along ``dim``: the subsample's size where the plate subsamples.
    """

    name: str
    dim: int
    size: int


class MarkovFrame(NamedTuple):
    """One open `markov` context, as a message inside it sees it.

    Attributes
    ----------
    context : int
        Identifies the context.
    path : tuple of int
        The latest steps that led here, the current one last: ``history + 2`` of them, if there are
        so many.
    history : int
        How many earlier steps the current one may depend on.
    """

    context: int
    path: tuple[int, ...]
    history: int


class Message(TypedDict, total=False):
    """What travels through the handlers; each type of statement has the fields that concern it.

    Attributes
    ----------
    type : str
        ``"sample"``, ``"param"``, ``"plate"``, ``"deterministic"``, ``"mutable"``,
        ``"subsample"``, ``"prng_key"``, ``"inspect"`` or ``"control_flow"``.
    name : str or None
        The site's name; None for statements that leave no site.
    fn : callable
        The distribution, or the function that gives the value.
    args, kwargs : tuple, dict
        What ``fn`` is called with; for a sample ``rng_key`` and ``sample_shape``.
    value : array or None
        None until a handler or the call of ``fn`` sets it.
    scale : None, number or array
        The factor on the site's log density.
    mask : None, bool or bool array
        The mask of the handlers around, in messages of type ``"inspect"``.
    is_observed : bool
        Whether the value is data.
    intermediates : list
        What the draw produced on its way; left empty by `sample`.
    cond_indep_stack : list of CondIndepStackFrame
        The open plates, innermost first.
    markov : tuple of MarkovFrame
        The open `markov` contexts; absent where there is none.
    infer : dict
        The site's options for inference.
    enumeration
        What a handler that enumerates discrete sites notes for the layer that sums them out;
        absent where none is in force. Its attribute ``support`` is the value that it gave the
        site, with a dim to the left of the site's batch shape, or None; ``dims`` has the batch dims
        that stand for discrete sites, left of all plates, as keys. ``stand_in``, if it is not
        None, gives a site of a scan its value at steps after those that have values: called with
        their number and a dtype.
    stop : bool
        True hides the message from the handlers further out.
    _control_flow_done : bool
        True in the sites that a control-flow statement sends out: their values and distributions
        are those of all steps.
    _scan_depth, _held_back
        Notes that control-flow statements make while the message is inside of them.
    """

    type: str
    name: str | None
    fn: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    value: Any
    scale: Any
    mask: Any
    is_observed: bool
    intermediates: list[Any]
    cond_indep_stack: list[CondIndepStackFrame]
    markov: tuple[MarkovFrame, ...]
    infer: dict[str, Any]
    enumeration: Any
    stop: bool
    _control_flow_done: bool
    _scan_depth: int
    _held_back: list[Any]


Trace: TypeAlias = dict[str, Message]
