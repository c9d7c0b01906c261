"""A model made ready for a sampler: valid first values, potential, and the way back to its sites.

All of it is one program: the search for a start, its potential and gradient, and a trace of the
model with concrete values. Nothing is computed operation by operation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from sojourn_distributions import biject_to
from sojourn_hmc.arguments import Arguments, Structure
from sojourn_hmc.bad_start import describe_bad_start
from sojourn_hmc.differentiate import value_and_gradient
from sojourn_hmc.start import MAX_ATTEMPTS, find_start, flattening, is_finite
from sojourn_infer.data import with_data
from sojourn_infer.initialization import InitStrategy, init_to_uniform
from sojourn_infer.recorded import Recorded
from sojourn_infer.sites import Model, only_moved
from sojourn_infer.target import ModelTarget
from sojourn_primitives import Message, Trace, handlers

COMPILE_QUICKLY: dict[str, str | bool] = {"xla_backend_optimization_level": "0"}
"""On a CPU optimizing the machine code takes half of the time, and saves microseconds."""


class ParamInfo(NamedTuple):
    """Valid first values; all with the batch shape of the keys that they were made from.

    Attributes
    ----------
    z : dict
        Unconstrained values of the latent sites.
    potential_energy : Array
        Negative log density there.
    z_grad : dict
        Its gradient, structured as ``z``.
    """

    z: dict[str, jax.Array]
    potential_energy: jax.Array
    z_grad: dict[str, jax.Array]


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


Found = tuple[tuple[ParamInfo, jax.Array], Recorded | None]
"""First values, whether they are valid, and a trace if one was asked for."""


class _Start(NamedTuple):
    """Settings of the search for a start."""

    target: ModelTarget
    forward_mode: bool
    validate_grad: bool


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
    kwargs = model_kwargs or {}
    target = ModelTarget(model, init_strategy)
    target.check(model_args, kwargs, None)
    settings = _Start(target, forward_mode_differentiation, validate_grad)

    def run(arguments: Arguments) -> Found:
        return _search(settings, arguments, rng_key, True)

    (info, valid), recorded = with_data(model_args, kwargs, run)
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
    kwargs = model_kwargs or {}
    target = ModelTarget(model, init_strategy)
    target.check(model_args, kwargs, prototype_params)
    settings = _Start(target, forward_mode_differentiation, validate_grad)

    def run(arguments: Arguments) -> tuple[ParamInfo, jax.Array]:
        return _search(settings, arguments, rng_key, False)[0]

    return with_data(model_args, kwargs, run)


def _search(settings: _Start, arguments: Arguments, keys: jax.Array, with_trace: bool) -> Found:
    """Find a start for each key, by a program that is compiled quickly: it runs only once."""
    program = jax.jit(_program(settings, arguments.structure, with_trace))
    leaves = jax.tree.leaves((keys, arguments.data))
    if any(isinstance(leaf, jax.core.Tracer) for leaf in leaves):
        return program(keys, arguments.data)  # inside of another program, compiled as a whole
    lowered = program.lower(keys, arguments.data)
    return lowered.compile(compiler_options=COMPILE_QUICKLY)(keys, arguments.data)


def _program(settings: _Start, structure: Structure, with_trace: bool) -> Callable[..., Found]:
    """Return the function of keys and data that finds a start for each key."""

    def program(keys: jax.Array, data: tuple) -> Found:
        args, kwargs = structure.bind(data)
        batch_shape = key_batch_shape(keys)
        flat = keys.reshape(-1, *keys.shape[len(batch_shape) :])
        # A loop for a single key too: it is compiled to one function, faster than what it repeats.
        found = jax.lax.map(lambda key: _find(settings, args, kwargs, key), flat)
        trace = None
        if with_trace:
            z = jax.tree.map(lambda leaf: leaf[0], found[0].z)
            # A list of pairs, because JAX sorts the names of a dict.
            trace = list(_trace(settings.target.model, args, kwargs, flat[0], z).items())
        found = jax.tree.map(lambda leaf: leaf.reshape(batch_shape + leaf.shape[1:]), found)
        return found, None if trace is None else Recorded(trace)

    return program


def key_batch_shape(keys: jax.Array) -> tuple[int, ...]:
    """Shape of a batch of keys, typed or legacy; ``()`` for a single one."""
    typed = jax.dtypes.issubdtype(keys.dtype, jax.dtypes.prng_key)
    return keys.shape if typed else keys.shape[:-1]


def _find(
    settings: _Start, args: tuple, kwargs: dict, key: jax.Array
) -> tuple[ParamInfo, jax.Array]:
    setup = settings.target.setup(args, kwargs)
    _, unravel = flattening(setup.start, key)
    gradient = value_and_gradient(
        lambda flat: setup.potential(unravel(flat)), settings.forward_mode
    )

    def judged(position: jax.Array) -> tuple[jax.Array, jax.Array]:
        energy, slope = gradient(position)
        return energy, slope if settings.validate_grad else jnp.zeros_like(slope)

    start = find_start(lambda k: ravel_pytree(setup.start(k))[0], judged, key, MAX_ATTEMPTS)
    slope = start.potential_gradient
    if not settings.validate_grad:
        slope = gradient(start.position)[1]
    info = ParamInfo(unravel(start.position), start.potential_energy, unravel(slope))
    return info, is_finite(start)


def _trace(
    model: Model, args: tuple, kwargs: dict, key: jax.Array, unconstrained: dict[str, jax.Array]
) -> Trace:
    """Trace a model at unconstrained values; what has none, a discrete site, is drawn."""

    def value(site: Message) -> Any:
        return biject_to(site["fn"].support)(unconstrained[str(site["name"])])

    # Values inside, seed outside: sites that have a value take no key.
    valued = handlers.substitute(model, substitute_fn=only_moved(value))
    return handlers.trace(handlers.seed(valued, rng_seed=key)).get_trace(*args, **kwargs)


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
