"""Stan's warmup: dual averaging of the step size, windowed Welford estimates of the mass matrix.

Source: Stan Reference Manual, "HMC algorithm parameters"; Hoffman and Gelman 2014, §3.2.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from sojourn_hmc.adaptation import dual_averaging, welford
from sojourn_hmc.adaptation.dual_averaging import DualAveragingState
from sojourn_hmc.adaptation.schedule import Schedule, closes_window, in_window, schedule
from sojourn_hmc.adaptation.welford import WelfordState
from sojourn_hmc.mass_matrix import MassMatrix


class HMCAdaptState(NamedTuple):
    """What warmup has learned, and what it needs to go on.

    Attributes
    ----------
    step_size : Array
        Scalar, used for the next transition.
    inverse_mass_matrix, mass_matrix_sqrt, mass_matrix_sqrt_inv : Array
        The metric as in `MassMatrix`, over the flat unconstrained position.
    ss_state : DualAveragingState
        Adaptation of the step size.
    mm_state : WelfordState
        Accumulator of the open mass-matrix window.
    window_idx : Array
        Number of windows that are closed.
    schedule : Schedule
        The windows of this warmup; transitions after its end leave everything as it is.
    """

    step_size: jax.Array
    inverse_mass_matrix: jax.Array
    mass_matrix_sqrt: jax.Array
    mass_matrix_sqrt_inv: jax.Array
    ss_state: DualAveragingState
    mm_state: WelfordState
    window_idx: jax.Array
    schedule: Schedule

    @property
    def mass_matrix(self) -> MassMatrix:
        """The metric for the next transition."""
        return MassMatrix(
            self.inverse_mass_matrix, self.mass_matrix_sqrt, self.mass_matrix_sqrt_inv
        )


class Warmup(NamedTuple):
    """The settings of Stan's warmup.

    Attributes
    ----------
    target_accept_prob : float
        Acceptance probability that the step size is tuned to.
    adapt_step_size, adapt_mass_matrix : bool
        What to learn; the other stays as given.
    regularize_mass_matrix : bool
        Whether to shrink the covariance estimate as Stan does.
    """

    target_accept_prob: float
    adapt_step_size: bool
    adapt_mass_matrix: bool
    regularize_mass_matrix: bool

    def init(
        self, step_size: jax.Array, inverse_mass_matrix: jax.Array, num_warmup: jax.Array
    ) -> HMCAdaptState:
        """Start a warmup of ``num_warmup`` transitions."""
        return HMCAdaptState(
            step_size,
            *MassMatrix.from_inverse(inverse_mass_matrix),
            dual_averaging.init(step_size),
            welford.init(inverse_mass_matrix),
            jnp.zeros((), jnp.int32),
            schedule(num_warmup),
        )

    def update(
        self, state: HMCAdaptState, step: jax.Array, position: jax.Array, accept_prob: jax.Array
    ) -> HMCAdaptState:
        """Learn from transition ``step`` (from 0); after the warmup nothing changes.

        Parameters
        ----------
        state : HMCAdaptState
            What is known so far.
        step : Array
            Integer scalar.
        position : Array
            ``(D,)``, where the transition ended.
        accept_prob : Array
            What the transition reported.
        """
        return lax.cond(
            step < state.schedule.num_warmup,
            lambda: self._learn(state, step, position, accept_prob),
            lambda: state,
        )

    def _learn(
        self, state: HMCAdaptState, step: jax.Array, position: jax.Array, accept_prob: jax.Array
    ) -> HMCAdaptState:
        if self.adapt_step_size:
            averaging = dual_averaging.update(state.ss_state, self.target_accept_prob - accept_prob)
            log_step_size = jnp.where(
                step == state.schedule.num_warmup - 1,
                averaging.log_step_size_average,
                averaging.log_step_size,
            )
            step_size = dual_averaging.clipped_exp(log_step_size)
            state = state._replace(ss_state=averaging, step_size=step_size)
        if not self.adapt_mass_matrix:
            return state
        accumulator = lax.cond(
            in_window(state.schedule, step),
            lambda: welford.update(state.mm_state, position),
            lambda: state.mm_state,
        )
        state = state._replace(mm_state=accumulator)
        return lax.cond(
            closes_window(state.schedule, step),
            lambda: self._close_window(state),
            lambda: state,
        )

    def _close_window(self, state: HMCAdaptState) -> HMCAdaptState:
        covariance = welford.covariance(state.mm_state, self.regularize_mass_matrix)
        inverse, sqrt, sqrt_inv = MassMatrix.from_inverse(covariance)
        return state._replace(
            inverse_mass_matrix=inverse,
            mass_matrix_sqrt=sqrt,
            mass_matrix_sqrt_inv=sqrt_inv,
            ss_state=dual_averaging.init(state.step_size),
            mm_state=welford.init(covariance),
            window_idx=state.window_idx + 1,
        )
