"""What one transition is made of: a fresh momentum, a trajectory, the next phase point.

Invariant: refreshing the momentum from its conditional law and moving along a reversible,
volume-preserving trajectory each leave the joint density of position and momentum unchanged, so
their composition leaves the target unchanged (Neal 2011, §3.2).
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from sojourn_hmc.phase_space import PhasePoint, Proposal
from sojourn_hmc.trajectory import TrajectoryInfo
from sojourn_hmc.uniforms import seed_from_words

BuildTrajectory = Callable[[PhasePoint, jax.Array], tuple[Proposal, TrajectoryInfo]]


class TransitionKeys(NamedTuple):
    """The randomness of one transition: a key for the momentum, a seed for the decisions."""

    momentum: jax.Array
    seed: jax.Array


def transition_keys(key: jax.Array, index: jax.Array) -> TransitionKeys:
    """Derive the randomness of transition ``index`` from the chain's key, which never changes.

    A chain can be continued from any transition because nothing else is carried.
    """
    pair = jax.vmap(jax.random.fold_in, (None, 0))(key, 2 * index + jnp.arange(2, dtype=jnp.int32))
    return TransitionKeys(pair[0], seed_from_words(pair[1]))
