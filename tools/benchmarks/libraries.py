"""The names that a measurement uses, from one library or the other."""

import importlib
from typing import Any, NamedTuple


class Library(NamedTuple):
    """A library as the measurements see it; both offer the same names with the same arguments.

    Attributes
    ----------
    ppl, dist : module
        The library and its distributions.
    MCMC, NUTS : type
        From its module of inference.
    """

    ppl: Any
    dist: Any
    MCMC: Any
    NUTS: Any


def load(name: str) -> Library:
    """Import a library by name, and not the other."""
    infer = importlib.import_module(f"{name}.infer")
    return Library(
        importlib.import_module(name),
        importlib.import_module(f"{name}.distributions"),
        infer.MCMC,
        infer.NUTS,
    )
