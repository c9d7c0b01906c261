"""Values of a model's sites taken from one space to the other, one position or a batch of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_distributions import biject_to
from sojourn_infer.draw_batch import draw_batch
from sojourn_infer.per_draw import OfOneDraw, PerDraw, Settings
from sojourn_infer.sites import (
    Model,
    abstract_trace,
    check_arguments,
    is_latent,
    latent_sites,
    only_latent,
    site_shape,
)
from sojourn_infer.target import ModelTarget
from sojourn_primitives import Message, Trace, handlers


def transform_fn(
    transforms: Mapping[str, Any], params: Mapping[str, Any], invert: bool = False
) -> dict[str, Any]:
    """Apply each transform, or its inverse, to the value of its name; leave the others as they are.

    Examples
    --------
    >>> from sojourn_distributions.transforms import ExpTransform
    >>> from sojourn_infer import transform_fn
    >>> transform_fn({"scale": ExpTransform()}, {"scale": 0.0, "loc": 2.0})
    {'scale': Array(1., dtype=float32, weak_type=True), 'loc': 2.0}
    """
    if invert:
        transforms = {name: transform.inv for name, transform in transforms.items()}
    return {
        name: transforms[name](value) if name in transforms else value
        for name, value in params.items()
    }


def constrain_fn(
    model: Model,
    model_args: tuple,
    model_kwargs: dict,
    params: dict[str, Any],
    return_deterministic: bool = False,
    batch_ndims: int = 0,
) -> dict[str, Any]:
    """Map unconstrained values of the latent sites into their supports.

    Parameters
    ----------
    model : Callable
        The model; supports may depend on latent values.
    model_args, model_kwargs
        Its arguments.
    params : dict
        Unconstrained values of all latent sites by name.
    return_deterministic : bool
        Whether deterministic sites are returned too.
    batch_ndims : int
        Number of leading batch dims that every value has: 1 for draws, 2 for chains of draws.

    Raises
    ------
    ValueError
        A latent site has no value, a name is no latent site, or a value has the wrong shape.
    TypeError
        ``params`` is no dict.

    Examples
    --------
    >>> import numpy as np
    >>> import sojourn_distributions as dist
    >>> from sojourn_infer import constrain_fn
    >>> from sojourn_primitives import sample
    >>> def model():
    ...     sample("x", dist.Uniform(2.0, 4.0))
    >>> constrain_fn(model, (), {}, {"x": np.zeros(3)}, batch_ndims=1)["x"].tolist()
    [3.0, 3.0, 3.0]
    """
    check_arguments("constrain_fn", model_args, model_kwargs)
    params = _arrays("constrain_fn", params)
    target = ModelTarget(model)
    one = {name: _one_of(name, value, batch_ndims) for name, value in params.items()}
    target.check(model_args, model_kwargs, one)

    def values(position: dict[str, Any], key: None, args: tuple, kwargs: dict) -> dict[str, Any]:
        reported = target.setup(args, kwargs).constrain(position)
        return reported if return_deterministic else {name: reported[name] for name in position}

    return _of_each("constrain_fn", values, model_args, model_kwargs, params, batch_ndims)


def _of_each(
    who: str,
    function: OfOneDraw,
    args: tuple,
    kwargs: dict,
    params: Mapping[str, Any],
    batch_ndims: int,
) -> dict[str, Any]:
    """Call a function of one position, or of each of a batch in one program.

    Values of a single position stay concrete: a model may read them, and distributions judge them.
    """
    if batch_ndims == 0:
        return function(dict(params), None, args, kwargs)
    batch = draw_batch(who, params, batch_ndims, what="params")
    return PerDraw(function, Settings(parallel=True))(batch, None, args, kwargs)


def _arrays(who: str, params: Any) -> dict[str, Any]:
    """Make arrays of lists; refuse what is no dict."""
    if not isinstance(params, Mapping):
        raise TypeError(
            f"{who}: params must be a dict from site names to values, got {type(params).__name__}"
        )
    return {
        name: np.asarray(value) if isinstance(value, (list, tuple)) else value
        for name, value in params.items()
    }


def _one_of(name: str, value: Any, batch_ndims: int) -> Any:
    """An element of a batch, as far as a check of its shape and type needs it."""
    shape = np.shape(value)
    if len(shape) < batch_ndims:
        raise ValueError(
            f"the value of {name!r} has shape {shape}, which lacks the {batch_ndims} leading batch "
            f"dims that batch_ndims={batch_ndims} says"
        )
    return np.zeros(shape[batch_ndims:], jax.dtypes.result_type(value))


def unconstrain_fn(
    model: Model,
    model_args: tuple,
    model_kwargs: dict,
    params: dict[str, Any],
    batch_ndims: int = 0,
) -> dict[str, Any]:
    """Map values of latent sites from their supports to the unconstrained space.

    What it returns can be given to a run as ``init_params``, if all latent sites are in it.

    Parameters
    ----------
    model : Callable
        The model.
    model_args, model_kwargs
        Its arguments.
    params : dict
        Values of latent sites by name. Deterministic values, parameters and discrete values among
        them are handed back as they are.
    batch_ndims : int
        Number of leading batch dims that every value has: 1 for one value for each chain.

    Raises
    ------
    ValueError
        A name is no site of the model, or a value has the wrong shape or lies outside of its
        site's support.

    Examples
    --------
    >>> import sojourn_distributions as dist
    >>> from sojourn_infer import unconstrain_fn
    >>> from sojourn_primitives import sample
    >>> def model():
    ...     sample("x", dist.Uniform(2.0, 4.0))
    >>> float(unconstrain_fn(model, (), {}, {"x": 3.0})["x"])
    0.0
    """
    check_arguments("unconstrain_fn", model_args, model_kwargs)
    params = _arrays("unconstrain_fn", params)
    one = {name: _one_of(name, value, batch_ndims) for name, value in params.items()}
    _check_names(model, model_args, model_kwargs, one)

    def values(params: dict[str, Any], key: None, args: tuple, kwargs: dict) -> dict[str, Any]:
        valued = handlers.substitute(model, substitute_fn=only_latent(_value_from(params)))
        seeded = handlers.seed(valued, rng_seed=0)
        sites = latent_sites(handlers.trace(seeded).get_trace(*args, **kwargs))
        moved = [name for name in sites if name in params and not _is_discrete(sites[name])]
        for name in moved:
            _check_support(name, sites[name]["fn"], params[name])
        return {name: biject_to(sites[name]["fn"].support).inv(params[name]) for name in moved}

    found = _of_each("unconstrain_fn", values, model_args, model_kwargs, params, batch_ndims)
    for name, value in found.items():
        _check_found(name, value)
    return {**params, **found}


def _is_discrete(site: Message) -> bool:
    return bool(site["fn"].support.is_discrete)


def _value_from(params: Mapping[str, Any]) -> Callable[[Message], Any]:
    return lambda site: params.get(site["name"])  # type: ignore[arg-type]


def _check_names(model: Model, args: tuple, kwargs: dict, params: Mapping[str, Any]) -> None:
    def stand_in(site: Message) -> Any:
        one = params.get(str(site["name"]))
        if one is None:
            return None
        if one.shape != site_shape(site):
            raise ValueError(
                f"unconstrain_fn: the value of site {site['name']!r} has shape {one.shape}, but "
                f"the site has shape {site_shape(site)}; batch_ndims says how many leading dims "
                "count values"
            )
        # Traced, not the zeros themselves: these may be no valid parameters of later sites.
        return jnp.zeros(one.shape, one.dtype)

    def judge(trace: Trace) -> None:
        unknown = sorted(name for name in params if name not in trace)
        if unknown:
            raise ValueError(
                f"unconstrain_fn: {unknown} are no sites of the model; its latent sites are "
                f"{[name for name, site in trace.items() if is_latent(site)]}"
            )

    abstract_trace(model, args, kwargs, stand_in, judge)


def _check_support(name: str, fn: Any, value: Any) -> None:
    validate = getattr(fn, "validate_sample", None)
    if validate is None:
        return
    try:
        validate(value)
    except ValueError as error:
        raise ValueError(f"unconstrain_fn: the value of site {name!r}: {error}") from None


def _check_found(name: str, found: Any) -> None:
    """Look at the results of a batch, whose values could not be judged one by one."""
    if isinstance(found, jax.core.Tracer):
        return
    bad = np.argwhere(~np.isfinite(np.asarray(found)))
    if len(bad):
        raise ValueError(
            f"unconstrain_fn: the value of site {name!r} has no finite unconstrained counterpart "
            f"at index {tuple(map(int, bad[0]))}: it lies outside of the support or on its edge"
        )
