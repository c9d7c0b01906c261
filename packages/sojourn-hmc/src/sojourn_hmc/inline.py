"""A whole run as one pure function, for a run inside an outer jit, vmap or shard_map.

There the host cannot act between chunks: the first states, the transitions, the collecting and the
constraining that the driver calls one after another are traced into the program around the run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from sojourn_hmc.arguments import Arguments, with_data
from sojourn_hmc.chain import chain_key, first_state, is_key_batch, with_keys
from sojourn_hmc.chunk import Plan, advance
from sojourn_hmc.draws import block_that_fits
from sojourn_hmc.driver import Phase
from sojourn_hmc.fields import Fields
from sojourn_hmc.kernel import MCMCKernel
from sojourn_hmc.pace import Pace, advance_batch
from sojourn_hmc.placement import Transform


class Recipe(NamedTuple):
    """What a run does, as far as it is not data.

    Attributes
    ----------
    kernel : MCMCKernel
        The kernel.
    fields : Fields
        What is collected.
    postprocess_fn : Callable or None
        The user's map of a collected sample, in place of the kernel's.
    num_chains : int
        Number of chains.
    chain_method : str or Transform
        ``"vectorized"``: all chains make each transition together; a transform is applied to the
        run of one chain; otherwise one chain runs after another.
    lock_step : bool or None
        Whether chains of a batch make each transition together.
    num_warmup : int
        For the kernel's `init`.
    phases : sequence of Phase
        What is done, one after the other; the draws of the last are given.
    """

    kernel: MCMCKernel
    fields: Fields
    postprocess_fn: Callable[[Any], Any] | None
    num_chains: int
    chain_method: str | Transform
    lock_step: bool | None
    num_warmup: int
    phases: Sequence[Phase]


class Outcome(NamedTuple):
    """What a run gives; every array has a leading axis of chains.

    Attributes
    ----------
    states : pytree
        The last states.
    unconstrained : pytree
        The kernel's sample field, ``(chains, draws, ...)``; None if no draw is kept.
    samples : pytree
        What a user reads of it.
    others : tuple
        The other fields, ``(chains, draws, ...)``.
    """

    states: Any
    unconstrained: Any
    samples: Any
    others: tuple


def is_traced(kernel: MCMCKernel, inputs: Any) -> bool:
    """Whether a run on these inputs is part of an outer trace.

    Under `jax.jit` whatever is put on a device is traced; under `jax.vmap` alone only what depends
    on the mapped arguments is, which may be an input or a setting of the kernel.
    """
    if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(inputs)):
        return True
    settings = [value for name, value in vars(kernel).items() if name != "_compiled_programs"]
    return _holds_tracer(settings) or _holds_tracer(jax.device_put(np.int32(0)))


def describe_inline(recipe: Recipe) -> str:
    """Say how the chains of a run inside a trace are laid out."""
    if recipe.chain_method == "vectorized":
        how = "as one batch"
    elif isinstance(recipe.chain_method, str):
        how = "one after the other"
    else:
        how = "through a transform"
    return f"{recipe.num_chains} chains inside a trace, {how}"


def _holds_tracer(value: Any) -> bool:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return any(map(_holds_tracer, value))
    return isinstance(value, jax.core.Tracer)


def run_inline(
    recipe: Recipe,
    keys: jax.Array,
    args: tuple,
    kwargs: dict,
    init_params: Any,
    states: Any,
) -> Outcome:
    """Trace a run.

    Parameters
    ----------
    recipe : Recipe
        What to do.
    keys : Array
        A seed, or a batch with a key for each chain.
    args, kwargs
        Arguments of the model.
    init_params : pytree or None
        Where to start, with a leading axis of chains if there are several.
    states : pytree or None
        States with a leading axis of chains to go on from, in place of new ones.

    Returns
    -------
    Outcome
        The same as an ordinary run gives, up to rounding: the same operations are compiled in
        other company.
    """

    def trace(arguments: Arguments) -> Outcome:
        bind = arguments.structure.bind
        return jax.jit(lambda keys, data, states: _run(recipe, keys, bind(data), states))(
            keys, arguments.data, states
        )

    return with_data((args, kwargs, np.int32(recipe.num_warmup), init_params), trace)


def _run(recipe: Recipe, keys: jax.Array, inputs: tuple, states: Any) -> Outcome:
    model_args, model_kwargs, num_warmup, init_params = inputs
    kernel, several = recipe.kernel, init_params is not None and recipe.num_chains > 1
    if states is not None:
        states = _with_chain_keys(states, keys, recipe.num_chains)

    def begin(chain: jax.Array) -> Any:
        if states is not None:
            return jax.tree.map(lambda leaf: leaf[chain], states)
        return first_state(
            kernel, keys, chain, num_warmup, init_params, several, model_args, model_kwargs
        )

    def advance_one(num_rows: int, state: Any, plan: Plan) -> tuple[Any, tuple]:
        def step(state: Any) -> Any:
            return kernel.sample(state, model_args, model_kwargs)

        return advance(step, recipe.fields.select, num_rows, state, plan)

    def advance_all(num_rows: int, states: Any, plan: Plan) -> tuple[Any, tuple]:
        # What it would cost is not known inside a trace.
        pace = Pace(recipe.lock_step is False, "inside a trace")
        inputs = (model_args, model_kwargs)
        return advance_batch(kernel, inputs, pace, recipe.fields, num_rows, states, plan)[:2]

    chains = jnp.arange(recipe.num_chains, dtype=jnp.int32)
    if recipe.chain_method == "vectorized":
        last, rows = _go_through(recipe, advance_all, jax.vmap(begin)(chains))
        rows = jax.tree.map(lambda leaf: jnp.moveaxis(leaf, 1, 0), rows)
    else:
        method = recipe.chain_method
        transform = _one_after_another if isinstance(method, str) else method
        if kernel.meeting(model_args, model_kwargs) is not None:
            raise ValueError(
                f"{type(kernel).__name__} shares its warmup among the chains of a batch: choose "
                "chain_method='vectorized', or a warmup that is not Pooled"
            )
        last, rows = transform(lambda chain: _go_through(recipe, advance_one, begin(chain)))(chains)

    num_draws = recipe.phases[-1].num_kept()
    if num_draws == 0:
        return Outcome(last, None, None, ())
    unconstrained, *others = rows
    constrain = recipe.postprocess_fn or kernel.postprocess_fn(model_args, model_kwargs)
    samples = _constrain_all(constrain, unconstrained, recipe.num_chains, num_draws)
    return Outcome(last, unconstrained, samples, tuple(others))


def _one_after_another(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda chains: lax.map(function, chains)


def _go_through(
    recipe: Recipe, advance: Callable[[int, Any, Plan], tuple[Any, tuple]], state: Any
) -> tuple[Any, tuple]:
    """Advance a lane through all phases; give its state and what the last phase has collected."""
    rows: tuple = ()
    for phase in recipe.phases:
        plan = phase.plan(0, phase.num_transitions).as_arrays()
        num_rows = max(1, phase.num_kept())
        state, rows = advance(num_rows, state, plan)
    return state, rows


def _with_chain_keys(states: Any, keys: jax.Array, num_chains: int) -> Any:
    """Give states the keys that a first run would give them, unless the key is the chain's own."""
    if not hasattr(states, "rng_key"):
        return states
    if is_key_batch(keys):
        return with_keys(states, keys)
    new = jax.vmap(lambda chain: chain_key(keys, chain))(jnp.arange(num_chains, dtype=jnp.int32))
    if keys.dtype == states.rng_key.dtype:
        own = jax.random.key_data(keys) == jax.random.key_data(states.rng_key[0])
        new = jnp.where(jnp.all(own), states.rng_key, new)
    return with_keys(states, new)


def _constrain_all(
    constrain: Callable[[Any], Any], samples: Any, num_chains: int, num_draws: int
) -> Any:
    """Map samples ``(chains, draws, ...)`` to what a user reads, a block at a time."""
    total = num_chains * num_draws
    flat = jax.tree.map(lambda leaf: leaf.reshape(total, *leaf.shape[2:]), samples)

    def at(row: jax.Array) -> Any:
        return constrain(jax.tree.map(lambda leaf: leaf[row], flat))

    rows = jnp.arange(total, dtype=jnp.int32)
    block = block_that_fits(jax.eval_shape(at, jax.ShapeDtypeStruct((), rows.dtype)))
    values = jax.vmap(at)(rows) if block >= total else lax.map(at, rows, batch_size=block)
    return jax.tree.map(lambda leaf: leaf.reshape(num_chains, num_draws, *leaf.shape[1:]), values)
