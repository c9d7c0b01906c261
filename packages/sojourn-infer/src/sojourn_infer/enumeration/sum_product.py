"""Plated sum-product: discrete variables eliminated from factors, plates taken as products.

Source: Obermeyer et al. 2019, "Tensor Variable Elimination for Plated Factor Graphs" (ICML,
arXiv 1902.03210), Algorithm 1. A variable of a plate has an independent copy for each element. The
innermost plates go first: in each group of factors that such copies connect, these are summed out,
and the result is multiplied over the plates that none of the remaining variables has. This fails,
and only then the cost would be exponential in a plate's size, where variables of different plates
meet in a factor of both.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from sojourn_infer.enumeration.factors import (
    Factor,
    Reduce,
    Variable,
    contract,
    sum_plates,
    unique,
)

PlatesOf = Mapping[Variable, frozenset[str]]


class Elimination(NamedTuple):
    """One step of an elimination, from which the variables can be drawn back.

    Attributes
    ----------
    factors : tuple of Factor
        All factors, at that moment, of the variables.
    variables : tuple of Variable
        What was eliminated.
    """

    factors: tuple[Factor, ...]
    variables: tuple[Variable, ...]


def eliminate(
    factors: Sequence[Factor],
    plates_of: PlatesOf,
    ratios: Mapping[str, float],
    reduce: Reduce,
    keep: Collection[Variable] = (),
) -> tuple[list[Factor], list[Elimination]]:
    """Eliminate all variables, except for those to keep, and the plates of what is left.

    Parameters
    ----------
    factors : sequence of Factor
        Each lies in all plates of its variables, at least.
    plates_of : mapping
        The plates of each variable.
    ratios : mapping
        For plates that subsample, how many elements one element stands for.
    reduce : Callable
        `log_sum_exp` or `maximum`.
    keep : collection of Variable
        What is not to be eliminated; what cannot be eliminated before it stays as well.

    Returns
    -------
    tuple
        Factors of what was kept, the others with neither variables nor plates; and the
        eliminations in order.

    Raises
    ------
    ValueError
        The cost would be exponential in the size of a plate.
    """
    waiting = list(factors)
    kept = set(keep)
    done: list[Factor] = []
    record: list[Elimination] = []
    while waiting:
        deepest = max((frozenset(factor.plates) for factor in waiting), key=len)
        group = [factor for factor in waiting if frozenset(factor.plates) == deepest]
        waiting = [factor for factor in waiting if frozenset(factor.plates) != deepest]
        local = {v for factor in group for v in factor.variables if plates_of[v] == deepest} - kept
        for component in _components(group, local):
            here = unique(v for factor in component for v in factor.variables if v in local)
            result, steps = contract(component, here, reduce)
            record += [Elimination(*step) for step in steps]
            left = frozenset().union(*(plates_of[v] for v in result.variables)) & deepest
            if left != deepest:
                waiting.append(sum_plates(result, deepest - left, ratios))
            elif deepest and not any(plates_of[v] == deepest for v in result.variables):
                raise ValueError(_intractable(result, plates_of, deepest))
            else:
                done.append(result)
                kept.update(result.variables)
    return done, record


def _components(factors: list[Factor], links: Collection[Variable]) -> list[list[Factor]]:
    """Group factors that are connected through variables among ``links``."""
    groups: list[tuple[set[Variable], list[Factor]]] = []
    for factor in factors:
        scope, members = {v for v in factor.variables if v in links}, [factor]
        apart = []
        for other in groups:
            if other[0] & scope:
                scope, members = scope | other[0], other[1] + members
            else:
                apart.append(other)
        groups = [*apart, (scope, members)]
    return [members for _, members in groups]


def _intractable(factor: Factor, plates_of: PlatesOf, plates: frozenset[str]) -> str:
    """Say which two variables meet that no order of elimination can part."""
    variables = sorted(factor.variables)
    for u in variables:
        for w in variables:
            if plates_of[u] - plates_of[w] and plates_of[w] - plates_of[u]:
                return intractable(u, w, plates_of)
    u, *_, w = variables
    return intractable(u, w, plates_of)


def intractable(u: Variable, w: Variable, plates_of: PlatesOf) -> str:
    """Say that two variables of different plates cannot be parted."""
    return (
        f"discrete sites {u} in {_plates(plates_of[u])} and {w} in {_plates(plates_of[w])} meet in "
        "a site of both: every copy of the one depends on every copy of the other, and summing "
        "them out would cost exponentially in the size of a plate. Put one of them inside the "
        "plates of both, or drop a plate and enumerate its elements as separate sites, or sample "
        "one of them (DiscreteHMCGibbs)."
    )


def _plates(plates: Collection[str]) -> str:
    if not plates:
        return "no plate"
    return ("plate " if len(plates) == 1 else "plates ") + ", ".join(map(repr, sorted(plates)))
