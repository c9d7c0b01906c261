"""The kernels that users name: each chooses the target and leaves the rest to the core."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import sojourn_hmc
from sojourn_hmc import Target
from sojourn_infer.initialization import InitStrategy, init_to_uniform
from sojourn_infer.sites import Model
from sojourn_infer.target import ModelTarget


def choose_target(model: Model | Target | None, init_strategy: InitStrategy) -> Target | None:
    """Make a target of a model function; leave a target, or None, as it is."""
    if model is None or isinstance(model, Target):
        return model
    if not callable(model):
        raise TypeError(f"model must be a function or a target, got {model!r}")
    return ModelTarget(model, init_strategy)


class HMC(sojourn_hmc.HMC):
    """Hamiltonian Monte Carlo on a model, with trajectories of fixed length.

    Parameters
    ----------
    model : Callable or Target
        A model function, or any object with the methods of `sojourn_hmc.Target`.
    potential_fn : Callable
        In place of ``model``: negative log density of an unconstrained position.
    init_strategy : Callable
        Gives each latent site its first value; see `sojourn_infer.initialization`.
    **settings
        The others are those of `sojourn_hmc.HMC`.

    Examples
    --------
    >>> import jax
    >>> import sojourn_distributions as dist
    >>> from sojourn_infer import HMC, MCMC
    >>> from sojourn_primitives import sample
    >>> def model():
    ...     sample("x", dist.Exponential(2.0))
    >>> kernel = HMC(model, trajectory_length=1.5)
    >>> mcmc = MCMC(kernel, num_warmup=100, num_samples=200, progress_bar=False)
    >>> mcmc.run(jax.random.key(0))
    >>> mcmc.get_samples()["x"].shape
    (200,)
    """

    def __init__(
        self,
        model: Model | Target | None = None,
        potential_fn: sojourn_hmc.Potential | None = None,
        kinetic_fn: sojourn_hmc.KineticFn | None = None,
        step_size: float = 1.0,
        inverse_mass_matrix: Any = None,
        adapt_step_size: bool = True,
        adapt_mass_matrix: bool = True,
        dense_mass: bool | Sequence[tuple[str, ...]] = False,
        target_accept_prob: float = 0.8,
        num_steps: int | None = None,
        trajectory_length: float | None = 2 * math.pi,
        init_strategy: InitStrategy = init_to_uniform,
        find_heuristic_step_size: bool = False,
        forward_mode_differentiation: bool = False,
        regularize_mass_matrix: bool = True,
        *,
        warmup: str | type[sojourn_hmc.Warmup] = "stan",
        integrator: sojourn_hmc.Splitting = sojourn_hmc.velocity_verlet,
        adaptation: sojourn_hmc.Adaptation | None = None,
    ):
        super().__init__(
            choose_target(model, init_strategy),
            potential_fn,
            kinetic_fn,
            step_size=step_size,
            inverse_mass_matrix=inverse_mass_matrix,
            adapt_step_size=adapt_step_size,
            adapt_mass_matrix=adapt_mass_matrix,
            dense_mass=dense_mass,
            target_accept_prob=target_accept_prob,
            num_steps=num_steps,
            trajectory_length=trajectory_length,
            find_heuristic_step_size=find_heuristic_step_size,
            forward_mode_differentiation=forward_mode_differentiation,
            regularize_mass_matrix=regularize_mass_matrix,
            warmup=warmup,
            integrator=integrator,
            adaptation=adaptation,
        )


class NUTS(sojourn_hmc.NUTS):
    """The No-U-Turn Sampler on a model.

    Parameters
    ----------
    model : Callable or Target
        A model function, or any object with the methods of `sojourn_hmc.Target`.
    potential_fn : Callable
        In place of ``model``: negative log density of an unconstrained position.
    init_strategy : Callable
        Gives each latent site its first value; see `sojourn_infer.initialization`.
    **settings
        The others are those of `sojourn_hmc.NUTS`.

    Examples
    --------
    >>> import jax
    >>> import sojourn_distributions as dist
    >>> from sojourn_infer import MCMC, NUTS
    >>> from sojourn_primitives import sample
    >>> def model(y):
    ...     mean = sample("mean", dist.Normal(0.0, 10.0))
    ...     sample("y", dist.Normal(mean, 1.0), obs=y)
    >>> mcmc = MCMC(NUTS(model), num_warmup=100, num_samples=200, progress_bar=False)
    >>> mcmc.run(jax.random.key(0), y=2.5)
    >>> mcmc.get_samples()["mean"].shape
    (200,)
    """

    def __init__(
        self,
        model: Model | Target | None = None,
        potential_fn: sojourn_hmc.Potential | None = None,
        kinetic_fn: sojourn_hmc.KineticFn | None = None,
        step_size: float = 1.0,
        inverse_mass_matrix: Any = None,
        adapt_step_size: bool = True,
        adapt_mass_matrix: bool = True,
        dense_mass: bool | Sequence[tuple[str, ...]] = False,
        target_accept_prob: float = 0.8,
        trajectory_length: None = None,
        max_tree_depth: int | tuple[int, int] = 10,
        init_strategy: InitStrategy = init_to_uniform,
        find_heuristic_step_size: bool = False,
        forward_mode_differentiation: bool = False,
        regularize_mass_matrix: bool = True,
        *,
        warmup: str | type[sojourn_hmc.Warmup] = "stan",
        integrator: sojourn_hmc.Splitting = sojourn_hmc.velocity_verlet,
        adaptation: sojourn_hmc.Adaptation | None = None,
    ):
        super().__init__(
            choose_target(model, init_strategy),
            potential_fn,
            kinetic_fn,
            step_size=step_size,
            inverse_mass_matrix=inverse_mass_matrix,
            adapt_step_size=adapt_step_size,
            adapt_mass_matrix=adapt_mass_matrix,
            dense_mass=dense_mass,
            target_accept_prob=target_accept_prob,
            trajectory_length=trajectory_length,
            max_tree_depth=max_tree_depth,
            find_heuristic_step_size=find_heuristic_step_size,
            forward_mode_differentiation=forward_mode_differentiation,
            regularize_mass_matrix=regularize_mass_matrix,
            warmup=warmup,
            integrator=integrator,
            adaptation=adaptation,
        )
