"""Draws in a Zarr directory, compressed, in chunks: what xarray and ArviZ open."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Any
from urllib.parse import quote, unquote

import numpy as np

from sojourn_hmc.stores.contract import DrawStore, Layout

CHUNK_BYTES = 1 << 20


class ZarrStore(DrawStore):
    """A Zarr group for samples and one for other fields, with named dimensions.

    ``xarray.open_datatree(path, engine="zarr")`` gives what ArviZ works on. Needs
    ``pip install 'sojourn-hmc[zarr]'``.

    Parameters
    ----------
    path : path
        The directory.

    Raises
    ------
    ImportError
        If zarr is not installed.
    """

    def __init__(self, path: str | PathLike[str]):
        super().__init__(path)
        _zarr()
        self._root: Any = None

    def create(self, layout: Layout) -> None:
        if (self.path / "zarr.json").exists():
            raise FileExistsError(
                f"{self.path} holds draws already: give the store another path, or remove it"
            )
        self._root = _zarr().open_group(self.path, mode="w")
        for name, (shape, dtype) in layout.arrays.items():
            whole = (layout.num_chains, layout.num_draws, *shape)
            draw_bytes = max(1, int(np.prod(shape)) * np.dtype(dtype).itemsize * layout.lane_size)
            length = max(1, min(layout.num_draws, CHUNK_BYTES // draw_bytes))
            axes = (f"{name.rpartition('/')[2]}_dim_{n}" for n in range(len(shape)))
            self._root.create_array(
                _place(name),
                shape=whole,
                chunks=(layout.lane_size, length, *(max(1, size) for size in shape)),
                dtype=dtype,
                dimension_names=("chain", "draw", *axes),
            )
        self.commit([0] * layout.num_chains, durable=True)

    def extend(self, layout: Layout) -> None:
        self._root = _zarr().open_group(self.path, mode="r+")
        for name, (shape, dtype) in layout.arrays.items():
            array = self._root.get(_place(name))
            if (
                array is None
                or array.dtype != dtype
                or (array.shape[0] != layout.num_chains or array.shape[2:] != tuple(shape))
            ):
                raise ValueError(f"{self.path} holds draws of another run: {name} differs")
            if array.shape[1] < layout.num_draws:
                array.resize((layout.num_chains, layout.num_draws, *shape))

    def write(self, name: str, chains: Sequence[int], first: int, values: np.ndarray) -> None:
        if values.size:
            last = first + values.shape[1]
            self._opened()[_place(name)][chains[0] : chains[-1] + 1, first:last] = values

    def commit(self, completed: Sequence[int], durable: bool) -> None:
        self._opened().attrs["completed"] = [int(number) for number in completed]

    def completed(self) -> list[int]:
        return list(self._opened().attrs["completed"])

    def names(self) -> list[str]:
        root = self._opened()
        groups = sorted(root.group_keys())
        return [f"{group}/{unquote(name)}" for group in groups for name in sorted(root[group])]

    def array(self, name: str) -> Any:
        return self._opened()[_place(name)]

    def _opened(self) -> Any:
        if self._root is None:
            self._root = _zarr().open_group(self.path, mode="r")
        return self._root

    def __getstate__(self) -> dict:
        """Leave open files behind."""
        return {**vars(self), "_root": None}


def _place(name: str) -> str:
    """Where an array is: a site's name may have slashes of its own."""
    group, _, site = name.partition("/")
    return f"{group}/{quote(site, safe=' []():,')}"


def _zarr() -> Any:
    try:
        import zarr
    except ImportError as error:
        raise ImportError(
            "a ZarrStore needs zarr: pip install 'sojourn-hmc[zarr]'", name="zarr"
        ) from error
    return zarr
