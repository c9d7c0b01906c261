"""The border between the sites inside of a control-flow statement and the handlers outside.

The function that `scan` or `cond` runs is traced into a program of its own, so a value that a site
has inside must not reach the handlers outside before the program returns it. A message from inside
therefore goes up through all handlers as usual, but on its way down it is held back here; the
statement sends it down once it has the values (for a scan: of all steps, stacked).
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from sojourn_primitives.control_flow.record import (
    Record,
    check_is_pytree,
    check_no_sample_shape,
)
from sojourn_primitives.message import Message
from sojourn_primitives.messenger import Messenger
from sojourn_primitives.shapes import shape_of
from sojourn_primitives.stack import (
    Handler,
    default_process_message,
    process_below,
    process_outside,
    settle_value,
)

_HELD_BACK = frozenset({"sample", "deterministic", "plate"})
_REFUSED = frozenset({"param", "mutable"})


class Boundary(Messenger):
    """Innermost of the handlers outside, while the function of a statement is traced once.

    Parameters
    ----------
    statement : str
        Name of the statement, for error texts.
    key : key or None
        From it the sites inside get their keys.

    Attributes
    ----------
    records : list of Record
        The sites, in the order of execution.
    """

    def __init__(self, statement: str, key: Any) -> None:
        super().__init__()
        self.statement = statement
        self.records: list[Record] = []
        self._key = key
        self._keys_given = 0

    def process_message(self, msg: Message) -> None:
        kind = msg["type"]
        if kind in _REFUSED:
            raise NotImplementedError(
                f"{kind} site {msg['name']!r} inside {self.statement}: a {kind} belongs to the "
                f"whole model. State it before the {self.statement} and use its value inside."
            )
        if self._key is not None and msg["value"] is None:
            kwargs = msg.get("kwargs", {})
            if kwargs.get("rng_key", self) is None:
                kwargs["rng_key"] = self._next_key(kind)
        if kind not in _HELD_BACK:
            return
        before = msg["value"]
        record = Record(msg, self._go_up(msg))
        self._settle(msg, before, record)
        # The handlers outside have seen it: it stops here, unless it is to be sent down to another
        # boundary later.
        msg["stop"] = True

    def postprocess_message(self, msg: Message) -> None:
        if msg["type"] not in _HELD_BACK:
            return
        *outer, record = msg["_held_back"]
        record.msg = msg.copy()
        record.msg["_held_back"] = outer
        check_is_pytree(self.statement, msg)
        self.records.append(record)

    def apply_below(self, top: int, msg: Message) -> Message:
        """Apply a message that a handler outside sends on its own, as `do` does."""
        before = msg["value"]
        record = Record(msg, process_below(top, msg))
        self._settle(msg, before, record)
        settle_value(msg)
        self.postprocess_message(msg)
        return msg

    def _go_up(self, msg: Message) -> list[Handler]:
        msg.setdefault("_scan_depth", 0)
        return process_outside(self, msg)

    def _settle(self, msg: Message, before: Any, record: Record) -> None:
        """Make what the handlers outside did to a message fit the site inside."""
        fn: Any = msg.get("fn")
        shape = shape_of(before) or ()
        if msg["type"] != "plate":
            if fn is not None:  # a sample, or what handlers.reparam made deterministic
                shape = _without_enumerated_dims(msg) + tuple(fn.event_shape)
                check_no_sample_shape(self.statement, msg)
            if msg["type"] == "deterministic":
                msg.pop("fn", None)
            if msg["value"] is not None and msg["value"] is not before:
                self._take_value(msg, before, len(shape), record)
        msg["_held_back"] = [*msg.get("_held_back", ()), record]

    def _take_value(self, msg: Message, before: Any, rank: int, record: Record) -> None:
        """Make of a value that a handler outside gives the one that the site has inside."""

    def _next_key(self, kind: str) -> Any:
        self._keys_given += 1
        return jax.random.fold_in(self._key, self._keys_given)


class Step(Boundary):
    """The boundary of one step of a `scan`: values from outside have a leading time axis.

    Parameters
    ----------
    key : key or None
        The statement's key; each step derives its own.
    index : int array
        Index of the step.
    length : int
        Number of steps.
    slices : dict
        This step's part of values from outside, by the position of these in ``given``.

    Attributes
    ----------
    given : list of array
        The values for all steps that handlers outside gave, in the order of the sites.
    """

    def __init__(self, key: Any, index: Any, length: int, slices: dict[int, Any]) -> None:
        super().__init__("scan", None if key is None else jax.random.fold_in(key, index))
        self.given: list[Any] = []
        self._index = index
        self._length = length
        self._slices = slices
        # A plate's subsample is one for all steps. No step has this index.
        self._plate_key = None if key is None else jax.random.fold_in(key, length)

    def _go_up(self, msg: Message) -> list[Handler]:
        depth = msg.get("_scan_depth", 0)
        msg["_scan_depth"] = depth + 1
        seen = super()._go_up(msg)
        msg["_scan_depth"] = depth
        return seen

    def _take_value(self, msg: Message, before: Any, rank: int, record: Record) -> None:
        value = msg["value"]
        if value is getattr(msg.get("enumeration"), "support", None):
            return  # all values of the site at once, for this very step
        shape = shape_of(value)
        more = 0 if shape is None else len(shape) - rank - msg.get("_scan_depth", 0)
        if more <= 0:
            return  # one value for every step, or made for this very step
        if more > 1:
            raise NotImplementedError(
                f"{msg['type']} site {msg['name']!r} inside scan: a handler gives it a value of "
                f"shape {shape}, {more} dims more than it has in one step. The leading one is "
                "time; scan cannot take further ones."
            )
        assert shape is not None
        if shape[0] > self._length:
            raise ValueError(
                f"{msg['type']} site {msg['name']!r} inside scan: a handler gives it a value of "
                f"shape {shape}, {shape[0]} along the leading time axis, but the scan has "
                f"{self._length} steps. Give as many, or fewer to have the last steps drawn."
            )
        position = len(self.given)
        self.given.append(value)
        if position in self._slices:
            msg["value"] = self._slices[position]
        else:
            msg["value"] = _at(jnp.asarray(value), self._index)
        if shape[0] == self._length:
            record.given = position
            return
        known = self._index < shape[0]
        stand_in = getattr(msg.get("enumeration"), "stand_in", None)
        if stand_in is not None:
            own_value = stand_in(shape[0], value.dtype)
            msg["fn"] = msg["fn"].mask(known)
        else:
            own = msg.copy()
            own["value"] = before if msg["type"] == "deterministic" else None
            default_process_message(own)
            own_value = own["value"]
        msg["value"] = jnp.where(known, msg["value"], own_value)

    def _next_key(self, kind: str) -> Any:
        key: Any = self._plate_key if kind == "plate" else self._key
        self._keys_given += 1
        return jax.random.fold_in(key, self._keys_given)


def _without_enumerated_dims(msg: Message) -> tuple[int, ...]:
    """Return the batch shape that a site has for one value of each discrete site."""
    fn: Any = msg["fn"]
    batch = tuple(fn.batch_shape)
    dims = getattr(msg.get("enumeration"), "dims", None)
    return batch[len(batch) - min(len(batch), -max(dims) - 1) :] if dims else batch


def _at(values: jax.Array, index: Any) -> jax.Array:
    if not values.shape[0]:
        return jnp.zeros(values.shape[1:], values.dtype)
    return jax.lax.dynamic_index_in_dim(values, index, 0, keepdims=False)
