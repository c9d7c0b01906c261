"""A run that is traced into an outer function, and what it leaves for its user."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh

from sojourn_hmc.inline import Recipe, describe_inline, run_inline
from sojourn_hmc.placement import Placement
from sojourn_hmc.prepare import Request
from sojourn_hmc.results import Results, results


class Traced(NamedTuple):
    """What a traced run leaves.

    Attributes
    ----------
    placement : Placement
        How its chains are laid out.
    last_state : pytree
        Their states; several chains have a leading axis.
    results : Results
        Their draws.
    """

    placement: Placement
    last_state: Any
    results: Results


def trace(request: Request, one_start: Any) -> Traced:
    """Trace a run; see `sojourn_hmc.inline`.

    Parameters
    ----------
    request : Request
        What to run.
    one_start : pytree or None
        Where one chain starts.
    """
    kernel, fields, num_chains = request.kernel, request.fields.shown(), request.num_chains
    # A check reads shapes and types of a start: any numbers will do for traced ones.
    start = jax.tree.map(
        lambda leaf: (
            np.zeros(leaf.shape, leaf.dtype) if isinstance(leaf, jax.core.Tracer) else leaf
        ),
        one_start,
    )
    kernel.check(request.args, request.kwargs, start)
    states = request.states
    if states is not None and num_chains == 1:
        states = jax.tree.map(lambda leaf: leaf[None], states)
    method = request.chain_method
    recipe = Recipe(
        kernel,
        fields,
        request.postprocess_fn,
        num_chains,
        "sequential" if isinstance(method, Mesh) else method,
        request.lock_step,
        request.num_warmup,
        request.phases,
    )
    outcome = run_inline(
        recipe, request.keys, request.args, request.kwargs, request.init_params, states
    )
    chains = tuple(range(num_chains))
    placement = Placement((chains,), 1, True, describe_inline(recipe))
    last_state = outcome.states
    if num_chains == 1:
        last_state = jax.tree.map(lambda leaf: leaf[0], last_state)
    fields.check_excluded(outcome.samples)
    found = results(fields, outcome.unconstrained, outcome.samples, outcome.others)
    return Traced(placement, last_state, found)
