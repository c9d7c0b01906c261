"""The Barker proposal: a random walk whose steps lean, component by component, down the potential.

Source: Livingstone and Zanella 2022, "The Barker proposal: combining robustness and efficiency in
gradient-based MCMC", JRSS B 84, Algorithm 2, preconditioned.

Invariant: detailed balance. In units of the preconditioner ``L`` a step is ``d = b z``, where ``z``
has a law ``mu`` symmetric about 0 and ``b`` is ``+1`` with probability ``sigmoid(-z c(x))``, with
``c(x) = L^T grad U(x)``. Its density is ``2 mu(d) sigmoid(-d c(x))``, that of the way back
``2 mu(d) sigmoid(d c(y))``, and the ratio of the two enters the acceptance probability.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from sojourn_hmc.acceptance import mean_of_phase
from sojourn_hmc.adaptation.stan import StanWarmup
from sojourn_hmc.adaptation.warmup import HMCAdaptState, Observation, WarmupSettings
from sojourn_hmc.bad_start import describe_bad_start, finite_start
from sojourn_hmc.differentiate import value_and_gradient
from sojourn_hmc.initial_metric import check_inverse_mass_matrix, first_inverse_mass_matrix
from sojourn_hmc.start import MAX_ATTEMPTS, find_start, flattening
from sojourn_hmc.target import Potential, Target
from sojourn_hmc.target_kernel import TargetKernel
from sojourn_hmc.transition import transition_keys
from sojourn_hmc.uniforms import uniform

BIMODAL_WIDTH = 0.1  # Vogrinc, Livingstone and Zanella 2023: sigma of the two modes
NOISES = ("normal", "bimodal")


class BarkerMHState(NamedTuple):
    """State of a chain of Barker's Metropolis-Hastings algorithm.

    Attributes
    ----------
    i : Array
        Number of transitions made, warmup included.
    z : pytree
        Unconstrained position, a dict of sites for a model.
    potential_energy : Array
        Negative log density at ``z`` (unconstrained).
    z_grad : pytree
        Gradient of the potential energy, structured as ``z``.
    accept_prob : Array
        Acceptance probability of the last proposal.
    mean_accept_prob : Array
        Mean of ``accept_prob``, begun anew after warmup.
    adapt_state : HMCAdaptState
        Step size, preconditioner (as inverse mass matrix), and what their adaptation needs.
    rng_key : Array
        The chain's key; transition ``i`` derives its own from it.
    """

    i: jax.Array
    z: Any
    potential_energy: jax.Array
    z_grad: Any
    accept_prob: jax.Array
    mean_accept_prob: jax.Array
    adapt_state: HMCAdaptState
    rng_key: jax.Array


class BarkerMH(TargetKernel):
    """Metropolis-Hastings with the Barker proposal (Livingstone and Zanella 2022).

    One gradient a step, as for the Metropolis-adjusted Langevin algorithm, yet robust: a step never
    grows with the gradient, which decides its direction alone. It suits low and moderate
    dimensions, skewed targets, and gradients that are large in places.

    Parameters
    ----------
    target : Target, optional
        What to sample: any object with the three methods of `Target`.
    potential_fn : Callable, optional
        In place of ``target``: maps a position (any pytree) to the negative log density.
    step_size : float
        Initial step size, in units of the preconditioner.
    inverse_mass_matrix : array, optional
        Initial preconditioner ``L L^T``, an estimate of the covariance of the flat unconstrained
        position, ``(D,)`` or, with ``dense_mass``, ``(D, D)``; ones by default.
    adapt_step_size, adapt_mass_matrix : bool
        What warmup learns.
    dense_mass : bool
        Whether the preconditioner is dense.
    target_accept_prob : float
        Acceptance probability that the step size is tuned to. For bimodal noise about 0.57 is best.
    noise : {"normal", "bimodal"}
        Law of the size of a step in each component: normal or, after Vogrinc, Livingstone and
        Zanella 2023, close to one fixed length, which mixes faster.

    Raises
    ------
    ValueError
        If a setting is out of its range, or not exactly one of target and potential_fn is given.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> from sojourn_hmc import MCMC, BarkerMH
    >>> kernel = BarkerMH(potential_fn=lambda z: jnp.sum(jnp.exp(z) - z))
    >>> mcmc = MCMC(kernel, num_warmup=1000, num_samples=2000, progress_bar=False)
    >>> mcmc.run(jax.random.key(0), init_params=jnp.zeros(3))
    >>> mcmc.get_samples().shape
    (2000, 3)
    """

    def __init__(
        self,
        target: Target | None = None,
        potential_fn: Potential | None = None,
        *,
        step_size: Any = 1.0,
        inverse_mass_matrix: Any = None,
        adapt_step_size: bool = True,
        adapt_mass_matrix: bool = True,
        dense_mass: bool = False,
        target_accept_prob: float = 0.4,
        noise: str = "normal",
    ):
        if not isinstance(step_size, jax.core.Tracer) and not step_size > 0:
            raise ValueError(f"step_size must be positive, got {step_size}")
        if not 0 < target_accept_prob < 1:
            raise ValueError(
                f"target_accept_prob must lie between 0 and 1, got {target_accept_prob}"
            )
        if not isinstance(dense_mass, (bool, np.bool_)):
            raise TypeError(f"dense_mass of BarkerMH must be True or False, got {dense_mass!r}")
        if noise not in NOISES:
            raise ValueError(f"noise must be one of {NOISES}, got {noise!r}")
        if isinstance(inverse_mass_matrix, Mapping):
            raise TypeError("inverse_mass_matrix of BarkerMH must be an array, not blocks")
        check_inverse_mass_matrix(inverse_mass_matrix)
        super().__init__(target, potential_fn)
        self.step_size = step_size
        self.inverse_mass_matrix = inverse_mass_matrix
        self.dense_mass = bool(dense_mass)
        self.warmup = StanWarmup(
            WarmupSettings(target_accept_prob, adapt_step_size, adapt_mass_matrix)
        )
        self.noise = noise

    @property
    def sample_field(self) -> str:
        """The unconstrained position."""
        return "z"

    def init(
        self,
        rng_key: jax.Array,
        num_warmup: Any,
        init_params: Any = None,
        model_args: tuple = (),
        model_kwargs: dict | None = None,
    ) -> BarkerMHState:
        """Find a starting point and start the warmup; see `MCMCKernel.init`."""
        setup = self.target.setup(model_args, model_kwargs or {}, init_params)
        _, unravel = flattening(setup.start, rng_key)
        start = find_start(
            lambda key: ravel_pytree(setup.start(key))[0],
            value_and_gradient(lambda position: setup.potential(unravel(position))),
            # Transitions use the fold-ins from 0 upwards.
            jax.random.fold_in(rng_key, np.uint32(0xFFFFFFFF)),
            MAX_ATTEMPTS if init_params is None else 1,
        )
        dtype = start.position.dtype
        zero = jnp.zeros((), dtype)
        return BarkerMHState(
            i=jnp.zeros((), jnp.int32),
            z=unravel(start.position),
            potential_energy=start.potential_energy,
            z_grad=unravel(start.potential_gradient),
            accept_prob=zero,
            mean_accept_prob=zero,
            adapt_state=self.warmup.init(
                start,
                jnp.asarray(self.step_size, dtype),
                first_inverse_mass_matrix(
                    self.inverse_mass_matrix, self.dense_mass, None, start.position
                ),
                self.inverse_mass_matrix is not None,
                num_warmup,
            ),
            rng_key=rng_key,
        )

    def sample(
        self, state: BarkerMHState, model_args: tuple = (), model_kwargs: dict | None = None
    ) -> BarkerMHState:
        """Propose once and let the warmup learn from it; see `MCMCKernel.sample`."""
        setup = self.target.setup(model_args, model_kwargs or {}, None)
        position, unravel = ravel_pytree(state.z)
        gradient, _ = ravel_pytree(state.z_grad)
        size, dtype = position.shape[0], position.dtype
        adapt_state = state.adapt_state
        # With L L^T the inverse mass matrix, this is L^T.
        transposed = adapt_state.mass_matrix_sqrt_inv
        keys = transition_keys(state.rng_key, state.i)
        uniforms = uniform(keys.seed, jnp.arange(size + 1, dtype=jnp.int32), dtype)

        length = jax.random.normal(keys.momentum, (size,), dtype)
        if self.noise == "bimodal":
            # The sign below makes a law symmetric that is not.
            length = np.sqrt(1 - BIMODAL_WIDTH**2) + BIMODAL_WIDTH * length
        slope = _times(transposed, gradient)
        step = leaning_step(adapt_state.step_size * length, slope, uniforms[:size])
        proposal = position + _times(transposed.T, step)
        energy, new_gradient = value_and_gradient(lambda q: setup.potential(unravel(q)))(proposal)
        accept_prob = acceptance_probability(
            step,
            (state.potential_energy, slope),
            (energy, _times(transposed, new_gradient)),
        )
        accepted = uniforms[size] < accept_prob
        position = jnp.where(accepted, proposal, position)
        gradient = jnp.where(accepted, new_gradient, gradient)
        return BarkerMHState(
            i=state.i + 1,
            z=unravel(position),
            potential_energy=jnp.where(accepted, energy, state.potential_energy),
            z_grad=unravel(gradient),
            accept_prob=accept_prob,
            mean_accept_prob=mean_of_phase(
                state.mean_accept_prob, accept_prob, state.i, adapt_state.schedule.num_warmup
            ),
            adapt_state=self.warmup.update(
                adapt_state,
                state.i,
                Observation(position, gradient, accept_prob, accepted),
                None,
                lambda metric, step_size: step_size,  # nothing searches for one
            ),
            rng_key=state.rng_key,
        )

    def refresh(self, state: BarkerMHState, model_args: tuple, model_kwargs: dict) -> BarkerMHState:
        """Compute potential and gradient anew; see `MCMCKernel.refresh`."""
        setup = self.target.setup(model_args, model_kwargs, None)
        position, unravel = ravel_pytree(state.z)
        energy, gradient = value_and_gradient(lambda q: setup.potential(unravel(q)))(position)
        return state._replace(potential_energy=energy, z_grad=unravel(gradient))

    def check_start(self, state: BarkerMHState, model_args: tuple, model_kwargs: dict) -> None:
        """Raise if potential or gradient is not finite at the start."""
        start = (state.potential_energy, state.z_grad)
        if not finite_start(*start):
            raise ValueError(
                describe_bad_start(self.target, state.z, *start, model_args, model_kwargs)
            )

    def get_diagnostics_str(self, state: BarkerMHState) -> str:
        """Step size and mean acceptance probability."""
        return (
            f"step size {float(state.adapt_state.step_size):.2e}. "
            f"acc. prob={float(state.mean_accept_prob):.2f}"
        )


def leaning_step(length: jax.Array, slope: jax.Array, uniforms: jax.Array) -> jax.Array:
    """Give every component of a step the sign that Barker's rule draws for it.

    Parameters
    ----------
    length : Array
        ``(D,)``, drawn from the noise and scaled by the step size.
    slope : Array
        ``(D,)``, gradient of the potential energy in units of the preconditioner.
    uniforms : Array
        ``(D,)``, uniform in ``[0, 1)``.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> leaning_step(jnp.ones(3), jnp.array([9.0, 0.0, -9.0]), jnp.full(3, 0.4)).tolist()
    [-1.0, 1.0, 1.0]
    """
    forward = uniforms < jax.nn.sigmoid(-length * slope)
    return jnp.where(forward, length, -length)


def acceptance_probability(
    step: jax.Array, here: tuple[jax.Array, jax.Array], there: tuple[jax.Array, jax.Array]
) -> jax.Array:
    """Probability to accept a step.

    Parameters
    ----------
    step : Array
        ``(D,)``, in units of the preconditioner.
    here, there : tuple of Array
        Potential energy and slope ``(D,)`` before and after the step. A place where they are not
        finite is never accepted.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> flat = (jnp.float32(0), jnp.zeros(2))
    >>> float(acceptance_probability(jnp.ones(2), flat, flat))
    1.0
    """
    (energy, slope), (new_energy, new_slope) = here, there
    # Logarithms of the probabilities of the signs: softplus is exact where exp would overflow.
    log_signs = jnp.sum(jax.nn.softplus(step * slope) - jax.nn.softplus(-step * new_slope))
    log_ratio = energy - new_energy + log_signs.astype(energy.dtype)
    finite = jnp.isfinite(new_energy) & jnp.all(jnp.isfinite(new_slope)) & ~jnp.isnan(log_ratio)
    probability = jnp.where(finite, jnp.exp(jnp.minimum(log_ratio, 0)), 0)
    return probability.astype(step.dtype)


def _times(factor: jax.Array, vector: jax.Array) -> jax.Array:
    """Multiply by a triangular factor, or by the diagonal of a diagonal one."""
    return factor * vector if factor.ndim == 1 else factor @ vector
