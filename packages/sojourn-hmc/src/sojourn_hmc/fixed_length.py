"""Hamiltonian Monte Carlo with trajectories of fixed length, as a kernel.

Sources: Duane et al. 1987; Neal 2011, "MCMC using Hamiltonian dynamics".
"""

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from sojourn_hmc.adaptation.saved import Adaptation
from sojourn_hmc.adaptation.warmup import Warmup, WarmupSettings
from sojourn_hmc.blocks import Names
from sojourn_hmc.hamiltonian import HamiltonianKernel
from sojourn_hmc.hmc_state import HMCState
from sojourn_hmc.integrator import Splitting, velocity_verlet
from sojourn_hmc.kinetic import KineticFn
from sojourn_hmc.phase_space import Hamiltonian
from sojourn_hmc.target import Potential, Target
from sojourn_hmc.trajectory import (
    StepwiseTrajectory,
    fixed_length_step_by_step,
    fixed_length_trajectory,
)
from sojourn_hmc.transition import BuildTrajectory

MAX_STEPS = 2**20  # a step size that has collapsed must not look like a hang


class HMC(HamiltonianKernel):
    """Hamiltonian Monte Carlo with a trajectory of fixed length.

    Parameters
    ----------
    target : Target, optional
        What to sample: any object with the three methods of `Target`.
    potential_fn : Callable, optional
        In place of ``target``: maps a position (any pytree) to the negative log density.
    kinetic_fn : Callable, optional
        ``kinetic_fn(inverse_mass_matrix, momentum)``, a kinetic energy in place of the Gaussian
        one: even in the momentum, which is structured as a position. Any such energy is exact.
    step_size : float
        Initial step size, in units of the unconstrained space.
    inverse_mass_matrix : array or dict, optional
        Initial inverse mass matrix over the flattened position (dict keys in sorted order),
        ``(D,)`` or, with ``dense_mass``, ``(D, D)``; or a dict from tuples of site names to blocks
        of it. Ones by default.
    adapt_step_size, adapt_mass_matrix : bool
        What warmup learns.
    dense_mass : bool or list of tuple of str
        Whether the mass matrix is dense; ``[("x", "y")]`` makes one dense block of these sites and
        leaves the others diagonal.
    target_accept_prob : float
        Acceptance probability that the step size is tuned to.
    num_steps : int, optional
        Number of leapfrog steps of a trajectory; then ``trajectory_length`` is not used.
    trajectory_length : float, optional
        Length of a trajectory; the number of steps is ``ceil(trajectory_length / step_size)``.
    find_heuristic_step_size : bool
        Search for a step size at the start and after each window of the warmup.
    forward_mode_differentiation : bool
        Differentiate the potential in forward mode.
    regularize_mass_matrix : bool
        Shrink the covariance estimate as Stan does.
    warmup : str or type of Warmup
        ``"stan"``; ``"fisher"``, a diagonal from draws and gradients that needs far fewer of them
        where scales differ; ``"low_rank"``, that and strong correlations; or a class of your own.
    integrator : Splitting
        What takes a step: `velocity_verlet`, `two_stage`, `three_stage`, ...
    adaptation : Adaptation, optional
        Where the warmup begins, or with ``num_warmup=0`` what is used: in place of ``step_size``
        and ``inverse_mass_matrix``.

    Raises
    ------
    ValueError
        If a setting is out of its range, or not exactly one of target and potential_fn is given.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> from sojourn_hmc import HMC, MCMC
    >>> kernel = HMC(potential_fn=lambda z: 0.5 * jnp.sum(z**2), trajectory_length=1.5)
    >>> mcmc = MCMC(kernel, num_warmup=200, num_samples=500, progress_bar=False)
    >>> mcmc.run(jax.random.key(0), init_params=jnp.zeros(2))
    >>> mcmc.get_samples().shape
    (500, 2)
    """

    def __init__(
        self,
        target: Target | None = None,
        potential_fn: Potential | None = None,
        kinetic_fn: KineticFn | None = None,
        step_size: float = 1.0,
        inverse_mass_matrix: Any = None,
        adapt_step_size: bool = True,
        adapt_mass_matrix: bool = True,
        dense_mass: bool | Sequence[Names] = False,
        target_accept_prob: float = 0.8,
        num_steps: int | None = None,
        trajectory_length: float | None = 2 * math.pi,
        *,
        find_heuristic_step_size: bool = False,
        forward_mode_differentiation: bool = False,
        regularize_mass_matrix: bool = True,
        warmup: str | type[Warmup] = "stan",
        integrator: Splitting = velocity_verlet,
        adaptation: Adaptation | None = None,
    ):
        if num_steps is not None:
            if num_steps < 1:
                raise ValueError(f"num_steps must be at least 1, got {num_steps}")
        elif trajectory_length is None:
            raise ValueError("give num_steps or trajectory_length: both are None")
        elif not trajectory_length > 0:
            raise ValueError(f"trajectory_length must be positive, got {trajectory_length}")
        super().__init__(
            target,
            potential_fn,
            kinetic_fn,
            step_size=step_size,
            inverse_mass_matrix=inverse_mass_matrix,
            dense_mass=dense_mass,
            forward_mode_differentiation=forward_mode_differentiation,
            settings=WarmupSettings(
                target_accept_prob,
                adapt_step_size,
                adapt_mass_matrix,
                regularize_mass_matrix,
                find_heuristic_step_size,
            ),
            warmup=warmup,
            integrator=integrator,
            adaptation=adaptation,
        )
        self.num_steps = num_steps
        self.trajectory_length = trajectory_length

    def initial_trajectory_length(self) -> float | None:
        """The given length, unless the number of steps is fixed."""
        return self.trajectory_length if self.num_steps is None else None

    def trajectory_builder(self, hamiltonian: Hamiltonian, state: HMCState) -> BuildTrajectory:
        """As many steps as the trajectory length asks for at the current step size."""
        step_size, num_steps = state.adapt_state.step_size, self._num_steps(state)
        return lambda start, seed: fixed_length_trajectory(
            hamiltonian, start, step_size, seed, num_steps
        )

    def stepwise_trajectory(self, hamiltonian: Hamiltonian, state: HMCState) -> StepwiseTrajectory:
        """Return the way that the same trajectory is built one step at a time."""
        return fixed_length_step_by_step(
            hamiltonian, state.adapt_state.step_size, self._num_steps(state)
        )

    def _num_steps(self, state: HMCState) -> jax.Array:
        if state.trajectory_length is None:
            return jnp.int32(self.num_steps)
        steps = jnp.ceil(state.trajectory_length / state.adapt_state.step_size)
        return jnp.clip(steps, 1, MAX_STEPS).astype(jnp.int32)
