"""One doubling of a No-U-Turn trajectory: leaves added outwards, one of them chosen by weight.

Source: Betancourt 2017, "A conceptual introduction to Hamiltonian Monte Carlo", A.3 (multinomial
weights, progressive sampling); the checkpoints are those of `uturn`.

Invariant: within the subtree a leaf is chosen with probability proportional to ``exp(-energy)``,
and a subtree in which any balanced stretch turns is dropped whole.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from sojourn_hmc.phase_space import Hamiltonian, PhasePoint, Proposal
from sojourn_hmc.trajectory import MAX_ENERGY_ERROR, energy_error, select
from sojourn_hmc.uniforms import uniform
from sojourn_hmc.uturn import OpenStretches


class Subtree(NamedTuple):
    """The leaves of one doubling so far.

    Attributes
    ----------
    end : PhasePoint
        The outermost leaf.
    proposal : Proposal
        The chosen leaf.
    log_weight : Array
        Log of the sum of the leaves' weights, ``exp(start energy - energy)``.
    momentum_sum : Array
        Sum ``(D,)`` of their momenta.
    num_leaves : Array
        How many they are.
    turning, diverging : Array
        Why no further leaf may be added.
    sum_accept_prob : Array
        Sum over all leaves of the trajectory of ``min(1, exp(-energy error))``.
    checkpoints : OpenStretches
        Stretches that are still open.
    """

    end: PhasePoint
    proposal: Proposal
    log_weight: jax.Array
    momentum_sum: jax.Array
    num_leaves: jax.Array
    turning: jax.Array
    diverging: jax.Array
    sum_accept_prob: jax.Array
    checkpoints: OpenStretches


def grow(
    hamiltonian: Hamiltonian,
    start_energy: jax.Array,
    subtree: Subtree,
    signed_step_size: jax.Array,
    size: jax.Array,
    seed: jax.Array,
) -> Subtree:
    """Add leaves to an empty subtree until it has ``size``, turns or diverges.

    Parameters
    ----------
    hamiltonian : Hamiltonian
        The system.
    start_energy : Array
        Energy that errors are measured from.
    subtree : Subtree
        Without a leaf; its end is the end of the tree that it continues.
    signed_step_size : Array
        Negative to go back in time.
    size : Array
        Integer scalar.
    seed : Array
        Leaf ``n`` (from 0) uses counter ``size + n``, so that no two leaves of a trajectory share
        one.
    """
    return lax.while_loop(
        lambda subtree: may_grow(subtree, size),
        lambda subtree: add_leaf(hamiltonian, start_energy, subtree, signed_step_size, size, seed),
        subtree,
    )


def may_grow(subtree: Subtree, size: jax.Array) -> jax.Array:
    """Whether another leaf is to be added."""
    return (subtree.num_leaves < size) & ~subtree.turning & ~subtree.diverging


def add_leaf(
    hamiltonian: Hamiltonian,
    start_energy: jax.Array,
    subtree: Subtree,
    signed_step_size: jax.Array,
    size: jax.Array,
    seed: jax.Array,
) -> Subtree:
    """Take one step outwards, choose the new leaf by its weight, look for turns; as for `grow`."""
    chance = uniform(seed, size + subtree.num_leaves, start_energy.dtype)
    end = hamiltonian.step(subtree.end, signed_step_size)
    energy = hamiltonian.energy(end)
    error = energy_error(energy, start_energy)
    log_weight = jnp.logaddexp(subtree.log_weight, -error)
    chosen = jnp.log(chance) < -error - log_weight
    momentum_sum = subtree.momentum_sum + end.momentum
    leaf = subtree.num_leaves
    checkpoints, turning = subtree.checkpoints.visit(
        hamiltonian.metric, leaf, end.momentum, momentum_sum
    )
    return Subtree(
        end=end,
        proposal=select(chosen, hamiltonian.proposal(end, energy), subtree.proposal),
        log_weight=log_weight,
        momentum_sum=momentum_sum,
        num_leaves=leaf + 1,
        turning=turning,
        diverging=error > MAX_ENERGY_ERROR,
        sum_accept_prob=subtree.sum_accept_prob + jnp.minimum(1.0, jnp.exp(-error)),
        checkpoints=checkpoints,
    )
