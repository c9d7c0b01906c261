"""Plates: conditional independence along a batch dimension, which may be subsampled."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_primitives.message import CondIndepStackFrame, Message
from sojourn_primitives.messenger import Messenger
from sojourn_primitives.shapes import batch_shape_in_plate, shape_of
from sojourn_primitives.stack import active_handlers, apply_stack, push, remove

_IN_PLATE = frozenset({"sample", "param", "plate", "deterministic"})


class plate(Messenger):
    """Conditionally independent draws along one batch dimension.

    Inside the context, sample sites are expanded to the plate's size along its dim. With
    ``subsample_size`` the context gives that many indices, drawn without replacement, and the log
    density of the sites inside is scaled by ``size / subsample_size``.

    Parameters
    ----------
    name : str
        The plate's name.
    size : int
        Number of elements.
    subsample_size : int, optional
        Number of elements to draw, at most ``size``.
    dim : int, optional
        The batch dim that the plate owns, negative. By default the rightmost that no enclosing
        plate owns; it is chosen anew whenever the plate is entered.

    Raises
    ------
    TypeError
        A size or dim that is not a static integer.
    ValueError
        A size below 1, a subsample larger than the plate, a dim that is not negative, a dim that
        another open plate owns.
    RuntimeError
        A subsample to draw and no key to draw it with.

    Examples
    --------
    >>> from sojourn_primitives import handlers, plate
    >>> with handlers.seed(rng_seed=0):
    ...     with plate("data", 100, subsample_size=10) as indices:
    ...         indices.shape
    (10,)
    """

    def __init__(
        self, name: str, size: int, subsample_size: int | None = None, dim: int | None = None
    ) -> None:
        super().__init__()
        if not isinstance(name, str):
            raise TypeError(
                f"plate: the first argument is the plate's name, a str, but got {name!r}."
            )
        self.name = name
        self.size = _static_int(name, "size", size)
        if self.size < 1:
            raise ValueError(f"plate {name!r}: size must be at least 1, got {self.size}.")
        wanted = (
            self.size
            if subsample_size is None
            else _static_int(name, "subsample_size", subsample_size)
        )
        if not 1 <= wanted <= self.size:
            raise ValueError(
                f"plate {name!r}: subsample_size must lie between 1 and the plate's size "
                f"{self.size}, got {wanted}."
            )
        self.dim = None if dim is None else _static_int(name, "dim", dim)
        if self.dim is not None and self.dim >= 0:
            raise ValueError(
                f"plate {name!r}: dim must be negative (it counts batch dims from the right), got "
                f"{self.dim}. Write -1 for the rightmost one."
            )
        self.subsample_size = wanted
        self._indices = self._statement()

    def _statement(self) -> Any:
        msg: Message = {
            "type": "plate",
            "name": self.name,
            "fn": _plate_indices,
            "args": (self.size, self.subsample_size),
            "kwargs": {"rng_key": None},
            "value": None,
            "scale": None,
            "cond_indep_stack": [],
        }
        indices = apply_stack(msg)["value"]
        if shape_of(indices) != (self.subsample_size,):
            raise ValueError(
                f"plate {msg['name']!r} (size {self.size}, subsample_size {self.subsample_size}) "
                f"was given indices of shape {shape_of(indices)}; they must have shape "
                f"({self.subsample_size},). Give the plate the same size and subsample_size "
                "wherever it appears."
            )
        return indices

    def __enter__(self) -> Any:
        """Open the plate and return its indices, shape ``(subsample_size,)``."""
        dim = self._free_dim([h.frame for h in active_handlers() if isinstance(h, _OpenPlate)])
        push(_OpenPlate(self, CondIndepStackFrame(self.name, dim, self.subsample_size)))
        return self._indices

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        opened = [h for h in active_handlers() if isinstance(h, _OpenPlate) and h.plate is self]
        remove(opened[-1] if opened else self, after_error=exc_type is not None)

    def _free_dim(self, frames: list[CondIndepStackFrame]) -> int:
        owners = {frame.dim: frame for frame in frames}
        if self.dim is None:
            dim = -1
            while dim in owners:
                dim -= 1
            return dim
        if self.dim in owners:
            other = owners[self.dim]
            raise ValueError(
                f"plate {self.name!r} (size {self.size}): dim {self.dim} is owned by the enclosing "
                f"plate {other.name!r} (size {other.size}, dim {other.dim}). Give one of them "
                "another dim, or leave dim out to have one chosen."
            )
        return self.dim


class _OpenPlate(Messenger):
    """One entry of a plate; the dim is the entry's own, so a plate serves several contexts."""

    def __init__(self, owner: plate, frame: CondIndepStackFrame) -> None:
        super().__init__()
        self.plate = owner
        self.frame = frame

    def process_message(self, msg: Message) -> None:
        kind = msg["type"]
        if kind not in _IN_PLATE:
            return
        frame = self.frame
        frames = msg["cond_indep_stack"]
        if any(f.name == frame.name for f in frames):
            raise ValueError(
                f"site {msg['name']!r}: plate {frame.name!r} is open twice around it. Nested "
                "plates need names of their own."
            )
        frames.append(frame)
        if kind != "sample":
            return
        fn: Any = msg["fn"]
        old = tuple(fn.batch_shape)
        new = batch_shape_in_plate(msg, old, frame, self.plate.size)
        if new != old:
            msg["fn"] = fn.expand(new)
        if frame.size != self.plate.size:
            ratio = self.plate.size / frame.size
            msg["scale"] = ratio if msg["scale"] is None else msg["scale"] * ratio

    def postprocess_message(self, msg: Message) -> None:
        if msg["type"] not in ("subsample", "param"):
            return
        event_dim = msg["kwargs"].get("event_dim")
        shape = shape_of(msg["value"])
        if event_dim is None or not shape:
            return
        axis = self.frame.dim - event_dim
        if len(shape) < -axis or shape[axis] == 1:
            return
        size = self.plate.size
        if shape[axis] != size:
            what = "subsample(data, ...)" if msg["name"] is None else f"param site {msg['name']!r}"
            raise ValueError(
                f"{what} with event_dim={event_dim}: the value has shape {shape}, size "
                f"{shape[axis]} at axis {axis}, but plate {self.plate.name!r} (dim "
                f"{self.frame.dim}) has size {size}. Give the full value, of size {size} there, or "
                "1."
            )
        if self.frame.size != size:
            msg["value"] = _take(msg["value"], self.plate._indices, axis)


@contextmanager
def plate_stack(
    prefix: str, sizes: tuple[int, ...] | list[int], rightmost_dim: int = -1
) -> Iterator[None]:
    """Open one plate for each of ``sizes``, so that the dims of a batch shape are ``sizes``.

    Parameters
    ----------
    prefix : str
        The plates are named ``prefix_0`` (the rightmost), ``prefix_1``, ...
    sizes : sequence of int
        Sizes from left to right.
    rightmost_dim : int
        The dim of the last size, negative.
    """
    if rightmost_dim >= 0:
        raise ValueError(
            f"plate_stack {prefix!r}: rightmost_dim must be negative, got {rightmost_dim}."
        )
    with ExitStack() as stack:
        for i, size in enumerate(reversed(sizes)):
            stack.enter_context(plate(f"{prefix}_{i}", size, dim=rightmost_dim - i))
        yield


def _static_int(name: str, what: str, value: Any) -> int:
    try:
        return operator.index(value)
    except (TypeError, jax.errors.ConcretizationTypeError) as error:
        raise TypeError(
            f"plate {name!r}: {what} must be an int that is known while the model is traced, got "
            f"{value!r} ({type(value).__name__}). Take it from a shape, e.g. x.shape[0], or make "
            "it a static argument."
        ) from error


def _plate_indices(size: int, subsample_size: int, rng_key: Any) -> Any:
    if subsample_size == size:
        return np.arange(size, dtype=jax.dtypes.canonicalize_dtype(np.int64))
    return jax.random.choice(rng_key, size, (subsample_size,), replace=False)


def _take(value: Any, indices: Any, axis: int) -> Any:
    if isinstance(value, np.ndarray) and isinstance(indices, np.ndarray):
        return np.take(value, indices, axis=axis)
    return jnp.take(value, indices, axis=axis)
