"""`cond`: one of two functions with the same sites, chosen while the program runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_primitives.control_flow.boundary import Boundary
from sojourn_primitives.control_flow.record import Record, outside, send_down
from sojourn_primitives.message import Message
from sojourn_primitives.stack import apply_stack

Branch = Callable[[Any], Any]


def cond(pred: Any, true_fun: Branch, false_fun: Branch, operand: Any) -> Any:
    """Return ``true_fun(operand)`` where ``pred`` holds, else ``false_fun(operand)``.

    Both functions have the same sites, in the same order: each site becomes one site of the model,
    with the value and the parameters of the function that was chosen. All handlers reach the
    sites. Both functions draw with the same keys.

    Parameters
    ----------
    pred : bool scalar
        May be traced, and so depend on values of sites.
    true_fun, false_fun : callable
        Functions of ``operand``. They are traced, more than once.
    operand : pytree
        What both functions get.

    Returns
    -------
    pytree
        What the chosen function returns; both return the same structure and shapes.

    Raises
    ------
    ValueError
        The functions differ in their sites: in a name, in whether one is observed, in the class of
        a distribution or in a shape.
    NotImplementedError
        A `param` or `mutable` inside, or a ``sample_shape``.

    Notes
    -----
    Unlike NumPyro 0.22's, this may stand inside a plate or a `scan`.

    Examples
    --------
    >>> from sojourn_primitives import deterministic, handlers
    >>> from sojourn_primitives.control_flow import cond
    >>> def model(x):
    ...     return cond(
    ...         x > 0, lambda x: deterministic("y", x), lambda x: deterministic("y", -x), x
    ...     )
    >>> float(handlers.trace(model).get_trace(-3.0)["y"]["value"])
    3.0
    """
    msg: Message = {
        "type": "control_flow",
        "name": None,
        "fn": _cond,
        "args": (pred, true_fun, false_fun, operand),
        "kwargs": {"rng_key": None},
        "value": None,
    }
    result, records = apply_stack(msg)["value"]
    for record in records:
        send_down(record, record.msg)
    return result


def _cond(
    pred: Any, true_fun: Branch, false_fun: Branch, operand: Any, rng_key: Any
) -> tuple[Any, list[Record]]:
    def run(branch: Branch, operand: Any) -> tuple[Any, list[Record]]:
        with Boundary("cond", rng_key) as boundary:
            result = branch(operand)
        return result, boundary.records

    def records_of(branch: Branch) -> list[Record]:
        records: list[Record] = []

        def sites(operand: Any) -> None:
            nonlocal records
            _, records = run(branch, operand)

        jax.eval_shape(sites, operand)
        return records

    records, others = records_of(true_fun), records_of(false_fun)
    _check_same_sites(records, others)
    ours, theirs = jax.tree.leaves(_parts(records)), jax.tree.leaves(_parts(others))
    pairs = list(zip(ours, theirs, strict=True))
    differ = [not _same(a, b) for a, b in pairs]
    dtypes = [jnp.result_type(*pair) for pair, d in zip(pairs, differ, strict=True) if d]

    def returning(branch: Branch) -> Callable[[Any], tuple[Any, list[Any]]]:
        def run_branch(operand: Any) -> tuple[Any, list[Any]]:
            result, records = run(branch, operand)
            leaves = jax.tree.leaves(_parts(records))
            changing = [leaf for leaf, d in zip(leaves, differ, strict=True) if d]
            return result, [jnp.asarray(x, t) for x, t in zip(changing, dtypes, strict=True)]

        return run_branch

    result, chosen = jax.lax.cond(pred, returning(true_fun), returning(false_fun), operand)
    which, returned = iter(differ), iter(chosen)
    for record in records:
        leaves, treedef = jax.tree_util.tree_flatten(record.parts())
        leaves = [next(returned) if next(which) else leaf for leaf in leaves]
        record.msg = outside(record.msg, jax.tree.unflatten(treedef, leaves))
    return result, records


def _parts(records: list[Record]) -> list[dict[str, Any]]:
    return [record.parts() for record in records]


def _same(a: Any, b: Any) -> bool:
    """Tell whether a leaf is no array of the program and equal in both functions."""
    if isinstance(a, jax.core.Tracer) or isinstance(b, jax.core.Tracer):
        return False
    if a is b:
        return True
    return type(a) is type(b) and np.shape(a) == np.shape(b) and bool(np.all(a == b))


def _check_same_sites(true_sites: list[Record], false_sites: list[Record]) -> None:
    names = [[record.msg["name"] for record in sites] for sites in (true_sites, false_sites)]
    if names[0] != names[1]:
        raise ValueError(
            f"cond: both functions must have the same sites in the same order, but true_fun has "
            f"{names[0]} and false_fun {names[1]}. Give both the same names; a site that only one "
            "of them needs can stand before the cond, or be masked with handlers.mask."
        )
    for a, b in zip(true_sites, false_sites, strict=True):
        for what, of in _ALIKE.items():
            if of(a) != of(b):
                raise ValueError(
                    f"cond: {a.msg['type']} site {a.msg['name']!r} differs in {what}: true_fun has "
                    f"{of(a)}, false_fun has {of(b)}. It must be the same in both functions, since "
                    "the site is one site of the model."
                )


def _fn(record: Record) -> Any:
    return record.msg["fn"] if record.msg["type"] == "sample" else None


_ALIKE: dict[str, Callable[[Record], Any]] = {
    "type": lambda record: record.msg["type"],
    "whether it is observed": lambda record: record.msg.get("is_observed"),
    "the class of its distribution": lambda record: type(_fn(record)).__name__,
    "its batch shape": lambda record: tuple(getattr(_fn(record), "batch_shape", ())),
    "its event shape": lambda record: tuple(getattr(_fn(record), "event_shape", ())),
    "its plates": lambda record: record.msg["cond_indep_stack"],
    "its options for inference": lambda record: [
        leaf for leaf in jax.tree.leaves(record.msg.get("infer")) if isinstance(leaf, str)
    ],
    "structure": lambda record: jax.tree.structure(record.parts()),
    "the shapes of its value and parameters": lambda record: [
        np.shape(leaf) for leaf in jax.tree.leaves(record.parts())
    ],
}
