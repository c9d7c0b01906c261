"""Which sites of a model depend on which, found in the program that the model traces to."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_primitives.dependence import input_dependence
from sojourn_primitives.handlers.seed import seed
from sojourn_primitives.inspection.abstract import Model, abstract_trace, distribution_name
from sojourn_primitives.message import Message, Trace
from sojourn_primitives.messenger import Messenger


def get_model_relations(
    model: Model,
    model_args: tuple[Any, ...] | None = None,
    model_kwargs: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the graph of a model: its sites, its plates and what depends on what.

    A site depends on another one if its distribution is computed from the other's value; for
    a deterministic site, if its value is. The edges are read off the traced program, in which the
    value of every site is an input: no number is computed, and what depends on a site through
    a third one only is not listed.

    Parameters
    ----------
    model : callable
        The model.
    model_args, model_kwargs : tuple, dict, optional
        Its arguments.

    Returns
    -------
    dict
        ``sample_sample`` and ``sample_param`` map each sample or deterministic site to the sites
        and parameters that it depends on, in the order of the model; ``sample_dist`` to the name
        of its distribution (``"Deterministic"`` for a deterministic site); ``param_constraint``
        maps parameters to their constraints, ``""`` where none is stated; ``plate_sample`` maps
        plates to the sites inside; ``observed`` lists the observed sites.

    Notes
    -----
    A scanned site that depends on itself at the step before depends on itself here. Unlike
    NumPyro 0.22, a site whose density is masked out keeps its edges.

    Examples
    --------
    >>> from sojourn_primitives import Unit, param, sample
    >>> from sojourn_primitives.inspection import get_model_relations
    >>> def model():
    ...     a = param("a", 1.0)
    ...     sample("x", Unit(a), obs=np.zeros(0))
    >>> relations = get_model_relations(model)
    >>> relations["sample_param"], relations["observed"]
    ({'x': ['a']}, ['x'])
    """
    args, kwargs = model_args or (), model_kwargs or {}
    trace = abstract_trace(model, args, kwargs)
    sites = {n: s for n, s in trace.items() if s["type"] in ("sample", "deterministic")}
    params = {n: s for n, s in trace.items() if s["type"] == "param"}
    upstream = _upstream(model, args, kwargs, trace)
    return {
        "sample_sample": {n: [m for m in upstream[n] if m in sites] for n in sites},
        "sample_param": {n: [m for m in upstream[n] if m in params] for n in sites},
        "sample_dist": {
            n: distribution_name(s["fn"]) if s["type"] == "sample" else "Deterministic"
            for n, s in sites.items()
        },
        "param_constraint": {
            n: str(s["kwargs"]["constraint"]) if s["kwargs"].get("constraint") else ""
            for n, s in params.items()
        },
        "plate_sample": {
            plate: [n for n, s in sites.items() if plate in (f.name for f in s["cond_indep_stack"])]
            for plate, s in trace.items()
            if s["type"] == "plate"
        },
        "observed": [n for n, s in sites.items() if s.get("is_observed")],
    }


class _Inputs(Messenger):
    """Makes the value of each site an input of the program, and collects what sites are made of."""

    def __init__(self, model: Model, values: dict[str, Any]) -> None:
        super().__init__(model)
        self.values = values
        self.made_of: dict[str, list[Any]] = {}

    def process_message(self, msg: Message) -> None:
        name: Any = msg["name"]
        if msg["type"] not in ("sample", "param", "deterministic") or name not in self.values:
            return
        if msg["type"] == "deterministic":
            if "_scan_depth" in msg:
                return  # inside control flow its value is no part of this program yet
            self.made_of[name] = jax.tree.leaves(msg["value"])
        msg["value"] = self.values[name]

    def postprocess_message(self, msg: Message) -> None:
        name: Any = msg["name"]
        if name not in self.values or name in self.made_of:
            return
        made_of = msg["value"] if msg["type"] == "deterministic" else msg.get("fn")
        if msg["type"] == "sample" and jax.tree_util.all_leaves([made_of]):
            made_of = vars(made_of)  # a class that is no pytree
        self.made_of[name] = [x for x in jax.tree.leaves(made_of) if isinstance(x, jax.Array)]


def _upstream(
    model: Model, args: tuple[Any, ...], kwargs: dict[str, Any], trace: Trace
) -> dict[str, list[str]]:
    values = {
        name: jax.tree.map(_abstract, site["value"])
        for name, site in trace.items()
        if site["type"] in ("sample", "param", "deterministic")
    }
    collected: dict[str, list[Any]] = {}

    def made_of(values: dict[str, Any]) -> list[Any]:
        inputs = _Inputs(seed(model, rng_seed=0), values)
        inputs(*args, **kwargs)
        collected.update({name: inputs.made_of[name] for name in values})
        return list(collected.values())

    by_input = [name for name in sorted(values) for _ in jax.tree.leaves(values[name])]
    on = iter(input_dependence(jax.make_jaxpr(made_of)(values)))
    order = list(values)
    upstream = {}
    for name, leaves in collected.items():
        found = {by_input[i] for _ in leaves for i in next(on)}
        upstream[name] = [other for other in order if other in found]
    return upstream


def _abstract(value: Any) -> jax.ShapeDtypeStruct:
    # The type that JAX gives the value: NumPy's float64 is single precision unless told otherwise.
    dtype = jax.dtypes.canonicalize_dtype(jnp.result_type(value))
    return jax.ShapeDtypeStruct(np.shape(value), dtype)
