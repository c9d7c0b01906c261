"""When a trajectory turns back on itself, and the checkpoints that find it without recursion.

The criterion is the generalised one (Betancourt 2017, "A conceptual introduction to Hamiltonian
Monte Carlo", A.4.2) on the momentum sum of a stretch of leaves. Half of each end is taken off that
sum: it then approximates the trapezoidal rule for the distance travelled, and a turn is not missed
between two leaves. The test is symmetric under reversal of time.

The iterative bookkeeping (Phan, Pradhan, Jankowiak 2019; Lao and Dillon 2019) keeps, for leaf ``n``
of a subtree, one checkpoint for each set bit of ``n``: exactly the first leaves of the balanced
stretches that are still open.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol, TypeVar

import jax
import jax.numpy as jnp
from jax import lax

from sojourn_hmc.mass_matrix import Metric


def is_turning(
    first_velocity: jax.Array, last_velocity: jax.Array, travelled: jax.Array
) -> jax.Array:
    """Whether a stretch of leaves has made a U-turn.

    Parameters
    ----------
    first_velocity, last_velocity : Array
        Velocities ``(..., D)`` at the two ends.
    travelled : Array
        Sum ``(..., D)`` of the momenta of all leaves, with half of each end.
    """
    return (jnp.sum(first_velocity * travelled, -1) <= 0) | (
        jnp.sum(last_velocity * travelled, -1) <= 0
    )


def is_turning_as_a_whole(
    metric: Metric, first_momentum: jax.Array, last_momentum: jax.Array, momentum_sum: jax.Array
) -> jax.Array:
    """Whether a stretch turns, by its momenta ``(D,)``; the sum includes both ends."""
    return is_turning(
        metric.velocity(first_momentum),
        metric.velocity(last_momentum),
        momentum_sum - 0.5 * (first_momentum + last_momentum),
    )


def checkpoint_slots(leaf: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Lowest and highest slot of the stretches that leaf ``leaf`` (from 0) closes.

    An even leaf closes none: there ``lowest > highest``, and it is stored in ``highest``.

    Examples
    --------
    >>> [tuple(int(s) for s in checkpoint_slots(n)) for n in (1, 3, 5, 7, 11)]
    [(0, 0), (0, 1), (1, 1), (0, 2), (1, 2)]
    """
    leaf = jnp.asarray(leaf, jnp.int32)
    highest = lax.population_count(leaf >> 1)
    trailing_ones = lax.population_count((~leaf & (leaf + 1)) - 1)
    return highest - trailing_ones + 1, highest


Self = TypeVar("Self")


class OpenStretches(Protocol):
    """What is remembered of the first leaf of each open stretch; two ways to look it up."""

    def visit(
        self: Self, metric: Metric, leaf: jax.Array, momentum: jax.Array, momentum_sum: jax.Array
    ) -> tuple[Self, jax.Array]:
        """Open a stretch at leaf ``leaf`` if it is even, else close the stretches that end there.

        Parameters
        ----------
        metric : Metric
            Gives velocities.
        leaf : Array
            Number of the leaf in its subtree, from 0.
        momentum, momentum_sum : Array
            Momentum ``(D,)`` there, and the sum up to there, inclusive.

        Returns
        -------
        tuple
            The checkpoints, and whether any stretch that is closed turns.
        """


class Checkpoints(NamedTuple):
    """Slots that are visited one by one: for a chain by itself.

    Attributes
    ----------
    velocity : Array
        ``(slots, D)``, at the first leaf of the stretch.
    passed : Array
        ``(slots, D)``, momentum sum up to the middle of that leaf.
    """

    velocity: jax.Array
    passed: jax.Array

    @classmethod
    def empty(cls, max_depth: int, like: jax.Array) -> Checkpoints:
        """Slots for subtrees of up to ``2**max_depth`` leaves with momenta shaped ``like``."""
        return cls(*_empty(max_depth, like))

    def visit(
        self, metric: Metric, leaf: jax.Array, momentum: jax.Array, momentum_sum: jax.Array
    ) -> tuple[Checkpoints, jax.Array]:
        velocity, passed = metric.velocity(momentum), momentum_sum - 0.5 * momentum
        lowest, highest = checkpoint_slots(leaf)

        turning = self._closes_turning(velocity, passed, lowest, highest)
        checkpoints = lax.cond(
            leaf % 2 == 0,
            lambda: Checkpoints(
                self.velocity.at[highest].set(velocity, mode="promise_in_bounds"),
                self.passed.at[highest].set(passed, mode="promise_in_bounds"),
            ),
            lambda: self,
        )
        return checkpoints, turning

    def _closes_turning(
        self, velocity: jax.Array, passed: jax.Array, lowest: jax.Array, highest: jax.Array
    ) -> jax.Array:
        """Whether a stretch turns that began in one of the slots and ends here."""

        def unfinished(carry: tuple[jax.Array, jax.Array]) -> jax.Array:
            slot, turning = carry
            return (slot >= lowest) & ~turning

        def test(carry: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            slot, _ = carry
            # In a batch a chain may have no slot left while others have.
            at = jnp.maximum(slot, 0)
            first = self.velocity.at[at].get(mode="promise_in_bounds")
            travelled = passed - self.passed.at[at].get(mode="promise_in_bounds")
            return slot - 1, is_turning(first, velocity, travelled)

        return lax.while_loop(unfinished, test, (highest, jnp.asarray(False)))[1]


class CheckpointsInBatch(NamedTuple):
    """The same slots, for chains of a batch that are each at a leaf of its own."""

    velocity: jax.Array
    passed: jax.Array

    @classmethod
    def empty(cls, max_depth: int, like: jax.Array) -> CheckpointsInBatch:
        """As `Checkpoints.empty`."""
        return cls(*_empty(max_depth, like))

    def visit(
        self, metric: Metric, leaf: jax.Array, momentum: jax.Array, momentum_sum: jax.Array
    ) -> tuple[CheckpointsInBatch, jax.Array]:
        velocity, passed = metric.velocity(momentum), momentum_sum - 0.5 * momentum
        lowest, highest = checkpoint_slots(leaf)
        slots = jnp.arange(self.passed.shape[0], dtype=jnp.int32)

        def one_by_one() -> jax.Array:
            # As many turns as the chain with the most stretches to close, on cached memory.
            return Checkpoints(*self)._closes_turning(velocity, passed, lowest, highest)

        def all_at_once() -> jax.Array:
            # One kernel, where each turn of a loop would cost a launch and a wait.
            turns = is_turning(self.velocity, velocity[None], passed[None] - self.passed)
            return jnp.any((slots >= lowest) & (slots <= highest) & turns)

        turning = lax.platform_dependent(cpu=one_by_one, default=all_at_once)
        opened = ((slots == highest) & (leaf % 2 == 0))[:, None]
        checkpoints = CheckpointsInBatch(
            jnp.where(opened, velocity[None], self.velocity),
            jnp.where(opened, passed[None], self.passed),
        )
        return checkpoints, turning


def _empty(max_depth: int, like: jax.Array) -> tuple[jax.Array, jax.Array]:
    slots = jnp.zeros((max(max_depth, 1), *like.shape), like.dtype)
    return slots, slots
