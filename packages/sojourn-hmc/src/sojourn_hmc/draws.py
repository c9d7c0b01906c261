"""Draws on the host: kept in memory as they arrive, and mapped to what users read."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from sojourn_hmc.program import Program, num_bytes

BLOCK_BYTES = 1 << 24
MAX_BLOCK = 1024  # the last block is filled up, so that a large one would be wasted on a short run


class Memory:
    """Collected fields of all chains in host memory.

    Parameters
    ----------
    num_chains, num_draws : int
        The leading axes of every field.
    sample_shape : pytree
        Shapes of the fields of one state of a lane.
    batched : bool
        Whether a lane is a batch of chains, the leading axis of ``sample_shape`` then.
    """

    def __init__(self, num_chains: int, num_draws: int, sample_shape: Any, batched: bool):
        skip = 1 if batched else 0
        self._batched = batched
        self._fields = jax.tree.map(
            lambda leaf: np.empty((num_chains, num_draws, *leaf.shape[skip:]), leaf.dtype),
            sample_shape,
        )

    def write(self, chains: tuple[int, ...], first: int, rows: Any, count: int) -> None:
        """Copy ``count`` rows of a lane to its draws from ``first`` on."""

        def copy(field: np.ndarray, leaf: jax.Array) -> None:
            columns = by_chain(leaf, len(chains), count, self._batched)
            field[list(chains), first : first + count] = columns

        jax.tree.map(copy, self._fields, rows)

    @property
    def num_leaves(self) -> int:
        """Number of arrays that the fields are made of."""
        return len(jax.tree.leaves(self._fields))

    def between(self, chains: tuple[int, ...], first: int, last: int) -> list[np.ndarray]:
        """The arrays of the fields, of some chains and of draws from ``first`` up to ``last``."""
        return [field[list(chains), first:last] for field in jax.tree.leaves(self._fields)]

    def put(self, chains: tuple[int, ...], first: int, leaves: list[np.ndarray]) -> None:
        """Put back what `between` gave."""
        for field, leaf in zip(jax.tree.leaves(self._fields), leaves, strict=True):
            values = leaf.view(field.dtype) if leaf.dtype.kind == "V" else leaf
            field[list(chains), first : first + values.shape[1]] = values

    def first(self, num_draws: int) -> Any:
        """The fields of the first ``num_draws`` draws of every chain, ``(chains, draws, ...)``.

        They can be read only: the run goes on to write beside them.
        """

        def look(field: np.ndarray) -> np.ndarray:
            view = field[:, :num_draws]
            view.flags.writeable = False
            return view

        return jax.tree.map(look, self._fields)


def by_chain(rows: jax.Array, num_chains: int, count: int, batched: bool) -> np.ndarray:
    """The first ``count`` rows of a lane on the host, ``(chains, count, ...)``."""
    values = np.asarray(rows)[:count]
    # A lane on several devices may repeat its last chain to fill them up.
    return np.moveaxis(values, 1, 0)[:num_chains] if batched else values[None]


def block_that_fits(result_shape: Any) -> int:
    """How many samples to constrain at once; bounded by the size of what comes out."""
    return min(MAX_BLOCK, max(1, BLOCK_BYTES // max(num_bytes(result_shape), 1)))


def constrain(
    program: Program, block: int, data: tuple, samples: Any, num_chains: int, num_draws: int
) -> Any:
    """Map unconstrained samples ``(chains, draws, ...)`` to the values that a user reads.

    Works through blocks of one size, the last one filled up with copies of its last sample, so that
    runs of any length share one program.

    Parameters
    ----------
    program : Program
        Maps ``block`` samples, and the data, to values.
    block : int
        Its size.
    data : tuple
        Data of the model's arguments.
    samples : pytree
        The samples.
    num_chains, num_draws : int
        Their leading axes; a pytree without arrays does not tell them.
    """
    total = num_chains * num_draws
    flat = jax.tree.map(lambda leaf: leaf.reshape(total, *leaf.shape[2:]), samples)
    values = jax.tree.map(
        lambda leaf: np.empty((total, *leaf.shape[1:]), leaf.dtype), program.out_shape
    )

    def copy(value: np.ndarray, part: jax.Array, first: int) -> None:
        value[first : first + block] = np.asarray(part)[: total - first]

    for first in range(0, total, block):
        rows = np.minimum(np.arange(first, first + block), total - 1)
        part = program(jax.tree.map(lambda leaf, at=rows: leaf[at], flat), data)
        jax.tree.map(lambda value, leaf, at=first: copy(value, leaf, at), values, part)
    return jax.tree.map(
        lambda value: value.reshape(num_chains, num_draws, *value.shape[1:]), values
    )


def present(draws: Any, group_by_chain: bool) -> Any:
    """Hand draws ``(chains, draws, ...)`` out as JAX arrays, grouped or with chains joined."""

    def convert(leaf: Any) -> jax.Array:
        joined = (leaf.shape[0] * leaf.shape[1], *leaf.shape[2:])
        values = leaf if group_by_chain else leaf.reshape(joined)
        # An eager jnp.asarray would compile a program; this only transfers. Draws of a run inside
        # a trace are on their device.
        return jax.device_put(values) if isinstance(values, np.ndarray) else values

    return jax.tree.map(convert, draws)
