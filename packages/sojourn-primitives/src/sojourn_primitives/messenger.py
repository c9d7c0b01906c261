"""The base class of effect handlers: context manager, wrapper, partial and decorator in one."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from sojourn_primitives.message import Message
from sojourn_primitives.stack import push, remove


class Messenger:
    """An effect handler; subclasses override `process_message` and `postprocess_message`.

    Four forms do the same: ``with handler(...): model()``, ``handler(model, ...)()``,
    ``partial(handler, ...)(model)()`` and the decorator ``@handler(...)``.

    Parameters
    ----------
    fn : callable, optional
        The model to wrap. Without it the handler is a context manager or a decorator.

    Raises
    ------
    TypeError
        When ``fn`` cannot be called.
    """

    def __init__(self, fn: Callable[..., Any] | None = None) -> None:
        self.fn = fn
        if fn is not None:
            if not callable(fn):
                raise TypeError(
                    f"handlers.{type(self).__name__}: the first argument is the model to wrap, a "
                    f"callable, but got {fn!r}. Pass the handler's own arguments by name."
                )
            functools.update_wrapper(self, fn, updated=())

    def __enter__(self) -> Any:
        push(self)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        remove(self, after_error=exc_type is not None)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the wrapped model under this handler; without one yet, wrap ``args[0]``."""
        if self.fn is None:
            return self._wrapping(*args, **kwargs)
        with self._for_call():
            return self.fn(*args, **kwargs)

    def process_message(self, msg: Message) -> None:
        """Edit ``msg`` before it has its final value."""

    def postprocess_message(self, msg: Message) -> None:
        """See ``msg`` with its value."""

    def _for_call(self) -> Self:
        """Return the handler for one call of the model: a fresh copy where it has state."""
        return self

    def _wrapping(self, *args: Any, **kwargs: Any) -> Self:
        if len(args) != 1 or kwargs or not callable(args[0]):
            kind = type(self).__name__
            raise TypeError(
                f"handlers.{kind} wraps no model yet, so it can only be called with a model, as a "
                f"decorator; got {len(args)} positional and {len(kwargs)} keyword arguments. Write "
                f"handlers.{kind}(model, ...)."
            )
        bound = copy.copy(self)
        bound.fn = args[0]
        functools.update_wrapper(bound, args[0], updated=())
        return bound
