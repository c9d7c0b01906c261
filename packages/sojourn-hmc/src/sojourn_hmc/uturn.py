"""When a trajectory turns back on itself, and the checkpoints that find it without recursion.

The criterion is the generalised one (Betancourt 2017, "A conceptual introduction to Hamiltonian
Monte Carlo", A.4.2) on the momentum sum of a stretch of leaves. The iterative bookkeeping (Phan,
Pradhan, Jankowiak 2019; Lao and Dillon 2019) keeps, for leaf ``n`` of a subtree, one checkpoint for
each set bit of ``n``: exactly the first leaves of the balanced stretches that are still open.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from sojourn_hmc.mass_matrix import Metric


def is_turning(
    metric: Metric,
    first_momentum: jax.Array,
    last_momentum: jax.Array,
    momentum_sum: jax.Array,
) -> jax.Array:
    """Whether a stretch of leaves has made a U-turn, a boolean scalar.

    Half of each end is taken off the inclusive sum, so that the sum approximates the trapezoidal
    rule for the distance travelled and a turn is not missed between two leaves. The test is
    symmetric under reversal of time.

    Parameters
    ----------
    metric : Metric
        The metric.
    first_momentum, last_momentum : Array
        Momenta ``(D,)`` at the two ends.
    momentum_sum : Array
        Sum ``(D,)`` of the momenta of all leaves, both ends included.
    """
    travelled = momentum_sum - 0.5 * (first_momentum + last_momentum)
    return (metric.alignment(first_momentum, travelled) <= 0) | (
        metric.alignment(last_momentum, travelled) <= 0
    )


class Checkpoints(NamedTuple):
    """Momentum and inclusive momentum sum at the first leaf of each open stretch."""

    momentum: jax.Array
    momentum_sum: jax.Array

    @classmethod
    def empty(cls, max_depth: int, like: jax.Array) -> "Checkpoints":
        """Slots for subtrees of up to ``2**max_depth`` leaves with momenta shaped ``like``."""
        slots = jnp.zeros((max(max_depth, 1), *like.shape), like.dtype)
        return cls(slots, slots)

    def store(self, slot: jax.Array, momentum: jax.Array, momentum_sum: jax.Array) -> "Checkpoints":
        """Open a stretch at ``slot``."""
        return Checkpoints(
            self.momentum.at[slot].set(momentum, mode="promise_in_bounds"),
            self.momentum_sum.at[slot].set(momentum_sum, mode="promise_in_bounds"),
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


def closes_turning_stretch(
    metric: Metric,
    checkpoints: Checkpoints,
    leaf: jax.Array,
    momentum: jax.Array,
    momentum_sum: jax.Array,
) -> jax.Array:
    """Whether any balanced stretch that ends at ``leaf`` turns; false for even leaves."""
    lowest, highest = checkpoint_slots(leaf)

    def unfinished(carry: tuple[jax.Array, jax.Array]) -> jax.Array:
        slot, turning = carry
        return (slot >= lowest) & ~turning

    def test(carry: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        slot, _ = carry
        first = checkpoints.momentum[slot]
        stretch_sum = momentum_sum - checkpoints.momentum_sum[slot] + first
        return slot - 1, is_turning(metric, first, momentum, stretch_sum)

    return lax.while_loop(unfinished, test, (highest, jnp.asarray(False)))[1]
