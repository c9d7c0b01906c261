"""Constraints built from others: one for every element, or one for each block."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sojourn_distributions.constraints.constraint import Constraint


def _all_last(condition: Any, count: int, xp: Any) -> Any:
    """Reduce the last `count` dimensions with a logical and."""
    return xp.all(condition, axis=tuple(range(-count, 0))) if count else condition


@dataclass(frozen=True, eq=False, repr=False)
class Independent(Constraint):
    """Arrays whose every element (of the last `reinterpreted_batch_ndims`) obeys the base."""

    base_constraint: Constraint
    reinterpreted_batch_ndims: int = field(metadata={"static": True})

    def __post_init__(self) -> None:
        base = self.base_constraint
        if isinstance(base, Independent):  # flatten, so that equal sets compare equal
            ndims = self.reinterpreted_batch_ndims + base.reinterpreted_batch_ndims
            object.__setattr__(self, "base_constraint", base.base_constraint)
            object.__setattr__(self, "reinterpreted_batch_ndims", ndims)

    @property
    def event_dim(self) -> int:
        return self.base_constraint.event_dim + self.reinterpreted_batch_ndims

    @property
    def is_discrete(self) -> bool:
        return self.base_constraint.is_discrete

    def _holds(self, x: Any, xp: Any) -> Any:
        return _all_last(self.base_constraint._holds(x, xp), self.reinterpreted_batch_ndims, xp)

    def _feasible(self, like: Any, xp: Any) -> Any:
        return self.base_constraint._feasible(like, xp)


@dataclass(frozen=True, eq=False, repr=False)
class Cat(Constraint):
    """Blocks along a dimension, each with its own constraint.

    The dimension may be one of the batch, or of the event: then all blocks are judged together.
    """

    cseq: Sequence[Constraint]
    dim: int = field(default=0, metadata={"static": True})
    lengths: Sequence[int] | None = field(default=None, metadata={"static": True})

    def __post_init__(self) -> None:
        object.__setattr__(self, "cseq", tuple(self.cseq))
        lengths = (1,) * len(self.cseq) if self.lengths is None else tuple(self.lengths)
        if len(lengths) != len(self.cseq):
            raise ValueError(f"cat: {len(self.cseq)} constraints but {len(lengths)} lengths")
        object.__setattr__(self, "lengths", lengths)

    @property
    def event_dim(self) -> int:
        return max(constraint.event_dim for constraint in self.cseq)

    @property
    def is_discrete(self) -> bool:
        return any(constraint.is_discrete for constraint in self.cseq)

    def _blocks(self, x: Any, xp: Any) -> list[Any]:
        assert self.lengths is not None
        return xp.split(x, list(np.cumsum(self.lengths))[:-1], axis=self.dim)

    def _holds(self, x: Any, xp: Any) -> Any:
        blocks = self._blocks(x, xp)
        event_dim = self.event_dim
        judged = [
            _all_last(each._holds(block, xp), event_dim - each.event_dim, xp)
            for each, block in zip(self.cseq, blocks, strict=True)
        ]
        from_left = self.dim if self.dim >= 0 else x.ndim + self.dim
        if from_left < x.ndim - event_dim:
            return xp.concatenate(judged, axis=from_left)
        return functools.reduce(operator.and_, judged)  # blocks of one event

    def _feasible(self, like: Any, xp: Any) -> Any:
        blocks = self._blocks(like, xp)
        return xp.concatenate(
            [each._feasible(block, xp) for each, block in zip(self.cseq, blocks, strict=True)],
            axis=self.dim,
        )
