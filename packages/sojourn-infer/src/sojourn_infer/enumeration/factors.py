"""Log factors over discrete variables and plates, and the operations on them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from opt_einsum import paths

from sojourn_distributions.broadcasting import broadcast, sum_over

Reduce = Callable[[jax.Array, tuple[int, ...], bool], jax.Array]
"""Reduces a table over axes; the last argument says that no entry is plus infinity."""
Draws = Mapping["Variable", "Draw"]


class Variable(NamedTuple):
    """A discrete site that is summed out, or one step's copy of it.

    Attributes
    ----------
    site : str
        The site's name.
    step : int or None
        The step, for a site inside a scan, counted in the order of execution.
    lag : int or None
        In what a scan does again and again, how many steps ago: 0 is the current one.
    """

    site: str
    step: int | None = None
    lag: int | None = None

    def __str__(self) -> str:
        if self.step is not None:
            return f"{self.site!r} (step {self.step})"
        return repr(self.site)


class Factor(NamedTuple):
    """A log factor.

    Attributes
    ----------
    table : array
        Log values, with one axis for each variable and then one for each plate.
    variables : tuple of Variable
        What it is a function of.
    plates : tuple of str
        The plates whose elements each have a factor of their own.
    bounded : bool
        Whether no entry can be plus infinity, as in a table of probabilities.
    """

    table: jax.Array
    variables: tuple[Variable, ...]
    plates: tuple[str, ...]
    bounded: bool = False

    def sizes(self) -> dict[Variable, int]:
        """Return how many values each variable has."""
        return dict(zip(self.variables, self.table.shape, strict=False))


class Draw(NamedTuple):
    """Values that a variable has taken: positions in its support, shape by plates."""

    positions: jax.Array
    plates: tuple[str, ...]


def largest(table: jax.Array, axes: tuple[int, ...]) -> jax.Array:
    """Largest entry over axes, which stay; a finite number to shift by, without a gradient."""
    top = jnp.max(jax.lax.stop_gradient(table), axes, keepdims=True)
    limits = jnp.finfo(table.dtype)
    return jnp.clip(top, float(limits.min), float(limits.max))


def maximum(table: jax.Array, axes: tuple[int, ...], bounded: bool = False) -> jax.Array:
    """Largest entry over axes: what `log_sum_exp` becomes at temperature 0."""
    return jnp.max(table, axes)


def add_up(tables: Sequence[jax.Array]) -> jax.Array:
    """Add tables whose shapes broadcast; 0 if there are none."""
    return functools.reduce(_plus, tables) if tables else jnp.zeros(())


def _plus(x: jax.Array, y: jax.Array) -> jax.Array:
    if x.dtype != y.dtype:
        return jnp.add(x, y)
    shape = np.broadcast_shapes(x.shape, y.shape)
    return jax.lax.add(broadcast(x, shape), broadcast(y, shape))


def unique(names: Iterable[Any]) -> tuple:
    """Return the different ones, in the order of their first appearance."""
    return tuple(dict.fromkeys(names))


def align(factor: Factor, variables: Sequence[Variable], plates: Sequence[str]) -> jax.Array:
    """Return a factor's table with the axes ``variables + plates``, of size 1 where it has none."""
    names, wanted = (*factor.variables, *factor.plates), (*variables, *plates)
    if names == wanted:
        return factor.table
    order = [names.index(name) for name in wanted if name in names]
    table = factor.table
    table = table if order == sorted(order) else jax.lax.transpose(table, order)
    missing = [i for i, name in enumerate(wanted) if name not in names]
    return jax.lax.expand_dims(table, missing) if missing else table


def add(factors: Sequence[Factor]) -> Factor:
    """Multiply factors, that is add their tables."""
    if len(factors) == 1:
        return factors[0]
    variables = unique(v for factor in factors for v in factor.variables)
    plates = unique(p for factor in factors for p in factor.plates)
    tables = [align(factor, variables, plates) for factor in factors]
    return Factor(add_up(tables), variables, plates, all(factor.bounded for factor in factors))


def reduce_variables(factor: Factor, variables: Iterable[Variable], reduce: Reduce) -> Factor:
    """Eliminate variables from a factor."""
    gone = set(variables) & set(factor.variables)
    if not gone:
        return factor
    axes = tuple(i for i, v in enumerate(factor.variables) if v in gone)
    left = tuple(v for v in factor.variables if v not in gone)
    table = reduce(factor.table, axes, factor.bounded)
    return Factor(table, left, factor.plates, factor.bounded)


def sum_plates(factor: Factor, plates: Iterable[str], ratios: Mapping[str, float]) -> Factor:
    """Multiply a factor over the elements of plates.

    A plate that stands for more elements than it has (it subsamples) raises the product to the
    power ``ratios[plate]``: what is multiplied is the elements' marginal density, whose variables
    are summed out already.
    """
    gone = set(plates) & set(factor.plates)
    if not gone:
        return factor
    first = len(factor.variables)
    table = sum_over(factor.table, [first + i for i, p in enumerate(factor.plates) if p in gone])
    for plate in factor.plates:
        if plate in gone and ratios.get(plate, 1) != 1:
            table = table * ratios[plate]
    return factor._replace(table=table, plates=tuple(p for p in factor.plates if p not in gone))


def contract(
    factors: Sequence[Factor], variables: Sequence[Variable], reduce: Reduce
) -> tuple[Factor, list[tuple[tuple[Factor, ...], tuple[Variable, ...]]]]:
    """Multiply factors and eliminate variables, in an order that keeps intermediate tables small.

    Returns
    -------
    tuple
        The factor that is left; and for each elimination the factors that were multiplied and the
        variables that were eliminated from them.
    """
    operands = list(factors)
    steps = []
    for positions in _path(operands, set(variables)):
        taken = [operands[i] for i in positions]
        operands = [factor for i, factor in enumerate(operands) if i not in positions]
        elsewhere = {v for factor in operands for v in factor.variables}
        here = unique(v for factor in taken for v in factor.variables)
        gone = tuple(v for v in here if v in variables and v not in elsewhere)
        if gone:
            steps.append((tuple(taken), gone))
        operands.append(reduce_variables(add(taken), gone, reduce))
    (last,) = operands
    return last, steps


def _path(factors: list[Factor], gone: set[Variable]) -> list[tuple[int, ...]]:
    if len(factors) <= 2:
        return [tuple(range(len(factors)))]
    scopes = [frozenset(factor.variables) for factor in factors]
    sizes = {v: n for factor in factors for v, n in factor.sizes().items()}
    output = frozenset().union(*scopes) - gone
    return [tuple(step) for step in paths.auto(scopes, output, sizes)]


def condition(factor: Factor, draws: Draws) -> Factor:
    """Set variables to values: the factor of those that are left.

    The plates of a variable are among the factor's, and each element takes its own value.
    """
    known = [v for v in factor.variables if v in draws]
    if not known:
        return factor
    left = tuple(v for v in factor.variables if v not in draws)
    sizes = dict(zip((*factor.variables, *factor.plates), factor.table.shape, strict=True))
    axes: tuple[Any, ...] = (*left, *factor.plates)
    names: tuple[Any, ...] = (*factor.variables, *factor.plates)
    index: list[Any] = []
    for name in names:
        if name in draws:
            index.append(
                align(Factor(draws[name].positions, (), draws[name].plates), left, factor.plates)
            )
        else:
            place = len(axes) - axes.index(name) - 1
            index.append(jnp.arange(sizes[name]).reshape((-1,) + (1,) * place))
    return Factor(factor.table[tuple(index)], left, factor.plates)
