"""Draws on their way from the device to a store: constrained in blocks, then written."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from sojourn_hmc.diagnostics import named_leaves
from sojourn_hmc.draws import by_chain
from sojourn_hmc.fields import Fields
from sojourn_hmc.stores import DrawStore, Layout
from sojourn_hmc.stores.contract import POSTERIOR, STATISTICS

COMMIT_SECONDS = 5.0


class _Waiting:
    """Rows of a lane that are not in the store yet, and the digests of those that are."""

    def __init__(self, chains: tuple[int, ...], num_arrays: int):
        self.chains = chains
        self.lock = threading.Lock()
        self.written = 0
        self.rows: list[Any] = []
        self.num_rows = 0
        self.digested = 0
        self.digests = [hashlib.sha256() for _ in range(num_arrays)]

    def go_back_to(self, first: int) -> None:
        """Forget the rows from ``first`` on: the lane makes them again."""
        if first < self.written:
            self.written, self.rows, self.num_rows = first, [], 0
        elif first < self.written + self.num_rows:
            count = first - self.written
            together = _join_draws(self.rows)
            self.rows = [jax.tree.map(lambda leaf: leaf[:, :count], together)]
            self.num_rows = count

    def digest(self, arrays: Sequence[np.ndarray]) -> None:
        """Take note of draws ``(chains, n, ...)`` that follow those which were written."""
        count = arrays[0].shape[1] if arrays else 0
        new = self.written + count - self.digested
        if new <= 0:
            return
        for total, array in zip(self.digests, arrays, strict=True):
            total.update(np.moveaxis(array[:, count - new :], 1, 0).tobytes())
        self.digested += new

    def hexdigest(self) -> str:
        """One digest of all arrays."""
        return hashlib.sha256("".join(d.hexdigest() for d in self.digests).encode()).hexdigest()


class Stream:
    """Takes the draws of a phase to a store, instead of keeping them in memory.

    Parameters
    ----------
    store : DrawStore
        Where to.
    fields : Fields
        What is collected.
    sample_shape : pytree
        Shapes of the fields of one state of a chain.
    values_shape : pytree
        Shapes of what users read of a block of samples.
    lanes : sequence of tuple of int
        Chains that arrive together.
    batched : bool
        Whether their rows have an axis of chains.
    num_draws : int
        Draws of each chain that there will be.
    block : int
        How many samples are constrained at once.
    constrain : Callable
        ``constrain(samples, num_chains, num_draws)`` gives what users read.
    """

    def __init__(
        self,
        store: DrawStore,
        fields: Fields,
        sample_shape: Any,
        values_shape: Any,
        lanes: Sequence[tuple[int, ...]],
        batched: bool,
        num_draws: int,
        block: int,
        constrain: Callable[[Any, int, int], Any],
    ):
        self.store = store
        self._fields = fields
        self._batched = batched
        self._block = block
        self._constrain = constrain
        values = jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), values_shape
        )
        # As jax.tree.leaves orders them.
        self._values_like = jax.tree.map(lambda leaf: leaf, self._without_excluded(values))
        self._others_like = tuple(sample_shape[1:])
        named = {
            f"{POSTERIOR}/{name}": leaf for name, leaf in named_leaves(self._values_like).items()
        }
        for name, tree in zip(fields.names[1:], self._others_like, strict=True):
            for place, leaf in named_leaves({name: tree}).items():
                named[f"{STATISTICS}/{place}"] = leaf
        self._names = list(named)
        arrays = {name: (leaf.shape, np.dtype(leaf.dtype)) for name, leaf in named.items()}
        num_chains = sum(map(len, lanes))
        self.layout = Layout(num_chains, num_draws, len(lanes[0]), arrays)
        self._waiting = {chains: _Waiting(chains, len(arrays)) for chains in lanes}
        self._last_commit = time.monotonic()

    def write(self, chains: tuple[int, ...], first: int, rows: Any, count: int) -> None:
        """Take ``count`` rows of a lane as its draws from ``first`` on."""
        columns = jax.tree.map(lambda leaf: by_chain(leaf, len(chains), count, self._batched), rows)
        waiting = self._waiting[chains]
        with waiting.lock:
            waiting.go_back_to(first)
            waiting.rows.append(columns)
            waiting.num_rows += count
            if waiting.num_rows * len(chains) >= self._block:
                self._write_waiting(waiting)

    def _write_waiting(self, waiting: _Waiting) -> None:
        if waiting.num_rows == 0:
            return
        count, num_chains = waiting.num_rows, len(waiting.chains)
        position, *others = _join_draws(waiting.rows)
        values = self._without_excluded(self._constrain(position, num_chains, count))
        leaves = [np.asarray(leaf) for leaf in jax.tree.leaves((values, tuple(others)))]
        for name, leaf in zip(self._names, leaves, strict=True):
            self.store.write(name, waiting.chains, waiting.written, leaf)
        waiting.digest(leaves)
        waiting.written += count
        waiting.rows, waiting.num_rows = [], 0

    def commit(self, durable: bool = False) -> list[tuple[int, str]]:
        """Write what waits; give for each lane the number of its draws and their digest."""
        records, completed = [], [0] * self.layout.num_chains
        for chains, waiting in self._waiting.items():
            with waiting.lock:
                self._write_waiting(waiting)
                records.append((waiting.written, waiting.hexdigest()))
            for chain in chains:
                completed[chain] = waiting.written
        self.store.commit(completed, durable)
        self._last_commit = time.monotonic()
        return records

    def commit_if_due(self) -> None:
        """Commit now and then, so that a crash loses a few seconds at most."""
        if time.monotonic() - self._last_commit >= COMMIT_SECONDS:
            self.commit()

    def first(self, num_draws: int) -> tuple:
        """What users read, and the other fields, of the first draws: ``(chains, draws, ...)``."""
        self.commit()
        arrays = [np.asanyarray(self.store.array(name)[:, :num_draws]) for name in self._names]
        like = (self._values_like, self._others_like)
        values, others = jax.tree.unflatten(jax.tree.structure(like), arrays)
        return (values, *others)

    def samples(self, num_draws: int) -> Any:
        """What users read of the first draws."""
        return self.first(num_draws)[0]

    def go_on_from(self, kept: Sequence[int], records: Sequence[Sequence[Any]]) -> None:
        """Go on with lanes that have ``kept`` draws; raise a ValueError if the store has others.

        Parameters
        ----------
        kept : sequence of int
            Draws of each lane that count.
        records : sequence
            What `commit` gave when they were written, or after it.
        """
        for waiting, count, (written, digest) in zip(
            self._waiting.values(), kept, records, strict=True
        ):
            self._read(waiting, count)
            counted = [total.copy() for total in waiting.digests]
            self._read(waiting, written)
            if waiting.hexdigest() != digest:
                raise ValueError(
                    f"the draws in {self.store.path} are not those that the run has written: "
                    "restore the directory from a copy, or start the run anew"
                )
            waiting.digests, waiting.digested, waiting.written = counted, count, count

    def _read(self, waiting: _Waiting, last: int) -> None:
        """Digest the stored draws of a lane up to ``last``."""
        chains = slice(waiting.chains[0], waiting.chains[-1] + 1)
        while waiting.written < last:
            end = min(last, waiting.written + self._block)
            draws = slice(waiting.written, end)
            arrays = [np.asarray(self.store.array(name)[chains, draws]) for name in self._names]
            waiting.digest(arrays)
            waiting.written = end

    def _without_excluded(self, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        return {site: values[site] for site in values if site not in self._fields.excluded}


def _join_draws(rows: list[Any]) -> Any:
    return jax.tree.map(lambda *leaves: np.concatenate(leaves, 1), *rows)
