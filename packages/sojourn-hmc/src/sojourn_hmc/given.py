"""What a user gives to a run: checked before anything compiles, made into states to go on from."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_hmc.chain import chain_key, is_key, is_key_batch, same_key, with_keys
from sojourn_hmc.kernel import MCMCKernel
from sojourn_hmc.lane import map_on_host
from sojourn_hmc.placement import METHODS


def check_kernel(sampler: Any) -> None:
    """Raise a TypeError on what is no kernel."""
    if not isinstance(sampler, MCMCKernel):
        raise TypeError(
            f"sampler must be a kernel such as NUTS(model), got {sampler!r}; a kernel of your own "
            "derives from MCMCKernel"
        )


def check_method(chain_method: Any) -> None:
    """Raise a ValueError on what says nothing about how chains are laid out."""
    known = chain_method in METHODS if isinstance(chain_method, str) else callable(chain_method)
    if not known:
        raise ValueError(
            f"chain_method must be one of {METHODS}, a transform such as jax.vmap, or a "
            f"jax.sharding.Mesh, got {chain_method!r}"
        )


def check_integers(**limits: tuple[Any, int]) -> None:
    """Raise a ValueError on a number that is no integer, or less than its least value."""
    for name, (value, least) in limits.items():
        if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
            raise ValueError(f"{name} must be an integer of at least {least}, got {value!r}")


def check_keys(rng_key: Any, num_chains: int) -> jax.Array:
    """Return ``rng_key``; raise if it is neither a key nor one key for each chain."""
    if not is_key(rng_key):
        raise TypeError(
            "rng_key must be a JAX key such as jax.random.key(0), or a batch of them, "
            f"got {rng_key!r}"
        )
    if is_key_batch(rng_key) and rng_key.shape[0] != num_chains:
        raise ValueError(
            f"rng_key is a batch of {rng_key.shape[0]} keys for num_chains={num_chains}: "
            "give one key, or one for each chain"
        )
    return rng_key


def position_of(init_params: Any) -> Any:
    """The position of a start that comes with its energy and gradient, as models' starts do.

    Examples
    --------
    >>> from collections import namedtuple
    >>> start = namedtuple("Start", ["z", "potential_energy", "z_grad"])
    >>> position_of(start({"x": 1.0}, 0.5, {"x": 1.0})), position_of({"x": 1.0})
    ({'x': 1.0}, {'x': 1.0})
    """
    fields = getattr(init_params, "_fields", ())
    return init_params.z if {"z", "potential_energy"} <= set(fields) else init_params


def one_start(init_params: Any, num_chains: int) -> Any:
    """The initial parameters of one chain; raise a ValueError if they lack an axis of chains."""
    if init_params is None or num_chains == 1:
        return init_params
    for path, leaf in jax.tree_util.tree_leaves_with_path(init_params):
        if np.shape(leaf)[:1] != (num_chains,):
            raise ValueError(
                f"init_params{jax.tree_util.keystr(path)} has shape {np.shape(leaf)}: for "
                f"num_chains={num_chains} its first axis must have that length, "
                "one start for each chain"
            )
    return jax.tree.map(
        lambda leaf: leaf[0] if isinstance(leaf, jax.core.Tracer) else np.asarray(leaf)[0],
        init_params,
    )


def states_to_continue(states: Any, keys: jax.Array, num_chains: int) -> Any:
    """States with a leading axis of chains to go on from, with new keys if they have keys.

    The key of ``run`` gives chains the keys that a first run would give them, so that a warmup
    and a run with one key are one run; a chain's own key is kept as it is. Nothing is compiled,
    but for keys that are new.
    """
    if num_chains == 1:
        states = map_on_host(lambda leaf: leaf[None], states)
    else:
        states = map_on_host(lambda leaf: leaf, states)
    if not hasattr(states, "rng_key"):
        return states
    if is_key_batch(keys):
        return with_keys(states, keys)
    if same_key(keys, map_on_host(lambda leaf: leaf[0], states.rng_key)):
        return states
    return with_keys(states, _chain_keys(keys, np.arange(num_chains, dtype=np.int32)))


@jax.jit
def _chain_keys(keys: jax.Array, chains: jax.Array) -> jax.Array:
    return jax.vmap(lambda chain: chain_key(keys, chain))(jnp.asarray(chains))
