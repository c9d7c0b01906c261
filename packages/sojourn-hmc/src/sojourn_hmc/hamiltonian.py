"""What HMC and NUTS share: what surrounds a trajectory, and the adaptation."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from sojourn_hmc.acceptance import mean_of_phase
from sojourn_hmc.adaptation import dual_averaging
from sojourn_hmc.adaptation.saved import Adaptation
from sojourn_hmc.adaptation.shared import SharedWarmup
from sojourn_hmc.adaptation.step_size_search import search_step_size
from sojourn_hmc.adaptation.warmup import (
    HMCAdaptState,
    Observation,
    SearchStepSize,
    Warmup,
    WarmupSettings,
)
from sojourn_hmc.bad_start import describe_bad_start, finite_start
from sojourn_hmc.blocks import Blocks, Names, check_names, cut_into_blocks
from sojourn_hmc.differentiate import Gradient, value_and_gradient
from sojourn_hmc.hamiltonian_steps import meeting_of_warmup, steps_of_trajectories
from sojourn_hmc.hmc_state import HMCState
from sojourn_hmc.initial_metric import check_inverse_mass_matrix, first_inverse_mass_matrix
from sojourn_hmc.integrator import Splitting
from sojourn_hmc.kinetic import CustomKinetic, KineticFn
from sojourn_hmc.mass_matrix import Metric
from sojourn_hmc.phase_space import Hamiltonian, PhasePoint, Proposal
from sojourn_hmc.problems import divergences, low_energy_information
from sojourn_hmc.start import MAX_ATTEMPTS, StartPoint, find_start, flattening
from sojourn_hmc.stepwise import Meeting, Steps
from sojourn_hmc.target import Potential, Target
from sojourn_hmc.target_kernel import TargetKernel
from sojourn_hmc.trajectory import StepwiseTrajectory, TrajectoryInfo
from sojourn_hmc.transition import BuildTrajectory, transition_keys
from sojourn_hmc.warmups import choose_warmup

# Transitions derive their keys from the counters 0 upwards.
START, SEARCH, MOMENTUM = (np.uint32(0xFFFFFFFF - n) for n in range(3))


class HamiltonianKernel(TargetKernel):
    """A kernel that moves by Hamiltonian dynamics; how a trajectory is built is left open.

    Parameters
    ----------
    target : Target or None
        What to sample.
    potential_fn : Callable or None
        In place of ``target``: maps a position (any pytree) to the negative log density.
    kinetic_fn : Callable or None
        A kinetic energy in place of the Gaussian one, see `sojourn_hmc.kinetic`.
    step_size : float
        Initial step size, in units of the unconstrained space.
    inverse_mass_matrix : array, dict or None
        Initial inverse mass matrix over the flattened position, or blocks of it; ones if None.
    dense_mass : bool or list of tuple of str
        Whether the mass matrix is dense, or the sites of its dense blocks.
    forward_mode_differentiation : bool
        Differentiate the potential in forward mode.
    settings : WarmupSettings
        What the warmup adapts.
    warmup : str or type of Warmup
        How: ``"stan"``, ``"fisher"``, ``"low_rank"``, or a class of one's own.
    integrator : Splitting
        What takes a step.
    adaptation : Adaptation or None
        Step size and inverse mass matrix of an earlier run, in place of the two arguments.

    Raises
    ------
    ValueError
        If a setting is out of its range, or not exactly one of target and potential_fn is given.
    """

    def __init__(
        self,
        target: Target | None,
        potential_fn: Potential | None,
        kinetic_fn: KineticFn | None,
        *,
        step_size: Any,
        inverse_mass_matrix: Any,
        dense_mass: bool | Sequence[Names],
        forward_mode_differentiation: bool,
        settings: WarmupSettings,
        warmup: str | type[Warmup],
        integrator: Splitting,
        adaptation: Adaptation | None,
    ):
        if adaptation is not None:
            if inverse_mass_matrix is not None:
                raise ValueError("give adaptation or inverse_mass_matrix, not both")
            step_size, inverse_mass_matrix = adaptation
        # A traced step size, of a kernel made inside a transformation, has no value yet.
        if not isinstance(step_size, jax.core.Tracer) and not step_size > 0:
            raise ValueError(f"step_size must be positive, got {step_size}")
        if not 0 < settings.target_accept_prob < 1:
            raise ValueError(
                f"target_accept_prob must lie between 0 and 1, got {settings.target_accept_prob}"
            )
        if not callable(integrator):
            raise TypeError(
                f"integrator must be a Splitting such as velocity_verlet, got {integrator!r}"
            )
        if isinstance(inverse_mass_matrix, Mapping) and dense_mass is True:
            raise ValueError(
                "inverse_mass_matrix gives blocks, so dense_mass must be the list of the dense "
                "ones or False, got True"
            )
        check_names([] if isinstance(dense_mass, bool) else dense_mass, inverse_mass_matrix)
        check_inverse_mass_matrix(inverse_mass_matrix)
        super().__init__(target, potential_fn)
        self.kinetic_fn = kinetic_fn
        self.step_size = step_size
        self.inverse_mass_matrix = inverse_mass_matrix
        self.dense_mass = dense_mass
        self.forward_mode_differentiation = forward_mode_differentiation
        self.integrator = integrator
        self.warmup = choose_warmup(warmup, settings)

    @abstractmethod
    def initial_trajectory_length(self) -> float | None:
        """Length of a trajectory in units of time, if it has a fixed one."""

    @abstractmethod
    def trajectory_builder(self, hamiltonian: Hamiltonian, state: HMCState) -> BuildTrajectory:
        """Return the way that a trajectory is built from a phase point in ``state``."""

    @abstractmethod
    def stepwise_trajectory(self, hamiltonian: Hamiltonian, state: HMCState) -> StepwiseTrajectory:
        """Return the way that the same trajectory is built one step at a time."""

    @property
    def sample_field(self) -> str:
        """The unconstrained position."""
        return "z"

    @property
    def default_fields(self) -> tuple[str, ...]:
        """The position, and whether the transition to it diverged."""
        return ("z", "diverging")

    @property
    def watched_fields(self) -> tuple[str, ...]:
        """What tells of divergences and of energies that hardly change."""
        return ("diverging", "energy")

    def find_problems(self, fields: dict[str, np.ndarray]) -> list[str]:
        """Look for divergences and a low E-BFMI; see `MCMCKernel.find_problems`."""
        return [*divergences(fields["diverging"]), *low_energy_information(fields["energy"])]

    def init(
        self,
        rng_key: jax.Array,
        num_warmup: Any,
        init_params: Any = None,
        model_args: tuple = (),
        model_kwargs: dict | None = None,
    ) -> HMCState:
        """Find a starting point and start the warmup; see `MCMCKernel.init`."""
        setup = self.target.setup(model_args, model_kwargs or {}, init_params)
        shape, unravel = flattening(setup.start, rng_key)
        gradient = self._gradient(setup.potential, unravel)
        start = find_start(
            lambda key: ravel_pytree(setup.start(key))[0],
            gradient,
            jax.random.fold_in(rng_key, START),
            MAX_ATTEMPTS if init_params is None else 1,
        )
        dtype = start.position.dtype
        blocks = self.blocks(shape)
        inverse = first_inverse_mass_matrix(
            self.inverse_mass_matrix, self.dense_mass, blocks, start.position
        )
        adapt_state = self.warmup.init(
            start,
            jnp.asarray(self.step_size, dtype),
            inverse,
            self.inverse_mass_matrix is not None,
            num_warmup,
        )
        settings = self.warmup.settings
        if settings.find_heuristic_step_size and settings.adapt_step_size:
            metric = self._metric(adapt_state, blocks, unravel)
            step_size = search_step_size(
                Hamiltonian(gradient, metric, self.integrator),
                start,
                adapt_state.step_size,
                jax.random.fold_in(rng_key, SEARCH),
            )
            adapt_state = adapt_state._replace(
                step_size=step_size, ss_state=dual_averaging.init(step_size)
            )
        metric = self._metric(adapt_state, blocks, unravel)
        momentum = None
        if metric.refreshes_from_last:
            momentum = unravel(metric.momentum(jax.random.fold_in(rng_key, MOMENTUM)))
        zero = jnp.zeros((), dtype)
        length = self.initial_trajectory_length()
        return HMCState(
            i=jnp.zeros((), jnp.int32),
            z=unravel(start.position),
            z_grad=unravel(start.potential_gradient),
            potential_energy=start.potential_energy,
            energy=start.potential_energy,
            r=momentum,
            trajectory_length=None if length is None else jnp.asarray(length, dtype),
            num_steps=jnp.zeros((), jnp.int32),
            accept_prob=zero,
            mean_accept_prob=zero,
            diverging=jnp.asarray(False),
            adapt_state=adapt_state,
            rng_key=rng_key,
        )

    def sample(
        self, state: HMCState, model_args: tuple = (), model_kwargs: dict | None = None
    ) -> HMCState:
        """Make one transition and let the warmup learn from it; see `MCMCKernel.sample`."""
        hamiltonian = self.hamiltonian(state, model_args, model_kwargs or {})
        start, seed = self.departure(state, hamiltonian)
        proposal, info = self.trajectory_builder(hamiltonian, state)(start, seed)
        return self.after(state, hamiltonian, proposal, info)

    def steps(self, model_args: tuple, model_kwargs: dict) -> Steps:
        """Return how a transition is made step by step; see `MCMCKernel.steps`."""
        return steps_of_trajectories(self, model_args, model_kwargs)

    def meeting(self, model_args: tuple, model_kwargs: dict) -> Meeting | None:
        """Return where the chains of a batch learn together, if the warmup is shared."""
        warmup = self.warmup
        if not isinstance(warmup, SharedWarmup):
            return None
        return meeting_of_warmup(self, warmup, model_args, model_kwargs)

    def departure(self, state: HMCState, hamiltonian: Hamiltonian) -> tuple[PhasePoint, jax.Array]:
        """Return where the transition from ``state`` starts, and the seed of its decisions."""
        keys = transition_keys(state.rng_key, state.i)
        if state.r is None:
            momentum = hamiltonian.metric.momentum(keys.momentum)
        else:
            momentum = ravel_pytree(state.r)[0]
        position, gradient = ravel_pytree(state.z)[0], ravel_pytree(state.z_grad)[0]
        return PhasePoint(position, momentum, state.potential_energy, gradient), keys.seed

    def refresh(self, state: HMCState, model_args: tuple, model_kwargs: dict) -> HMCState:
        """Compute potential and gradient anew; see `MCMCKernel.refresh`."""
        position, unravel = ravel_pytree(state.z)
        gradient = self.hamiltonian(state, model_args, model_kwargs).gradient
        potential_energy, potential_gradient = gradient(position)
        return state._replace(potential_energy=potential_energy, z_grad=unravel(potential_gradient))

    def hamiltonian(self, state: HMCState, model_args: tuple, model_kwargs: dict) -> Hamiltonian:
        """Return the system that a chain in ``state`` moves in, on flat positions ``(D,)``."""
        setup = self.target.setup(model_args, model_kwargs, None)
        _, unravel = ravel_pytree(state.z)
        return Hamiltonian(
            self._gradient(setup.potential, unravel),
            self._metric(state.adapt_state, self.blocks(state.z), unravel),
            self.integrator,
        )

    def after(
        self, state: HMCState, hamiltonian: Hamiltonian, proposal: Proposal, info: TrajectoryInfo
    ) -> HMCState:
        """Return the state after a transition, from which the warmup learns.

        Parameters
        ----------
        state : HMCState
            The state before.
        hamiltonian : Hamiltonian
            The system, where the transition ended.
        proposal, info
            What the transition gave.
        """
        return self.moved(state, hamiltonian, proposal, info)._replace(
            adapt_state=self.learned(state, hamiltonian, proposal, info)
        )

    def moved(
        self, state: HMCState, hamiltonian: Hamiltonian, proposal: Proposal, info: TrajectoryInfo
    ) -> HMCState:
        """Return the state after a transition, with what was learned before; as for `after`."""
        _, unravel = ravel_pytree(state.z)
        metric, keys = hamiltonian.metric, transition_keys(state.rng_key, state.i)
        momentum = None
        if metric.refreshes_from_last:
            # In the warmup the mass matrix may change, and the scale of momenta with it.
            momentum = unravel(
                jnp.where(
                    state.i + 1 < state.adapt_state.schedule.num_warmup,
                    metric.momentum(keys.momentum),
                    metric.refresh(keys.momentum, proposal.momentum),
                )
            )

        return HMCState(
            i=state.i + 1,
            z=unravel(proposal.position),
            z_grad=unravel(proposal.potential_gradient),
            potential_energy=proposal.potential_energy,
            energy=proposal.energy,
            r=momentum,
            trajectory_length=state.trajectory_length,
            num_steps=info.num_steps,
            accept_prob=info.accept_prob,
            mean_accept_prob=mean_of_phase(
                state.mean_accept_prob,
                info.accept_prob,
                state.i,
                state.adapt_state.schedule.num_warmup,
            ),
            diverging=info.diverging,
            adapt_state=state.adapt_state,
            rng_key=state.rng_key,
        )

    def learned(
        self, state: HMCState, hamiltonian: Hamiltonian, proposal: Proposal, info: TrajectoryInfo
    ) -> HMCAdaptState:
        """Return what is known after a transition; as for `after`."""
        position, _ = ravel_pytree(state.z)

        start = StartPoint(
            proposal.position, proposal.potential_energy, proposal.potential_gradient
        )
        return self.warmup.update(
            state.adapt_state,
            state.i,
            Observation(
                proposal.position,
                proposal.potential_gradient,
                info.accept_prob,
                jnp.any(proposal.position != position) & ~info.diverging,
            ),
            self.blocks(state.z),
            self.search(state, hamiltonian, start),
        )

    def search(
        self, state: HMCState, hamiltonian: Hamiltonian, start: StartPoint
    ) -> SearchStepSize:
        """Return what searches for a step size from ``start`` on, with a key of the chain's own."""

        def search(metric: Metric, step_size: jax.Array) -> jax.Array:
            key = jax.random.fold_in(jax.random.fold_in(state.rng_key, SEARCH), state.i)
            return search_step_size(hamiltonian._replace(metric=metric), start, step_size, key)

        return search

    def check_start(self, state: HMCState, model_args: tuple, model_kwargs: dict) -> None:
        """Raise if potential or gradient is not finite at the start."""
        if not finite_start(state.potential_energy, state.z_grad):
            raise ValueError(
                describe_bad_start(
                    self.target,
                    state.z,
                    state.potential_energy,
                    state.z_grad,
                    model_args,
                    model_kwargs,
                )
            )

    def get_diagnostics_str(self, state: HMCState) -> str:
        """Steps, step size and mean acceptance probability."""
        return (
            f"{int(state.num_steps)} steps of size {float(state.adapt_state.step_size):.2e}. "
            f"acc. prob={float(state.mean_accept_prob):.2f}"
        )

    def _gradient(self, potential: Potential, unravel: Callable[[jax.Array], Any]) -> Gradient:
        return value_and_gradient(
            lambda position: potential(unravel(position)), self.forward_mode_differentiation
        )

    def blocks(self, position: Any) -> Blocks | None:
        """Return how the mass matrix cuts a position, if it is made of blocks."""
        given = self.inverse_mass_matrix
        if isinstance(self.dense_mass, bool) and not isinstance(given, Mapping):
            return None
        dense = () if isinstance(self.dense_mass, bool) else self.dense_mass
        return cut_into_blocks(position, dense, given)

    def _metric(
        self,
        adapt_state: HMCAdaptState,
        blocks: Blocks | None,
        unravel: Callable[[jax.Array], Any],
    ) -> Metric:
        metric = adapt_state.metric(blocks)
        kinetic_fn = self.kinetic_fn
        if kinetic_fn is None:
            return metric
        inverse = adapt_state.inverse_mass_matrix
        return CustomKinetic(metric, lambda momentum: kinetic_fn(inverse, unravel(momentum)))
