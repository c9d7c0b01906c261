"""What a model tells of its variables: plates name their axes, observed sites are the data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sojourn_hmc.variables import Variables
from sojourn_infer.initialization import init_to_sample
from sojourn_infer.log_likelihood import log_likelihood_of
from sojourn_infer.per_draw import Settings
from sojourn_infer.sites import Model, abstract_trace, observed_sites
from sojourn_primitives import Message, Trace

DRAWS_AT_ONCE = 64  # of the log likelihood


def describe_model(model: Model, args: tuple, kwargs: dict) -> Variables:
    """Describe the sites of a model; nothing compiles.

    Parameters
    ----------
    model, args, kwargs
        The model and its arguments, with data.

    Returns
    -------
    Variables
        Axes along plates have the names of the plates. Axes of an event have those that the site
        is given by ``infer={"event_dims": ["row", "column"]}``, others none.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> import sojourn_distributions as dist
    >>> from sojourn_primitives import plate, sample
    >>> def model(y):
    ...     with plate("school", 8):
    ...         theta = sample("theta", dist.Normal(0.0, 5.0))
    ...         sample("y", dist.Normal(theta, 1.0), obs=y)
    >>> description = describe_model(model, (jnp.zeros(8),), {})
    >>> description.dims
    {'theta': ('school',), 'y': ('school',)}
    """
    dims: dict[str, tuple[str | None, ...]] = {}
    observed: dict[str, Any] = {}

    def look(trace: Trace) -> None:
        for name, site in trace.items():
            if site["type"] in ("sample", "deterministic") and (axes := axis_names(site)):
                dims[name] = axes
        for name, site in observed_sites(trace).items():
            if np.shape(site["value"])[-1:] != (0,):  # the value of a factor
                observed[name] = site["value"]

    abstract_trace(model, args, kwargs, init_to_sample, look)

    def of_samples(samples: Mapping[str, Any]) -> Mapping[str, Any]:
        settings = Settings(batch_size=DRAWS_AT_ONCE)
        terms = log_likelihood_of(model, samples, args, kwargs, 2, settings)
        return {name: terms[name] for name in observed}

    return Variables(dims, observed, of_samples if observed else None)


def axis_names(site: Message) -> tuple[str | None, ...]:
    """Names of a site's axes from the left; without a name at the end they are left out."""
    shape = np.shape(site["value"])
    event_ndim = len(site["fn"].event_shape) if site["type"] == "sample" else 0
    batch_ndim = len(shape) - event_ndim
    names: list[str | None] = [None] * len(shape)
    for frame in site.get("cond_indep_stack", []):
        axis = batch_ndim + frame.dim
        # A deterministic site need not have the plate's axis.
        if axis >= 0 and shape[axis] == frame.size:
            names[axis] = frame.name
    event_dims = site.get("infer", {}).get("event_dims", [])
    if isinstance(event_dims, str) or len(event_dims) > event_ndim:
        raise ValueError(
            f"site {site['name']!r}: infer['event_dims'] is a list with a name for each dim of the "
            f"event, which has {event_ndim}, got {event_dims!r}"
        )
    for axis, name in enumerate(event_dims):
        names[batch_ndim + axis] = name
    while names and names[-1] is None:
        names.pop()
    return tuple(names)
