"""Draws in ``.npy`` files of a directory, which NumPy maps into memory to read them.

They are written by the file: pages of a map that is written to count as the process's memory.
"""

from __future__ import annotations

import io
import json
import math
import os
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import numpy as np

from sojourn_hmc import files
from sojourn_hmc.stores.contract import DrawStore, Layout

INDEX = "index.json"
FORMAT, VERSION = "sojourn draws", 1
BLOCK_BYTES = 1 << 26


class NumpyStore(DrawStore):
    """A directory with a ``.npy`` file for each array, and an index.

    Room for all draws is reserved when a run begins, so that a disk that is too small is found
    before anything is drawn. Reading needs nothing but NumPy: ``np.load(file, mmap_mode="r")``.

    Parameters
    ----------
    path : path
        The directory; made if it is missing.

    Examples
    --------
    >>> import jax, jax.numpy as jnp, tempfile
    >>> from sojourn_hmc import MCMC, NUTS, NumpyStore
    >>> mcmc = MCMC(
    ...     NUTS(potential_fn=lambda z: jnp.exp(z["x"]) - z["x"]),
    ...     num_warmup=300,
    ...     num_samples=500,
    ...     progress_bar=False,
    ... )
    >>> with tempfile.TemporaryDirectory() as path:
    ...     mcmc.run(jax.random.key(0), init_params={"x": jnp.zeros(())}, store=NumpyStore(path))
    ...     NumpyStore(path).samples()["x"].shape
    (1, 500)
    """

    def __init__(self, path: str | PathLike[str]):
        super().__init__(path)
        self._places: dict[str, _Place] = {}
        self._layout: Layout | None = None

    def create(self, layout: Layout) -> None:
        if (self.path / INDEX).exists():
            raise FileExistsError(
                f"{self.path} holds draws already: give the store another path, or remove it"
            )
        self.path.mkdir(parents=True, exist_ok=True)
        self._open(layout)
        self.commit([0] * layout.num_chains, durable=True)

    def extend(self, layout: Layout) -> None:
        index = self._index()
        found = {name: (entry["shape"], entry["dtype"]) for name, entry in index["arrays"].items()}
        if index["num_chains"] != layout.num_chains or found != _described(layout):
            raise ValueError(f"{self.path} holds draws of another run: {found}")
        completed = index["completed"]
        num_draws = max(layout.num_draws, index["num_draws"])
        self._open(layout._replace(num_draws=num_draws))
        self.commit(completed, durable=True)

    def write(self, name: str, chains: Sequence[int], first: int, values: np.ndarray) -> None:
        place = self._places[name]
        values = np.ascontiguousarray(values, place.dtype)
        # A file of its own each time: threads must not share a position.
        with open(place.path, "r+b", buffering=0) as file:
            for chain, draws in zip(chains, values, strict=True):
                file.seek(place.offset(chain, first))
                _write_all(file, draws)

    def commit(self, completed: Sequence[int], durable: bool) -> None:
        layout = self._layout
        assert layout is not None
        if durable:
            for place in self._places.values():
                with open(place.path, "r+b") as file:
                    os.fsync(file.fileno())
        arrays = {
            name: {"file": _file(name), "shape": shape, "dtype": dtype}
            for name, (shape, dtype) in _described(layout).items()
        }
        index = {
            "format": FORMAT,
            "version": VERSION,
            "num_chains": layout.num_chains,
            "num_draws": layout.num_draws,
            "completed": [int(number) for number in completed],
            "arrays": arrays,
        }
        files.write(self.path / INDEX, json.dumps(index, indent=1).encode())

    def completed(self) -> list[int]:
        return list(self._index()["completed"])

    def names(self) -> list[str]:
        return list(self._index()["arrays"])

    def array(self, name: str) -> Any:
        index = self._index()
        entry = index["arrays"][name]
        dtype, path = np.dtype(entry["dtype"]), self.path / entry["file"]
        return _load(path, _whole(index, entry["shape"]), dtype)

    def _index(self) -> dict[str, Any]:
        path = self.path / INDEX
        try:
            index = json.loads(path.read_text())
            known = index["format"] == FORMAT and index["version"] == VERSION
        except FileNotFoundError as error:
            raise FileNotFoundError(f"there are no draws in {self.path}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is damaged: it is no index of draws") from error
        if not known:
            raise ValueError(
                f"{path} has format {index['format']!r}, version {index['version']!r}; this "
                f"version of sojourn_hmc reads {FORMAT!r}, version {VERSION}"
            )
        return index

    def _open(self, layout: Layout) -> None:
        """Open every array for writing, with room for all draws."""
        self._layout = layout
        for name, (shape, dtype) in layout.arrays.items():
            path = self.path / _file(name)
            whole = (layout.num_chains, layout.num_draws, *shape)
            if not path.exists():
                _make(path, whole, dtype)
            elif _header(path)[0] != whole:
                _grow(path, whole, dtype)
            self._places[name] = _Place(path, _header(path)[1], whole, np.dtype(dtype))


class _Place(NamedTuple):
    """Where an array is: its file, where in that the values begin, its shape and dtype."""

    path: Path
    begin: int
    shape: tuple[int, ...]
    dtype: np.dtype

    def offset(self, chain: int, draw: int) -> int:
        """Where in the file a draw begins."""
        draws = chain * self.shape[1] + draw
        return self.begin + draws * math.prod(self.shape[2:]) * self.dtype.itemsize


def _write_all(file: io.FileIO, values: np.ndarray) -> None:
    """Write all bytes of an array: a file without a buffer may take fewer than it is given."""
    left = values.reshape(-1).view(np.uint8).data
    while left:
        left = left[file.write(left) :]


def _file(name: str) -> str:
    return f"{quote(name.replace('/', '.', 1), safe='[],:() ')}.npy"


def _described(layout: Layout) -> dict[str, Any]:
    return {
        name: (list(shape), np.dtype(dtype).name) for name, (shape, dtype) in layout.arrays.items()
    }


def _whole(index: dict[str, Any], shape: Sequence[int]) -> tuple[int, ...]:
    return (index["num_chains"], index["num_draws"], *shape)


def _header(path: Path) -> tuple[tuple[int, ...], int]:
    """Shape of the array in a file, and where its values begin."""
    with open(path, "rb") as file:
        np.lib.format.read_magic(file)
        shape = np.lib.format.read_array_header_1_0(file)[0]
        return shape, file.tell()


def _make(path: Path, shape: tuple[int, ...], dtype: np.dtype) -> None:
    """Make a file with room for an array; raise an OSError if the disk has none."""
    plain = f"V{dtype.itemsize}" if dtype.kind == "V" else dtype  # bfloat16 and the like
    with open(path, "wb") as file:
        header = {
            "descr": np.lib.format.dtype_to_descr(np.dtype(plain)),
            "fortran_order": False,
            "shape": shape,
        }
        np.lib.format.write_array_header_1_0(file, header)
        file.flush()
        missing = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        try:
            _reserve(file, missing)
        except OSError as error:
            path.unlink()
            raise OSError(
                error.errno, f"{error.strerror}: {missing / 1e6:.0f} MB for draws", str(path)
            ) from error


def _reserve(file: Any, num_bytes: int) -> None:
    if num_bytes == 0:
        return
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), file.tell(), num_bytes)
        return
    block = bytes(min(num_bytes, BLOCK_BYTES))
    for first in range(0, num_bytes, len(block)):
        file.write(block[: num_bytes - first])
    file.flush()


def _grow(path: Path, shape: tuple[int, ...], dtype: np.dtype) -> None:
    """Replace an array by a longer one with the same draws at its beginning."""
    old = np.load(path, mmap_mode="r", allow_pickle=False)
    longer = path.with_name(f".{path.name}.new")
    _make(longer, shape, dtype)
    if old.size:
        new = np.load(longer, mmap_mode="r+", allow_pickle=False)
        for chain in range(shape[0]):
            new[chain, : old.shape[1]] = old[chain]
        new.flush()
    os.replace(longer, path)


def _load(path: Path, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    if 0 in shape:  # nothing can be mapped
        return np.zeros(shape, dtype)
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    if array.dtype.kind == "V":
        array = array.view(dtype)
    if array.shape != shape or array.dtype != dtype:
        raise ValueError(f"{path} is damaged: it holds {array.dtype}{list(array.shape)}")
    return array
