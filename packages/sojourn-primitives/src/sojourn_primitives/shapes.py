"""Shape rules of sample sites: plates against batch shapes, values against distributions."""

from __future__ import annotations

from typing import Any

from sojourn_primitives.message import CondIndepStackFrame, Message


def describe_plates(frames: list[CondIndepStackFrame]) -> str:
    """Name the open plates with their sizes and dims, outermost first, for error texts."""
    return ", ".join(f"{f.name!r} (size {f.size}, dim {f.dim})" for f in reversed(frames))


def shape_of(value: Any) -> tuple[int, ...] | None:
    """Return the shape of an array or a number, None for anything else."""
    shape = getattr(value, "shape", None)
    if shape is not None:
        return tuple(shape)
    return () if isinstance(value, (bool, int, float, complex)) else None


def broadcasts(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    """Tell whether two shapes broadcast with each other."""
    return all(m == n or m == 1 or n == 1 for m, n in zip(reversed(a), reversed(b), strict=False))


def check_given_value(msg: Message) -> None:
    """Raise a ValueError where a given value cannot broadcast with its distribution's shape."""
    shape = shape_of(msg["value"])
    if not shape:  # a number broadcasts; what is no array is handed on as it is
        return
    fn: Any = msg["fn"]
    batch_shape, event_shape = tuple(fn.batch_shape), tuple(fn.event_shape)
    expected = batch_shape + event_shape
    if shape == expected or broadcasts(shape, expected):
        return
    kind = "observed value" if msg["is_observed"] else "value given to it"
    plates = describe_plates(msg["cond_indep_stack"])
    where = f" inside plate {plates}" if plates else ""
    remedy = (
        "inside a plate that subsamples, index the data with the plate's indices"
        if plates
        else "or change the distribution's"
    )
    raise ValueError(
        f"sample site {msg['name']!r}{where}: the {kind} has shape {shape}, which does not "
        f"broadcast with the distribution's batch shape {batch_shape} + event shape {event_shape} "
        f"= {expected}. Give a value of that shape; {remedy}."
    )


def batch_shape_in_plate(
    msg: Message, batch_shape: tuple[int, ...], frame: CondIndepStackFrame, full_size: int
) -> tuple[int, ...]:
    """Return the batch shape of a site inside a plate: with the plate's size along its dim.

    Raises
    ------
    ValueError
        When the batch shape already has another size there, neither 1 nor the plate's.
    """
    dim, size = frame.dim, frame.size
    missing = -dim - len(batch_shape)
    if missing > 0:
        return (size,) + (1,) * (missing - 1) + batch_shape
    if batch_shape[dim] == size:
        return batch_shape
    if batch_shape[dim] == 1:
        index = len(batch_shape) + dim
        return batch_shape[:index] + (size,) + batch_shape[index + 1 :]
    remedy = (
        "index the parameters or the data with the plate's indices (with plate(...) as i: ... x[i])"
        if batch_shape[dim] == full_size != size
        else "give the plate another dim or size, or call to_event on dims that belong to one draw"
    )
    inner = describe_plates([f for f in msg["cond_indep_stack"] if f.name != frame.name])
    also = f" (also inside plate {inner})" if inner else ""
    raise ValueError(
        f"sample site {msg['name']!r}{also}: its distribution has batch shape {batch_shape}, size "
        f"{batch_shape[dim]} at dim {dim}, but plate {frame.name!r} has size {size} there. Remedy: "
        f"{remedy}."
    )
