"""What adapts a kernel during its warmup: the contract, its settings, the state that is kept."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from sojourn_hmc.blocks import BlockMassMatrix, Blocks
from sojourn_hmc.low_rank import LowRank, LowRankMassMatrix, factors
from sojourn_hmc.mass_matrix import MassMatrix, Metric
from sojourn_hmc.only_where import only_where
from sojourn_hmc.start import StartPoint

SearchStepSize = Callable[[Metric, jax.Array], jax.Array]
"""``search(metric, step_size)`` gives a step size of the right order of magnitude."""


class HMCAdaptState(NamedTuple):
    """What warmup has learned, and what it needs to go on.

    Attributes
    ----------
    step_size : Array
        Scalar, used for the next transition.
    inverse_mass_matrix, mass_matrix_sqrt, mass_matrix_sqrt_inv : Array, dict or LowRank
        The metric over the flat unconstrained position, as in `MassMatrix`: ``(D,)`` or ``(D, D)``,
        or a dict of such blocks by the names of their sites, or a `LowRank`.
    ss_state : DualAveragingState
        Adaptation of the step size.
    mm_state : pytree
        What the mass matrix is estimated from.
    window_idx : Array
        Number of windows that are closed.
    schedule : NamedTuple
        The phases of this warmup, its length in ``num_warmup``; transitions after its end leave
        everything as it is.
    settings : FunctionalSettings or None
        What `sojourn_hmc.hmc` carries along, so that its functions need no state of their own.
    """

    step_size: jax.Array
    inverse_mass_matrix: Any
    mass_matrix_sqrt: Any
    mass_matrix_sqrt_inv: Any
    ss_state: Any
    mm_state: Any
    window_idx: jax.Array
    schedule: Any
    settings: Any = None

    def metric(self, blocks: Blocks | None) -> Metric:
        """The metric for the next transition; `blocks` if the mass matrix is made of them."""
        inverse, sqrt = self.inverse_mass_matrix, self.mass_matrix_sqrt
        if isinstance(inverse, LowRank):
            return LowRankMassMatrix(inverse, sqrt)
        if blocks is None:
            return MassMatrix(inverse, sqrt, self.mass_matrix_sqrt_inv)
        parts = {
            names: MassMatrix(inverse[names], sqrt[names], self.mass_matrix_sqrt_inv[names])
            for names in blocks.indices
        }
        return BlockMassMatrix(parts, blocks)

    def with_inverse_mass_matrix(self, inverse: Any) -> HMCAdaptState:
        """Take a new inverse mass matrix of the same structure."""
        sqrt, sqrt_inv = factorise(inverse)
        return self._replace(
            inverse_mass_matrix=inverse, mass_matrix_sqrt=sqrt, mass_matrix_sqrt_inv=sqrt_inv
        )


def factorise(inverse: Any) -> tuple[Any, Any]:
    """Square root of the mass matrix and the inverse of that, for any kind of matrix."""
    if isinstance(inverse, LowRank):
        return factors(inverse)
    if isinstance(inverse, dict):
        parts = {names: MassMatrix.from_inverse(block) for names, block in inverse.items()}
        return (
            {names: part.mass_matrix_sqrt for names, part in parts.items()},
            {names: part.mass_matrix_sqrt_inv for names, part in parts.items()},
        )
    whole = MassMatrix.from_inverse(inverse)
    return whole.mass_matrix_sqrt, whole.mass_matrix_sqrt_inv


class Observation(NamedTuple):
    """What a warmup learns from, about one transition.

    Attributes
    ----------
    position, gradient : Array
        ``(D,)``, where it ended, and the gradient of the potential there.
    accept_prob : Array
        Its acceptance probability.
    moved : Array
        Whether it went anywhere, and without a divergence.
    """

    position: jax.Array
    gradient: jax.Array
    accept_prob: jax.Array
    moved: jax.Array


class WarmupSettings(NamedTuple):
    """What a user decides about the warmup.

    Attributes
    ----------
    target_accept_prob : float
        Acceptance probability that the step size is tuned to.
    adapt_step_size, adapt_mass_matrix : bool
        What to learn; the other stays as given.
    regularize_mass_matrix : bool
        Whether to shrink a covariance estimate as Stan does.
    find_heuristic_step_size : bool
        Whether to search for a step size where a new mass matrix comes into use.
    """

    target_accept_prob: float = 0.8
    adapt_step_size: bool = True
    adapt_mass_matrix: bool = True
    regularize_mass_matrix: bool = True
    find_heuristic_step_size: bool = False


class Warmup(ABC):
    """A way to adapt step size and mass matrix; a subclass writes `init` and `learn`.

    Pure functions of their arguments: what is learned lies in the state.

    Parameters
    ----------
    settings : WarmupSettings
        The user's decisions.
    """

    def __init__(self, settings: WarmupSettings):
        self.settings = settings

    @abstractmethod
    def init(
        self,
        start: StartPoint,
        step_size: jax.Array,
        inverse_mass_matrix: Any,
        is_given: bool,
        num_warmup: jax.Array,
    ) -> HMCAdaptState:
        """Begin a warmup.

        Parameters
        ----------
        start : StartPoint
            Where the chain starts.
        step_size : Array
            The first step size.
        inverse_mass_matrix : Array, dict or LowRank
            The first inverse mass matrix, whose structure decides what is learned.
        is_given : bool
            Whether a user gave it; otherwise it is the identity and may be bettered.
        num_warmup : Array
            Length of the warmup.
        """

    @abstractmethod
    def learn(
        self,
        state: HMCAdaptState,
        step: jax.Array,
        observation: Observation,
        blocks: Blocks | None,
        search: SearchStepSize,
    ) -> HMCAdaptState:
        """Learn from transition ``step`` (from 0) of the warmup.

        Parameters
        ----------
        state : HMCAdaptState
            What is known so far.
        step : Array
            Integer scalar.
        observation : Observation
            The transition.
        blocks : Blocks or None
            How positions are cut, if the mass matrix is made of blocks.
        search : Callable
            Searches for a step size from the new position on.
        """

    def update(
        self,
        state: HMCAdaptState,
        step: jax.Array,
        observation: Observation,
        blocks: Blocks | None,
        search: SearchStepSize,
    ) -> HMCAdaptState:
        """Learn during the warmup; after it nothing changes."""
        settings = self.settings
        if not (settings.adapt_step_size or settings.adapt_mass_matrix):
            return state
        return only_where(
            step < state.schedule.num_warmup,
            lambda: self.learn(state, step, observation, blocks, search),
            state,
        )


def initial_state(
    step_size: jax.Array, inverse: Any, ss_state: Any, mm_state: Any, schedule: Any
) -> HMCAdaptState:
    """The state at the beginning of a warmup."""
    sqrt, sqrt_inv = factorise(inverse)
    return HMCAdaptState(
        step_size, inverse, sqrt, sqrt_inv, ss_state, mm_state, jnp.zeros((), jnp.int32), schedule
    )
