"""Several processes, each with chains of its own: what they have drawn is put together for all.

While they draw, processes do not wait for each other. At the end each sends what it has to all the
others, through the collectives of `jax.distributed`.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

BLOCK = 1 << 18  # words of four bytes; one program whatever is sent


def gather(tree: Any) -> list[Any]:
    """The pytrees of all processes, in their order. Each of them has to call this.

    Parameters
    ----------
    tree : pytree of ndarray
        Of the same structure and types in every process; shapes may differ.

    Examples
    --------
    >>> gather({"x": np.arange(3)})  # one process has nobody to ask
    [{'x': array([0, 1, 2])}]
    """
    if jax.process_count() == 1:
        return [tree]
    leaves, structure = jax.tree.flatten(tree)
    sent = io.BytesIO()
    for leaf in leaves:
        np.save(sent, leaf, allow_pickle=False)
    trees = []
    for received in _exchange(sent.getvalue()):
        stream = io.BytesIO(received)
        # A type that NumPy does not know, such as bfloat16, comes back as plain bytes.
        read = [np.load(stream, allow_pickle=False).view(leaf.dtype) for leaf in leaves]
        trees.append(jax.tree.unflatten(structure, read))
    return trees


def gather_chains(tree: Any) -> Any:
    """Join the arrays of all processes along their leading axis, the one of chains.

    Arrays ``(chains, draws, ...)`` are cut to what every process has drawn.
    """

    def join(*leaves: np.ndarray) -> np.ndarray:
        if len(leaves) == 1:
            return leaves[0]
        if leaves[0].ndim > 1:
            least = min(leaf.shape[1] for leaf in leaves)
            leaves = tuple(leaf[:, :least] for leaf in leaves)
        return np.concatenate(leaves)

    return jax.tree.map(join, *gather(tree))


def _exchange(message: bytes) -> list[bytes]:
    """Send a message to all processes, and receive theirs."""
    words = np.frombuffer(message + bytes(-len(message) % 4), np.uint32)
    sizes = _all_gather(np.array([len(message) >> 32, len(message) & 0xFFFFFFFF], np.uint32))
    lengths = [(int(high) << 32) + int(low) for high, low in sizes]
    blocks = []
    for first in range(0, -(-max(lengths) // 4), BLOCK):
        part = words[first : first + BLOCK]
        blocks.append(_all_gather(np.pad(part, (0, BLOCK - len(part)))))
    received = np.concatenate(blocks, 1)
    return [row.tobytes()[:length] for row, length in zip(received, lengths, strict=True)]


def _all_gather(words: np.ndarray) -> np.ndarray:
    """The words of all processes, a row for each."""
    sharding, replicate = _gathering()
    mine = jax.make_array_from_process_local_data(sharding, words[None])
    return np.asarray(replicate(mine).addressable_data(0))


@cache
def _gathering() -> tuple[NamedSharding, Callable[[jax.Array], jax.Array]]:
    """A device of each process, and the program that copies from one to all."""
    first: dict[int, Any] = {}
    for device in jax.devices():
        first.setdefault(device.process_index, device)
    mesh = Mesh(np.array([first[process] for process in sorted(first)]), ("process",))
    everywhere = NamedSharding(mesh, PartitionSpec())
    return NamedSharding(mesh, PartitionSpec("process")), jax.jit(
        lambda words: words, out_shardings=everywhere
    )
