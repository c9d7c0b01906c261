"""Pictures of models: a graph drawn by graphviz, and the same in plain text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sojourn_primitives.inspection.abstract import Model
from sojourn_primitives.inspection.relations import get_model_relations


def render_model(
    model: Model,
    model_args: tuple[Any, ...] | None = None,
    model_kwargs: dict[str, Any] | None = None,
    filename: str | None = None,
    render_distributions: bool = False,
    render_params: bool = False,
) -> Any:
    """Draw a model: sites as nodes, dependences as arrows, plates as boxes.

    Observed sites are grey, deterministic ones dashed, parameters have no border.

    Parameters
    ----------
    model : callable
        The model.
    model_args, model_kwargs : tuple, dict, optional
        Its arguments.
    filename : str, optional
        File to draw to; its ending is the format. Needs the program ``dot`` of Graphviz.
    render_distributions : bool
        Write the distributions below the graph.
    render_params : bool
        Draw the parameters too.

    Returns
    -------
    graphviz.Digraph
        The graph, which a notebook displays.

    Raises
    ------
    ImportError
        The Python package graphviz is not installed. `render_text` does without.
    """
    try:
        import graphviz  # type: ignore[import-not-found, unused-ignore]
    except ImportError as error:
        raise ImportError(
            "render_model needs the Python package graphviz: install sojourn-primitives[graphviz]. "
            "render_text draws the model as plain text without it."
        ) from error
    relations = get_model_relations(model, model_args, model_kwargs)
    graph = graphviz.Digraph()
    _draw_plate(graph, (), _sites_by_plates(relations), relations)
    edges = dict(relations["sample_sample"])
    if render_params:
        for name in relations["param_constraint"]:
            graph.node(name, shape="plain")
        edges = {name: [*relations["sample_param"][name], *up] for name, up in edges.items()}
    for name, upstream in edges.items():
        for other in upstream:
            graph.edge(other, name)
    if render_distributions:
        lines = [_definition(relations, name) for name in relations["sample_dist"]]
        if render_params:
            lines += [f"{name} {what}" for name, what in relations["param_constraint"].items()]
        graph.node("_distributions", label="\\l".join([*lines, ""]), shape="plain")
    if filename is not None:
        graph.render(outfile=Path(filename), cleanup=True)
    return graph


def render_text(
    model: Model,
    model_args: tuple[Any, ...] | None = None,
    model_kwargs: dict[str, Any] | None = None,
) -> str:
    """Return the model as plain text: one line a site, plates as indented blocks.

    Parameters
    ----------
    model : callable
        The model.
    model_args, model_kwargs : tuple, dict, optional
        Its arguments.

    Examples
    --------
    >>> from sojourn_primitives import deterministic, factor, param, plate
    >>> from sojourn_primitives.inspection import render_text
    >>> def model():
    ...     a = param("a", 1.0)
    ...     with plate("rows", 3):
    ...         b = deterministic("b", 2 * a)
    ...         factor("penalty", -b)
    >>> print(render_text(model))
    a param
    plate rows:
      b = Deterministic(a)
      penalty ~ Unit(b), observed
    """
    relations = get_model_relations(model, model_args, model_kwargs)
    lines = [
        f"{name} param {what}".rstrip() for name, what in relations["param_constraint"].items()
    ]
    return "\n".join(lines + _text_of_plate((), _sites_by_plates(relations), relations))


_Path = tuple[str, ...]


def _sites_by_plates(relations: dict[str, Any]) -> dict[_Path, list[str]]:
    """Return the sites of each nest of plates, the larger plates outside."""
    plates = relations["plate_sample"]
    outermost_first = sorted(plates, key=lambda plate: -len(plates[plate]))
    by_plates: dict[_Path, list[str]] = {}
    for name in relations["sample_sample"]:
        path = tuple(plate for plate in outermost_first if name in plates[plate])
        by_plates.setdefault(path, []).append(name)
    return by_plates


def _inner(path: _Path, by_plates: dict[_Path, list[str]]) -> list[_Path]:
    """Return the plates directly inside of a nest, in the order of their first sites."""
    longer = [
        p[: len(path) + 1] for p in by_plates if len(p) > len(path) and p[: len(path)] == path
    ]
    return list(dict.fromkeys(longer))


def _draw_plate(
    graph: Any, path: _Path, by_plates: dict[_Path, list[str]], relations: dict[str, Any]
) -> None:
    for name in by_plates.get(path, ()):
        graph.node(name, **_style(relations, name))
    for inner in _inner(path, by_plates):
        with graph.subgraph(name="cluster_" + "/".join(inner)) as box:
            box.attr(label=inner[-1], labeljust="r", labelloc="b")
            _draw_plate(box, inner, by_plates, relations)


def _style(relations: dict[str, Any], name: str) -> dict[str, str]:
    if name in relations["observed"]:
        return {"shape": "circle", "style": "filled", "fillcolor": "grey"}
    dashed = relations["sample_dist"][name] == "Deterministic"
    return {"shape": "circle", "style": "dashed"} if dashed else {"shape": "circle"}


def _definition(relations: dict[str, Any], name: str) -> str:
    kind = relations["sample_dist"][name]
    upstream = ", ".join([*relations["sample_param"][name], *relations["sample_sample"][name]])
    sign = "=" if kind == "Deterministic" else "~"
    observed = ", observed" if name in relations["observed"] else ""
    return f"{name} {sign} {kind}({upstream}){observed}"


def _text_of_plate(
    path: _Path, by_plates: dict[_Path, list[str]], relations: dict[str, Any]
) -> list[str]:
    indent = "  " * len(path)
    lines = [indent + _definition(relations, name) for name in by_plates.get(path, ())]
    for inner in _inner(path, by_plates):
        lines.append(f"{indent}plate {inner[-1]}:")
        lines += _text_of_plate(inner, by_plates, relations)
    return lines
