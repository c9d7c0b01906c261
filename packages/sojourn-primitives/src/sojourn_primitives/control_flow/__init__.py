"""Control flow with sites inside: `scan` and `cond`."""

from sojourn_primitives.control_flow.cond import cond
from sojourn_primitives.control_flow.scan import ScanArguments, scan

__all__ = ["ScanArguments", "cond", "scan"]
