"""What a run asks of a store of draws, and what a user finds in it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

POSTERIOR, STATISTICS = "posterior", "sample_stats"
"""Groups of a store, named as ArviZ names them: samples as users read them, and other fields."""


class Layout(NamedTuple):
    """What a store is to hold.

    Attributes
    ----------
    num_chains, num_draws : int
        The leading axes of every array; draws that are there at most.
    lane_size : int
        Chains that are written together.
    arrays : dict of str to (shape, dtype)
        Every array by ``group/name``, with the shape of one draw.
    """

    num_chains: int
    num_draws: int
    lane_size: int
    arrays: Mapping[str, tuple[tuple[int, ...], np.dtype]]


class DrawStore(ABC):
    """Arrays of draws ``(chains, draws, ...)`` on a disk.

    `MCMC.run` with ``store=`` writes to it; `samples` and `extra_fields` read what every chain has
    completed, also in another process, while the run goes on, or after a crash.

    Parameters
    ----------
    path : path
        A directory.
    """

    def __init__(self, path: str | PathLike[str]):
        self.path = Path(path)

    @abstractmethod
    def create(self, layout: Layout) -> None:
        """Make room for draws.

        Raises
        ------
        FileExistsError
            If there are draws already.
        OSError
            If there is no room.
        """

    @abstractmethod
    def extend(self, layout: Layout) -> None:
        """Open what `create` made, with room for as many draws as ``layout`` says or more.

        Raises
        ------
        ValueError
            If it is of another layout.
        """

    @abstractmethod
    def write(self, name: str, chains: Sequence[int], first: int, values: np.ndarray) -> None:
        """Write values ``(chains, n, ...)`` as the draws of neighbouring chains from ``first`` on.

        Called from several threads, for different chains at the same time.
        """

    @abstractmethod
    def commit(self, completed: Sequence[int], durable: bool) -> None:
        """Say how many draws each chain has; ``durable`` waits until the disk has them."""

    @abstractmethod
    def completed(self) -> list[int]:
        """How many draws each chain has."""

    @abstractmethod
    def array(self, name: str) -> Any:
        """An array ``(chains, draws, ...)``, which is read when it is indexed."""

    @abstractmethod
    def names(self) -> list[str]:
        """The arrays' names, ``group/name``."""

    def samples(self) -> dict[str, np.ndarray]:
        """Samples of the draws that every chain has completed, ``(chains, draws, ...)``."""
        return self._group(POSTERIOR)

    def extra_fields(self) -> dict[str, np.ndarray]:
        """Other collected fields of these draws."""
        return self._group(STATISTICS)

    def _group(self, group: str) -> dict[str, np.ndarray]:
        num_draws = min(self.completed(), default=0)
        return {
            name.removeprefix(f"{group}/"): self.array(name)[:, :num_draws]
            for name in self.names()
            if name.startswith(f"{group}/")
        }

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"
