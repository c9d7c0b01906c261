"""The log joint density of a model at given values of its latent sites (constrained space)."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from sojourn_distributions.broadcasting import sum_over
from sojourn_infer.enumeration.elimination import log_marginal
from sojourn_infer.enumeration.enum import enum
from sojourn_infer.enumeration.site_factors import joint_density, needs_sum
from sojourn_infer.sites import Model, check_arguments
from sojourn_primitives import Message, Trace, handlers


def site_log_density(site: Message) -> jax.Array:
    """Log density of one sample site, summed over its elements, scaled and masked."""
    return scaled_sum(site, site["fn"].log_prob(site["value"]))


def scaled_sum(site: Message, terms: Any) -> jax.Array:
    """Sum terms that belong to a site, each times the site's scale."""
    if site["scale"] is not None:
        terms = site["scale"] * terms
    return sum_over(terms)


def trace_log_density(trace: Trace) -> jax.Array:
    """Sum of the log densities of all sample sites, a scalar; summed over enumerated sites."""
    if needs_sum(trace):
        constant, problem = joint_density(trace)
        return constant + log_marginal(problem)
    terms = [site_log_density(site) for site in trace.values() if site["type"] == "sample"]
    return sum(terms, start=jnp.zeros(()))


def log_density(
    model: Model, model_args: tuple, model_kwargs: dict, params: dict[str, Any]
) -> tuple[jax.Array, Trace]:
    """Log joint density of latent values and data, summed over discrete sites that are marked.

    Parameters
    ----------
    model : Callable
        The model; a latent site that is not in ``params`` needs a `seed` handler, except for
        discrete sites marked ``infer={"enumerate": "parallel"}`` (or by `config_enumerate`), which
        are summed out.
    model_args, model_kwargs
        Its arguments.
    params : dict
        Values of latent sites by name, in their own (constrained) space.

    Returns
    -------
    tuple
        The log density, a scalar, and the trace that it was computed from.

    Examples
    --------
    >>> import sojourn_distributions as dist
    >>> from sojourn_infer import log_density
    >>> from sojourn_primitives import sample
    >>> def model():
    ...     sample("x", dist.Normal(0.0, 1.0))
    >>> density, trace = log_density(model, (), {}, {"x": 1.0})
    >>> round(float(density), 3), list(trace)
    (-1.419, ['x'])
    """
    check_arguments("log_density", model_args, model_kwargs)
    valued = handlers.substitute(model, data=params)
    trace = handlers.trace(enum(valued)).get_trace(*model_args, **model_kwargs)
    return trace_log_density(trace), trace
