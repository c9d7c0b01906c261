"""Chains: the states of a scan eliminated step after step, and drawn back in reverse.

The forward algorithm (Rabiner 1989, "A tutorial on hidden Markov models", Proc. IEEE 77(2)): what
is carried from step to step is the log weight of each joint state given all data so far, so that T
steps with K states cost ``T K**2``, in a loop whose program does not grow with T. Weights are
shifted at each step so that their largest is 0; the shifts are added up apart, and thousands of
steps lose no digits in single precision. The gradient keeps the weights of each step and computes
the rest anew (`jax.checkpoint`). What factors have in common over time is not repeated. On request
the factors of one block of steps at a time are computed, when they are needed, or neighbouring
steps are multiplied pairwise, in few but larger rounds.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from sojourn_infer.enumeration.factors import (
    Draw,
    Draws,
    Factor,
    Reduce,
    Variable,
    add,
    align,
    contract,
    largest,
    sum_plates,
    unique,
)
from sojourn_infer.enumeration.sampling import Choose, draw
from sojourn_infer.enumeration.sum_product import (
    Elimination,
    PlatesOf,
    eliminate,
    intractable,
)


class Part(NamedTuple):
    """How the factors of a part of a chain's steps are computed anew.

    Attributes
    ----------
    inputs : tree of array
        By step, along the leading axis.
    factors_of : Callable
        The factors of one or more steps, from that part of the inputs.
    """

    inputs: Any
    factors_of: Callable[[Any], tuple[Factor, ...]]


class Chain(NamedTuple):
    """What a scan does again and again, after the first steps, whose factors stand by themselves.

    Attributes
    ----------
    factors : tuple of Factor
        The factors of one step, over variables with a lag and variables outside of the scan. Those
        that differ by step have ``time`` among their plates.
    state : tuple of Variable
        What a step takes over from those before, all with a lag of at least 1.
    first, steps : int
        Number of the first of these steps, and how many there are.
    time : str
        The plate that stands for the steps.
    how : str
        "sequential": step after step. "blocks": the same, with the factors of one block of steps
        at a time. "pairwise": neighbouring steps are multiplied, all pairs at once.
    part : Part or None
        For blocks.
    """

    factors: tuple[Factor, ...]
    state: tuple[Variable, ...]
    first: int
    steps: int
    time: str
    how: str = "sequential"
    part: Part | None = None

    def entering(self) -> dict[Variable, Variable]:
        """For each variable of the state, which step's copy it is at the start."""
        return {v: Variable(v.site, step=self.first - _lag(v)) for v in self.state}

    def leaving(self) -> dict[Variable, Variable]:
        """For each variable of the state, which step's copy it is at the end."""
        end = self.first + self.steps
        return {v: Variable(v.site, step=end - _lag(v)) for v in self.state}

    def scope(self) -> set[Variable]:
        """All variables through which the chain is connected with factors outside."""
        outside = {v for factor in self.factors for v in factor.variables if v.lag is None}
        return outside | {*self.entering().values(), *self.leaving().values()}


class ChainElimination(NamedTuple):
    """An eliminated chain, from which its states can be drawn back.

    Attributes
    ----------
    chain : Chain
        The chain, or a part of it that is not connected with the rest.
    weights : Factor
        Log weights before each step, with ``chain.time`` as the first plate.
    fixed, moving : tuple of Factor
        The factors of a step: the same at all steps, and by step.
    """

    chain: Chain
    weights: Factor
    fixed: tuple[Factor, ...]
    moving: tuple[Factor, ...]


def eliminate_chain(
    pool: Sequence[Factor],
    chain: Chain,
    plates_of: PlatesOf,
    ratios: Mapping[str, float],
    reduce: Reduce,
) -> tuple[list[Factor], list[Elimination | ChainElimination]]:
    """Replace a chain, and the factors of its first states, by factors of its last states.

    Parameters
    ----------
    pool : sequence of Factor
        The factors outside of chains, in which nothing is left to eliminate before this chain.
    chain : Chain
        What to eliminate.
    plates_of, ratios, reduce
        As for `eliminate`; variables with a lag also have the plate ``chain.time``.

    Returns
    -------
    tuple
        The new pool, and the eliminations in order.
    """
    if chain.how == "blocks" and chain.part is not None and chain.steps > 1:
        return _in_blocks(pool, chain, plates_of, ratios, reduce), []
    links, outside, record = _join_within_steps(chain, plates_of, ratios, reduce)
    names = {v: k for k, v in chain.entering().items()}
    starts = [_rename(f, names) for f in pool if names.keys() & set(f.variables)]
    pool = [f for f in pool if not names.keys() & set(f.variables)] + outside
    history: list[Elimination | ChainElimination] = [*record]
    # A site with one value only is no variable of any factor.
    varying = {site for factor in [*links, *starts] for site in _sites(factor)}
    state = [v for v in chain.state if v.site in varying]
    for sites in _connected_sites(state, [*links, *starts]):
        part = chain._replace(state=tuple(v for v in state if v.site in sites))
        own = [f for f in links if _sites(f) & sites]
        entry = [f for f in starts if _sites(f) & sites]
        _check_plates(part, [*own, *entry], plates_of)
        if chain.how == "pairwise":
            pool.append(_pairwise(part, own, entry, plates_of, reduce))
            continue
        last, elimination = _forward(part, own, entry, plates_of, reduce)
        pool.append(last)
        history.append(elimination)
    return pool, history


def draw_chain(
    key: Any, elimination: ChainElimination, draws: Draws, choose: Choose
) -> dict[Variable, Draw]:
    """Choose the states of a chain, given its last ones, from the end to the start.

    Returns
    -------
    dict
        Values of the first states; and, with ``chain.time`` as the first plate, of the variables
        with a lag at all steps.
    """
    chain, weights, fixed, moving = elimination
    plates = weights.plates[1:]
    leaving, entering = chain.leaving(), chain.entering()
    batch = {v: draws[v] for v in weights.variables if v not in chain.state}
    survivors = {_younger(v): v for v in chain.state}
    gone = tuple(v for v in chain.state if v not in survivors)
    last = [_index(draws[leaving[v]], plates) for v in chain.state]

    def step(state: list[jax.Array], x: Any) -> tuple[list[jax.Array], list[jax.Array]]:
        key, table, tables = x
        after = dict(zip(chain.state, state, strict=True))
        known = {young: Draw(after[old], plates) for young, old in survivors.items()}
        factors = [Factor(table, weights.variables, plates), *fixed]
        factors += _of_step(moving, tables, chain.time)
        known.update(draw(key, factors, gone, {**batch, **known}, choose))
        return (
            [_index(known[v], plates) for v in chain.state],
            [_index(known[v], plates) for v in gone],
        )

    tables = [_time_first(factor, chain.time) for factor in moving]
    xs = (jax.random.split(key, chain.steps), weights.table, tables)
    first, paths = jax.lax.scan(step, last, xs, reverse=True)
    found = {entering[v]: Draw(index, plates) for v, index in zip(chain.state, first, strict=True)}
    ends = dict(zip(chain.state, last, strict=True))
    for oldest, path in zip(gone, paths, strict=True):
        reach = _lag(oldest)
        tail = [ends[oldest._replace(lag=lag)] for lag in range(reach, 0, -1)]
        values = jnp.concatenate([path, jnp.stack(tail)])
        for lag in range(reach + 1):
            at_lag = values[reach - lag : reach - lag + chain.steps]
            found[oldest._replace(lag=lag)] = Draw(at_lag, (chain.time, *plates))
    return found


def _join_within_steps(
    chain: Chain, plates_of: PlatesOf, ratios: Mapping[str, float], reduce: Reduce
) -> tuple[list[Factor], list[Factor], list[Elimination]]:
    """Eliminate what lives within one step, of all steps at once.

    Returns
    -------
    tuple
        Factors that link the states of neighbouring steps; factors of variables outside of the
        scan alone; and the eliminations.
    """
    links, within = [], []
    states = {*chain.state, *map(_younger, chain.state)}
    for factor in chain.factors:
        variables = factor.variables
        same_at_all_steps = chain.time not in factor.plates
        if same_at_all_steps and variables and states.issuperset(variables):
            own = frozenset().union(*(plates_of[v] for v in variables))
            links.append(sum_plates(factor, set(factor.plates) - own, ratios))
        else:
            within.append(_repeated(factor, chain) if same_at_all_steps else factor)
    outside = {v for factor in within for v in factor.variables if v.lag is None}
    joined, record = eliminate(within, plates_of, ratios, reduce, keep=states | outside)
    links += [factor for factor in joined if _sites(factor)]
    return links, [factor for factor in joined if not _sites(factor)], record


def _forward(
    chain: Chain,
    links: list[Factor],
    starts: list[Factor],
    plates_of: PlatesOf,
    reduce: Reduce,
) -> tuple[Factor, ChainElimination]:
    """Run the forward algorithm on states that are connected with each other."""
    batch, plates, sizes = _layout(chain, links, starts, plates_of)
    variables = (*batch, *chain.state)
    shape = tuple(sizes[name] for name in (*variables, *plates))
    dtype = jnp.result_type(*(f.table for f in [*links, *starts]))
    over_states = tuple(range(len(batch), len(variables)))
    older = {_younger(v): v for v in chain.state}
    gone = tuple(v for v in chain.state if v not in older)
    fixed = tuple(f for f in links if chain.time not in f.plates)
    moving = tuple(f for f in links if chain.time in f.plates)

    def shifted(factor: Factor) -> tuple[jax.Array, jax.Array]:
        table = jnp.broadcast_to(align(factor, variables, plates), shape).astype(dtype)
        top = largest(table, over_states)
        return table - top, jnp.squeeze(top, over_states)

    @functools.partial(jax.checkpoint, prevent_cse=False)  # a loop keeps its steps apart
    def step(table: jax.Array, tables: list[jax.Array]) -> tuple[jax.Array, jax.Array]:
        factors = [Factor(table, variables, plates), *fixed]
        factors += _of_step(moving, tables, chain.time)
        after, _ = contract(factors, gone, reduce)
        return shifted(_rename(after, older))

    def body(table: jax.Array, tables: list[jax.Array]) -> tuple[jax.Array, Any]:
        after, top = step(table, tables)
        return after, (table, top)

    start, top = shifted(add(starts))
    xs = [_time_first(factor, chain.time) for factor in moving]
    last, (before, tops) = jax.lax.scan(body, start, xs, chain.steps)
    top = top + jnp.sum(tops, 0)
    total = last + jnp.expand_dims(top, over_states)
    weights = Factor(before, variables, (chain.time, *plates))
    result = _rename(Factor(total, variables, plates), chain.leaving())
    return result, ChainElimination(chain, weights, fixed, moving)


def _in_blocks(
    pool: Sequence[Factor],
    chain: Chain,
    plates_of: PlatesOf,
    ratios: Mapping[str, float],
    reduce: Reduce,
) -> list[Factor]:
    """Eliminate a chain block after block; what is computed of a block lives no longer than it.

    The gradient keeps the weights before each block and computes the block anew, so that about
    ``2 * sqrt(T)`` steps are alive instead of T, for one more run of the forward algorithm.
    """
    assert chain.part is not None
    inputs, factors_of = chain.part
    size = math.isqrt(chain.steps - 1) + 1
    number = (chain.steps - 1) // size
    head = chain.steps - number * size
    entering = set(chain.entering().values())

    def advance(starts: list[Factor], inputs: Any, steps: int) -> tuple[list[Factor], list[Factor]]:
        """Return the weights of the states after some steps, and factors of no state."""
        block = chain._replace(factors=factors_of(inputs), steps=steps, how="sequential")
        back = {block.leaving()[v]: old for v, old in chain.entering().items()}
        after, _ = eliminate_chain(starts, block, plates_of, ratios, reduce)
        after = [_rename(f, back) for f in after]
        return _split(after, entering)

    def shifted(factor: Factor) -> tuple[jax.Array, jax.Array]:
        top = largest(factor.table, tuple(range(len(factor.variables))))
        return factor.table - top, top

    starts, rest = _split(pool, entering)
    weights, outside = advance(starts, jax.tree.map(lambda x: x[:head], inputs), head)
    tables, tops = zip(*map(shifted, weights), strict=True) if weights else ((), ())
    if number:

        @functools.partial(jax.checkpoint, prevent_cse=False)
        def body(tables: Any, inputs: Any) -> tuple[Any, Any]:
            before = [f._replace(table=t) for f, t in zip(weights, tables, strict=True)]
            after, apart = advance(before, inputs, size)
            same = [_like(f, after) for f in weights]
            tables, tops = zip(*map(shifted, same), strict=True) if same else ((), ())
            return tables, (tops, [_like(f, apart).table for f in outside])

        blocks = jax.tree.map(lambda x: x[head:].reshape((number, size, *x.shape[1:])), inputs)
        tables, (more_tops, apart) = jax.lax.scan(body, tables, blocks, number)
        tops = tuple(top + jnp.sum(more, 0) for top, more in zip(tops, more_tops, strict=True))
        outside = [
            f._replace(table=f.table + jnp.sum(more, 0))
            for f, more in zip(outside, apart, strict=True)
        ]
    names = {v: chain.leaving()[k] for k, v in chain.entering().items()}
    weights = [
        _rename(f._replace(table=t + top), names)
        for f, t, top in zip(weights, tables, tops, strict=True)
    ]
    return [*rest, *outside, *weights]


def _split(
    factors: Sequence[Factor], variables: set[Variable]
) -> tuple[list[Factor], list[Factor]]:
    """Return the factors of some variables, and the others."""
    own = [f for f in factors if variables & set(f.variables)]
    return own, [f for f in factors if not variables & set(f.variables)]


def _like(factor: Factor, factors: Sequence[Factor]) -> Factor:
    """Return the one of some factors that is of the same variables, its axes in the same order."""
    (same,) = (f for f in factors if set(f.variables) == set(factor.variables))
    return factor._replace(table=align(same, factor.variables, factor.plates))


def _pairwise(
    chain: Chain,
    links: list[Factor],
    starts: list[Factor],
    plates_of: PlatesOf,
    reduce: Reduce,
) -> Factor:
    """Multiply the matrices of neighbouring steps, all pairs at once, until one is left.

    T steps with K states cost ``T K**3`` in ``log2(T)`` rounds, against ``T K**2`` in T rounds: for
    devices that have more room than speed.
    """
    batch, plates, sizes = _layout(chain, links, starts, plates_of)
    state, arriving = chain.state, tuple(map(_younger, chain.state))
    if any(_lag(v) > 1 for v in state):
        raise NotImplementedError(
            f"scan: the states of {state[0].site!r} are to be eliminated pairwise, but reach back "
            f"{max(map(_lag, state))} steps. Pairwise elimination knows history=1; leave the "
            "option infer={'chain': 'pairwise'} out."
        )
    # The axes: time, what is the same for a whole chain, plates, the state before and after.
    outer = tuple(sizes[name] for name in (*batch, *plates))
    width = math.prod(sizes[v] for v in state)
    end = len(batch) + 2 * len(state)

    def matrices(factor: Factor) -> jax.Array:
        table = align(factor, (*batch, *state, *arriving), (chain.time, *plates))
        table = jnp.moveaxis(table, range(len(batch), end), range(-2 * len(state), 0))
        return jnp.moveaxis(table, len(batch), 0)

    sides = tuple(sizes[v] for v in state)
    product = jnp.asarray(sum(matrices(factor) for factor in links))
    product = jnp.broadcast_to(product, (chain.steps, *outer, *sides, *sides))
    product = product.reshape((chain.steps, *outer, width, width))
    while len(product) > 1:
        even = len(product) // 2 * 2
        left, right = product[0:even:2], product[1:even:2]
        pairs = reduce(left[..., :, :, None] + right[..., None, :, :], (left.ndim - 1,), False)
        product = jnp.concatenate([pairs, product[even:]])
    first = align(add(starts), (*batch, *state), plates)
    first = jnp.moveaxis(first, range(len(batch), len(batch) + len(state)), range(-len(state), 0))
    first = jnp.broadcast_to(first, (*outer, *sides)).reshape((*outer, width))
    last = reduce(first[..., :, None] + product[0], (first.ndim - 1,), False)
    last = last.reshape((*outer, *sides))
    last = jnp.moveaxis(last, range(-len(state), 0), range(len(batch), len(batch) + len(state)))
    return _rename(Factor(last, (*batch, *state), plates), chain.leaving())


def _layout(
    chain: Chain, links: Sequence[Factor], starts: Sequence[Factor], plates_of: PlatesOf
) -> tuple[tuple[Variable, ...], tuple[str, ...], dict[Any, int]]:
    """Return the variables outside of a chain, its plates, and the sizes of all axes."""
    factors = [*starts, *links]
    own_plates = plates_of[chain.state[0]] - {chain.time}
    plates = unique(p for f in factors for p in f.plates if p in own_plates)
    batch = unique(v for f in factors for v in f.variables if v.lag is None)
    sizes: dict[Any, int] = {}
    for f in factors:
        sizes.update(zip((*f.variables, *f.plates), f.table.shape, strict=True))
    return batch, plates, sizes


def _connected_sites(state: Sequence[Variable], factors: Sequence[Factor]) -> list[set[str]]:
    groups: list[set[str]] = [{site} for site in unique(v.site for v in state)]
    for factor in factors:
        sites = _sites(factor)
        touched = [group for group in groups if group & sites]
        groups = [group for group in groups if not group & sites] + [set().union(*touched)]
    return [group for group in groups if group]


def _check_plates(chain: Chain, factors: Sequence[Factor], plates_of: PlatesOf) -> None:
    """Raise where a chain's states are coupled by variables of other plates."""
    state = chain.state[0]
    own = plates_of[state]
    for v in unique(v for factor in factors for v in factor.variables):
        differs = plates_of[v] - own if v.lag is None else plates_of[v] ^ own
        if differs:
            raise ValueError(intractable(state, v, plates_of))


def _sites(factor: Factor) -> set[str]:
    """Sites of the scan that a factor depends on."""
    return {v.site for v in factor.variables if v.lag is not None}


def _lag(v: Variable) -> int:
    assert v.lag is not None
    return v.lag


def _younger(v: Variable) -> Variable:
    return v._replace(lag=_lag(v) - 1)


def _rename(factor: Factor, names: Mapping[Variable, Variable]) -> Factor:
    return factor._replace(variables=tuple(names.get(v, v) for v in factor.variables))


def _index(values: Draw, plates: Sequence[str]) -> jax.Array:
    return align(Factor(values.positions, (), values.plates), (), plates)


def _repeated(factor: Factor, chain: Chain) -> Factor:
    """Give a factor that is the same at all steps the plate of the steps."""
    axis = len(factor.variables)
    table = jnp.expand_dims(factor.table, axis)
    shape = (*table.shape[:axis], chain.steps, *table.shape[axis + 1 :])
    return Factor(jnp.broadcast_to(table, shape), factor.variables, (chain.time, *factor.plates))


def _time_first(factor: Factor, time: str) -> jax.Array:
    axis = len(factor.variables) + factor.plates.index(time)
    return jnp.moveaxis(factor.table, axis, 0)


def _of_step(moving: Sequence[Factor], tables: Sequence[jax.Array], time: str) -> list[Factor]:
    return [
        Factor(table, factor.variables, tuple(p for p in factor.plates if p != time))
        for factor, table in zip(moving, tables, strict=True)
    ]
