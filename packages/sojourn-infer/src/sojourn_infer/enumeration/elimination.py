"""The sum over all discrete variables of a model: factors, chains among them, and the way back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax

from sojourn_distributions.numerics import log_sum_exp
from sojourn_infer.enumeration.chains import Chain, ChainElimination, draw_chain, eliminate_chain
from sojourn_infer.enumeration.factors import (
    Draw,
    Factor,
    Reduce,
    Variable,
    add_up,
    maximum,
)
from sojourn_infer.enumeration.sampling import choose_at_random, choose_largest, draw
from sojourn_infer.enumeration.sum_product import Elimination, eliminate


class Problem(NamedTuple):
    """A joint density over discrete variables.

    Attributes
    ----------
    factors : tuple of Factor
        All factors outside of chains.
    chains : tuple of Chain
        In the order of execution.
    plates_of : dict
        The plates of each variable.
    ratios : dict
        For plates that subsample, how many elements one element stands for.
    """

    factors: tuple[Factor, ...]
    chains: tuple[Chain, ...]
    plates_of: Mapping[Variable, frozenset[str]]
    ratios: Mapping[str, float]


def log_marginal(problem: Problem) -> jax.Array:
    """Log of the joint density summed over all discrete variables, a scalar."""
    return _solve(problem, log_sum_exp)[0]


def draw_all(problem: Problem, key: Any, temperature: int) -> dict[Variable, Draw]:
    """Draw all variables jointly at temperature 1, or find their mode at temperature 0."""
    reduce, choose = (log_sum_exp, choose_at_random) if temperature else (maximum, choose_largest)
    # The way back needs the weights of every step.
    chains = tuple(chain._replace(how="sequential") for chain in problem.chains)
    _, history = _solve(problem._replace(chains=chains), reduce)
    key = jax.random.key(0) if key is None else key
    draws: dict[Variable, Draw] = {}
    for number, elimination in enumerate(reversed(history)):
        own_key = jax.random.fold_in(key, number)
        if isinstance(elimination, ChainElimination):
            draws.update(draw_chain(own_key, elimination, draws, choose))
        else:
            factors, variables = elimination.factors, elimination.variables
            draws.update(draw(own_key, factors, variables, draws, choose))
    return draws


def _solve(
    problem: Problem, reduce: Reduce
) -> tuple[jax.Array, list[Elimination | ChainElimination]]:
    _, _, plates_of, ratios = problem
    pool = list(problem.factors)
    history: list[Elimination | ChainElimination] = []
    waiting = list(problem.chains)
    while waiting:
        # The innermost first: what it leaves may enter a chain outside of its plates.
        chain = max(waiting, key=lambda c: max((len(plates_of[v]) for v in c.state), default=0))
        keep = {v for c in waiting for v in c.scope()}
        pool, record = eliminate(pool, plates_of, ratios, reduce, keep)
        waiting.remove(chain)
        history += record
        pool, steps = eliminate_chain(pool, chain, plates_of, ratios, reduce)
        history += steps
    done, record = eliminate(pool, plates_of, ratios, reduce)
    history += record
    return add_up([factor.table for factor in done]), history
