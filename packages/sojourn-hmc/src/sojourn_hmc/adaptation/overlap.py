"""Overlapping windows: a foreground estimate that always rests on the last full window and more.

Every good draw goes to a foreground and a background estimate. At a *switch* the background becomes
the foreground and begins anew. Early windows are short, later ones grow, and a last phase leaves
the mass matrix as it is.

Source: Seyboldt, Carlson, Carpenter 2026 (arXiv:2603.18845) and the sampler nutpie, as facts.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import NamedTuple

import jax
import jax.numpy as jnp

from sojourn_hmc.adaptation import dual_averaging
from sojourn_hmc.adaptation.warmup import HMCAdaptState, Observation, SearchStepSize, Warmup
from sojourn_hmc.blocks import Blocks
from sojourn_hmc.only_where import only_where

EARLY_WINDOW, FIRST_WINDOW = 10, 80
EARLY_SHARE, FINAL_SHARE = 30, 15  # of the warmup, in percent


class OverlapSchedule(NamedTuple):
    """The phases of a warmup, all integers.

    Attributes
    ----------
    num_warmup : Array
        Number of warmup transitions.
    early_end : Array
        One past the last transition with short windows.
    final_start : Array
        First transition that adapts the step size alone.
    """

    num_warmup: jax.Array
    early_end: jax.Array
    final_start: jax.Array


def overlap_schedule(num_warmup: jax.Array) -> OverlapSchedule:
    """Phases of a warmup of ``num_warmup`` transitions.

    Examples
    --------
    >>> [int(number) for number in overlap_schedule(1000)]
    [1000, 300, 850]
    """
    length = jnp.asarray(num_warmup, jnp.int32)
    return OverlapSchedule(
        length, EARLY_SHARE * length // 100, length - FINAL_SHARE * length // 100
    )


def switch(
    plan: OverlapSchedule, step: jax.Array, num_background: jax.Array, window: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Whether to switch after transition ``step``, and the length of the windows from then on.

    No switch is made that would leave the last window unfinished: the open one then runs on.

    Parameters
    ----------
    plan : OverlapSchedule
        The phases.
    step : Array
        Integer scalar.
    num_background : Array
        Draws in the background estimate.
    window : Array
        Length of the windows after the early phase, `FIRST_WINDOW` to begin with.
    """
    early = step < plan.early_end
    longer = jnp.maximum(window + 1, (3 * window + 1) // 2)
    needed = jnp.where(early, EARLY_WINDOW, window)
    following = jnp.where(step + 1 < plan.early_end, EARLY_WINDOW, jnp.where(early, window, longer))
    switches = (num_background >= needed) & (step + following <= plan.final_start)
    return switches, jnp.where(switches & ~early, longer, window)


class OverlappingWarmup(Warmup):
    """A warmup that learns the mass matrix in overlapping windows; a subclass writes `estimate`."""

    @abstractmethod
    def estimate(
        self, state: HMCAdaptState, step: jax.Array, observation: Observation
    ) -> tuple[HMCAdaptState, jax.Array]:
        """Take in a draw and renew the mass matrix; also whether this is the first estimate."""

    def learn(
        self,
        state: HMCAdaptState,
        step: jax.Array,
        observation: Observation,
        blocks: Blocks | None,
        search: SearchStepSize,
    ) -> HMCAdaptState:
        settings = self.settings
        if settings.adapt_step_size:
            error = settings.target_accept_prob - observation.accept_prob
            last = step == state.schedule.num_warmup - 1
            state = dual_averaging.adapt_step_size(state, error, last)
        if not settings.adapt_mass_matrix:
            return state
        state, is_first = only_where(
            observation.moved & (step < state.schedule.final_start),
            lambda: self.estimate(state, step, observation),
            (state, jnp.asarray(False)),
        )
        return self.with_step_size(state, is_first, blocks, search)

    def with_step_size(
        self,
        state: HMCAdaptState,
        is_first: jax.Array,
        blocks: Blocks | None,
        search: SearchStepSize,
    ) -> HMCAdaptState:
        """Begin the search for a step size anew, if the mass matrix is the first estimate.

        The step size that went with the first guess says nothing about it.
        """
        settings = self.settings

        def begin_anew() -> HMCAdaptState:
            step_size = state.step_size
            if settings.find_heuristic_step_size:
                step_size = search(state.metric(blocks), step_size)
            return state._replace(step_size=step_size, ss_state=dual_averaging.init(step_size))

        return only_where(is_first, begin_anew, state) if settings.adapt_step_size else state
