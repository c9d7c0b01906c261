"""A model made ready for a sampler: valid first values, potential, and the way to its sites."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from sojourn_hmc.arguments import Arguments, with_data
from sojourn_hmc.bad_start import describe_bad_start
from sojourn_hmc.start import MAX_ATTEMPTS
from sojourn_infer.initialization import InitStrategy, init_to_uniform
from sojourn_infer.keys import check_key
from sojourn_infer.sites import Model, check_arguments
from sojourn_infer.start_search import Found, ParamInfo, Search
from sojourn_infer.target import ModelTarget
from sojourn_primitives import Trace


class ModelInfo(NamedTuple):
    """What `initialize_model` returns.

    Attributes
    ----------
    param_info : ParamInfo
        Where to start.
    potential_fn : Callable
        Negative log density of a dict of unconstrained values; with ``dynamic_args`` a function of
        the model's arguments that returns it.
    postprocess_fn : Callable
        Maps a dict of unconstrained values to the values of latent and deterministic sites; with
        ``dynamic_args`` likewise.
    model_trace : dict
        A trace of the model at the values that were found with the first key.
    """

    param_info: ParamInfo
    potential_fn: Callable[..., Any]
    postprocess_fn: Callable[..., Any]
    model_trace: Trace


def initialize_model(
    rng_key: jax.Array,
    model: Model,
    *,
    init_strategy: InitStrategy = init_to_uniform,
    dynamic_args: bool = False,
    model_args: tuple = (),
    model_kwargs: dict | None = None,
    forward_mode_differentiation: bool = False,
    validate_grad: bool = True,
) -> ModelInfo:
    """Make a model ready for a sampler: first values, potential energy, and the map back.

    Parameters
    ----------
    rng_key : Array
        A key, or a batch of keys for as many first values.
    model : Callable
        The model.
    init_strategy : Callable
        Gives each latent site its first value; see `sojourn_infer.initialization`.
    dynamic_args : bool
        Whether ``potential_fn`` and ``postprocess_fn`` are first called with model arguments.
    model_args, model_kwargs
        The model's arguments.
    forward_mode_differentiation : bool
        Differentiate in forward mode, which can go through ``lax.while_loop``.
    validate_grad : bool
        Whether the gradient must be finite too for a first value to be valid.

    Returns
    -------
    ModelInfo
        A tuple ``(param_info, potential_fn, postprocess_fn, model_trace)``.

    Raises
    ------
    ValueError
        The model cannot be sampled as it is; said before anything compiles.
    RuntimeError
        No valid first value was found in 100 attempts. Inside of a transformation this cannot be
        judged.

    Notes
    -----
    Each call traces the model. It compiles one program, or none if the program is one that was
    compiled before: what the model reads from outside may change between calls.

    Examples
    --------
    >>> import jax
    >>> import sojourn_distributions as dist
    >>> from sojourn_infer import init_to_value, initialize_model
    >>> from sojourn_primitives import sample
    >>> def model(y):
    ...     scale = sample("scale", dist.Exponential(1.0))
    ...     sample("y", dist.Normal(0.0, scale), obs=y)
    >>> strategy = init_to_value(values={"scale": 1.0})
    >>> param_info, potential_fn, postprocess_fn, trace = initialize_model(
    ...     jax.random.key(0), model, init_strategy=strategy, model_args=(2.0,)
    ... )
    >>> float(param_info.z["scale"]), float(postprocess_fn(param_info.z)["scale"])
    (0.0, 1.0)
    """
    check_key("initialize_model: rng_key", rng_key, batch=True)
    kwargs = {} if model_kwargs is None else model_kwargs
    check_arguments("initialize_model", model_args, kwargs)
    target = ModelTarget(model, init_strategy)
    target.check(model_args, kwargs, None)
    search = Search(target, forward_mode_differentiation, validate_grad, with_trace=True)

    def run(arguments: Arguments) -> tuple[Found, tuple, dict]:
        args, kwargs = arguments.structure.bind(arguments.data)
        return search.run(arguments, rng_key), args, kwargs

    # The arguments as the model could be traced with them, as data or with readable values.
    (info, valid, recorded), model_args, kwargs = with_data((model_args, kwargs), run)
    _check_valid(target, info, valid, model_args, kwargs)

    def potential_of(*args: Any, **kwargs: Any) -> Callable[[dict[str, Any]], jax.Array]:
        return target.setup(args, kwargs).potential

    def postprocess_of(*args: Any, **kwargs: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
        return target.setup(args, kwargs).constrain

    assert recorded is not None
    trace = dict(recorded.tree)
    if dynamic_args:
        return ModelInfo(info, potential_of, postprocess_of, trace)
    setup = target.setup(model_args, kwargs)
    return ModelInfo(info, setup.potential, setup.constrain, trace)


def find_valid_initial_params(
    rng_key: jax.Array,
    model: Model,
    *,
    init_strategy: InitStrategy = init_to_uniform,
    enum: bool = False,
    model_args: tuple = (),
    model_kwargs: dict | None = None,
    prototype_params: dict[str, Any] | None = None,
    forward_mode_differentiation: bool = False,
    validate_grad: bool = True,
) -> tuple[ParamInfo, jax.Array]:
    """Find unconstrained values at which potential and gradient are finite.

    Parameters
    ----------
    rng_key, model, init_strategy, model_args, model_kwargs
        As for `initialize_model`.
    enum : bool
        Whether the model may have discrete latent sites; they are treated as a kernel treats them.
    prototype_params : dict
        Unconstrained values whose names and shapes the latent sites must have.
    forward_mode_differentiation, validate_grad
        As for `initialize_model`.

    Returns
    -------
    tuple
        ``(z, potential_energy, z_grad)``, and whether they are finite, both with the batch shape of
        ``rng_key``. What is not finite is the last of 100 attempts.
    """
    check_key("find_valid_initial_params: rng_key", rng_key, batch=True)
    kwargs = {} if model_kwargs is None else model_kwargs
    check_arguments("find_valid_initial_params", model_args, kwargs)
    target = ModelTarget(model, init_strategy)
    target.check(model_args, kwargs, prototype_params)
    search = Search(target, forward_mode_differentiation, validate_grad, with_trace=False)
    info, valid, _ = with_data(
        (model_args, kwargs), lambda arguments: search.run(arguments, rng_key)
    )
    return info, valid


def _check_valid(
    target: ModelTarget, info: ParamInfo, valid: jax.Array, args: tuple, kwargs: dict
) -> None:
    if isinstance(valid, jax.core.Tracer):
        return
    bad = np.argwhere(~np.asarray(valid))
    if not len(bad):
        return
    z, energy, slope = jax.tree.map(lambda leaf: np.asarray(leaf)[tuple(bad[0])], info)
    raise RuntimeError(
        f"Cannot find valid initial parameters in {MAX_ATTEMPTS} attempts: "
        + describe_bad_start(target, z, energy, slope, args, kwargs)
    )
