"""Control flow with sites inside: `scan` and `cond`."""

from sojourn_primitives.control_flow.cond import cond
from sojourn_primitives.control_flow.scan import scan

__all__ = ["cond", "scan"]
