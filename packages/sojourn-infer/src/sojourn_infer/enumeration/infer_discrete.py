"""Discrete sites drawn back: from their joint posterior given everything else, or its mode."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from sojourn_infer.enumeration.elimination import draw_all
from sojourn_infer.enumeration.enum import enum
from sojourn_infer.enumeration.factors import Draw, Factor, Variable, align
from sojourn_infer.enumeration.notes import Scanned
from sojourn_infer.enumeration.scanned_sites import joined
from sojourn_infer.enumeration.site_factors import enumerated_sites, joint_density, needs_sum
from sojourn_infer.enumeration.stand_in import StandIns
from sojourn_infer.enumeration.support import support_values
from sojourn_primitives import (
    CondIndepStackFrame,
    Message,
    Messenger,
    Trace,
    handlers,
    prng_key,
)
from sojourn_primitives.dependence import input_dependence
from sojourn_primitives.stack import process_outside


def infer_discrete(
    fn: Callable[..., Any] | None = None,
    first_available_dim: int | None = None,
    temperature: int = 1,
    rng_key: Any = None,
) -> Callable[..., Any]:
    """Give a model's marked discrete sites values from their joint posterior.

    Everything else is taken as it is: sites with data, and latent sites with the values that
    handlers give (`substitute` a draw of a sampler). The model then runs with the drawn values, so
    that what depends on them, also `deterministic` sites, has its usual meaning and shape. A latent
    site without a value whose distribution depends on a discrete one, such as a forecast or a
    missing observation, says nothing of the discrete sites; it is drawn in that run, given them.

    Parameters
    ----------
    fn : callable, optional
        The model, its discrete sites marked ``infer={"enumerate": "parallel"}`` (or by
        `config_enumerate`). Without it, returns a decorator.
    first_available_dim : int, optional
        The rightmost batch dim that no plate uses, negative; found from the model by default.
    temperature : int
        1 to draw, 0 for the values that are most probable jointly (Viterbi's path of a hidden
        Markov model).
    rng_key : key, optional
        Key to draw with; by default that of the enclosing `seed` handler.

    Returns
    -------
    callable
        The model with the drawn values, which returns what the model returns.

    Raises
    ------
    ValueError
        The temperature is neither 0 nor 1; a latent site that depends on a discrete site has no
        value, but data depend on it; or what `enum` raises.

    Examples
    --------
    >>> import jax
    >>> import jax.numpy as jnp
    >>> import sojourn_distributions as dist
    >>> from sojourn_infer.enumeration import config_enumerate, infer_discrete
    >>> from sojourn_primitives import handlers, plate, sample
    >>> def mixture(y):
    ...     with plate("data", len(y)):
    ...         z = sample("z", dist.Categorical(jnp.array([0.5, 0.5])))
    ...         sample("y", dist.Normal(jnp.array([-3.0, 3.0])[z], 1.0), obs=y)
    ...     return z
    >>> decode = infer_discrete(config_enumerate(mixture), temperature=0)
    >>> decode(jnp.array([-2.5, 3.5, 4.0])).tolist()
    [0, 1, 1]
    """
    if temperature not in (0, 1):
        raise ValueError(
            f"infer_discrete: temperature must be 1 (draw) or 0 (mode), got {temperature!r}."
        )
    if fn is None:
        return functools.partial(
            infer_discrete,
            first_available_dim=first_available_dim,
            temperature=temperature,
            rng_key=rng_key,
        )

    @functools.wraps(fn)
    def with_draws(*args: Any, **kwargs: Any) -> Any:
        key = rng_key
        if key is None:
            key = prng_key() if temperature else jax.random.key(0)
        if key is None:
            raise RuntimeError(
                "infer_discrete: there is no key to draw with. Pass rng_key, or run the model "
                "inside handlers.seed."
            )
        values = discrete_values(fn, args, kwargs, key, temperature, first_available_dim)
        drawn: Callable[..., Any] = handlers.substitute(fn, data=values)
        if rng_key is not None or temperature:
            drawn = handlers.seed(drawn, rng_seed=jax.random.fold_in(key, 2))
        return drawn(*args, **kwargs)

    return with_draws


def discrete_values(
    model: Callable[..., Any],
    args: tuple,
    kwargs: dict,
    key: Any,
    temperature: int = 1,
    first_available_dim: int | None = None,
) -> dict[str, Any]:
    """Draw the marked discrete sites of a model, given all other values.

    Returns
    -------
    dict
        Values by name of latent sites, drawn or given, and the indices of plates: with these the
        model runs as it did here. A scanned site has a leading time axis. Latent sites without a
        value that depend on a discrete one are not among them.
    """

    def run(stand_ins: StandIns) -> Trace:
        with _Unrecorded():
            seeded = handlers.seed(model, rng_seed=key)
            marked = enum(seeded, first_available_dim, stand_ins=stand_ins)
            return handlers.trace(marked).get_trace(*args, **kwargs)

    stand_ins = StandIns()
    trace = run(stand_ins)
    later: set[str] = set()
    if stand_ins.names or stand_ins.known_steps:
        later = _drawn_later(stand_ins, run)
        trace = {name: site for name, site in trace.items() if name not in later}
    sites = enumerated_sites(trace)
    values = {
        name: site["value"]
        for name, site in trace.items()
        if name not in stand_ins.known_steps
        and (site["type"] == "plate" or (site["type"] == "sample" and not site["is_observed"]))
    }
    if needs_sum(trace):
        draws = draw_all(joint_density(trace).problem, jax.random.fold_in(key, 1), temperature)
        values.update({name: _value(site, draws) for name, site in sites.items()})
    return values


class _Unrecorded(Messenger):
    """Lets the handlers outside act on messages, but not see how these end."""

    def process_message(self, msg: Message) -> None:
        process_outside(self, msg)
        msg["stop"] = True


def _drawn_later(stand_ins: StandIns, run: Callable[[StandIns], Trace]) -> set[str]:
    """Return the latent sites to be drawn after the discrete ones: some, and what is drawn of them.

    Raises
    ------
    ValueError
        A site that is not drawn depends on them.
    """
    names: list[str] = []
    reversed_scans: set[str] = set()

    def values_and_fns(markers: dict[str, Any]) -> list[Any]:
        sites = {n: s for n, s in run(StandIns(markers)).items() if s["type"] == "sample"}
        names[:] = sites
        reversed_scans.update(name for name, site in sites.items() if _is_reversed(site))
        return [(jax.tree.leaves(s["value"]), _parameters(s)) for s in sites.values()]

    known_steps = stand_ins.known_steps
    markers = {name: jnp.zeros(()) for name in sorted({*stand_ins.names, *known_steps})}
    program, shapes = jax.make_jaxpr(values_and_fns, return_shape=True)(markers)
    depends_on = iter(input_dependence(program))
    later, found = set(stand_ins.names), []
    for name, (value, parameters) in zip(names, shapes, strict=True):
        of_value, of_fn = (
            {list(markers)[i] for i in frozenset().union(*[next(depends_on) for _ in leaves])}
            for leaves in (value, parameters)
        )
        # A value that was given depends on no other site.
        if of_value and name not in known_steps:
            later.add(name)
        found.append((name, of_fn))
    for name, of_fn in found:
        for site in sorted(of_fn):
            # What is known of two sites of a scan up to the same step does not see later ones.
            in_step = known_steps.get(name, math.inf) <= known_steps.get(site, -1)
            if name not in later and not (in_step and name not in reversed_scans):
                raise ValueError(_depends_on_unknown(site, name))
    return later


def _depends_on_unknown(site: str, name: str) -> str:
    return (
        f"latent site {site!r} depends on a discrete site and has no value, and site {name!r} "
        f"depends on {site!r}: the discrete sites could only be drawn after a sum over all its "
        "values. Give it a value with handlers.substitute or condition, or mark only those "
        "discrete sites that it does not depend on."
    )


def _is_reversed(site: Message) -> bool:
    note = site.get("enumeration")
    return isinstance(note, Scanned) and note.steps.reverse


def _parameters(site: Message) -> list[Any]:
    """Return what the log density of a site is computed from, beside its value."""
    note = site.get("enumeration")
    if not isinstance(note, Scanned):
        return jax.tree.leaves((site["fn"], site["scale"]))
    parameters = [(term.fn, term.scale) for term in note.first]
    if note.build is not None:
        positions = note.build(list(range(len(note.leaves))))
        parameters += [note.leaves[i] for i in jax.tree.leaves((positions.fn, positions.scale))]
    return jax.tree.leaves(parameters)


def _value(site: Message, draws: dict[Variable, Draw]) -> Any:
    """Return the drawn value of a site, shape by plates, with a leading time axis if scanned."""
    note: Any = site["enumeration"]
    if not isinstance(note, Scanned):
        fn: Any = site["fn"]
        return jnp.asarray(support_values(fn))[
            _index(note.variable, draws, site["cond_indep_stack"])
        ]
    steps, name = note.steps, note.name
    index = [_index(Variable(name, step=s), draws, note.plates)[None] for s in range(steps.first)]
    if note.build is not None:
        current = Variable(name, lag=0)
        plates = draws[current].plates if current in draws else ()
        time = [p for p in plates if p not in {frame.name for frame in note.plates}]
        rest = _index(current, draws, note.plates, time)
        length = steps.length - steps.first
        index.append(jnp.broadcast_to(rest, (length, *rest.shape[1:])))
    return jnp.asarray(support_values(note.first[0].fn))[joined(index, steps.reverse)]


def _index(
    variable: Variable,
    draws: dict[Variable, Draw],
    frames: list[CondIndepStackFrame],
    leading: list[str] | None = None,
) -> jax.Array:
    """Return drawn positions, their axes where the plates have their dims."""
    rank = max((-frame.dim for frame in frames), default=0)
    owners = {frame.dim: frame for frame in frames}
    shape = tuple(owners[d].size if d in owners else 1 for d in range(-rank, 0))
    if variable not in draws:  # a site with one value
        return jnp.zeros((1, *shape) if leading is not None else shape, int)
    draw = draws[variable]
    axes = [owners[d].name if d in owners else f"axis {d}" for d in range(-rank, 0)]
    index = align(Factor(draw.positions, (), draw.plates), (), [*(leading or ()), *axes])
    return jnp.broadcast_to(index, (*index.shape[: len(leading or ())], *shape))
