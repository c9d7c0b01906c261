"""The thread-local stack of effect handlers, and the passage of one message through it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol, runtime_checkable

from sojourn_primitives.message import Message
from sojourn_primitives.shapes import check_given_value


class Handler(Protocol):
    """What the stack asks of a handler."""

    def process_message(self, msg: Message) -> Any:
        """Edit the message before it has its final value."""

    def postprocess_message(self, msg: Message) -> Any:
        """See the message with its value."""


@runtime_checkable
class HoldsBack(Protocol):
    """The boundary of a control-flow statement, which holds back the way down of messages."""

    def apply_below(self, top: int, msg: Message) -> Message:
        """Apply a message that starts below position ``top`` of the stack."""


class _HandlerStack(threading.local):
    """A stack for each thread: chains and thread pools trace at the same time."""

    def __init__(self) -> None:
        self.handlers: list[Handler] = []


_STACK = _HandlerStack()


def active_handlers() -> tuple[Handler, ...]:
    """Return the handlers that are in force in this thread, outermost first."""
    return tuple(_STACK.handlers)


@contextmanager
def no_handlers() -> Iterator[None]:
    """Run what is inside as if no handler were in force and no plate open."""
    handlers, _STACK.handlers = _STACK.handlers, []
    try:
        yield
    finally:
        _STACK.handlers = handlers


def push(handler: Handler) -> None:
    """Put a handler in force, innermost."""
    _STACK.handlers.append(handler)


def remove(handler: Handler, *, after_error: bool) -> None:
    """Take a handler, and whatever was left inside of it, out of force.

    Raises
    ------
    RuntimeError
        When the handler is not the innermost one of this thread and no exception explains it.
    """
    handlers = _STACK.handlers
    if handlers and handlers[-1] is handler:
        handlers.pop()
        return
    for index in range(len(handlers) - 1, -1, -1):
        if handlers[index] is handler:
            left_inside = handlers[index + 1 :]
            del handlers[index:]
            break
    else:
        left_inside = []
    if not after_error:
        kind = type(handler).__name__
        if left_inside:
            inner = ", ".join(type(h).__name__ for h in left_inside)
            raise RuntimeError(
                f"handler {kind} was left while {inner}, entered after it, was still open: leave "
                "the inner one first."
            )
        raise RuntimeError(
            f"handler {kind} was left without being open in this thread: enter and leave it in one "
            "thread."
        )


def apply_stack(msg: Message) -> Message:
    """Send a message through the handlers of this thread and return it with its value.

    Handlers see it innermost first until one sets ``msg["stop"]``; a message without a value then
    gets its default one; the handlers that saw it see it again, outermost first. Source: Pyro's
    effect handlers (Bingham et al. 2019, JMLR 20(28)).
    """
    return _apply(msg, len(_STACK.handlers))


def apply_outer(handler: Handler, msg: Message) -> Message:
    """Send a message through those handlers only that are outside of ``handler``."""
    handlers = _STACK.handlers
    for index in range(len(handlers) - 1, -1, -1):
        if handlers[index] is handler:
            return _apply(msg, index)
    raise RuntimeError(f"handler {type(handler).__name__} is not open in this thread.")


def process_outside(handler: Handler, msg: Message) -> list[Handler]:
    """Send a message up through the handlers outside of ``handler``, and not down again.

    Returns
    -------
    list of Handler
        Those that saw it, outermost first: whoever holds the message's way down is to call their
        `postprocess_message` in this order.
    """
    return process_below(_STACK.handlers.index(handler), msg)


def process_below(top: int, msg: Message) -> list[Handler]:
    """Do what `process_outside` does, for the handlers below a position of the stack."""
    handlers = _STACK.handlers
    index = _process(msg, top)
    return handlers[index:top]


def _process(msg: Message, top: int) -> int:
    handlers = _STACK.handlers
    index = top
    while index:
        index -= 1
        handlers[index].process_message(msg)
        if msg.get("stop"):
            break
    return index


def _apply(msg: Message, top: int) -> Message:
    handlers = _STACK.handlers
    if top < len(handlers):
        # A handler outside of a control-flow statement sends a message on its own: what is inside
        # of the statement must hold back the way down until its values leave the traced program.
        holding = [inner for inner in handlers[top:] if isinstance(inner, HoldsBack)]
        if len(holding) > 1:
            raise NotImplementedError(
                f"site {msg['name']!r} lies in nested control flow, and a handler outside of both "
                "statements sends a message of its own, as handlers.do does. Put that handler "
                "inside."
            )
        if holding:
            return holding[0].apply_below(top, msg)
    index = _process(msg, top)
    settle_value(msg)
    for handler in handlers[index:top]:
        handler.postprocess_message(msg)
    return msg


def settle_value(msg: Message) -> None:
    """Give a message its default value, or compare the shape of a given one with the site's."""
    if msg["value"] is None:
        default_process_message(msg)
    elif msg["type"] == "sample":
        check_given_value(msg)


def default_process_message(msg: Message) -> None:
    """Set the value that a message has when no handler gives one: ``fn(*args, **kwargs)``.

    Raises
    ------
    RuntimeError
        When the value is to be drawn and the message carries no random key.
    """
    if msg["value"] is not None:
        return
    kwargs = msg["kwargs"]
    if kwargs.get("rng_key", msg) is None:
        _check_key_not_needed(msg)
    msg["value"] = msg["fn"](*msg["args"], **kwargs)


def _check_key_not_needed(msg: Message) -> None:
    name, kind = msg["name"], msg["type"]
    seed_it = "Run the model inside handlers.seed(model, rng_seed)"
    if kind == "sample":
        raise RuntimeError(
            f"sample site {name!r} has no random key to draw with. {seed_it}, pass rng_key=... to "
            "sample, or give the site a value (obs=..., handlers.condition, handlers.substitute)."
        )
    if kind == "plate":
        size, subsample_size = msg["args"]
        if subsample_size != size:
            raise RuntimeError(
                f"plate {name!r} (size {size}, subsample_size {subsample_size}) has no random key "
                f"to draw its subsample with. {seed_it}, or give the indices with "
                f"handlers.substitute(model, data={{{name!r}: indices}})."
            )
    if kind == "param":
        raise RuntimeError(
            f"param site {name!r} has an initial value that is a function of a random key, and "
            f"there is no key. {seed_it}, or pass an array as init_value."
        )
