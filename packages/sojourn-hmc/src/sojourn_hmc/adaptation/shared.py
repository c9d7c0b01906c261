"""What a warmup is asked that the chains of a batch share, and what one offers that they can."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import jax
import jax.numpy as jnp

from sojourn_hmc.adaptation import welford
from sojourn_hmc.adaptation.warmup import (
    HMCAdaptState,
    Observation,
    SearchStepSize,
    Warmup,
)
from sojourn_hmc.adaptation.welford import WelfordState
from sojourn_hmc.blocks import Blocks

EVERY = 5
"""Transitions between two meetings at most."""


class SharedWarmup(Warmup):
    """A warmup whose chains meet: `learn` takes in what a chain finds, `hold` draws conclusions."""

    @abstractmethod
    def is_due(self, state: HMCAdaptState, num_made: jax.Array) -> jax.Array:
        """Whether the chains meet after ``num_made`` transitions; the same for all of them."""

    @abstractmethod
    def hold(
        self,
        states: HMCAdaptState,
        counts: jax.Array,
        num_made: jax.Array,
        blocks: Blocks | None,
        search: SearchStepSize,
    ) -> HMCAdaptState:
        """Hold a meeting.

        Parameters
        ----------
        states : HMCAdaptState
            Those of all chains, with a leading axis.
        counts : Array
            Which of them count, ``(C,)``: one that only fills a device up repeats another.
        num_made : Array
            Transitions that each chain has made.
        blocks : Blocks or None
            How positions are cut, if the mass matrix is made of blocks.
        search : Callable
            Searches for a step size from the positions of all chains on.

        Returns
        -------
        HMCAdaptState
            The one that every chain goes on with.
        """


class Poolable(Warmup):
    """A warmup that learns the mass matrix from sums, which those of several chains add up to.

    Its sums are a pytree of `WelfordState`, or anything that a `pool` of its own puts together.
    """

    @abstractmethod
    def no_sums(self, state: HMCAdaptState) -> Any:
        """Sums of no transition."""

    @abstractmethod
    def take_in(
        self,
        sums: Any,
        schedule: Any,
        step: jax.Array,
        observation: Observation,
        blocks: Blocks | None,
    ) -> Any:
        """Add transition ``step`` to the sums, if it counts."""

    def pool(self, sums: Any, counts: jax.Array) -> Any:
        """Put the sums of chains together.

        Parameters
        ----------
        sums : pytree
            Those of all chains, with a leading axis.
        counts : Array
            Which chains count, ``(C,)``.
        """

        def add_up(state: WelfordState) -> WelfordState:
            return welford.pool(jax.tree.map(lambda leaf: _nothing_unless(counts, leaf), state))

        return jax.tree.map(add_up, sums, is_leaf=lambda node: isinstance(node, WelfordState))

    @abstractmethod
    def concludes(self, schedule: Any, step: jax.Array) -> jax.Array:
        """Whether sums up to transition ``step`` have to be there for `conclude` right after it."""

    @abstractmethod
    def conclude(
        self,
        state: HMCAdaptState,
        step: jax.Array,
        sums: Any,
        num_chains: jax.Array,
        blocks: Blocks | None,
        search: SearchStepSize,
    ) -> HMCAdaptState:
        """Learn the mass matrix from the sums of ``num_chains`` chains up to transition ``step``.

        Parameters
        ----------
        state : HMCAdaptState
            What is known so far, as `init` and `learn` have it.
        step : Array
            The last transition.
        sums : pytree
            Of all chains since the last time, from `pool`.
        num_chains : Array
            How many they are: as many draws count for one.
        blocks, search
            As for `Warmup.learn`.
        """


def beside(counts: jax.Array, values: jax.Array) -> jax.Array:
    """``counts`` in a shape that spreads over ``values``, both with a leading axis of chains."""
    return counts.reshape(counts.shape + (1,) * (values.ndim - 1))


def _nothing_unless(counts: jax.Array, values: jax.Array) -> jax.Array:
    return jnp.where(beside(counts, values), values, jnp.zeros_like(values))
