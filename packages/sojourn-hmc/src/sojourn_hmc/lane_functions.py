"""A function of one chain becomes one of a lane: in a batch, over devices, as a user transforms it.

This is the one place that knows how chains of a lane run together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec

from sojourn_hmc.placement import Placement

OfChains = Callable[..., Any]
"""A function of one chain, or of several with a leading axis, and of what they share."""


def begin_lane(placement: Placement, begin: OfChains) -> OfChains:
    """Make the first states of a lane.

    Parameters
    ----------
    placement : Placement
        How chains are laid out.
    begin : Callable
        ``begin(chain, *shared)`` makes the first state of one chain.

    Returns
    -------
    Callable
        The same of the lane's chains.
    """
    if not placement.batched:
        return begin
    together = placement.transform or jax.vmap

    def batch(chains: Any, *shared: Any) -> Any:
        return together(lambda chain: begin(chain, *shared))(chains)

    return _over_devices(placement, begin, batch, 0)


def advance_lane(placement: Placement, advance_one: OfChains, advance_batch: OfChains) -> OfChains:
    """Advance a lane by a chunk.

    Parameters
    ----------
    placement : Placement
        How chains are laid out.
    advance_one : Callable
        ``advance_one(state, *shared)`` gives the new state of one chain, its rows ``(R, ...)``, and
        None.
    advance_batch : Callable
        The same of chains with a leading axis, ``(C, ...)``, with rows ``(R, C, ...)``: of those
        that one device has. What it gives last has a leading axis of one. Its first argument is a
        pair: the states, and which of them are no repetition that fills a device up, ``(C,)``, or
        None if none is.

    Returns
    -------
    Callable
        The same of the lane, with rows ``(R, C, ...)`` if it is batched.
    """
    if not placement.batched:
        return advance_one
    transform = placement.transform
    if transform is None:
        own = placement.own_places

        def one(places: Any, *shared: Any) -> Any:
            return advance_one(places[0], *shared)

        of_places = _over_devices(placement, one, advance_batch, (0, 1, 0))

        def advance(states: Any, *shared: Any) -> Any:
            return of_places((states, None if own is None else jnp.asarray(own)), *shared)

        return advance

    def transformed(states: Any, *shared: Any) -> tuple[Any, Any, Any]:
        states, rows, last = transform(lambda state: advance_one(state, *shared))(states)
        return states, jax.tree.map(lambda leaf: jnp.moveaxis(leaf, 0, 1), rows), last

    return transformed


def _over_devices(
    placement: Placement, one: OfChains, batch: OfChains, chain_axis: Any
) -> OfChains:
    """Give each device its chains: no device waits for another until all are done.

    ``chain_axis`` says where results have chains, a prefix of their pytree.
    """

    def on_a_device(chains: Any, *shared: Any) -> Any:
        if jax.tree.leaves(chains)[0].shape[0] > 1:
            return batch(chains, *shared)
        # A single chain computes what it would by itself.
        result = one(jax.tree.map(lambda leaf: leaf[0], chains), *shared)
        return jax.tree.map(_with_axis, chain_axis, result)

    if not placement.chain_axes:
        return on_a_device

    def spread(chains: Any, *shared: Any) -> Any:
        axes = placement.chain_axes
        return jax.shard_map(
            on_a_device,
            mesh=placement.mesh,
            in_specs=(PartitionSpec(axes), *(PartitionSpec() for _ in shared)),
            out_specs=jax.tree.map(lambda at: PartitionSpec(*(None,) * at, axes), chain_axis),
            axis_names=set(axes),
            check_vma=False,
        )(chains, *shared)

    return spread


def _with_axis(axis: int, tree: Any) -> Any:
    """Give every array an axis of one chain."""
    return jax.tree.map(lambda leaf: jnp.expand_dims(leaf, axis), tree)
