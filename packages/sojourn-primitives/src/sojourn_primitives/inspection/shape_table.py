"""Tables of the shapes of a model's sites."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from sojourn_primitives.inspection.abstract import Model, abstract_trace
from sojourn_primitives.message import Message

_Row = tuple[str, tuple[int, ...], tuple[int, ...] | None]


def format_shapes(
    trace: Mapping[str, Message],
    *,
    compute_log_prob: bool | Callable[[Message], bool] = False,
    title: str = "Trace Shapes:",
    last_site: str | None = None,
) -> str:
    """Return a table of the shapes in a trace.

    Batch dims stand to the left of the bar and line up from the right, as they broadcast; event
    dims stand to its right.

    Parameters
    ----------
    trace : dict
        What `handlers.trace` records.
    compute_log_prob : bool or callable
        Show the shapes of the log densities too; a function of the site says for which.
    title : str
        The first line.
    last_site : str, optional
        Leave out the sites after this one.

    Examples
    --------
    >>> from sojourn_primitives import factor, handlers, plate
    >>> from sojourn_primitives.inspection import format_shapes
    >>> def model():
    ...     with plate("rows", 3):
    ...         factor("penalty", np.zeros(3))
    >>> print(format_shapes(handlers.trace(model).get_trace()))
    Trace Shapes:
     Param Sites:
    Sample Sites:
       rows plate 3 |
     penalty dist 3 | 0
            value 3 | 0
    """
    if last_site is not None and last_site not in trace:
        raise ValueError(
            f"format_shapes: last_site {last_site!r} is no site of the trace, which has "
            f"{list(trace)}."
        )
    params: list[_Row] = []
    samples: list[_Row] = []
    for name, site in trace.items():
        if site["type"] == "param":
            params.append((name, np.shape(site["value"]), None))
        elif site["type"] == "plate":
            samples.append((f"{name} plate", np.shape(site["value"]), ()))
        elif site["type"] == "sample":
            samples.extend(_sample_rows(name, site, compute_log_prob))
        if name == last_site:
            break
    heads: list[_Row] = [(head, (), None) for head in (title, "Param Sites:", "Sample Sites:")]
    return _table([*heads[:2], *params, heads[2], *samples])


def print_model(model: Model, *model_args: Any, **model_kwargs: Any) -> None:
    """Print the table of shapes of a model's sites, without computing anything.

    Parameters
    ----------
    model : callable
        The model.
    *model_args, **model_kwargs
        Its arguments.
    """
    name = getattr(model, "__name__", "model")
    print(format_shapes(abstract_trace(model, model_args, model_kwargs), title=f"{name}:"))


def _sample_rows(
    name: str, site: Message, compute_log_prob: bool | Callable[[Message], bool]
) -> list[_Row]:
    fn: Any = site["fn"]
    event_shape = tuple(fn.event_shape)
    shape = np.shape(site["value"])
    split = len(shape) - len(event_shape)
    rows: list[_Row] = [
        (f"{name} dist", tuple(fn.batch_shape), event_shape),
        ("value", shape[:split], shape[split:]),
    ]
    wanted = compute_log_prob(site) if callable(compute_log_prob) else compute_log_prob
    if wanted:
        terms = jax.eval_shape(lambda: fn.log_prob(site["value"]))
        rows.append(("log_prob", terms.shape, ()))
    return rows


def _table(rows: list[_Row]) -> str:
    label_width = max(len(label) for label, _, _ in rows)
    batch_rank = max(len(batch) for _, batch, _ in rows)
    event_rank = max(len(event or ()) for _, _, event in rows)
    cells = [
        [""] * (batch_rank - len(batch))
        + [str(n) for n in batch]
        + ["" if event is None else "|"]
        + [str(n) for n in event or ()]
        + [""] * (event_rank - len(event or ()))
        for _, batch, event in rows
    ]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for (label, _, _), row in zip(rows, cells, strict=True):
        columns = [label.rjust(label_width), *map(str.rjust, row, widths)]
        lines.append(" ".join(columns).rstrip())
    return "\n".join(lines)
