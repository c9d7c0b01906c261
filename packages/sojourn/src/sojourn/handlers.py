"""Effect handlers, from `sojourn_primitives`."""

from sojourn_primitives.handlers import *  # noqa: F403
from sojourn_primitives.handlers import __all__ as __all__
