"""A lane: the chains that one program call advances, and how far they are.

Also how states leave lanes and come back to them: with a leading axis of all chains, whatever the
lanes are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_hmc.chunk import NO_EFFORT, Effort
from sojourn_hmc.placement import Placement

FIRST_CHUNK = 10


class Reached(NamedTuple):
    """Where a lane stands; replaced as a whole, so that what is read at any instant fits together.

    Attributes
    ----------
    state : pytree
        The state of its chains, with a leading axis if the lane is batched.
    done : int
        Transitions of the phase that are made.
    kept : int
        Draws of the phase that are in their store.
    effort : Effort
        What its chains have cost since the lane is there, if that is counted.
    """

    state: Any
    done: int
    kept: int
    effort: Effort = NO_EFFORT


class Lane:
    """The chains that one program call advances, and how far they are.

    Parameters
    ----------
    chains : tuple of int
        Their indices.
    reached : Reached
        Where they are.
    """

    def __init__(self, chains: tuple[int, ...], reached: Reached):
        self.chains = chains
        self.reached = reached
        self.chunk = FIRST_CHUNK
        self.working: Future[None] | None = None

    @property
    def state(self) -> Any:
        """The state of its chains."""
        return self.reached.state

    @property
    def done(self) -> int:
        """Transitions of the phase that are made."""
        return self.reached.done

    @property
    def kept(self) -> int:
        """Draws of the phase that are in their store."""
        return self.reached.kept

    def chain_states(self, batched: bool) -> list[Any]:
        """The state of each chain, on the host, to be looked at; keys of a batch stay together."""
        state = jax.device_get(self.state)
        if not batched:
            return [state]
        # Typed keys live on the device: taking one out would compile a program.
        return [
            jax.tree.map(lambda leaf, n=n: leaf[n] if isinstance(leaf, np.ndarray) else leaf, state)
            for n in range(len(self.chains))
        ]


def join(states: Sequence[Any], batched: bool, num_chains: int) -> Any:
    """Give the states of lanes one leading axis of all chains, on the host.

    A lane on several devices may repeat its last chain to fill them up: that is left out.

    Examples
    --------
    >>> join([{"x": np.float32(1.0)}, {"x": np.float32(2.0)}], False, 2)["x"].tolist()
    [1.0, 2.0]
    """
    put_together: Callable = np.concatenate if batched else np.stack
    return map_on_host(lambda *leaves: put_together(leaves)[:num_chains], *states)


def part(states: Any, placement: Placement) -> list[Any]:
    """Take states with a leading axis of all chains apart into those of lanes.

    They stay on the host, unless lanes lie on several devices.
    """
    return [
        placement.lay_out(map_on_host(lambda leaf, lane=lane: placement.part(lane, leaf), states))
        for lane in placement.lanes
    ]


def map_on_host(function: Callable[..., np.ndarray], *trees: Any) -> Any:
    """Apply a function of NumPy arrays to the leaves of trees; to typed keys by their data.

    Nothing is compiled, as it would be by the same operation on arrays of JAX.
    """

    def apply(*leaves: Any) -> Any:
        first = leaves[0]
        if not is_typed_key(first):
            return np.asarray(function(*map(np.asarray, leaves)))
        data = function(*(np.asarray(jax.random.key_data(leaf)) for leaf in leaves))
        return jax.random.wrap_key_data(jax.device_put(data), impl=jax.random.key_impl(first))

    return jax.tree.map(apply, *jax.device_get(trees))


def is_typed_key(leaf: Any) -> bool:
    """Whether a leaf is an array of typed keys."""
    return isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
