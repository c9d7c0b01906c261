"""The No-U-Turn trajectory leaf by leaf: the tree as it stands between two leapfrog steps.

The doublings and their subtrees are those of `tree` and `subtree`. Only the loops are turned inside
out: what is carried says where a trajectory stands, so that chains of a batch advance together
though each is at a point of its own tree.

Source: Dance, Glaser, Orbanz and Adams 2025, "Efficiently vectorized MCMC on modern accelerators"
(arXiv:2503.17405), which writes samplers as finite state machines for that reason.

Invariant: a trajectory that is grown leaf by leaf has the leaves, the choices and the end of the
one that `nuts_trajectory` builds from the same start and seed.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from sojourn_hmc.phase_space import Hamiltonian, PhasePoint
from sojourn_hmc.subtree import Subtree, add_leaf, may_grow
from sojourn_hmc.trajectory import StepwiseTrajectory, select
from sojourn_hmc.tree import (
    Tree,
    describe,
    may_double,
    merge,
    plant,
    signed_step_size,
    subtree_size,
)
from sojourn_hmc.uturn import CheckpointsInBatch


class Growth(NamedTuple):
    """A trajectory in the making.

    Attributes
    ----------
    tree : Tree
        What is merged.
    subtree : Subtree
        The doubling under way.
    seed : Array
        From `seed_from_words`.
    """

    tree: Tree
    subtree: Subtree
    seed: jax.Array


def grown_leaf_by_leaf(
    hamiltonian: Hamiltonian, step_size: jax.Array, max_depth: jax.Array, depth_limit: int
) -> StepwiseTrajectory:
    """Build the trajectory of `nuts_trajectory` one leaf at a time; parameters as there."""

    def begin(start: PhasePoint, seed: jax.Array, last: Growth | None) -> Growth:
        if last is None:
            checkpoints = CheckpointsInBatch.empty(depth_limit - 1, start.momentum)
            return Growth(*plant(hamiltonian, start, seed, checkpoints), seed)
        tree, subtree = plant(hamiltonian, start, seed, last.subtree.checkpoints)
        # The first leaf replaces the proposal of a subtree, whatever it is. To choose between two
        # growths costs nothing where they are the same.
        return Growth(tree, subtree._replace(proposal=last.subtree.proposal), seed)

    return StepwiseTrajectory(
        begin=begin,
        step=lambda growth: grow_leaf(hamiltonian, growth, step_size, max_depth),
        is_complete=lambda growth: ~may_double(growth.tree, max_depth),
        outcome=lambda growth: (growth.tree.proposal, describe(growth.tree)),
    )


def grow_leaf(
    hamiltonian: Hamiltonian, growth: Growth, step_size: jax.Array, max_depth: jax.Array
) -> Growth:
    """Add a leaf, and merge the subtree if that was its last; a tree that has ended stays."""
    tree, seed = growth.tree, growth.seed
    unfinished = may_double(tree, max_depth)
    size = subtree_size(tree)
    # Whoever has nothing to do stands still rather than run away: his gradient is computed too.
    signed = jnp.where(unfinished, signed_step_size(tree, step_size), 0.0)
    subtree = add_leaf(hamiltonian, tree.start_energy, growth.subtree, signed, size, seed)
    merges = unfinished & ~may_grow(subtree, size)
    merged = merge(hamiltonian, tree, subtree, seed)
    grown: Growth = select(merges, Growth(*merged, seed), Growth(tree, subtree, seed))
    return grown
