"""The arrays among a model's arguments: data of a program, or constants where a model asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sojourn_hmc.arguments import CONCRETE_VALUE_ERRORS, Arguments, freeze, split

Result = TypeVar("Result")


def with_data(args: tuple, kwargs: dict, run: Callable[[Arguments], Result]) -> Result:
    """Call ``run`` with the arrays as data; once more, with them as constants, if that fails.

    A model that asks for the value of an array (Python control flow on data) fails while it is
    traced, before anything compiles.
    """
    try:
        return run(split((args, kwargs)))
    except CONCRETE_VALUE_ERRORS:
        return run(freeze((args, kwargs)))
