"""The potential energy of a model as a function of unconstrained values, for samplers elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax

from sojourn_infer.sites import Model
from sojourn_infer.spaces import transform_fn
from sojourn_infer.target import ModelTarget
from sojourn_infer.unconstrain import (
    constrained_trace,
    reported_values,
    unconstrained_log_density,
)


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
    if enum:
        return ModelTarget(model).setup(model_args, model_kwargs).potential(params)
    trace = constrained_trace(model, model_args, model_kwargs, params)
    return -unconstrained_log_density(trace, params)


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
    kwargs = model_kwargs or {}
    return potential_of(*model_args, **kwargs), postprocess_of(*model_args, **kwargs)
