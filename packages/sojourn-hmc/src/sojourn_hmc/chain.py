"""How a chain begins: its key, its starting values, its first state.

Chain ``i`` is chain ``i``: its key depends on the seed and on ``i`` alone, so neither the number of
chains nor their placement changes what it draws.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from sojourn_hmc.kernel import MCMCKernel


def is_key_batch(keys: Any) -> bool:
    """Whether ``keys`` is a batch: typed keys have no axis of their own, legacy ones have one."""
    typed = jnp.issubdtype(keys.dtype, jax.dtypes.prng_key)
    return keys.ndim == (1 if typed else 2)


def is_key(keys: Any) -> bool:
    """Whether ``keys`` is a key or a batch of keys, typed or legacy."""
    if not isinstance(keys, (jax.Array, np.ndarray)):
        return False
    if jnp.issubdtype(keys.dtype, jax.dtypes.prng_key):
        return keys.ndim <= 1
    return keys.dtype == np.uint32 and keys.ndim in (1, 2) and keys.shape[-1] in (2, 4)


def same_key(key: Any, other: Any) -> bool:
    """Whether two keys are of one kind and equal."""
    if key.dtype != other.dtype:
        return False
    return np.array_equal(jax.random.key_data(key), jax.random.key_data(other))


def chain_key(keys: jax.Array, chain: Any) -> jax.Array:
    """The key of a chain: one of a batch, or derived from the seed and the chain's index."""
    return keys[chain] if is_key_batch(keys) else jax.random.fold_in(keys, chain)


def with_keys(states: Any, keys: jax.Array) -> Any:
    """Put other keys in the place of ``states.rng_key``; a state is of any class that is a pytree.

    Examples
    --------
    >>> import collections
    >>> states = collections.namedtuple("State", ["x", "rng_key"])(0.0, jax.random.key(0))
    >>> bool(with_keys(states, jax.random.key(1)).rng_key == jax.random.key(1))
    True
    """
    own = states.rng_key
    return jax.tree.map(lambda leaf: keys if leaf is own else leaf, states)


def first_state(
    kernel: MCMCKernel,
    keys: jax.Array,
    chain: jax.Array,
    num_warmup: Any,
    init_params: Any,
    params_per_chain: bool,
    model_args: tuple,
    model_kwargs: dict,
) -> Any:
    """Make the first state of one chain; a pure function, traced once for all chains.

    Parameters
    ----------
    kernel : MCMCKernel
        The kernel.
    keys : Array
        A seed, or a batch with a key for each chain.
    chain : Array
        The chain's index.
    num_warmup, init_params, model_args, model_kwargs
        As for `MCMCKernel.init`.
    params_per_chain : bool
        Whether ``init_params`` has a leading axis of chains.
    """
    if params_per_chain:
        init_params = jax.tree.map(lambda leaf: jnp.asarray(leaf)[chain], init_params)
    key = chain_key(keys, chain)
    return strong(kernel.init(key, num_warmup, init_params, model_args, model_kwargs))


def strong(state: Any) -> Any:
    """Turn Python scalars and weakly typed arrays into arrays, so that a state keeps its types."""

    def convert(leaf: Any) -> Any:
        aval = jax.typeof(leaf)
        return lax.convert_element_type(leaf, aval.dtype) if aval.weak_type else leaf

    return jax.tree.map(convert, state)


SAME_TYPES = (
    "a kernel's sample() must return a state with the structure, shapes and dtypes of the one "
    "that it is given, and init() make such a state"
)


def require_same_types(before: Any, after: Any, advice: str = SAME_TYPES) -> None:
    """Raise a TypeError that says what differs if a step changes the types of what it repeats.

    Called while a step is traced, where the program that repeats it would fail without a word
    about the function that makes it.
    """
    old_structure: Any = jax.tree.structure(before)
    new_structure: Any = jax.tree.structure(after)
    if old_structure != new_structure:
        raise TypeError(f"the state was {old_structure} and becomes {new_structure}: {advice}")
    leaves = jax.tree_util.tree_leaves_with_path(before)
    changed = [
        f"{jax.tree_util.keystr(path)} was {_type_in_words(old)} and becomes {_type_in_words(new)}"
        for (path, old), new in zip(leaves, jax.tree.leaves(after), strict=True)
        if _type_in_words(old) != _type_in_words(new)
    ]
    if changed:
        raise TypeError(f"the state's {', '.join(changed)}: {advice}")


def _type_in_words(leaf: Any) -> str:
    aval = jax.typeof(leaf)
    return f"{aval.dtype}{list(aval.shape)}"
