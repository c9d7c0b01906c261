"""Statements of probabilistic models, and the effect handlers that give them a meaning."""

from sojourn_primitives import control_flow, handlers, inspection
from sojourn_primitives._version import __version__
from sojourn_primitives.distribution_like import DistributionLike
from sojourn_primitives.indexing import Vindex, vindex
from sojourn_primitives.inspection import (
    format_shapes,
    get_model_relations,
    print_model,
    render_model,
    render_text,
)
from sojourn_primitives.markov import markov
from sojourn_primitives.message import CondIndepStackFrame, MarkovFrame, Message, Trace
from sojourn_primitives.messenger import Messenger
from sojourn_primitives.plate import plate, plate_stack
from sojourn_primitives.primitives import (
    deterministic,
    factor,
    get_mask,
    mutable,
    param,
    prng_key,
    sample,
    subsample,
)
from sojourn_primitives.stack import apply_stack, default_process_message
from sojourn_primitives.unit import Unit

__all__ = [
    "CondIndepStackFrame",
    "DistributionLike",
    "MarkovFrame",
    "Message",
    "Messenger",
    "Trace",
    "Unit",
    "Vindex",
    "__version__",
    "apply_stack",
    "control_flow",
    "default_process_message",
    "deterministic",
    "factor",
    "format_shapes",
    "get_mask",
    "get_model_relations",
    "handlers",
    "inspection",
    "markov",
    "mutable",
    "param",
    "plate",
    "plate_stack",
    "print_model",
    "prng_key",
    "render_model",
    "render_text",
    "sample",
    "subsample",
    "vindex",
]
