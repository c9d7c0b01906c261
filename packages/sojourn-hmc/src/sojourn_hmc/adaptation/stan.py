"""Stan's warmup: dual averaging of the step size, windowed Welford estimates of the mass matrix.

Source: Stan Reference Manual, "HMC algorithm parameters"; Hoffman and Gelman 2014, §3.2.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from sojourn_hmc.adaptation import dual_averaging, welford
from sojourn_hmc.adaptation.schedule import closes_window, in_window, schedule
from sojourn_hmc.adaptation.shared import Poolable
from sojourn_hmc.adaptation.warmup import (
    HMCAdaptState,
    Observation,
    SearchStepSize,
    initial_state,
)
from sojourn_hmc.adaptation.welford import WelfordState
from sojourn_hmc.blocks import Blocks
from sojourn_hmc.low_rank import LowRank
from sojourn_hmc.only_where import only_where
from sojourn_hmc.start import StartPoint


class StanWarmup(Poolable):
    """Windows of doubling length, each giving the mass matrix from its draws alone.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> from sojourn_hmc import MCMC, NUTS
    >>> kernel = NUTS(potential_fn=lambda z: 0.5 * jnp.sum((z / 10) ** 2), warmup="stan")
    >>> mcmc = MCMC(kernel, num_warmup=500, num_samples=10, progress_bar=False)
    >>> mcmc.run(jax.random.key(0), init_params=jnp.zeros(3))
    >>> bool((abs(mcmc.last_state.adapt_state.inverse_mass_matrix - 100) < 50).all())
    True
    """

    def init(
        self,
        start: StartPoint,
        step_size: jax.Array,
        inverse_mass_matrix: Any,
        is_given: bool,
        num_warmup: jax.Array,
    ) -> HMCAdaptState:
        if isinstance(inverse_mass_matrix, LowRank) and self.settings.adapt_mass_matrix:
            raise ValueError(
                "warmup='stan' cannot go on from a mass matrix of low rank: choose "
                "warmup='low_rank', or keep the matrix with adapt_mass_matrix=False"
            )
        empty = None
        if self.settings.adapt_mass_matrix:
            empty = jax.tree.map(welford.init, inverse_mass_matrix)
        return initial_state(
            step_size,
            inverse_mass_matrix,
            dual_averaging.init(step_size),
            empty,
            schedule(num_warmup),
        )

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
        accumulator = self.take_in(state.mm_state, state.schedule, step, observation, blocks)
        state = state._replace(mm_state=accumulator)
        return self._close_window_at(state, step, blocks, search)

    def no_sums(self, state: HMCAdaptState) -> Any:
        return jax.tree.map(welford.init, state.inverse_mass_matrix)

    def take_in(
        self,
        sums: Any,
        schedule: Any,
        step: jax.Array,
        observation: Observation,
        blocks: Blocks | None,
    ) -> Any:
        position = observation.position
        parts = position if blocks is None else blocks.split(position)
        return only_where(
            in_window(schedule, step), lambda: _each(welford.update, sums, parts), sums
        )

    def concludes(self, schedule: Any, step: jax.Array) -> jax.Array:
        return closes_window(schedule, step)

    def conclude(
        self,
        state: HMCAdaptState,
        step: jax.Array,
        sums: Any,
        num_chains: jax.Array,
        blocks: Blocks | None,
        search: SearchStepSize,
    ) -> HMCAdaptState:
        state = state._replace(mm_state=_each(welford.merge, state.mm_state, sums))
        return self._close_window_at(state, step, blocks, search)

    def _close_window_at(
        self,
        state: HMCAdaptState,
        step: jax.Array,
        blocks: Blocks | None,
        search: SearchStepSize,
    ) -> HMCAdaptState:
        return only_where(
            closes_window(state.schedule, step),
            lambda: self._close_window(state, blocks, search),
            state,
        )

    def _close_window(
        self, state: HMCAdaptState, blocks: Blocks | None, search: SearchStepSize
    ) -> HMCAdaptState:
        settings = self.settings
        covariance = _each(
            lambda part: welford.covariance(part, settings.regularize_mass_matrix), state.mm_state
        )
        state = state.with_inverse_mass_matrix(covariance)
        step_size = state.step_size
        if settings.find_heuristic_step_size and settings.adapt_step_size:
            step_size = search(state.metric(blocks), step_size)
        return state._replace(
            step_size=step_size,
            ss_state=dual_averaging.init(step_size),
            mm_state=jax.tree.map(jnp.zeros_like, state.mm_state),
            window_idx=state.window_idx + 1,
        )


def _each(function: Any, accumulators: Any, *others: Any) -> Any:
    """Apply to the accumulator of each block, or to the only one."""
    return jax.tree.map(
        function, accumulators, *others, is_leaf=lambda node: isinstance(node, WelfordState)
    )
