"""The potential energy of a model as a function of unconstrained values, for samplers elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from sojourn_distributions import biject_to
from sojourn_infer.enumeration.config import config_enumerate
from sojourn_infer.enumeration.site_factors import needs_sum
from sojourn_infer.sites import Model, check_arguments, moved_sites, site_shape
from sojourn_infer.spaces import transform_fn
from sojourn_infer.target import ModelTarget
from sojourn_infer.unconstrain import (
    constrained_trace,
    reported_values,
    unconstrained_log_density,
)
from sojourn_primitives import Message


def potential_energy(
    model: Model, model_args: tuple, model_kwargs: dict, params: dict[str, Any], enum: bool = False
) -> jax.Array:
    """Negative log joint density on the unconstrained space, Jacobian terms included.

    Parameters
    ----------
    model : Callable
        The model.
    model_args, model_kwargs
        Its arguments.
    params : dict
        Unconstrained values of all latent sites by name.
    enum : bool
        Whether the model may have discrete latent sites, to be treated as a kernel treats them.

    Returns
    -------
    Array
        A scalar.

    Raises
    ------
    ValueError
        A latent site has no value, or a value has the wrong shape.

    Examples
    --------
    >>> import sojourn_distributions as dist
    >>> from sojourn_infer import potential_energy
    >>> from sojourn_primitives import sample
    >>> def model():
    ...     sample("scale", dist.Exponential(1.0))
    >>> float(potential_energy(model, (), {}, {"scale": 0.0}))  # at scale 1, where log(1) is 0
    1.0
    """
    check_arguments("potential_energy", model_args, model_kwargs)
    model = config_enumerate(model) if enum else model
    trace = constrained_trace(model, model_args, model_kwargs, params)
    # Where discrete sites have all their values at once, shapes tell nothing of single ones.
    if not needs_sum(trace):
        for name, site in moved_sites(trace).items():
            _check_shape(name, site, params[name])
    return -unconstrained_log_density(trace, params)


def _check_shape(name: str, site: Message, value: Any) -> None:
    """Refuse a value that a site took by broadcasting."""
    if jnp.shape(site["value"]) != (shape := site_shape(site)):
        raise ValueError(
            f"potential_energy: the unconstrained value of site {name!r} has shape "
            f"{jnp.shape(value)}, but it must have shape "
            f"{biject_to(site['fn'].support).inverse_shape(shape)}; jax.vmap over the potential "
            "energy takes a batch of values"
        )


def get_potential_fn(
    model: Model,
    inv_transforms: Mapping[str, Any],
    *,
    enum: bool = False,
    replay_model: bool = False,
    dynamic_args: bool = False,
    model_args: tuple = (),
    model_kwargs: dict | None = None,
) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Bind a model to its arguments: its potential, and the map back to constrained values.

    Parameters
    ----------
    model : Callable
        The model.
    inv_transforms : dict
        Transforms from the unconstrained space by site, for the map back.
    enum : bool
        As for `potential_energy`.
    replay_model : bool
        Whether the map back runs the model, which gives deterministic sites too and finds the
        supports itself; ``inv_transforms`` are of no use then.
    dynamic_args : bool
        Whether both results are first called with the model's arguments, ``fn(*args, **kwargs)``.
    model_args, model_kwargs
        The model's arguments otherwise.

    Returns
    -------
    tuple of Callable
        ``potential_fn`` and ``postprocess_fn``, functions of a dict of unconstrained values.
    """

    def potential_of(*args: Any, **kwargs: Any) -> Callable[[dict[str, Any]], jax.Array]:
        return lambda position: potential_energy(model, args, kwargs, position, enum)

    def postprocess_of(*args: Any, **kwargs: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
        if not replay_model:
            return partial(transform_fn, inv_transforms)
        if enum:
            return ModelTarget(model).setup(args, kwargs).constrain
        return lambda position: reported_values(model, args, kwargs, position)

    if dynamic_args:
        return potential_of, postprocess_of
    kwargs = {} if model_kwargs is None else model_kwargs
    check_arguments("get_potential_fn", model_args, kwargs)
    return potential_of(*model_args, **kwargs), postprocess_of(*model_args, **kwargs)
