"""Files that are whole or absent: written beside their place, made durable, then renamed.

What is read is checked against a digest, and never unpickled.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np


class CheckpointError(ValueError):
    """A checkpoint is damaged, of another format, or of another run."""


def write(path: Path, content: bytes) -> str:
    """Put a file in its place at once, durably, and return its digest.

    A process that is killed at any instant leaves the old file or the new one.
    """
    beside = path.with_name(f".{path.name}.new")
    with open(beside, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)
    _make_durable(path.parent)
    return digest(content)


def _make_durable(directory: Path) -> None:
    """Make renames in a directory last, where the system has a way to do so."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def digest(*contents: bytes) -> str:
    """SHA-256 in hexadecimal digits."""
    total = hashlib.sha256()
    for content in contents:
        total.update(content)
    return total.hexdigest()


def read(path: Path, expected_digest: str | None = None) -> bytes:
    """Read a file; raise a CheckpointError if it is missing or not the one that was written."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CheckpointError(
            f"the checkpoint's file {path} cannot be read ({error}): restore the directory from a "
            "copy, or remove it to start the run anew"
        ) from error
    if expected_digest is not None and digest(content) != expected_digest:
        raise damaged(path)
    return content


def damaged(path: Path) -> CheckpointError:
    """An error that says that a file is not what was written."""
    return CheckpointError(
        f"the checkpoint's file {path} is damaged: its content is not what was written. Restore "
        "the directory from a copy, or remove it to start the run anew"
    )


def pack(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Arrays as the content of an ``.npz`` file."""
    buffer = io.BytesIO()
    # Types that NumPy does not know by itself, such as bfloat16, travel as bytes.
    plain = {
        name: array.view(f"V{array.itemsize}") if array.dtype.kind == "V" else array
        for name, array in arrays.items()
    }
    np.savez(buffer, allow_pickle=False, **plain)
    return buffer.getvalue()


def unpack(content: bytes, path: Path) -> dict[str, np.ndarray]:
    """Arrays from the content of an ``.npz`` file."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            return dict(archive)
    except Exception as error:  # zipfile and NumPy raise many kinds for what is no archive
        raise damaged(path) from error


def fit(array: np.ndarray, shape: tuple[int, ...], dtype: Any, path: Path) -> np.ndarray:
    """Return the array as ``dtype``; raise a CheckpointError if it is not of shape and type."""
    dtype = np.dtype(dtype)
    if array.dtype.kind == "V" and array.dtype.itemsize == dtype.itemsize:
        array = array.view(dtype)
    if array.shape != tuple(shape) or array.dtype != dtype:
        raise damaged(path)
    return array


def seal(header: Mapping[str, Any]) -> bytes:
    """A header as JSON, with a checksum over the rest of it."""
    return json.dumps({**header, "checksum": _checksum(header)}, indent=1).encode()


def unseal(content: bytes, path: Path) -> dict[str, Any]:
    """Read what `seal` made; raise a CheckpointError if it was changed."""
    try:
        header = json.loads(content)
        checksum = header.pop("checksum")
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise damaged(path) from error
    if checksum != _checksum(header):
        raise damaged(path)
    return header


def _checksum(header: Mapping[str, Any]) -> str:
    return digest(json.dumps(header, sort_keys=True).encode())
