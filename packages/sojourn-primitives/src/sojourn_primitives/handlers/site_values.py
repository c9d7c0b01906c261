"""What `substitute` and `condition` take: values by site name, or a function of the message."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sojourn_primitives.message import Message


def values_from(
    handler: str,
    function_name: str,
    data: Mapping[str, Any] | None,
    function: Callable[[Message], Any] | None,
) -> Callable[[Message], Any]:
    """Return the function from a message to its value or None.

    Raises
    ------
    ValueError
        Not exactly one of ``data`` and the function is given.
    TypeError
        ``data`` is no mapping or the function cannot be called.
    """
    if (data is None) == (function is None):
        raise ValueError(f"handlers.{handler} needs exactly one of data and {function_name}.")
    if data is not None:
        return _value_by_name(check_data(handler, data))
    if not callable(function):
        raise TypeError(
            f"handlers.{handler}: {function_name} must be a function of the message, got "
            f"{function!r}."
        )
    return function


def check_data(handler: str, data: Any) -> Mapping[str, Any]:
    """Return ``data``; raise a TypeError where it is not a mapping from site names to values."""
    if not isinstance(data, Mapping):
        raise TypeError(
            f"handlers.{handler}: data must be a dict from site names to values, got "
            f"{type(data).__name__}. Write handlers.{handler}(model, data={{'site': value}})."
        )
    return data


def _value_by_name(data: Mapping[str, Any]) -> Callable[[Message], Any]:
    get = data.get

    def value_of(msg: Message) -> Any:
        return get(msg["name"])  # type: ignore[arg-type]

    return value_of
