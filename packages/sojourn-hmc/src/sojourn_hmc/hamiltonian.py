"""What HMC and NUTS share: the state that users see around the transition, and its adaptation."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from sojourn_hmc.adaptation.warmup import HMCAdaptState, Warmup
from sojourn_hmc.differentiate import Gradient, value_and_gradient
from sojourn_hmc.kernel import MCMCKernel
from sojourn_hmc.start import MAX_ATTEMPTS, find_start
from sojourn_hmc.target import Potential, PotentialTarget, Target
from sojourn_hmc.transition import BuildTrajectory, transition, transition_keys


class HMCState(NamedTuple):
    """State of an HMC or NUTS chain.

    Attributes
    ----------
    i : Array
        Number of transitions made, warmup included.
    z : pytree
        Unconstrained position, a dict of sites for a model.
    z_grad : pytree
        Gradient of the potential energy, structured as ``z``.
    potential_energy : Array
        Negative log density at ``z`` (unconstrained).
    energy : Array
        Potential plus kinetic energy of the accepted leaf.
    r : pytree or None
        Momentum for the next transition; None draws a fresh one.
    trajectory_length : Array or None
        Length of a trajectory in units of time; None for NUTS or a fixed number of steps.
    num_steps : Array
        Leapfrog steps of the last transition.
    accept_prob : Array
        Acceptance probability of the last transition (for NUTS the mean over the leaves).
    mean_accept_prob : Array
        Mean of ``accept_prob``, begun anew after warmup.
    diverging : Array
        Whether the last transition diverged.
    adapt_state : HMCAdaptState
        Step size, mass matrix, and what their adaptation needs.
    rng_key : Array
        The chain's key; transition ``i`` derives its own from it.
    """

    i: jax.Array
    z: Any
    z_grad: Any
    potential_energy: jax.Array
    energy: jax.Array
    r: Any
    trajectory_length: jax.Array | None
    num_steps: jax.Array
    accept_prob: jax.Array
    mean_accept_prob: jax.Array
    diverging: jax.Array
    adapt_state: HMCAdaptState
    rng_key: jax.Array


class HamiltonianKernel(MCMCKernel):
    """A kernel that moves by Hamiltonian dynamics; how a trajectory is built is left open.

    Parameters
    ----------
    target : Target or None
        What to sample.
    potential_fn : Callable or None
        In place of ``target``: maps a position (any pytree) to the negative log density.
    step_size : float
        Initial step size, in units of the unconstrained space.
    inverse_mass_matrix : array or None
        Initial inverse mass matrix over the flattened position; ones if None.
    dense_mass : bool
        Whether the mass matrix is dense.
    forward_mode_differentiation : bool
        Differentiate the potential in forward mode.
    warmup : Warmup
        The settings of the adaptation.

    Raises
    ------
    ValueError
        If a setting is out of its range, or not exactly one of target and potential_fn is given.
    """

    def __init__(
        self,
        target: Target | None,
        potential_fn: Potential | None,
        *,
        step_size: float,
        inverse_mass_matrix: Any,
        dense_mass: bool,
        forward_mode_differentiation: bool,
        warmup: Warmup,
    ):
        if potential_fn is not None and target is None:
            target = PotentialTarget(potential_fn)
        elif potential_fn is not None or target is None:
            raise ValueError(
                "give exactly one of target (an object with check, setup and explain) "
                "and potential_fn (a function of an unconstrained position)"
            )
        if not isinstance(target, Target):
            raise TypeError(
                f"{target!r} is not a target: it lacks check, setup or explain. A log density "
                "goes in as potential_fn=lambda z: -log_density(z)"
            )
        if not step_size > 0:
            raise ValueError(f"step_size must be positive, got {step_size}")
        if not 0 < warmup.target_accept_prob < 1:
            raise ValueError(
                f"target_accept_prob must lie between 0 and 1, got {warmup.target_accept_prob}"
            )
        self.target = target
        self.step_size = step_size
        self.inverse_mass_matrix = inverse_mass_matrix
        self.dense_mass = dense_mass
        self.forward_mode_differentiation = forward_mode_differentiation
        self.warmup = warmup

    @abstractmethod
    def initial_trajectory_length(self) -> float | None:
        """Length of a trajectory in units of time, if it has a fixed one."""

    @abstractmethod
    def trajectory_builder(self, gradient: Gradient, state: HMCState) -> BuildTrajectory:
        """Return the way that a trajectory is built from a phase point in ``state``."""

    @property
    def sample_field(self) -> str:
        """The unconstrained position."""
        return "z"

    @property
    def default_fields(self) -> tuple[str, ...]:
        """The position, and whether the transition to it diverged."""
        return ("z", "diverging")

    def check(self, model_args: tuple, model_kwargs: dict, init_params: Any) -> None:
        """Ask the target whether it can be sampled."""
        self.target.check(model_args, model_kwargs, init_params)

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
        shape = jax.eval_shape(setup.start, rng_key)
        _, unravel = ravel_pytree(
            jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shape)
        )
        start = find_start(
            lambda key: ravel_pytree(setup.start(key))[0],
            self._gradient(setup.potential, unravel),
            # Transitions use the fold-ins from 0 upwards.
            jax.random.fold_in(rng_key, np.uint32(0xFFFFFFFF)),
            MAX_ATTEMPTS if init_params is None else 1,
        )
        dtype = start.position.dtype
        zero = jnp.zeros((), dtype)
        length = self.initial_trajectory_length()
        return HMCState(
            i=jnp.zeros((), jnp.int32),
            z=unravel(start.position),
            z_grad=unravel(start.potential_gradient),
            potential_energy=start.potential_energy,
            energy=start.potential_energy,
            r=None,
            trajectory_length=None if length is None else jnp.asarray(length, dtype),
            num_steps=jnp.zeros((), jnp.int32),
            accept_prob=zero,
            mean_accept_prob=zero,
            diverging=jnp.asarray(False),
            adapt_state=self.warmup.init(
                jnp.asarray(self.step_size, dtype),
                self._initial_inverse_mass_matrix(start.position),
                num_warmup,
            ),
            rng_key=rng_key,
        )

    def sample(
        self, state: HMCState, model_args: tuple = (), model_kwargs: dict | None = None
    ) -> HMCState:
        """Make one transition and let the warmup learn from it; see `MCMCKernel.sample`."""
        setup = self.target.setup(model_args, model_kwargs or {}, None)
        position, unravel = ravel_pytree(state.z)
        adapt_state = state.adapt_state
        proposal, info = transition(
            self.trajectory_builder(self._gradient(setup.potential, unravel), state),
            adapt_state.mass_matrix,
            transition_keys(state.rng_key, state.i),
            position,
            state.potential_energy,
            ravel_pytree(state.z_grad)[0],
            None if state.r is None else ravel_pytree(state.r)[0],
        )
        # The mean is over the warmup or over the sampling phase, whichever this transition is in.
        num_warmup = adapt_state.schedule.num_warmup
        count = state.i + 1 - jnp.where(state.i < num_warmup, 0, num_warmup)
        mean = state.mean_accept_prob
        return HMCState(
            i=state.i + 1,
            z=unravel(proposal.position),
            z_grad=unravel(proposal.potential_gradient),
            potential_energy=proposal.potential_energy,
            energy=proposal.energy,
            r=None,
            trajectory_length=state.trajectory_length,
            num_steps=info.num_steps,
            accept_prob=info.accept_prob,
            mean_accept_prob=jnp.where(
                count == 1,
                info.accept_prob,
                mean + (info.accept_prob - mean) / count.astype(mean.dtype),
            ),
            diverging=info.diverging,
            adapt_state=self.warmup.update(
                adapt_state, state.i, proposal.position, info.accept_prob
            ),
            rng_key=state.rng_key,
        )

    def check_start(self, state: HMCState, model_args: tuple, model_kwargs: dict) -> None:
        """Raise if potential or gradient is not finite at the start."""
        # NumPy on the host: an eager JAX operation would compile a program of its own.
        numbers = [state.potential_energy, *jax.tree.leaves(state.z_grad)]
        if not all(np.all(np.isfinite(np.asarray(number))) for number in numbers):
            raise ValueError(_describe_bad_start(self.target, state, model_args, model_kwargs))

    def postprocess_fn(self, model_args: tuple, model_kwargs: dict) -> Callable[[Any], Any]:
        """Return the target's map from unconstrained to constrained values."""
        return self.target.setup(model_args, model_kwargs, None).constrain

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

    def _initial_inverse_mass_matrix(self, position: jax.Array) -> jax.Array:
        size, dtype = position.shape[0], position.dtype
        if self.inverse_mass_matrix is None:
            return jnp.eye(size, dtype=dtype) if self.dense_mass else jnp.ones(size, dtype)
        given = jnp.asarray(self.inverse_mass_matrix, dtype)
        if self.dense_mass and given.ndim == 1:
            given = jnp.diag(given)
        expected = (size, size) if self.dense_mass else (size,)
        if given.shape != expected:
            raise ValueError(
                f"inverse_mass_matrix has shape {given.shape}, but the position has {size} "
                f"unconstrained components and dense_mass={self.dense_mass}: give shape {expected}"
            )
        return given


def _describe_bad_start(
    target: Target, state: HMCState, model_args: tuple, model_kwargs: dict
) -> str:
    lines = [
        "cannot start a chain: the potential energy or its gradient is not finite at the start",
        f"  potential energy: {float(state.potential_energy)}",
    ]
    for path, gradient in jax.tree_util.tree_leaves_with_path(state.z_grad):
        bad = ~np.isfinite(np.asarray(gradient))
        if bad.any():
            first = tuple(int(i) for i in np.argwhere(bad)[0])
            where = f" (first at index {first})" if first else ""
            lines.append(
                f"  gradient at {jax.tree_util.keystr(path)}: {int(bad.sum())} of {bad.size} "
                f"entries are not finite{where}"
            )
    lines.append(target.explain(state.z, model_args, model_kwargs))
    lines.append(
        "Try: other initial values (init_params, or another init_strategy), a check of the data "
        "for NaN and of the model for divisions by zero or logarithms of zero, double precision"
    )
    return "\n".join(lines)
