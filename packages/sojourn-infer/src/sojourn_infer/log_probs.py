"""The log density of each site of a model by itself (constrained space)."""

from __future__ import annotations

from typing import Any

import jax

from sojourn_infer.density import site_log_density
from sojourn_infer.sites import Model, check_arguments
from sojourn_primitives import Message, Trace, handlers


def compute_log_probs(
    model: Model,
    model_args: tuple,
    model_kwargs: dict,
    params: dict[str, Any],
    sum_log_prob: bool = True,
) -> tuple[dict[str, jax.Array], Trace]:
    """Log density of every sample site, latent and observed, at given latent values.

    Parameters
    ----------
    model : Callable
        The model; a latent site that is not in ``params`` needs a `seed` handler.
    model_args, model_kwargs
        Its arguments.
    params : dict
        Values of latent sites by name, in their own (constrained) space.
    sum_log_prob : bool
        Whether to sum over the elements of a site; otherwise shape ``sample_shape + batch_shape``.

    Returns
    -------
    tuple
        Log densities by site, scaled and masked by handlers as in the joint density, and the trace
        that they were computed from.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> import sojourn_distributions as dist
    >>> from sojourn_infer import compute_log_probs
    >>> from sojourn_primitives import sample
    >>> def model():
    ...     x = sample("x", dist.Normal(0.0, 1.0))
    ...     sample("y", dist.Normal(x, 1.0), obs=jnp.zeros(3))
    >>> each, trace = compute_log_probs(model, (), {}, {"x": 0.0}, sum_log_prob=False)
    >>> each["x"].shape, each["y"].shape
    ((), (3,))
    """
    check_arguments("compute_log_probs", model_args, model_kwargs)
    trace = handlers.trace(handlers.substitute(model, data=params)).get_trace(
        *model_args, **model_kwargs
    )
    compute = site_log_density if sum_log_prob else _element_log_densities
    return {name: compute(site) for name, site in trace.items() if site["type"] == "sample"}, trace


def _element_log_densities(site: Message) -> jax.Array:
    terms = site["fn"].log_prob(site["value"])
    return terms if site["scale"] is None else site["scale"] * terms
