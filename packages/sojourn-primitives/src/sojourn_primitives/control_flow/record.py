"""Sites recorded inside a control-flow statement, and their way out of its program."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax

from sojourn_primitives.message import Message
from sojourn_primitives.stack import Handler

# In this order: jax.tree sorts the keys of a dict.
_PARTS = ("fn", "infer", "scale", "value")


@dataclass
class Record:
    """A site inside a control-flow statement, and who waits for it outside.

    Attributes
    ----------
    msg : Message
        The message as the sites inside see it.
    seen : list of Handler
        The handlers outside that saw it on its way up, outermost first.
    given : int or None
        Position of its value among the values that handlers outside gave for all steps.
    """

    msg: Message
    seen: list[Handler]
    given: int | None = None

    def parts(self) -> dict[str, Any]:
        """Return the parts of the message that may hold arrays."""
        if self.msg["type"] != "sample":
            return {"value": self.msg["value"]}
        return {part: self.msg[part] for part in _PARTS}  # type: ignore[literal-required]


def check_is_pytree(statement: str, msg: Message) -> None:
    """Raise a TypeError where the distribution of a site cannot leave a traced program."""
    if msg["type"] == "sample" and jax.tree_util.all_leaves([msg["fn"]]):
        kind = type(msg["fn"]).__name__
        raise TypeError(
            f"sample site {msg['name']!r} inside {statement}: its distribution {kind} is no JAX "
            f"pytree, so its parameters cannot leave the {statement}. Register the class, e.g. "
            "with jax.tree_util.register_pytree_node_class."
        )


def check_no_sample_shape(statement: str, msg: Message) -> None:
    """Raise where a site draws several times, so that its value would not line up with time."""
    sample_shape = msg["kwargs"].get("sample_shape", ())
    if sample_shape:
        raise NotImplementedError(
            f"sample site {msg['name']!r} inside {statement} has sample_shape={sample_shape}. Put "
            "it into a plate, or expand its distribution."
        )


class Leaf(NamedTuple):
    """A leaf of a part of a message, once the program has returned it.

    Attributes
    ----------
    value : array or anything
        The leaf.
    by_step : bool
        Whether it has a leading time axis.
    output : int or None
        Which output of the program it is.
    """

    value: Any
    by_step: bool
    output: int | None = None


class Tree(NamedTuple):
    """The structure of one part of a message; `traced` marks leaves that the program returns."""

    treedef: Any
    leaves: list[Any]


@dataclass
class Outline:
    """What is known of a site before the program returns its arrays."""

    trees: dict[str, Tree]

    @classmethod
    def of(cls, record: Record) -> Outline:
        """Take the outline of a recorded site, without the arrays of the traced program."""
        trees = {}
        for part, value in record.parts().items():
            leaves, treedef = jax.tree.flatten(value)
            trees[part] = Tree(treedef, [TRACED if is_traced(leaf) else leaf for leaf in leaves])
        return cls(trees)

    @staticmethod
    def take(tree: Tree, returned: Iterator[Leaf]) -> list[Leaf]:
        """Return the leaves of a part, with the next returned arrays in their places."""
        return [next(returned) if leaf is TRACED else Leaf(leaf, False) for leaf in tree.leaves]


TRACED = object()
"""Stands for a leaf that the program returns."""


def is_traced(leaf: Any) -> bool:
    """Tell whether a leaf belongs to a program that is being traced."""
    return isinstance(leaf, jax.core.Tracer)


def traced_leaves(records: list[Record]) -> list[Any]:
    """Return the leaves of all parts of all records that a program must return."""
    leaves = jax.tree.leaves([record.parts() for record in records])
    return [leaf for leaf in leaves if is_traced(leaf)]


def send_down(record: Record, msg: Message) -> None:
    """Send a message down the way that was held back: to the handlers outside, outermost first."""
    for handler in record.seen:
        handler.postprocess_message(msg)


def outside(msg: Message, parts: dict[str, Any]) -> Message:
    """Return the message as the handlers outside see it."""
    new = msg.copy()
    new.update(parts)  # type: ignore[typeddict-item]
    new["stop"] = False
    new["_control_flow_done"] = True
    for note in ("_held_back", "_scan_depth"):
        if not new.get(note):
            new.pop(note, None)  # type: ignore[misc]
    if "kwargs" in new:
        new["kwargs"] = {**new["kwargs"], "rng_key": None}
    return new
