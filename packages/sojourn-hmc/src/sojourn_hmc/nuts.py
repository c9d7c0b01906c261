"""The No-U-Turn Sampler as a kernel.

Sources: Hoffman and Gelman 2014; Betancourt 2017, "A conceptual introduction to Hamiltonian Monte
Carlo" (multinomial weights, generalised U-turn).
"""

from typing import Any

import jax.numpy as jnp

from sojourn_hmc.adaptation.warmup import Warmup
from sojourn_hmc.differentiate import Gradient
from sojourn_hmc.hamiltonian import HamiltonianKernel, HMCState
from sojourn_hmc.integrator import velocity_verlet
from sojourn_hmc.target import Potential, Target
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
    step_size, inverse_mass_matrix, adapt_step_size, adapt_mass_matrix, dense_mass
        As for `HMC`.
    target_accept_prob : float
        Acceptance probability, averaged over a trajectory, that the step size is tuned to.
    max_tree_depth : int or (int, int)
        A trajectory has at most ``2**max_tree_depth`` leaves; a pair is for warmup and sampling.
    forward_mode_differentiation, regularize_mass_matrix
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
        *,
        step_size: float = 1.0,
        inverse_mass_matrix: Any = None,
        adapt_step_size: bool = True,
        adapt_mass_matrix: bool = True,
        dense_mass: bool = False,
        target_accept_prob: float = 0.8,
        max_tree_depth: int | tuple[int, int] = 10,
        forward_mode_differentiation: bool = False,
        regularize_mass_matrix: bool = True,
    ):
        depths = (max_tree_depth,) * 2 if isinstance(max_tree_depth, int) else tuple(max_tree_depth)
        if len(depths) != 2 or min(depths) < 1:
            raise ValueError(
                "max_tree_depth must be an integer of at least 1, or a pair of them for warmup "
                f"and sampling, got {max_tree_depth}"
            )
        super().__init__(
            target,
            potential_fn,
            step_size=step_size,
            inverse_mass_matrix=inverse_mass_matrix,
            dense_mass=dense_mass,
            forward_mode_differentiation=forward_mode_differentiation,
            warmup=Warmup(
                target_accept_prob, adapt_step_size, adapt_mass_matrix, regularize_mass_matrix
            ),
        )
        self.max_tree_depth = max_tree_depth
        self._depths = depths

    def initial_trajectory_length(self) -> float | None:
        """None: a trajectory ends where it turns."""
        return None

    def trajectory_builder(self, gradient: Gradient, state: HMCState) -> BuildTrajectory:
        """Doubling until a turn, at most to the depth of the phase the chain is in."""
        adapt_state = state.adapt_state
        in_warmup = state.i < adapt_state.schedule.num_warmup
        max_depth = jnp.where(in_warmup, jnp.int32(self._depths[0]), jnp.int32(self._depths[1]))
        return lambda start, seed: nuts_trajectory(
            gradient,
            velocity_verlet,
            adapt_state.mass_matrix,
            start,
            adapt_state.step_size,
            seed,
            max_depth,
            max(self._depths),
        )
