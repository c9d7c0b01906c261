"""The No-U-Turn Sampler as a kernel.

Sources: Hoffman and Gelman 2014; Betancourt 2017, "A conceptual introduction to Hamiltonian Monte
Carlo" (multinomial weights, generalised U-turn).
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_hmc.adaptation.saved import Adaptation
from sojourn_hmc.adaptation.warmup import Warmup, WarmupSettings
from sojourn_hmc.blocks import Names
from sojourn_hmc.growth import grown_leaf_by_leaf
from sojourn_hmc.hamiltonian import HamiltonianKernel
from sojourn_hmc.hmc_state import HMCState
from sojourn_hmc.integrator import Splitting, velocity_verlet
from sojourn_hmc.kinetic import KineticFn
from sojourn_hmc.phase_space import Hamiltonian
from sojourn_hmc.problems import saturated_trees
from sojourn_hmc.target import Potential, Target
from sojourn_hmc.trajectory import StepwiseTrajectory
from sojourn_hmc.transition import BuildTrajectory
from sojourn_hmc.tree import nuts_trajectory


class NUTS(HamiltonianKernel):
    """Hamiltonian Monte Carlo whose trajectories end where they would turn back.

    Parameters
    ----------
    target : Target, optional
        What to sample: any object with the three methods of `Target`.
    potential_fn : Callable, optional
        In place of ``target``: maps a position (any pytree) to the negative log density.
    kinetic_fn, step_size, inverse_mass_matrix, adapt_step_size, adapt_mass_matrix, dense_mass
        As for `HMC`.
    target_accept_prob : float
        Acceptance probability, averaged over a trajectory, that the step size is tuned to.
    trajectory_length : None
        For compatibility: a trajectory ends where it turns, so only None is accepted.
    max_tree_depth : int or (int, int)
        A trajectory has at most ``2**max_tree_depth`` leaves; a pair is for warmup and sampling.
    find_heuristic_step_size, forward_mode_differentiation, regularize_mass_matrix
        As for `HMC`.
    warmup, integrator, adaptation
        As for `HMC`.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> from sojourn_hmc import MCMC, NUTS
    >>> kernel = NUTS(potential_fn=lambda z: 0.5 * jnp.sum((z["x"] - 3) ** 2))
    >>> mcmc = MCMC(kernel, num_warmup=200, num_samples=500, progress_bar=False)
    >>> mcmc.run(jax.random.key(0), init_params={"x": jnp.zeros(4)})
    >>> mcmc.get_samples()["x"].shape
    (500, 4)
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
        trajectory_length: None = None,
        max_tree_depth: int | tuple[int, int] = 10,
        *,
        find_heuristic_step_size: bool = False,
        forward_mode_differentiation: bool = False,
        regularize_mass_matrix: bool = True,
        warmup: str | type[Warmup] = "stan",
        integrator: Splitting = velocity_verlet,
        adaptation: Adaptation | None = None,
    ):
        if trajectory_length is not None:
            raise ValueError(
                f"NUTS takes no trajectory_length (got {trajectory_length}): its trajectories end "
                "where they turn back; bound them by max_tree_depth, or choose HMC"
            )
        depths = (max_tree_depth,) * 2 if isinstance(max_tree_depth, int) else tuple(max_tree_depth)
        if len(depths) != 2 or min(depths) < 1:
            raise ValueError(
                "max_tree_depth must be an integer of at least 1, or a pair of them for warmup "
                f"and sampling, got {max_tree_depth}"
            )
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
        self.max_tree_depth = max_tree_depth
        self._depths = depths

    def initial_trajectory_length(self) -> float | None:
        """None: a trajectory ends where it turns."""
        return None

    @property
    def varies_in_length(self) -> bool:
        return True

    @property
    def watched_fields(self) -> tuple[str, ...]:
        """Also what tells of trees that end before their trajectory turns."""
        return (*super().watched_fields, "num_steps")

    def find_problems(self, fields: dict[str, np.ndarray]) -> list[str]:
        """Look for saturated trees too; see `MCMCKernel.find_problems`."""
        return [
            *super().find_problems(fields),
            *saturated_trees(fields["num_steps"], self._depths[1]),
        ]

    def trajectory_builder(self, hamiltonian: Hamiltonian, state: HMCState) -> BuildTrajectory:
        """Doubling until a turn, at most to the depth of the phase the chain is in."""
        return lambda start, seed: nuts_trajectory(
            hamiltonian,
            start,
            state.adapt_state.step_size,
            seed,
            self._max_depth(state),
            max(self._depths),
        )

    def stepwise_trajectory(self, hamiltonian: Hamiltonian, state: HMCState) -> StepwiseTrajectory:
        """Return the way that the same trajectory is built leaf by leaf."""
        return grown_leaf_by_leaf(
            hamiltonian, state.adapt_state.step_size, self._max_depth(state), max(self._depths)
        )

    def _max_depth(self, state: HMCState) -> jax.Array:
        in_warmup = state.i < state.adapt_state.schedule.num_warmup
        return jnp.where(in_warmup, jnp.int32(self._depths[0]), jnp.int32(self._depths[1]))
