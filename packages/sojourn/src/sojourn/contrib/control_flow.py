"""Control flow with sites inside, from `sojourn_primitives`."""

from sojourn_primitives.control_flow import cond, scan

__all__ = ["cond", "scan"]
