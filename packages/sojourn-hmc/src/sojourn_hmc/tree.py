"""The No-U-Turn trajectory, built leaf by leaf: multinomial, progressive, without recursion.

Source: Betancourt 2017, "A conceptual introduction to Hamiltonian Monte Carlo", A.3-A.4
(multinomial weights, biased progressive sampling, generalised U-turn); Hoffman and Gelman 2014
(doubling).

Invariant: given the set of leaves, the next state is drawn with probability proportional to
``exp(-energy)``, and every leaf of the final trajectory would have built the same set with the same
probability, because a subtree is dropped whole when any balanced stretch inside it turns.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from sojourn_hmc.differentiate import Gradient
from sojourn_hmc.integrator import Integrator, PhasePoint
from sojourn_hmc.mass_matrix import MassMatrix
from sojourn_hmc.trajectory import (
    MAX_ENERGY_ERROR,
    Proposal,
    TrajectoryInfo,
    energy_error,
    select,
)
from sojourn_hmc.uniforms import uniform
from sojourn_hmc.uturn import Checkpoints, checkpoint_slots, closes_turning_stretch, is_turning

# Counters of the random decisions of one trajectory: leaves count from 1, far below these.
DIRECTION = np.uint32(1 << 31)
MERGE = np.uint32(3 << 30)


class Subtree(NamedTuple):
    """The leaves of one doubling, built outwards from an end of the tree."""

    end: PhasePoint
    proposal: Proposal
    log_weight: jax.Array
    momentum_sum: jax.Array
    num_leaves: jax.Array
    turning: jax.Array
    diverging: jax.Array
    sum_accept_prob: jax.Array
    checkpoints: Checkpoints


class Tree(NamedTuple):
    """The whole trajectory so far; left is backwards in time."""

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
    gradient: Gradient,
    integrator: Integrator,
    mass_matrix: MassMatrix,
    start: PhasePoint,
    step_size: jax.Array,
    seed: jax.Array,
    max_depth: jax.Array,
    depth_limit: int,
) -> tuple[Proposal, TrajectoryInfo]:
    """Double a trajectory until it turns, diverges or is ``max_depth`` deep; choose one leaf of it.

    Parameters
    ----------
    gradient, integrator, mass_matrix
        The Hamiltonian system.
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
    start_energy = start.potential_energy + mass_matrix.kinetic_energy(start.momentum)
    dtype = start.position.dtype
    zero = jnp.zeros((), dtype)
    false = jnp.asarray(False)
    first = Proposal(start.position, start.potential_energy, start.potential_gradient, start_energy)

    def add_leaf(subtree: Subtree, signed_step_size: jax.Array, counter: jax.Array) -> Subtree:
        end = integrator(gradient, mass_matrix, subtree.end, signed_step_size)
        energy = end.potential_energy + mass_matrix.kinetic_energy(end.momentum)
        error = energy_error(energy, start_energy)
        log_weight = jnp.logaddexp(subtree.log_weight, -error)
        chosen = jnp.log(uniform(seed, counter, dtype)) < -error - log_weight
        momentum_sum = subtree.momentum_sum + end.momentum
        leaf = subtree.num_leaves
        turning = closes_turning_stretch(
            mass_matrix, subtree.checkpoints, leaf, end.momentum, momentum_sum
        )
        _, slot = checkpoint_slots(leaf)
        checkpoints = lax.cond(
            leaf % 2 == 0,
            lambda: subtree.checkpoints.store(slot, end.momentum, momentum_sum),
            lambda: subtree.checkpoints,
        )
        new = Proposal(end.position, end.potential_energy, end.potential_gradient, energy)
        return Subtree(
            end=end,
            proposal=select(chosen, new, subtree.proposal),
            log_weight=log_weight,
            momentum_sum=momentum_sum,
            num_leaves=leaf + 1,
            turning=turning,
            diverging=error > MAX_ENERGY_ERROR,
            sum_accept_prob=subtree.sum_accept_prob + jnp.minimum(1.0, jnp.exp(-error)),
            checkpoints=checkpoints,
        )

    def double(tree: Tree) -> Tree:
        rightwards = uniform(seed, DIRECTION + tree.depth.astype(jnp.uint32), dtype) < 0.5
        signed_step_size = jnp.where(rightwards, step_size, -step_size)
        size = jnp.left_shift(jnp.int32(1), tree.depth)

        def unfinished(subtree: Subtree) -> jax.Array:
            return (subtree.num_leaves < size) & ~subtree.turning & ~subtree.diverging

        subtree = lax.while_loop(
            unfinished,
            lambda subtree: add_leaf(subtree, signed_step_size, size + subtree.num_leaves),
            Subtree(
                end=select(rightwards, tree.right, tree.left),
                proposal=tree.proposal,
                log_weight=zero - jnp.inf,
                momentum_sum=jnp.zeros_like(start.momentum),
                num_leaves=jnp.int32(0),
                turning=false,
                diverging=false,
                sum_accept_prob=tree.sum_accept_prob,
                checkpoints=tree.checkpoints,
            ),
        )
        complete = ~subtree.turning & ~subtree.diverging
        chance = uniform(seed, MERGE + tree.depth.astype(jnp.uint32), dtype)
        chosen = complete & (jnp.log(chance) < subtree.log_weight - tree.log_weight)
        left = select(rightwards, tree.left, subtree.end)
        right = select(rightwards, subtree.end, tree.right)
        momentum_sum = tree.momentum_sum + subtree.momentum_sum
        return Tree(
            left=left,
            right=right,
            proposal=select(chosen, subtree.proposal, tree.proposal),
            log_weight=jnp.logaddexp(tree.log_weight, subtree.log_weight),
            momentum_sum=momentum_sum,
            depth=tree.depth + 1,
            turning=subtree.turning
            | is_turning(mass_matrix, left.momentum, right.momentum, momentum_sum),
            diverging=subtree.diverging,
            num_leaves=tree.num_leaves + subtree.num_leaves,
            sum_accept_prob=subtree.sum_accept_prob,
            checkpoints=subtree.checkpoints,
        )

    tree = lax.while_loop(
        lambda tree: (tree.depth < max_depth) & ~tree.turning & ~tree.diverging,
        double,
        Tree(
            left=start,
            right=start,
            proposal=first,
            log_weight=zero,
            momentum_sum=start.momentum,
            depth=jnp.int32(0),
            turning=false,
            diverging=false,
            num_leaves=jnp.int32(0),
            sum_accept_prob=zero,
            checkpoints=Checkpoints.empty(depth_limit - 1, start.momentum),
        ),
    )
    return tree.proposal, TrajectoryInfo(
        num_steps=tree.num_leaves,
        accept_prob=tree.sum_accept_prob / tree.num_leaves.astype(dtype),
        diverging=tree.diverging,
    )
