"""Operations on arrays that models use."""

from sojourn.ops import indexing

__all__ = ["indexing"]
