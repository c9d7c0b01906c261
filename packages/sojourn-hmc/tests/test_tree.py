"""The No-U-Turn tree: the right stretches are tested, leaves are chosen by weight."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from sojourn_hmc.differentiate import value_and_gradient
from sojourn_hmc.integrator import velocity_verlet
from sojourn_hmc.mass_matrix import MassMatrix
from sojourn_hmc.phase_space import Hamiltonian, PhasePoint
from sojourn_hmc.tree import nuts_trajectory
from sojourn_hmc.uniforms import seed_from_words
from sojourn_hmc.uturn import (
    Checkpoints,
    CheckpointsInBatch,
    checkpoint_slots,
    is_turning_as_a_whole,
)


def balanced_stretches(first, size):
    """(first, last) of every stretch that a recursive doubling of ``size`` leaves tests."""
    if size == 1:
        return set()
    half = size // 2
    inside = balanced_stretches(first, half) | balanced_stretches(first + half, half)
    return inside | {(first, first + size - 1)}


@pytest.mark.parametrize("depth", range(7))
def test_checkpoints_test_the_stretches_of_the_recursion(depth):
    tested, stored = set(), {}
    for leaf in range(2**depth):
        lowest, highest = (int(slot) for slot in checkpoint_slots(leaf))
        if leaf % 2 == 0:
            assert lowest > highest
            stored[highest] = leaf
        else:
            tested |= {(stored[slot], leaf) for slot in range(lowest, highest + 1)}
    assert tested == balanced_stretches(0, 2**depth)


@pytest.mark.parametrize("checkpoints", [Checkpoints, CheckpointsInBatch])
@pytest.mark.parametrize("depth", [1, 3, 5])
def test_turning_as_by_recursion_on_random_momenta(depth, checkpoints):
    """Momenta of a random walk turn at random places: the first turn must be found there."""
    metric = MassMatrix.from_inverse(jnp.array([1.0, 2.0]))
    size = 2**depth

    @jax.jit
    def turns(momenta):
        def visit(carry, leaf):
            known, total = carry
            total = total + momenta[leaf]
            known, turning = known.visit(metric, leaf, momenta[leaf], total)
            return (known, total), turning

        start = (checkpoints.empty(depth, momenta[0]), jnp.zeros(2))
        return jax.lax.scan(visit, start, jnp.arange(size))[1]

    found = np.zeros(2, int)
    for key in jax.random.split(jax.random.key(depth), 30):
        momenta = 0.6 + jnp.cumsum(0.5 * jax.random.normal(key, (size, 2)), 0)
        expected = np.zeros(size, bool)
        for first, last in balanced_stretches(0, size):
            total = momenta[first : last + 1].sum(0)
            ends = (momenta[first], momenta[last])
            expected[last] |= bool(is_turning_as_a_whole(metric, *ends, total))
        np.testing.assert_array_equal(np.asarray(turns(momenta)), expected)
        found += [expected.any(), not expected.any()]
    assert found.min() > 0, "both outcomes must occur for the test to mean anything"


def trajectory(potential, position, momentum, step_size, seed, max_depth, inverse=None):
    gradient = value_and_gradient(potential)
    metric = MassMatrix.from_inverse(jnp.ones_like(position) if inverse is None else inverse)
    start = PhasePoint(position, momentum, *gradient(position))
    hamiltonian = Hamiltonian(gradient, metric, velocity_verlet)
    return nuts_trajectory(hamiltonian, start, step_size, seed, jnp.int32(max_depth), 10)


def harmonic(q):
    return 0.5 * jnp.sum(q**2)


@pytest.mark.parametrize("step_size", [0.03, 0.05, 0.07])
def test_a_circular_orbit_stops_at_the_first_doubling_beyond_half_a_period(step_size):
    """Only there does the end point move back towards the other end, wherever it started."""
    num_leaves = 1
    while (num_leaves - 1) * step_size < np.pi:
        num_leaves *= 2
    seeds = jax.vmap(seed_from_words)(jax.random.split(jax.random.key(0), 20))

    def run(seed):
        position, momentum = jnp.array([1.0, 0.0]), jnp.array([0.0, 1.0])
        return trajectory(harmonic, position, momentum, jnp.float32(step_size), seed, 10)[1]

    info = jax.vmap(run)(seeds)
    assert not info.diverging.any()
    assert np.unique(info.num_steps).tolist() == [num_leaves - 1]
    assert np.pi <= (num_leaves - 1) * step_size < 2 * np.pi + step_size


def test_every_leaf_is_as_likely_as_its_weight():
    """Without a force all leaves have one energy: the chosen leaf is uniform among 2**depth."""
    depth, count = 4, 40_000
    step_size = jnp.float32(1.0)
    # Two orthogonal directions never turn while moving straight on.
    seeds = jax.random.bits(jax.random.key(3), (count, 2), jnp.uint32)

    def chosen(seed):
        proposal, info = trajectory(
            lambda q: 0.0 * jnp.sum(q), jnp.zeros(1), jnp.ones(1), step_size, seed, depth
        )
        return proposal.position[0], info.num_steps

    position, num_steps = jax.jit(jax.vmap(chosen))(seeds)
    assert (num_steps == 2**depth - 1).all()
    # Biased progressive sampling favours the later halves, so the start is chosen least; but the
    # chain is reversible: the distance moved is symmetric.
    moved = np.round(np.asarray(position)).astype(int)
    assert abs(moved.mean()) < 4.5 * moved.std() / np.sqrt(count)
    right, left = (moved > 0).sum(), (moved < 0).sum()
    assert stats.binomtest(int(right), int(right + left)).pvalue > 1e-4
    # With equal weights the newer subtree is always taken: the start is never proposed again.
    assert (moved != 0).all()


def test_leaves_inside_the_last_subtree_are_chosen_uniformly():
    depth, count = 3, 20_000
    seeds = jax.random.bits(jax.random.key(5), (count, 2), jnp.uint32)

    def chosen(seed):
        proposal, _ = trajectory(
            lambda q: 0.0 * jnp.sum(q), jnp.zeros(1), jnp.ones(1), jnp.float32(1.0), seed, depth
        )
        return proposal.position[0]

    moved = np.abs(np.round(np.asarray(jax.jit(jax.vmap(chosen))(seeds)))).astype(int)
    # Three doublings: the last subtree of four leaves starts 1, 2, 3 or 4 leaves from the start,
    # according to how many of the first two doublings (of one and of two leaves) went its way.
    law = np.zeros(8)
    for same_way in (0, 1, 2, 3):
        law[same_way + 1 : same_way + 5] += 1 / 16
    counts = np.bincount(moved, minlength=8)
    assert counts[0] == 0
    assert stats.chisquare(counts[1:], count * law[1:]).pvalue > 1e-4


def test_a_divergent_leaf_ends_the_trajectory_and_is_not_chosen():
    seed = seed_from_words(jax.random.key(1))
    proposal, info = trajectory(
        lambda q: 0.5e6 * jnp.sum(q**2), jnp.ones(2), jnp.ones(2), jnp.float32(1.0), seed, 10
    )
    assert bool(info.diverging) and int(info.num_steps) == 1
    assert float(info.accept_prob) == 0.0
    np.testing.assert_array_equal(proposal.position, jnp.ones(2))


@pytest.mark.parametrize("bad", [jnp.nan, jnp.inf])
def test_a_non_finite_energy_is_a_divergence(bad):
    seed = seed_from_words(jax.random.key(1))
    proposal, info = trajectory(
        lambda q: jnp.where(jnp.abs(q[0]) > 0.5, bad, 0.5 * q[0] ** 2),
        jnp.zeros(1),
        jnp.ones(1),
        jnp.float32(0.2),
        seed,
        10,
    )
    assert bool(info.diverging)
    assert np.isfinite(proposal.position).all() and np.isfinite(proposal.energy)
    assert 0 <= float(info.accept_prob) < 1


@pytest.mark.parametrize("max_depth", [1, 3, 6])
def test_depth_is_limited(max_depth):
    seed = seed_from_words(jax.random.key(2))
    _, info = trajectory(harmonic, jnp.ones(1), jnp.ones(1), jnp.float32(1e-3), seed, max_depth)
    assert int(info.num_steps) == 2**max_depth - 1
