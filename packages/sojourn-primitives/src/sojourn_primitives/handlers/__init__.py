"""Effect handlers: each changes what the statements of a model do while it is in force."""

from sojourn_primitives.handlers.block import block
from sojourn_primitives.handlers.condition import condition
from sojourn_primitives.handlers.do import do
from sojourn_primitives.handlers.infer_config import infer_config
from sojourn_primitives.handlers.lift import lift
from sojourn_primitives.handlers.mask import mask
from sojourn_primitives.handlers.reparam import reparam
from sojourn_primitives.handlers.replay import replay
from sojourn_primitives.handlers.scale import scale
from sojourn_primitives.handlers.scope import scope
from sojourn_primitives.handlers.seed import seed
from sojourn_primitives.handlers.substitute import substitute
from sojourn_primitives.handlers.trace import trace
from sojourn_primitives.handlers.uncondition import uncondition

__all__ = [
    "block",
    "condition",
    "do",
    "infer_config",
    "lift",
    "mask",
    "reparam",
    "replay",
    "scale",
    "scope",
    "seed",
    "substitute",
    "trace",
    "uncondition",
]
