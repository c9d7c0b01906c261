"""Indexing with broadcasting, from `sojourn_primitives`."""

from sojourn_primitives import Vindex, vindex

__all__ = ["Vindex", "vindex"]
