"""Discrete sites summed out, under the names of NumPyro's module; funsor itself is not used.

`plate` and `trace` are those of everywhere else, since all plates and traces serve enumeration.
NumPyro's `to_funsor` and `to_data` have no counterpart: there are no funsors to convert.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sojourn_infer import log_density
from sojourn_infer.enumeration import config_enumerate, enum, infer_discrete
from sojourn_primitives import markov, plate
from sojourn_primitives.handlers import infer_config, trace

__all__ = [
    "config_enumerate",
    "enum",
    "infer_config",
    "infer_discrete",
    "log_density",
    "markov",
    "plate",
    "plate_to_enum_plate",
    "trace",
]


@contextmanager
def plate_to_enum_plate() -> Iterator[None]:
    """Do nothing: every plate serves enumeration as it is."""
    yield
