"""A transform of blocks along a dimension, each by a transform of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax.numpy as jnp
import numpy as np

from sojourn_distributions import constraints
from sojourn_distributions.arrays import ArrayLike
from sojourn_distributions.constraints import Constraint
from sojourn_distributions.transforms.transform import Transform, sum_event

__all__ = ["CatTransform"]

Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class CatTransform(Transform):
    """Blocks of an array along a dimension, each mapped by a transform of its own.

    Where the dimension belongs to the event (``-dim <= domain.event_dim``), the log volume changes
    of the blocks add up; where it is one of the batch, they are concatenated along it.

    Parameters
    ----------
    tseq
        One transform for each block.
    dim
        Dimension along which the blocks lie, the same in input and output: where a transform
        changes the number of dimensions it must be given from the left (not negative).
    lengths
        Length of each block of the input; all 1 if None. A block of the output may have another
        (a simplex is one longer than the vector it comes from).

    Raises
    ------
    ValueError
        If `lengths` and `tseq` differ in number, the transforms change the number of dimensions
        in a way that does not fit `dim`, or an argument has another length along `dim`.

    Examples
    --------
    >>> import numpy as np
    >>> from sojourn_distributions.transforms import CatTransform, ExpTransform, IdentityTransform
    >>> transform = CatTransform([ExpTransform(), IdentityTransform()], dim=-1, lengths=[1, 2])
    >>> transform(np.array([0.0, -3.0, 4.0]))
    Array([ 1., -3.,  4.], dtype=float32)
    """

    tseq: Sequence[Transform]
    dim: int = field(default=0, metadata={"static": True})
    lengths: Sequence[int] | None = field(default=None, metadata={"static": True})

    def __post_init__(self) -> None:
        object.__setattr__(self, "tseq", tuple(self.tseq))
        if not self.tseq:
            raise ValueError("CatTransform needs at least one transform")
        lengths = (1,) * len(self.tseq) if self.lengths is None else tuple(self.lengths)
        if len(lengths) != len(self.tseq):
            raise ValueError(
                f"CatTransform: {len(self.tseq)} transforms but {len(lengths)} lengths"
            )
        object.__setattr__(self, "lengths", lengths)
        changes = {part.codomain.event_dim - part.domain.event_dim for part in self.tseq}
        if len(changes) > 1 or (changes != {0} and self.dim < 0):
            raise ValueError(
                f"CatTransform: with dim={self.dim} every transform must keep the number of "
                f"dimensions of an event, but they change it by {sorted(changes)}"
            )

    @property
    def transforms(self) -> tuple[Transform, ...]:
        """The transforms, one for each block."""
        return tuple(self.tseq)

    @property
    def _lengths(self) -> Shape:
        assert self.lengths is not None  # replaced in __post_init__
        return tuple(self.lengths)

    @property
    def domain(self) -> Constraint:
        parts = [part.domain for part in self.tseq]
        return constraints.cat(parts, dim=self.dim, lengths=self._lengths)

    @property
    def codomain(self) -> Constraint:
        parts = [part.codomain for part in self.tseq]
        # Lengths in the output are known from the event alone if the blocks lie within it.
        event_dim = max(part.domain.event_dim for part in self.tseq)
        event = (1,) * max(event_dim, -self.dim) if self.dim < 0 else None
        lengths = self._lengths if event is None else self._output_lengths(event)
        return constraints.cat(parts, dim=self.dim, lengths=lengths)

    def _resize(self, shape: Shape, part: Transform, length: int, inverse: bool) -> int:
        """Length of a block on the other side of its transform."""
        block = list(shape)
        block[self.dim] = length
        to_other_side = part.inverse_shape if inverse else part.forward_shape
        return to_other_side(tuple(block))[self.dim]

    def _output_lengths(self, input_shape: Shape) -> Shape:
        return tuple(
            self._resize(input_shape, part, length, inverse=False)
            for part, length in zip(self.tseq, self._lengths, strict=True)
        )

    def _input_shape(self, output_shape: Shape) -> Shape:
        """Some shape of the input as far as the lengths of output blocks depend on it."""
        change = self.tseq[0].domain.event_dim - self.tseq[0].codomain.event_dim
        if not change:
            return output_shape
        return self.tseq[0].inverse_shape(output_shape)

    def _split(self, values: Any, lengths: Shape) -> list[Any]:
        values = jnp.asarray(values)
        if values.ndim < (-self.dim if self.dim < 0 else self.dim + 1) or (
            values.shape[self.dim] != sum(lengths)
        ):
            raise ValueError(
                f"CatTransform: expected length {sum(lengths)} (blocks of {lengths}) along "
                f"dimension {self.dim}, got shape {values.shape}"
            )
        return jnp.split(values, list(np.cumsum(lengths))[:-1], axis=self.dim)

    def _inputs(self, x: ArrayLike) -> list[Any]:
        return self._split(x, self._lengths)

    def _outputs(self, y: ArrayLike) -> list[Any]:
        return self._split(y, self._output_lengths(self._input_shape(np.shape(y))))

    def _join(self, blocks: Sequence[Any]) -> Any:
        return jnp.concatenate(list(blocks), axis=self.dim)

    def __call__(self, x: ArrayLike) -> Any:
        return self._join(
            [part(block) for part, block in zip(self.tseq, self._inputs(x), strict=True)]
        )

    def _inverse(self, y: ArrayLike) -> Any:
        return self._join(
            [part._inverse(block) for part, block in zip(self.tseq, self._outputs(y), strict=True)]
        )

    def call_with_intermediates(self, x: ArrayLike) -> tuple[Any, Any]:
        """Intermediates are those of each part."""
        pairs = [
            part.call_with_intermediates(block)
            for part, block in zip(self.tseq, self._inputs(x), strict=True)
        ]
        return self._join([block for block, _ in pairs]), [own for _, own in pairs]

    def log_abs_det_jacobian(self, x: ArrayLike, y: ArrayLike, intermediates: Any = None) -> Any:
        event_dim = self.domain.event_dim
        intermediates = [None] * len(self.tseq) if intermediates is None else intermediates
        blocks = zip(self.tseq, self._inputs(x), self._outputs(y), intermediates, strict=True)
        terms = [
            sum_event(
                part.log_abs_det_jacobian(block_x, block_y, own),
                event_dim - part.domain.event_dim,
            )
            for part, block_x, block_y, own in blocks
        ]
        ndim = np.ndim(x)
        from_left = self.dim if self.dim >= 0 else ndim + self.dim
        if from_left < ndim - event_dim:
            return jnp.concatenate(terms, axis=from_left)
        return sum(terms[1:], start=terms[0])

    def _map_shape(self, shape: Shape, lengths: Shape, convert: Callable[..., Shape]) -> Shape:
        images = []
        for part, length in zip(self.tseq, lengths, strict=True):
            block = list(shape)
            block[self.dim] = length
            images.append(list(convert(part, tuple(block))))
        joined = images[0]
        joined[self.dim] = sum(image[self.dim] for image in images)
        return tuple(joined)

    def forward_shape(self, shape: Shape) -> Shape:
        return self._map_shape(
            tuple(shape), self._lengths, lambda part, block: part.forward_shape(block)
        )

    def inverse_shape(self, shape: Shape) -> Shape:
        lengths = self._output_lengths(self._input_shape(tuple(shape)))
        return self._map_shape(tuple(shape), lengths, lambda part, block: part.inverse_shape(block))
