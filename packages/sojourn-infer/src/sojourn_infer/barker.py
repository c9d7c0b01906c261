"""Barker's Metropolis-Hastings on a model: the target is chosen, the rest is the core's."""

from __future__ import annotations

from typing import Any

import sojourn_hmc
from sojourn_hmc import Target
from sojourn_infer.initialization import InitStrategy, init_to_uniform
from sojourn_infer.kernels import choose_target
from sojourn_infer.sites import Model


class BarkerMH(sojourn_hmc.BarkerMH):
    """Metropolis-Hastings with the Barker proposal on a model.

    Parameters
    ----------
    model : Callable or Target
        A model function, or any object with the methods of `sojourn_hmc.Target`.
    potential_fn : Callable
        In place of ``model``: negative log density of an unconstrained position.
    step_size, adapt_step_size, adapt_mass_matrix, dense_mass, target_accept_prob
        As for `sojourn_hmc.BarkerMH`.
    init_strategy : Callable
        Gives each latent site its first value; see `sojourn_infer.initialization`.
    inverse_mass_matrix, noise
        As for `sojourn_hmc.BarkerMH`.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> import sojourn_distributions as dist
    >>> from sojourn_infer import MCMC, BarkerMH
    >>> from sojourn_primitives import sample
    >>> def model(y):
    ...     x = sample("x", dist.Normal(0.0, 1.0).expand([3]))
    ...     sample("y", dist.Normal(x, 1.0), obs=y)
    >>> mcmc = MCMC(BarkerMH(model), num_warmup=1000, num_samples=4000, progress_bar=False)
    >>> mcmc.run(jax.random.key(0), y=jnp.ones(3))
    >>> mcmc.get_samples()["x"].shape
    (4000, 3)
    """

    def __init__(
        self,
        model: Model | Target | None = None,
        potential_fn: sojourn_hmc.Potential | None = None,
        step_size: float = 1.0,
        adapt_step_size: bool = True,
        adapt_mass_matrix: bool = True,
        dense_mass: bool = False,
        target_accept_prob: float = 0.4,
        init_strategy: InitStrategy = init_to_uniform,
        *,
        inverse_mass_matrix: Any = None,
        noise: str = "normal",
    ):
        super().__init__(
            choose_target(model, init_strategy),
            potential_fn,
            step_size=step_size,
            inverse_mass_matrix=inverse_mass_matrix,
            adapt_step_size=adapt_step_size,
            adapt_mass_matrix=adapt_mass_matrix,
            dense_mass=dense_mass,
            target_accept_prob=target_accept_prob,
            noise=noise,
        )
