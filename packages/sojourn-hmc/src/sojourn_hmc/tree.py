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
from sojourn_hmc.uturn import Checkpoints, OpenStretches, is_turning_as_a_whole

# Counters of the random decisions of one trajectory: leaves count from 1, far below these.
DIRECTION = np.uint32(1 << 31)
MERGE = np.uint32(3 << 30)


class Tree(NamedTuple):
    """The whole trajectory so far, but for the end where the next subtree grows.

    Attributes
    ----------
    start_energy : Array
        Energy that errors are measured from.
    fixed_end : PhasePoint
        The outermost leaf at the other end.
    forwards : Array
        Whether the next subtree grows forwards in time.
    proposal, log_weight, momentum_sum, num_leaves, sum_accept_prob, diverging : Array
        As in `Subtree`; the start is no leaf that was made.
    turning : Array
        Whether the tree, or the last subtree, turns.
    depth : Array
        Number of doublings.
    """

    start_energy: jax.Array
    fixed_end: PhasePoint
    forwards: jax.Array
    proposal: Proposal
    log_weight: jax.Array
    momentum_sum: jax.Array
    depth: jax.Array
    turning: jax.Array
    diverging: jax.Array
    num_leaves: jax.Array
    sum_accept_prob: jax.Array


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

    def double(carry: tuple[Tree, Subtree]) -> tuple[Tree, Subtree]:
        tree, subtree = carry
        subtree = grow(
            hamiltonian,
            tree.start_energy,
            subtree,
            signed_step_size(tree, step_size),
            subtree_size(tree),
            seed,
        )
        return merge(hamiltonian, tree, subtree, seed)

    checkpoints = Checkpoints.empty(depth_limit - 1, start.momentum)
    tree, _ = lax.while_loop(
        lambda carry: may_double(carry[0], max_depth),
        double,
        plant(hamiltonian, start, seed, checkpoints),
    )
    return tree.proposal, describe(tree)


def plant(
    hamiltonian: Hamiltonian, start: PhasePoint, seed: jax.Array, checkpoints: OpenStretches
) -> tuple[Tree, Subtree]:
    """A tree of the start alone, and the subtree, without a leaf, that is to double it.

    Parameters
    ----------
    hamiltonian, start, seed
        As for `nuts_trajectory`.
    checkpoints : OpenStretches
        Slots to be used; what they hold is never read.
    """
    start_energy = hamiltonian.energy(start)
    proposal = hamiltonian.proposal(start, start_energy)
    zero, no = jnp.zeros_like(start_energy), jnp.asarray(False)
    depth = jnp.int32(0)
    tree = Tree(
        start_energy=start_energy,
        fixed_end=start,
        forwards=_coin(seed, depth, start_energy.dtype),
        proposal=proposal,
        log_weight=zero,
        momentum_sum=start.momentum,
        depth=depth,
        turning=no,
        diverging=no,
        num_leaves=jnp.int32(0),
        sum_accept_prob=zero,
    )
    return tree, _seedling(start, proposal, zero, checkpoints)


def may_double(tree: Tree, max_depth: jax.Array) -> jax.Array:
    """Whether the tree is to be continued."""
    return (tree.depth < max_depth) & ~tree.turning & ~tree.diverging


def subtree_size(tree: Tree) -> jax.Array:
    """Leaves of the subtree that doubles the tree: as many as it has."""
    return jnp.left_shift(jnp.int32(1), tree.depth)


def signed_step_size(tree: Tree, step_size: jax.Array) -> jax.Array:
    """The step size of the next subtree, negative where it goes back in time."""
    return jnp.where(tree.forwards, step_size, -step_size)


def merge(
    hamiltonian: Hamiltonian, tree: Tree, subtree: Subtree, seed: jax.Array
) -> tuple[Tree, Subtree]:
    """Take a subtree that has ended into the tree, its proposal by weight, and begin the next."""
    dtype = tree.start_energy.dtype
    complete = ~subtree.turning & ~subtree.diverging
    chance = uniform(seed, MERGE + tree.depth.astype(jnp.uint32), dtype)
    # Biased towards the newer half (Betancourt 2017, A.3.2).
    chosen = complete & (jnp.log(chance) < subtree.log_weight - tree.log_weight)
    proposal = select(chosen, subtree.proposal, tree.proposal)
    momentum_sum = tree.momentum_sum + subtree.momentum_sum
    fixed, new = tree.fixed_end, subtree.end
    turning = is_turning_as_a_whole(hamiltonian.metric, fixed.momentum, new.momentum, momentum_sum)
    forwards = _coin(seed, tree.depth + 1, dtype)
    turns_round = forwards != tree.forwards
    merged = Tree(
        start_energy=tree.start_energy,
        fixed_end=select(turns_round, new, fixed),
        forwards=forwards,
        proposal=proposal,
        log_weight=jnp.logaddexp(tree.log_weight, subtree.log_weight),
        momentum_sum=momentum_sum,
        depth=tree.depth + 1,
        turning=subtree.turning | turning,
        diverging=subtree.diverging,
        num_leaves=tree.num_leaves + subtree.num_leaves,
        sum_accept_prob=subtree.sum_accept_prob,
    )
    end = select(turns_round, fixed, new)
    return merged, _seedling(end, subtree.proposal, merged.sum_accept_prob, subtree.checkpoints)


def describe(tree: Tree) -> TrajectoryInfo:
    """What is reported of a tree that has ended."""
    return TrajectoryInfo(
        num_steps=tree.num_leaves,
        accept_prob=tree.sum_accept_prob / tree.num_leaves.astype(tree.start_energy.dtype),
        diverging=tree.diverging,
    )


def _coin(seed: jax.Array, depth: jax.Array, dtype: jnp.dtype) -> jax.Array:
    """Whether the doubling at ``depth`` goes forwards in time."""
    return uniform(seed, DIRECTION + depth.astype(jnp.uint32), dtype) < 0.5


def _seedling(
    end: PhasePoint, any_proposal: Proposal, sum_accept_prob: jax.Array, checkpoints: OpenStretches
) -> Subtree:
    """A subtree without a leaf; its first one replaces the proposal, whatever it is."""
    return Subtree(
        end=end,
        proposal=any_proposal,
        log_weight=jnp.full_like(sum_accept_prob, -jnp.inf),
        momentum_sum=jnp.zeros_like(end.momentum),
        num_leaves=jnp.int32(0),
        turning=jnp.asarray(False),
        diverging=jnp.asarray(False),
        sum_accept_prob=sum_accept_prob,
        checkpoints=checkpoints,
    )
