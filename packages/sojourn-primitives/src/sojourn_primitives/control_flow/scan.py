"""`scan`: a function with sites, run over the leading axis of arrays with a carried state."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_primitives.control_flow.boundary import Step
from sojourn_primitives.control_flow.record import (
    Leaf,
    Outline,
    Record,
    Tree,
    outside,
    send_down,
    traced_leaves,
)
from sojourn_primitives.control_flow.stacked import Stacked
from sojourn_primitives.dependence import evaluate_without_inputs, input_dependence
from sojourn_primitives.message import Message
from sojourn_primitives.stack import apply_stack


class ScanArguments(NamedTuple):
    """The arguments of a scan's message, by which a handler knows it among control flow."""

    f: Callable[[Any, Any], tuple[Any, Any]]
    init: Any
    xs: Any
    length: int
    reverse: bool
    history: int


def scan(
    f: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any,
    length: int | None = None,
    reverse: bool = False,
    history: int = 1,
) -> tuple[Any, Any]:
    """Run ``carry, y = f(carry, x)`` over the leading axis of ``xs``, with sites inside ``f``.

    Every site of ``f`` becomes one site of the model, whose value and batch shape have a leading
    time axis of size ``length``. All handlers reach it, inside ``f`` or outside: a value that a
    handler outside gives (`substitute`, `condition`, `replay`, `do`) has the time axis too; one
    without it serves every step; a shorter one serves the first steps, and the others are drawn.

    Parameters
    ----------
    f : callable
        The function of one step. It is traced (more than once) into one compiled loop.
    init : pytree
        The carry of the first step; shapes stay the same from step to step.
    xs : pytree of arrays
        What is scanned over; None with ``length``.
    length : int, optional
        Number of steps, where ``xs`` does not tell.
    reverse : bool
        Run from the last step to the first; axes stay in the order of ``xs``.
    history : int
        How many earlier steps a step may depend on through discrete sites that are summed out; has
        no effect on other models.

    Returns
    -------
    tuple
        The last carry, and the stacked ``y``.

    Raises
    ------
    ValueError
        The lengths do not agree, or a value from outside has more steps than the scan.
    TypeError
        A distribution inside is no JAX pytree.
    NotImplementedError
        A `param` or `mutable` inside, or a ``sample_shape``.

    Notes
    -----
    Where this goes beyond NumPyro 0.22: a scan may stand inside a plate or in another scan's
    function, and plates inside it are part of the trace. A scanned site whose
    parameters differ by step has a `Stacked` distribution, where NumPyro's has the class of one
    step's; a handler outside sees the site while the function is traced, possibly more than once.

    Examples
    --------
    >>> from sojourn_primitives import deterministic, handlers
    >>> from sojourn_primitives.control_flow import scan
    >>> def add(total, x):
    ...     return deterministic("total", total + x), x
    >>> with handlers.trace() as trace:
    ...     last, _ = scan(add, 0, np.arange(4))
    >>> int(last), trace["total"]["value"].tolist()
    (6, [0, 1, 3, 6])
    """
    history = operator.index(history)
    if history < 0:
        raise ValueError(f"scan: history counts earlier steps, so it is not negative: {history}.")
    msg: Message = {
        "type": "control_flow",
        "name": None,
        "fn": _scan,
        "args": ScanArguments(f, init, xs, _length(xs, length), reverse, history),
        "kwargs": {"rng_key": None},
        "value": None,
    }
    last, ys, records = apply_stack(msg)["value"]
    for record in records:
        send_down(record, record.msg)
    return last, ys


def _scan(
    f: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any,
    length: int,
    reverse: bool,
    history: int,
    rng_key: Any,
) -> tuple[Any, Any, list[Record]]:
    index = np.arange(length, dtype=np.int32)

    def run(carry: Any, x: Any, i: Any, slices: dict[int, Any]) -> tuple[Any, Any, Step]:
        with Step(rng_key, i, length, slices) as step:
            result = f(carry, x)
        if not _is_pair(result):
            raise TypeError(
                "scan: the function must return a pair (carry, y), got "
                f"{type(result).__name__}. Return (carry, None) if there is nothing to stack."
            )
        return *result, step

    # A first tracing finds what is the same in every step: values given from outside, which are
    # then scanned over rather than indexed (so that the gradient costs O(length), not its square),
    # and parameters of sites, which are then not stacked.
    def discover(carry: Any, x: Any, i: Any) -> tuple[list[Any], list[Any]]:
        *_, step = run(carry, x, i, {})
        return step.given, traced_leaves(step.records)

    one_x, one_index = jax.tree.map(_without_leading_axis, (xs, index))
    program, (given, _) = jax.make_jaxpr(discover, return_shape=True)(init, one_x, one_index)
    varies = [bool(inputs) for inputs in input_dependence(program)]
    constant = [i for i, v in enumerate(varies) if not v]
    constants = dict(zip(constant, evaluate_without_inputs(program, constant), strict=True))
    givens = {i: constants[i] for i in range(len(given)) if i in constants}
    leaf_varies = varies[len(given) :]

    records: list[Record] = []
    outlines: list[Outline] = []

    def body(carry: Any, x: Any) -> tuple[Any, Any]:
        nonlocal records, outlines
        carry, y, step = run(carry, *x)
        records = step.records
        outlines = [Outline.of(record) for record in records]
        leaves = traced_leaves(records)
        return carry, (y, [leaf for leaf, v in zip(leaves, leaf_varies, strict=True) if v])

    slices = {i: _padded(value, length) for i, value in givens.items()}
    last, (ys, stacked) = jax.lax.scan(body, init, (xs, index, slices), length, reverse)
    by_step = iter(stacked)
    leaves = iter(
        [
            Leaf(next(by_step), True) if v else Leaf(constants[len(given) + i], False)
            for i, v in enumerate(leaf_varies)
        ]
    )
    for record, outline in zip(records, outlines, strict=True):
        parts = {
            part: _stacked_part(part, record, tree, outline.take(tree, leaves), length)
            for part, tree in outline.trees.items()
        }
        if record.given in givens:
            parts["value"] = givens[record.given]
        record.msg = outside(record.msg, parts)
    return last, ys, records


def _stacked_part(part: str, record: Record, tree: Tree, leaves: list[Leaf], length: int) -> Any:
    msg = record.msg
    if part == "fn":
        fn: Any = msg["fn"]
        batch_shape, event_shape = tuple(fn.batch_shape), tuple(fn.event_shape)
        if not any(leaf.by_step for leaf in leaves):
            same = tree.treedef.unflatten([leaf.value for leaf in leaves])
            return same.expand((length, *batch_shape))
        return Stacked(
            tree.treedef,
            {i: leaf.value for i, leaf in enumerate(leaves) if not leaf.by_step},
            {i: leaf.value for i, leaf in enumerate(leaves) if leaf.by_step},
            batch_shape,
            event_shape,
            length,
        )
    if part == "scale":
        rank = len(msg["fn"].batch_shape)
        return tree.treedef.unflatten([_padded_rank(leaf, rank) for leaf in leaves])
    if part == "infer":
        return tree.treedef.unflatten([leaf.value for leaf in leaves])
    if msg["type"] == "plate":
        return tree.treedef.unflatten([x.value[0] if x.by_step else x.value for x in leaves])
    return tree.treedef.unflatten([_with_time_axis(leaf, length) for leaf in leaves])


def _is_pair(returned: Any) -> bool:
    return isinstance(returned, tuple) and len(returned) == 2


def _padded_rank(leaf: Leaf, rank: int) -> Any:
    value = leaf.value
    if not leaf.by_step:
        return value
    return value.reshape(value.shape[:1] + (1,) * (rank + 1 - value.ndim) + value.shape[1:])


def _with_time_axis(leaf: Leaf, length: int) -> Any:
    value = leaf.value
    if leaf.by_step:
        return value
    xp = jnp if isinstance(value, jax.Array) else np
    return xp.broadcast_to(value, (length, *np.shape(value)))


def _padded(value: Any, length: int) -> Any:
    missing = length - value.shape[0]
    if not missing:
        return value
    return jnp.concatenate([value, jnp.zeros((missing, *value.shape[1:]), value.dtype)])


def _length(xs: Any, length: int | None) -> int:
    lengths = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(xs):
        shape = np.shape(leaf)
        if not shape:
            raise ValueError(
                f"scan: xs{jax.tree_util.keystr(path)} is a number; what is scanned over needs a "
                "leading axis. Pass a number in the carry, or close over it."
            )
        lengths[f"xs{jax.tree_util.keystr(path)}"] = shape[0]
    if length is not None:
        lengths["length"] = operator.index(length)
    if not lengths:
        raise ValueError("scan: give xs, or length where there is nothing to scan over.")
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name} has {n}" for name, n in lengths.items())
        raise ValueError(f"scan: the number of steps is not the same everywhere: {found}.")
    return next(iter(lengths.values()))


def _without_leading_axis(x: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(np.shape(x)[1:], jax.dtypes.canonicalize_dtype(jnp.result_type(x)))
