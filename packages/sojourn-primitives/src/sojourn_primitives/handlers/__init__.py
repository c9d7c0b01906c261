"""Effect handlers: each changes what the statements of a model do while it is in force."""

from sojourn_primitives.handlers.block import block
from sojourn_primitives.handlers.condition import condition
from sojourn_primitives.handlers.seed import seed
from sojourn_primitives.handlers.substitute import substitute
from sojourn_primitives.handlers.trace import trace

__all__ = [
    "block",
    "condition",
    "seed",
    "substitute",
    "trace",
]
