"""The compiled programs of a run: make a state, advance it by a chunk of transitions, constrain.

A run is a sequence of chunks. All lengths are traced, so that warmup and sampling of any length, with
progress or without, are calls of the same three programs. A *lane* is what one call advances: one
chain, or a batch of chains.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from sojourn_hmc.arguments import Structure
from sojourn_hmc.fields import Fields
from sojourn_hmc.kernel import MCMCKernel

ROWS_BYTES = 1 << 18  # small enough to stay in cache and in natively compiled loops
MAX_ROWS = 1024
BLOCK_BYTES = 1 << 24


class Plan(NamedTuple):
    """What one chunk does, all traced integers.

    Attributes
    ----------
    num_transitions : int
        Transitions to make.
    first_kept : int
        Transition (from 0) that is the first to be kept; ``num_transitions`` keeps none.
    thinning : int
        Every ``thinning``-th from there on is kept.
    """

    num_transitions: int
    first_kept: int
    thinning: int

    def num_kept(self) -> int:
        """How many transitions are kept."""
        return max(0, math.ceil((self.num_transitions - self.first_kept) / self.thinning))


class Request(NamedTuple):
    """What decides the programs of a run besides the kernel and the data's shapes; hashable.

    Attributes
    ----------
    structure : Structure
        Of ``(num_warmup, init_params, model_args, model_kwargs)``.
    fields : Fields
        What is collected.
    batched : bool
        Whether a lane is a batch of chains.
    params_per_chain : bool
        Whether initial parameters have a leading axis of chains.
    postprocess_fn : Callable or None
        The user's map of a collected sample, in place of the kernel's.
    """

    structure: Structure
    fields: Fields
    batched: bool
    params_per_chain: bool
    postprocess_fn: Callable[[Any], Any] | None


class Programs:
    """The three programs of a run: traced at once, compiled at the same time, each only once.

    XLA releases the interpreter, so that one program compiles while the next one is traced, and the
    small program that makes the initial state is ready, and its result checked, before the others.

    Parameters
    ----------
    kernel : MCMCKernel
        What makes a transition.
    request : Request
        What is wanted.
    keys, chains, data
        Examples of the arguments, for their shapes: a key or a batch of keys, a chain index or an
        array of them, the data of `Arguments`.
    """

    def __init__(
        self, kernel: MCMCKernel, request: Request, keys: jax.Array, chains: Any, data: tuple
    ):
        self._kernel = kernel
        self._request = request
        compilers = ThreadPoolExecutor(3, "compile")
        init = jax.jit(self._trace_init).lower(keys, chains, data)
        self._init = compilers.submit(init.compile)
        state = init.out_info
        data = jax.tree.map(_abstract, data)

        self.sample_shape = jax.eval_shape(request.fields.select, state)
        self.rows = min(MAX_ROWS, max(1, ROWS_BYTES // max(_num_bytes(self.sample_shape), 1)))
        advance = jax.jit(self._trace_advance).lower(state, data, Plan(1, 0, 1))
        self._advance = compilers.submit(advance.compile)

        one = self.sample_shape[0]
        if request.batched:
            one = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype), one)
        result = jax.eval_shape(self._constrain_one, one, data)
        self.block = min(MAX_ROWS, max(1, BLOCK_BYTES // max(_num_bytes(result), 1)))
        block = jax.tree.map(lambda x: jax.ShapeDtypeStruct((self.block, *x.shape), x.dtype), one)
        constrain = jax.jit(self._trace_constrain).lower(block, data)
        self._constrain = compilers.submit(constrain.compile)
        compilers.shutdown(wait=False)

    @property
    def init(self) -> Callable[[jax.Array, Any, tuple], Any]:
        """``init(keys, chains, data)`` makes the state of a lane."""
        return self._init.result()

    @property
    def advance(self) -> Callable[[Any, tuple, Plan], tuple[Any, tuple]]:
        """``advance(state, data, plan)`` gives the new state and ``rows`` rows of fields."""
        return self._advance.result()

    @property
    def constrain(self) -> Callable[[Any, tuple], Any]:
        """``constrain(samples, data)`` maps ``block`` samples to what the user reads."""
        return self._constrain.result()

    def _trace_init(self, keys: jax.Array, chains: Any, data: tuple) -> Any:
        num_warmup, init_params, model_args, model_kwargs = self._request.structure.bind(data)

        def init_one(chain: jax.Array) -> Any:
            key = keys[chain] if is_key_batch(keys) else jax.random.fold_in(keys, chain)
            params = init_params
            if self._request.params_per_chain:
                params = jax.tree.map(lambda leaf: jnp.asarray(leaf)[chain], init_params)
            return self._kernel.init(key, num_warmup, params, model_args, model_kwargs)

        return strong(jax.vmap(init_one)(chains) if self._request.batched else init_one(chains))

    def _trace_advance(self, state: Any, data: tuple, plan: Plan) -> tuple[Any, tuple]:
        _, _, model_args, model_kwargs = self._request.structure.bind(data)
        fields = self._request.fields

        def sample(state: Any) -> Any:
            return self._kernel.sample(state, model_args, model_kwargs)

        step = jax.vmap(sample) if self._request.batched else sample

        def transition(carry: tuple) -> tuple:
            index, row, state, rows = carry
            state = strong(step(state))
            # Every state is written; the row is passed by only if the state is to be kept.
            rows = jax.tree.map(
                lambda buffer, value: lax.dynamic_update_index_in_dim(buffer, value, row, 0),
                rows,
                fields.select(state),
            )
            since = index - plan.first_kept
            kept = (since >= 0) & (since % plan.thinning == 0)
            return index + 1, row + kept.astype(row.dtype), state, rows

        rows = jax.tree.map(
            lambda value: jnp.zeros((self.rows, *jnp.shape(value)), jnp.result_type(value)),
            fields.select(state),
        )
        zero = jnp.int32(0)
        carry = lax.while_loop(
            lambda carry: carry[0] < plan.num_transitions, transition, (zero, zero, state, rows)
        )
        return carry[2], carry[3]

    def _constrain_one(self, sample: Any, data: tuple) -> Any:
        if self._request.postprocess_fn is not None:
            return self._request.postprocess_fn(sample)
        _, _, model_args, model_kwargs = self._request.structure.bind(data)
        return self._kernel.postprocess_fn(model_args, model_kwargs)(sample)

    def _trace_constrain(self, samples: Any, data: tuple) -> Any:
        # The size is given because a sample may be empty: a model of deterministic sites only.
        return jax.vmap(self._constrain_one, (0, None), axis_size=self.block)(samples, data)


def is_key_batch(keys: jax.Array) -> bool:
    """Whether ``keys`` is a batch: typed keys have no axis of their own, legacy ones have one."""
    typed = jnp.issubdtype(keys.dtype, jax.dtypes.prng_key)
    return keys.ndim == (1 if typed else 2)


def strong(state: Any) -> Any:
    """Turn Python scalars and weakly typed arrays into arrays, so that a state keeps its types."""

    def convert(leaf: Any) -> Any:
        aval = jax.typeof(leaf)
        return lax.convert_element_type(leaf, aval.dtype) if aval.weak_type else leaf

    return jax.tree.map(convert, state)


def _abstract(leaf: Any) -> Any:
    aval = jax.typeof(leaf)
    return jax.ShapeDtypeStruct(aval.shape, aval.dtype, weak_type=aval.weak_type)


def _num_bytes(tree: Any) -> int:
    return sum(
        math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree)
    )
