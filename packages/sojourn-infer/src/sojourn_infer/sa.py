"""Sample Adaptive MCMC on a model: the target is chosen, the rest is the core's."""

from __future__ import annotations

from typing import Any

import sojourn_hmc
from sojourn_hmc import Target
from sojourn_infer.initialization import InitStrategy, init_to_uniform
from sojourn_infer.kernels import choose_target
from sojourn_infer.sites import Model


class SA(sojourn_hmc.SA):
    """Sample Adaptive MCMC on a model: no gradient, a long warmup.

    Parameters
    ----------
    model : Callable or Target
        A model function, or any object with the methods of `sojourn_hmc.Target`.
    potential_fn : Callable
        In place of ``model``: negative log density of an unconstrained position.
    adapt_state_size, dense_mass, initial_scale
        As for `sojourn_hmc.SA`.
    init_strategy : Callable
        Gives each latent site its first value; see `sojourn_infer.initialization`. The points
        begin around it.

    Examples
    --------
    >>> import jax
    >>> import sojourn_distributions as dist
    >>> from sojourn_infer import MCMC, SA
    >>> from sojourn_primitives import sample
    >>> def model():
    ...     sample("x", dist.Exponential(2.0))
    >>> mcmc = MCMC(SA(model), num_warmup=500, num_samples=200, progress_bar=False)
    >>> mcmc.run(jax.random.key(0))
    >>> mcmc.get_samples()["x"].shape
    (200,)
    """

    def __init__(
        self,
        model: Model | Target | None = None,
        potential_fn: sojourn_hmc.Potential | None = None,
        adapt_state_size: int | None = None,
        dense_mass: bool = True,
        init_strategy: InitStrategy = init_to_uniform,
        *,
        initial_scale: Any = 1.0,
    ):
        super().__init__(
            choose_target(model, init_strategy),
            potential_fn,
            adapt_state_size=adapt_state_size,
            dense_mass=dense_mass,
            initial_scale=initial_scale,
        )
