r"""A diagonal mass matrix from draws and gradients, by the Fisher divergence.

The diagonal :math:`\sqrt{\operatorname{Var} x_i / \operatorname{Var} g_i}` minimises the Fisher
divergence between the rescaled target and a standard normal. It is exact on a Gaussian with
independent components from two draws on, and balances covariance and curvature elsewhere.

Source: Seyboldt, Carlson, Carpenter 2026, "Preconditioning Hamiltonian Monte Carlo by minimizing
Fisher divergence" (arXiv:2603.18845).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from sojourn_hmc.adaptation import dual_averaging, welford
from sojourn_hmc.adaptation.overlap import (
    FIRST_WINDOW,
    OverlappingWarmup,
    overlap_schedule,
    switch,
)
from sojourn_hmc.adaptation.shared import Poolable
from sojourn_hmc.adaptation.warmup import (
    HMCAdaptState,
    Observation,
    SearchStepSize,
    initial_state,
)
from sojourn_hmc.adaptation.welford import WelfordState
from sojourn_hmc.blocks import Blocks
from sojourn_hmc.only_where import only_where
from sojourn_hmc.start import StartPoint
from sojourn_hmc.trajectory import select

MIN_DRAWS = 3  # before an estimate is used
SMALLEST, LARGEST = 1e-20, 1e20
NO_GRADIENT = 1e-10  # a component whose gradient vanishes says nothing about its scale


class Moments(NamedTuple):
    """Running moments of positions and of gradients."""

    positions: WelfordState
    gradients: WelfordState


class FisherState(NamedTuple):
    """The two overlapping estimates, and the length of the next window."""

    foreground: Moments
    background: Moments
    window: jax.Array


def start_scale(gradient: jax.Array) -> jax.Array:
    """First guess of the inverse mass matrix: ``1 / |gradient|`` at the start."""
    magnitude = jnp.abs(gradient)
    guess = 1 / jnp.clip(magnitude, SMALLEST, LARGEST)
    return jnp.where((magnitude > NO_GRADIENT) & jnp.isfinite(guess), guess, 1.0)


def diagonal(moments: Moments, last: jax.Array) -> jax.Array:
    """The estimate ``(D,)``; a component that has none keeps its last value."""
    variance = moments.positions.sum_squares / moments.gradients.sum_squares  # divisors cancel
    estimate = jnp.sqrt(variance)
    usable = jnp.isfinite(estimate) & (estimate > 0)
    enough = moments.positions.num_positions >= MIN_DRAWS
    return jnp.where(usable & enough, jnp.clip(estimate, SMALLEST, LARGEST), last)


class FisherWarmup(OverlappingWarmup, Poolable):
    """Overlapping windows; the diagonal is renewed after every draw.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> from sojourn_hmc import MCMC, NUTS
    >>> scale = jnp.array([1e-3, 1.0, 1e3])
    >>> kernel = NUTS(potential_fn=lambda z: 0.5 * jnp.sum((z / scale) ** 2), warmup="fisher")
    >>> mcmc = MCMC(kernel, num_warmup=100, num_samples=10, progress_bar=False)
    >>> mcmc.run(jax.random.key(0), init_params=jnp.ones(3))
    >>> learned = jnp.sqrt(mcmc.last_state.adapt_state.inverse_mass_matrix)
    >>> bool(jnp.allclose(learned, scale, rtol=1e-3))
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
        if getattr(inverse_mass_matrix, "ndim", None) != 1:
            raise ValueError(
                "warmup='fisher' learns a diagonal mass matrix: leave dense_mass at False and give "
                "a vector as inverse_mass_matrix, or choose warmup='low_rank' or 'stan'"
            )
        if not is_given and self.settings.adapt_mass_matrix:
            inverse_mass_matrix = start_scale(start.potential_gradient)
        empty = Moments(welford.init(inverse_mass_matrix), welford.init(inverse_mass_matrix))
        return initial_state(
            step_size,
            inverse_mass_matrix,
            dual_averaging.init(step_size),
            FisherState(empty, empty, jnp.int32(FIRST_WINDOW)),
            overlap_schedule(num_warmup),
        )

    def estimate(
        self, state: HMCAdaptState, step: jax.Array, observation: Observation
    ) -> tuple[HMCAdaptState, jax.Array]:
        known = state.mm_state
        foreground, background = (
            _add(moments, observation) for moments in (known.foreground, known.background)
        )
        num_background = background.positions.num_positions
        return self._renew(
            state, step, FisherState(foreground, background, known.window), num_background
        )

    def _renew(
        self, state: HMCAdaptState, step: jax.Array, known: FisherState, num_background: jax.Array
    ) -> tuple[HMCAdaptState, jax.Array]:
        """Estimate anew and switch if it is time; also whether this is the first estimate."""
        before, foreground = state.mm_state.foreground, known.foreground
        is_first = (
            (before.positions.num_positions < MIN_DRAWS)
            & (foreground.positions.num_positions >= MIN_DRAWS)
            & (state.window_idx == 0)
        )
        switches, window = switch(state.schedule, step, num_background, known.window)
        empty = jax.tree.map(jnp.zeros_like, known.background)
        state = state.with_inverse_mass_matrix(diagonal(foreground, state.inverse_mass_matrix))
        return state._replace(
            mm_state=FisherState(
                select(switches, known.background, foreground),
                select(switches, empty, known.background),
                window,
            ),
            window_idx=state.window_idx + switches.astype(jnp.int32),
        ), is_first

    def no_sums(self, state: HMCAdaptState) -> Moments:
        nothing = welford.init(state.inverse_mass_matrix)
        return Moments(nothing, nothing)

    def take_in(
        self,
        sums: Moments,
        schedule: Any,
        step: jax.Array,
        observation: Observation,
        blocks: Blocks | None,
    ) -> Moments:
        counts = observation.moved & (step < schedule.final_start)
        return only_where(counts, lambda: _add(sums, observation), sums)

    def concludes(self, schedule: Any, step: jax.Array) -> jax.Array:
        return step + 1 == schedule.final_start

    def conclude(
        self,
        state: HMCAdaptState,
        step: jax.Array,
        sums: Moments,
        num_chains: jax.Array,
        blocks: Blocks | None,
        search: SearchStepSize,
    ) -> HMCAdaptState:
        known = state.mm_state
        foreground, background = (
            Moments(*map(welford.merge, moments, sums))
            for moments in (known.foreground, known.background)
        )
        # As many draws as there are chains make one transition older.
        num_background = background.positions.num_positions // num_chains
        state, is_first = only_where(
            step < state.schedule.final_start,
            lambda: self._renew(
                state, step, FisherState(foreground, background, known.window), num_background
            ),
            (state, jnp.asarray(False)),
        )
        return self.with_step_size(state, is_first, blocks, search)


def _add(moments: Moments, observation: Observation) -> Moments:
    return Moments(
        welford.update(moments.positions, observation.position),
        welford.update(moments.gradients, observation.gradient),
    )
