"""From the sites of a trace to log factors over discrete variables and plates.

Two conventions, where a sum over discrete sites makes a difference:

- A ``scale`` of the handlers multiplies the log density of its site before the sum, as it does for
  any site. A plate that subsamples is something else: one element of it stands for several, whose
  discrete sites are summed out each by itself, so it multiplies the elements' log marginals.
- Where a discrete site is masked, its values are equally likely: the element sums to 1 as
  elsewhere, and a masked part of a model leaves its evidence as it is.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import sojourn_distributions as dist
from sojourn_distributions.broadcasting import sum_over
from sojourn_distributions.discrete.categorical import CategoricalBase
from sojourn_infer.enumeration.chains import Chain, Part
from sojourn_infer.enumeration.counts import summed_log_prob
from sojourn_infer.enumeration.elimination import Problem
from sojourn_infer.enumeration.factors import Factor, Variable, add_up
from sojourn_infer.enumeration.notes import Scanned, Steps, Term, is_enumerated
from sojourn_infer.enumeration.scanned_sites import check_bound, over_steps
from sojourn_primitives import CondIndepStackFrame, Message, Trace


class Joint(NamedTuple):
    """The joint density of a trace with enumerated sites.

    Attributes
    ----------
    constant : array
        Log density of the sites that depend on no discrete variable, a scalar.
    problem : Problem
        The other sites.
    """

    constant: jax.Array
    problem: Problem


class _Site(NamedTuple):
    """What is the same for all terms of a site."""

    name: str
    variable: Variable | None
    plates: Sequence[CondIndepStackFrame]
    dims: Mapping[int, Variable]
    ratios: Mapping[str, float]
    plates_of: Mapping[Variable, frozenset[str]]


def joint_density(trace: Trace) -> Joint:
    """Collect the log factors of all sample sites of a trace.

    Raises
    ------
    ValueError
        A batch dim of a site is owned by no plate and stands for no discrete site; a discrete site
        is used outside of its plate.
    """
    ratios = _ratios(trace)
    factors: list[Factor] = []
    plates_of: dict[Variable, frozenset[str]] = {}
    steps_of: dict[int, Steps] = {}
    scanned: dict[int, list[tuple[_Site, Scanned]]] = {}
    for name, msg in trace.items():
        if msg["type"] != "sample":
            continue
        note = msg.get("enumeration")
        frames = note.plates if isinstance(note, Scanned) else msg["cond_indep_stack"]
        variable = note.variable if note is not None and is_enumerated(msg) else None
        site = _Site(name, variable, frames, note.dims if note else {}, ratios, plates_of)
        if isinstance(note, Scanned):
            steps_of[note.steps.number] = note.steps
            _declare(plates_of, note)
            factors += _first_factors(site, note)
            scanned.setdefault(note.steps.number, []).append((site, note))
            continue
        if variable is not None:
            plates_of[variable] = frozenset(frame.name for frame in frames)
        factors.append(_factor(site, Term(msg["fn"], msg["value"], msg["scale"])))
    chains = []
    for number, steps in steps_of.items():
        if steps.length > steps.first:
            own = scanned[number]
            rest = steps.length - steps.first
            part = Part(steps.source.inputs, functools.partial(_factors_of_part, own))
            factors_of_steps = tuple(f for site, note in own for f in _step_factors(site, note))
            time = _time(steps)
            chains.append(
                Chain(factors_of_steps, steps.state, steps.first, rest, time, steps.how, part)
            )
    plain = [f for f in factors if not f.variables]
    constant = add_up([_sum(f, ratios) for f in plain])
    linked = tuple(f for f in factors if f.variables)
    _check_plates([*linked, *(f for chain in chains for f in chain.factors)], plates_of)
    return Joint(constant, Problem(linked, tuple(chains), plates_of, ratios))


def _declare(plates_of: dict[Variable, frozenset[str]], note: Scanned) -> None:
    if note.variable is None:
        return
    steps, site = note.steps, note.variable.site
    plates = frozenset(frame.name for frame in note.plates)
    deepest = max((v.lag or 0 for v in steps.state if v.site == site), default=0)
    for step in (*range(steps.first), *range(steps.length - deepest, steps.length)):
        plates_of[Variable(site, step=step)] = plates
    for lag in range(deepest + 1):
        plates_of[Variable(site, lag=lag)] = plates | {_time(steps)}


def _first_factors(site: _Site, note: Scanned) -> list[Factor]:
    factors = []
    for step, term in enumerate(note.first):
        named = {dim: _at_step(v, step) for dim, v in note.dims.items()}
        own = None if site.variable is None else _at_step(site.variable, step)
        factors.append(_factor(site._replace(dims=named, variable=own), term))
    return factors


def _factors_of_part(sites: list[tuple[_Site, Scanned]], inputs: Any) -> tuple[Factor, ...]:
    """Return the factors of a part of the other steps, computed anew."""
    outputs = sites[0][1].steps.source.outputs_of(inputs)
    return tuple(f for site, note in sites for f in _step_factors(site, note, outputs))


def _step_factors(
    site: _Site, note: Scanned, outputs: dict[int, Any] | None = None
) -> list[Factor]:
    """Return the factors of the other steps, with time as a plate if these differ."""
    if note.build is None:
        return []
    if not any(note.by_step):
        return [_factor(site, note.build(note.leaves))]
    packed: list[Factor] = []

    def table(term: Term) -> jax.Array:
        packed[:] = [_factor(site, term)]
        return packed[0].table

    tables = over_steps(table, note, outputs)
    variables, plates = packed[0].variables, packed[0].plates
    tables = jnp.moveaxis(tables, 0, len(variables))
    return [Factor(tables, variables, (_time(note.steps), *plates))]


def _factor(site: _Site, term: Term) -> Factor:
    """Return a term's log factor, its axes named."""
    ratio = math.prod(site.ratios.get(frame.name, 1.0) for frame in site.plates)
    if site.variable is not None:
        table = _of_all_values(site, term)
    else:
        site, table = _of_value(site, term)
    if term.scale is not None and not (isinstance(term.scale, float) and term.scale == ratio):
        table = table * (term.scale if ratio == 1 else term.scale / ratio)
    if site.variable is not None:
        table = _normalised(table, term)
    # Probabilities are at most 1; a density may be infinite.
    return _named(site, jnp.asarray(table))._replace(bounded=term.fn.is_discrete)


def _of_value(site: _Site, term: Term) -> tuple[_Site, Any]:
    """Log density of a value; where that is easier, summed over plates of the site alone.

    These are the plates of which none of the discrete variables has copies: a product over them is
    what the elimination would make first. They are no longer among those of the site.
    """
    if term.fn.event_shape or (term.scale is not None and np.ndim(term.scale)):
        return site, term.fn.log_prob(term.value)
    shape = np.broadcast_shapes(term.fn.batch_shape, np.shape(term.value))
    variables = [v for d, v in site.dims.items() if -d <= len(shape) and shape[d] != 1]
    shared = frozenset().union(*(site.plates_of[v] for v in variables))
    alone = [frame for frame in site.plates if frame.name not in shared]
    table = summed_log_prob(
        term.fn, term.value, [frame.dim for frame in alone if -frame.dim <= len(shape)]
    )
    if table is None:
        return site, term.fn.log_prob(term.value)
    ratio = math.prod(site.ratios.get(frame.name, 1.0) for frame in alone)
    site = site._replace(plates=[frame for frame in site.plates if frame not in alone])
    return site, table if ratio == 1 else table * ratio


def _of_all_values(site: _Site, term: Term) -> Any:
    """Log probability of all values of a site, along its dim; masks are left to `_normalised`."""
    fn = term.fn
    while isinstance(fn, (dist.ExpandedDistribution, dist.MaskedDistribution)):
        fn = fn.base_dist
    if not isinstance(fn, CategoricalBase):
        return term.fn.log_prob(term.value)
    # A table of all categories is at hand, and need not be searched for each of them.
    (dim,) = (dim for dim, variable in site.dims.items() if variable == site.variable)
    table = fn.log_masses
    batch = (1,) * max(0, -dim - len(fn.batch_shape)) + fn.batch_shape
    axis, size = len(batch) + dim, table.shape[-1]
    if math.prod(batch) > 1:
        table = jnp.moveaxis(jnp.reshape(table, (*batch, size)), -1, axis)
    return jnp.reshape(table, (*batch[:axis], size, *batch[axis + 1 :]))


def _normalised(table: Any, term: Term) -> Any:
    """Give values of a masked discrete site equal probabilities."""
    size = np.shape(term.value)[0]
    fn = term.fn
    while fn is not None:
        mask = getattr(fn, "mask_value", True)
        if mask is not True:
            table = jnp.where(mask, table, -math.log(size))
        fn = getattr(fn, "base_dist", None)
    return table


def _named(site: _Site, table: jax.Array) -> Factor:
    plates = {frame.dim: frame for frame in site.plates}
    rank = max([table.ndim, *(-dim for dim in plates)])
    own = dict(zip(range(-rank, 0), (1,) * (rank - table.ndim) + table.shape, strict=True))
    big = [dim for dim, size in own.items() if size != 1 and dim not in plates]
    variables = [dim for dim in big if dim in site.dims]
    loose = [dim for dim in big if dim not in site.dims]
    names = tuple(site.dims[dim] for dim in variables)
    if loose and variables:
        shape = [plates[dim].size if dim in plates else size for dim, size in own.items()]
        raise ValueError(_missing_plate(site, shape, loose[-1], names))
    if loose:
        table = jnp.sum(table, tuple(loose), keepdims=True)
    # The axes that the table has, in their order, and then all of them.
    axes = [*variables, *sorted(plates)]
    has = [dim for dim in axes if own[dim] != 1]
    table = jax.lax.squeeze(table, [axis for axis, size in enumerate(table.shape) if size == 1])
    if has != sorted(has):
        table = jax.lax.transpose(table, [sorted(has).index(dim) for dim in has])
    shape = [plates[dim].size if dim in plates else own[dim] for dim in axes]
    if table.shape != tuple(shape):
        table = jax.lax.broadcast_in_dim(table, shape, [axes.index(dim) for dim in has])
    return Factor(table, names, tuple(plates[dim].name for dim in sorted(plates)))


def _missing_plate(
    site: _Site, shape: Sequence[int], dim: int, variables: Sequence[Variable]
) -> str:
    names = ", ".join(map(str, variables))
    return (
        f"Missing a plate statement for batch dimension {dim} at site {site.name!r}: its log "
        f"density has the shape {tuple(shape)}, size {shape[dim]} there, and depends on the "
        f"discrete site {names}, which is summed out. Open a plate of that size around the site, "
        "or call to_event on dims that belong to one draw. If the site uses a discrete site of a "
        "markov context, it may reach back too far: give markov or scan a larger history. "
        "format_shapes shows the shapes of all sites."
    )


def _check_plates(factors: Sequence[Factor], plates_of: Mapping[Variable, frozenset[str]]) -> None:
    for factor in factors:
        for v in factor.variables:
            missing = set(plates_of[v]) - set(factor.plates)
            if v.lag is not None:
                missing = {p for p in missing if not p.startswith(_TIME)}
            if missing:
                raise ValueError(
                    f"discrete site {v} lies in plate {', '.join(map(repr, sorted(missing)))}, but "
                    f"a site outside of that plate depends on it (sites {factor.variables}). A "
                    "site that is summed out has a copy for each element: put what depends on it "
                    "into the same plate."
                )


_TIME = "steps of scan "


def _time(steps: Steps) -> str:
    return f"{_TIME}{steps.number}"


def _at_step(v: Variable, step: int) -> Variable:
    return v if v.lag is None else Variable(v.site, step=step - v.lag)


def _sum(factor: Factor, ratios: Mapping[str, float]) -> jax.Array:
    ratio = math.prod(ratios.get(p, 1.0) for p in factor.plates)
    total = sum_over(factor.table)
    return total if ratio == 1 else total * ratio


def _ratios(trace: Trace) -> dict[str, float]:
    """For plates that subsample, how many elements one element stands for."""
    ratios = {}
    for name, msg in trace.items():
        if msg["type"] == "plate":
            size, subsample_size = msg["args"]
            if size != subsample_size:
                ratios[name] = size / subsample_size
    return ratios


def enumerated_sites(trace: Trace) -> dict[str, Message]:
    """Return the sites of a trace whose values list their support."""
    return {
        name: msg for name, msg in trace.items() if msg["type"] == "sample" and is_enumerated(msg)
    }


def check_support(site: Message) -> None:
    """Raise where the support of a site depends on a discrete site that is summed out."""
    note, fn = site.get("enumeration"), site["fn"]
    if note is None or isinstance(note, Scanned):
        return  # a scanned site looks at its support when it is asked for it
    for bound in jax.tree.leaves(fn.support):
        check_bound(str(site["name"]), np.shape(bound), len(fn.event_shape), note.dims)


def largest_log_density(site: Message) -> jax.Array:
    """Log density of a site, of its least bad case where it depends on enumerated sites."""
    note = site.get("enumeration")
    if not isinstance(note, Scanned):
        terms = site["fn"].log_prob(site["value"])
        if note is None or not note.dims:
            return jnp.sum(terms if site["scale"] is None else site["scale"] * terms)
        return jnp.max(terms)
    best = [jnp.max(term.fn.log_prob(term.value)) for term in note.first]
    if note.build is not None:
        best.append(jnp.min(over_steps(lambda t: jnp.max(t.fn.log_prob(t.value)), note)))
    return jnp.min(jnp.stack(best))


def needs_sum(trace: Trace) -> bool:
    """Whether the density of a trace is a sum over discrete sites."""
    return any(isinstance(msg.get("enumeration"), Scanned) for msg in trace.values()) or bool(
        enumerated_sites(trace)
    )
