"""Statements that models are written with, from `sojourn_primitives`."""

from sojourn_primitives import (
    CondIndepStackFrame,
    Messenger,
    apply_stack,
    default_process_message,
    deterministic,
    factor,
    get_mask,
    mutable,
    param,
    plate,
    plate_stack,
    prng_key,
    sample,
    subsample,
)

__all__ = [
    "CondIndepStackFrame",
    "Messenger",
    "apply_stack",
    "default_process_message",
    "deterministic",
    "factor",
    "get_mask",
    "mutable",
    "param",
    "plate",
    "plate_stack",
    "prng_key",
    "sample",
    "subsample",
]
