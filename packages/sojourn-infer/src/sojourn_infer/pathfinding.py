"""Pathfinder on a model: the target is chosen, the rest is the core's."""

from __future__ import annotations

from typing import Any

import jax

import sojourn_hmc
from sojourn_hmc import Pathfinder, Target
from sojourn_infer.initialization import InitStrategy, init_to_uniform
from sojourn_infer.kernels import choose_target
from sojourn_infer.keys import check_key
from sojourn_infer.sites import Model, check_arguments


def pathfinder(
    rng_key: jax.Array,
    model: Model | Target,
    *,
    init_strategy: InitStrategy = init_to_uniform,
    model_args: tuple = (),
    model_kwargs: dict | None = None,
    **settings: Any,
) -> Pathfinder:
    """Find starts for chains, and a mass matrix to begin with, by optimization paths.

    Parameters
    ----------
    rng_key : Array
        A key.
    model : Callable or Target
        A model function, or any object with the methods of `sojourn_hmc.Target`.
    init_strategy : Callable
        Where the paths start; see `sojourn_infer.initialization`.
    model_args, model_kwargs
        The model's arguments.
    **settings
        The others are those of `sojourn_hmc.pathfinder`: ``num_chains``, ``num_paths``, ...

    Returns
    -------
    Pathfinder
        ``init_params`` for ``MCMC.run``, ``adaptation`` for a kernel, and weighted draws.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> import sojourn_distributions as dist
    >>> from sojourn_infer import MCMC, NUTS, pathfinder
    >>> from sojourn_primitives import sample
    >>> def model(y):
    ...     mean = sample("mean", dist.Normal(0.0, 1000.0))
    ...     sample("y", dist.Normal(mean, 1.0), obs=y)
    >>> y = jnp.array([499.0, 500.5, 501.0])
    >>> found = pathfinder(jax.random.key(0), model, model_args=(y,), num_chains=2)
    >>> [round(float(start), -1) for start in found.init_params["mean"]]
    [500.0, 500.0]
    >>> kernel = NUTS(model, adaptation=found.adaptation)
    >>> mcmc = MCMC(kernel, num_warmup=100, num_samples=100, num_chains=2, progress_bar=False)
    >>> mcmc.run(jax.random.key(1), y, init_params=found.init_params)
    """
    check_key("pathfinder: rng_key", rng_key)
    check_arguments("pathfinder", model_args, {} if model_kwargs is None else model_kwargs)
    target = choose_target(model, init_strategy)
    if target is None:
        raise TypeError("pathfinder needs a model function or a target, got None")
    return sojourn_hmc.pathfinder(
        target, rng_key, model_args=model_args, model_kwargs=model_kwargs, **settings
    )
