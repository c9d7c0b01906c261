"""The No-U-Turn trajectory: doublings merged into one tree, without recursion.

Source: Betancourt 2017, "A conceptual introduction to Hamiltonian Monte Carlo", A.3-A.4
(multinomial weights, biased progressive sampling, generalised U-turn); Hoffman and Gelman 2014
(doubling).

Invariant: given the set of leaves, the next state is drawn with probability proportional to
``exp(-energy)``, and every leaf of the final trajectory would have built the same set with the same
probability, because a subtree is dropped whole when any balanced stretch inside it turns.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from sojourn_hmc.phase_space import Hamiltonian, PhasePoint, Proposal
from sojourn_hmc.subtree import Subtree, grow
from sojourn_hmc.trajectory import TrajectoryInfo, select
from sojourn_hmc.uniforms import uniform
from sojourn_hmc.uturn import Checkpoints, is_turning

# Counters of the random decisions of one trajectory: leaves count from 1, far below these.
DIRECTION = np.uint32(1 << 31)
MERGE = np.uint32(3 << 30)


class Tree(NamedTuple):
    """The whole trajectory so far; left is backwards in time. Otherwise as `Subtree`."""

    left: PhasePoint
    right: PhasePoint
    proposal: Proposal
    log_weight: jax.Array
    momentum_sum: jax.Array
    depth: jax.Array
    turning: jax.Array
    diverging: jax.Array
    num_leaves: jax.Array
    sum_accept_prob: jax.Array
    checkpoints: Checkpoints


def nuts_trajectory(
    hamiltonian: Hamiltonian,
    start: PhasePoint,
    step_size: jax.Array,
    seed: jax.Array,
    max_depth: jax.Array,
    depth_limit: int,
) -> tuple[Proposal, TrajectoryInfo]:
    """Double a trajectory until it turns, diverges or is ``max_depth`` deep; choose one leaf of it.

    Parameters
    ----------
    hamiltonian : Hamiltonian
        The system.
    start : PhasePoint
        The current state with a fresh momentum.
    step_size : Array
        Positive scalar.
    seed : Array
        From `seed_from_words`; decides directions and choices.
    max_depth : Array
        Integer scalar, traced, at most ``depth_limit``.
    depth_limit : int
        Static bound that sizes the checkpoints.

    Returns
    -------
    tuple
        The chosen `Proposal` and the `TrajectoryInfo`.
    """
    start_energy = hamiltonian.energy(start)
    tree = lax.while_loop(
        lambda tree: (tree.depth < max_depth) & ~tree.turning & ~tree.diverging,
        lambda tree: double(hamiltonian, start_energy, tree, step_size, seed),
        Tree(
            left=start,
            right=start,
            proposal=hamiltonian.proposal(start, start_energy),
            log_weight=jnp.zeros_like(start_energy),
            momentum_sum=start.momentum,
            depth=jnp.int32(0),
            turning=jnp.asarray(False),
            diverging=jnp.asarray(False),
            num_leaves=jnp.int32(0),
            sum_accept_prob=jnp.zeros_like(start_energy),
            checkpoints=Checkpoints.empty(depth_limit - 1, start.momentum),
        ),
    )
    return tree.proposal, TrajectoryInfo(
        num_steps=tree.num_leaves,
        accept_prob=tree.sum_accept_prob / tree.num_leaves.astype(start_energy.dtype),
        diverging=tree.diverging,
    )


def double(
    hamiltonian: Hamiltonian,
    start_energy: jax.Array,
    tree: Tree,
    step_size: jax.Array,
    seed: jax.Array,
) -> Tree:
    """Continue the tree by as many leaves as it has, in a random direction of time."""
    depth = tree.depth.astype(jnp.uint32)
    rightwards = uniform(seed, DIRECTION + depth, start_energy.dtype) < 0.5
    subtree = grow(
        hamiltonian,
        start_energy,
        Subtree(
            end=select(rightwards, tree.right, tree.left),
            proposal=tree.proposal,
            log_weight=jnp.full_like(start_energy, -jnp.inf),
            momentum_sum=jnp.zeros_like(tree.momentum_sum),
            num_leaves=jnp.int32(0),
            turning=jnp.asarray(False),
            diverging=jnp.asarray(False),
            sum_accept_prob=tree.sum_accept_prob,
            checkpoints=tree.checkpoints,
        ),
        jnp.where(rightwards, step_size, -step_size),
        jnp.left_shift(jnp.int32(1), tree.depth),
        seed,
    )
    complete = ~subtree.turning & ~subtree.diverging
    chance = uniform(seed, MERGE + depth, start_energy.dtype)
    # Biased towards the newer half (Betancourt 2017, A.3.2).
    chosen = complete & (jnp.log(chance) < subtree.log_weight - tree.log_weight)
    left = select(rightwards, tree.left, subtree.end)
    right = select(rightwards, subtree.end, tree.right)
    momentum_sum = tree.momentum_sum + subtree.momentum_sum
    turning = is_turning(hamiltonian.metric, left.momentum, right.momentum, momentum_sum)
    return Tree(
        left=left,
        right=right,
        proposal=select(chosen, subtree.proposal, tree.proposal),
        log_weight=jnp.logaddexp(tree.log_weight, subtree.log_weight),
        momentum_sum=momentum_sum,
        depth=tree.depth + 1,
        turning=subtree.turning | turning,
        diverging=subtree.diverging,
        num_leaves=tree.num_leaves + subtree.num_leaves,
        sum_accept_prob=subtree.sum_accept_prob,
        checkpoints=subtree.checkpoints,
    )
