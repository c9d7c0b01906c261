"""The statements that models are written with, apart from plates."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_primitives.adapted import adapt
from sojourn_primitives.distribution_like import DistributionLike, check_distribution_like
from sojourn_primitives.handlers.mask import mask
from sojourn_primitives.message import Message
from sojourn_primitives.stack import apply_stack
from sojourn_primitives.unit import Unit


def sample(
    name: str,
    fn: DistributionLike,
    obs: Any = None,
    rng_key: Any = None,
    sample_shape: tuple[int, ...] = (),
    infer: dict[str, Any] | None = None,
    obs_mask: Any = None,
) -> Any:
    """Draw from a distribution, or state that ``obs`` was drawn from it.

    Parameters
    ----------
    name : str
        The site's name, unique in the model.
    fn : DistributionLike
        The distribution. Inside plates it is expanded to their sizes. One of TensorFlow Probability
        on JAX or of distrax is wrapped so that it can be.
    obs : array, optional
        The observed value; it broadcasts with ``fn.batch_shape + fn.event_shape``.
    rng_key : key, optional
        Key to draw with, where no `seed` handler gives one.
    sample_shape : tuple of int
        Shape of further independent draws, to the left of the plates and the batch shape.
    infer : dict, optional
        Options for inference.
    obs_mask : bool array, optional
        Where True the value is observed, elsewhere drawn; shape broadcasts with ``fn.batch_shape``.
        Makes the sites ``name_observed`` and ``name_unobserved`` and the deterministic site
        ``name``.

    Returns
    -------
    array
        Shape ``sample_shape + batch_shape + event_shape``, in the support of ``fn``.

    Raises
    ------
    TypeError
        ``name`` is not a string or ``fn`` is not distribution-like.
    ValueError
        The batch shape does not fit the plates, or the observed value does not broadcast.
    RuntimeError
        There is no key to draw with.
    """
    if not isinstance(name, str):
        raise TypeError(
            f"sample: the first argument is the site's name, a str, but got {name!r} "
            f"({type(name).__name__})."
        )
    fn = adapt(fn)
    check_distribution_like(name, fn)
    if obs_mask is not None:
        if obs is None:
            raise ValueError(
                f"sample site {name!r}: obs_mask says what of obs is observed; give obs too."
            )
        return _partly_observed(name, fn, obs, rng_key, sample_shape, infer, obs_mask)
    msg: Message = {
        "type": "sample",
        "name": name,
        "fn": fn,
        "args": (),
        "kwargs": {"rng_key": rng_key, "sample_shape": sample_shape},
        "value": obs,
        "scale": None,
        "is_observed": obs is not None,
        "intermediates": [],
        "cond_indep_stack": [],
        "infer": {} if infer is None else infer,
    }
    return apply_stack(msg)["value"]


def _partly_observed(
    name: str,
    fn: DistributionLike,
    obs: Any,
    rng_key: Any,
    sample_shape: tuple[int, ...],
    infer: dict[str, Any] | None,
    obs_mask: Any,
) -> Any:
    xp = jnp if isinstance(obs_mask, jax.Array) else np
    observed = xp.asarray(obs_mask)
    with mask(mask=xp.logical_not(observed)):
        drawn = sample(f"{name}_unobserved", fn, None, rng_key, sample_shape, infer)
    per_event = observed.reshape(observed.shape + (1,) * len(fn.event_shape))
    # Entries of obs that are not observed may be anything, NaN included. The masked density is
    # computed at the draws there, which lie in the support, so that neither it nor its gradient is
    # NaN.
    with mask(mask=observed):
        filled = jnp.where(per_event, obs, jax.lax.stop_gradient(drawn))
        sample(f"{name}_observed", fn, filled, None, sample_shape, infer)
    return deterministic(name, jnp.where(per_event, obs, drawn))


def deterministic(name: str, value: Any) -> Any:
    """Record a computed value under a name and return it unchanged.

    Examples
    --------
    >>> from sojourn_primitives import deterministic, handlers
    >>> handlers.trace(lambda: deterministic("y", 2.0)).get_trace()["y"]["value"]
    2.0
    """
    if value is None:
        raise ValueError(f"deterministic site {name!r}: the value is None; pass what to record.")
    msg: Message = {"type": "deterministic", "name": name, "value": value, "cond_indep_stack": []}
    return apply_stack(msg)["value"]


def factor(name: str, log_factor: Any) -> None:
    """Add ``log_factor`` to the log density of the model.

    The site is an observed `sample` of a `Unit` distribution; inside a plate the term counts once
    for each element.
    """
    unit = Unit(log_factor)
    sample(name, unit, obs=unit.sample(), infer={"is_auxiliary": True})


def param(name: str, init_value: Any = None, **kwargs: Any) -> Any:
    """Declare a parameter to optimise, and return its value.

    Parameters
    ----------
    name : str
        The site's name.
    init_value : array or callable
        The initial value, or a function of a random key that gives it.
    **kwargs
        ``constraint`` for the layers that optimise, and ``event_dim``: with it, a parameter inside
        a plate that subsamples is indexed along the plate's dimension.

    Raises
    ------
    RuntimeError
        ``init_value`` is a function and there is no key to call it with.
    ValueError
        There is neither an initial value nor a handler that gives one.
    """
    args: tuple[Any, ...] = (init_value,)
    fn: Callable[..., Any] = _given_value
    if callable(init_value):
        fn, kwargs = _value_from_key, {**kwargs, "rng_key": None}
    msg: Message = {
        "type": "param",
        "name": name,
        "fn": fn,
        "args": args,
        "kwargs": kwargs,
        "value": None,
        "scale": None,
        "cond_indep_stack": [],
    }
    value = apply_stack(msg)["value"]
    if value is None:
        raise ValueError(
            f"param site {name!r} has no value. Pass init_value, or give one with "
            f"handlers.substitute(model, data={{{name!r}: value}})."
        )
    return value


def mutable(name: str, init_value: Any = None) -> Any:
    """Declare a value that the model may change while it runs, such as a running mean.

    Within one `trace`, the same object is returned wherever the site is stated again, with the
    changes that were made to it; `substitute` gives the state of an earlier run.

    Parameters
    ----------
    name : str
        The site's name.
    init_value : pytree, optional
        The value at the first statement; a container, such as a dict, can be changed in place.

    Raises
    ------
    ValueError
        There is neither an initial value nor an earlier statement nor a handler that gives one.

    Examples
    --------
    >>> from sojourn_primitives import handlers, mutable
    >>> def model():
    ...     mutable("a", {"value": 1.0})["value"] += 1.0
    ...     return mutable("a")["value"]
    >>> with handlers.trace():
    ...     model()
    2.0
    """
    msg: Message = {
        "type": "mutable",
        "name": name,
        "fn": _given_value,
        "args": (init_value,),
        "kwargs": {},
        "value": None,
    }
    value = apply_stack(msg)["value"]
    if value is None:
        raise ValueError(
            f"mutable site {name!r} has no value. Pass init_value; to state it again without one, "
            "run the model under handlers.trace."
        )
    return value


def subsample(data: Any, event_dim: int) -> Any:
    """Index ``data`` with the indices of the plates that it lies in.

    Parameters
    ----------
    data : array or None
        None is returned as it is. The dims to the left of the last ``event_dim`` line up with the
        plates; each has the plate's full size, or 1.
    event_dim : int
        Number of dims on the right that belong to one draw.

    Returns
    -------
    array
        The data with each plate's dim reduced to the plate's subsample.

    Raises
    ------
    ValueError
        A dim has neither the plate's size nor 1.
    """
    if event_dim < 0:
        raise ValueError(
            "subsample: event_dim counts the dims of one draw and cannot be negative, got "
            f"{event_dim}."
        )
    if data is None:
        return None
    msg: Message = {
        "type": "subsample",
        "name": None,
        "value": data,
        "kwargs": {"event_dim": event_dim},
        "cond_indep_stack": [],
    }
    return apply_stack(msg)["value"]


def prng_key() -> Any:
    """Return a fresh key from the enclosing `seed` handler; None, with a warning, without one.

    Examples
    --------
    >>> from sojourn_primitives import handlers, prng_key
    >>> with handlers.seed(rng_seed=0):
    ...     prng_key().shape
    ()
    """
    msg: Message = {
        "type": "prng_key",
        "name": None,
        "fn": _same_key,
        "args": (),
        "kwargs": {"rng_key": None},
        "value": None,
    }
    key = apply_stack(msg)["value"]
    if key is None:
        warnings.warn(
            "prng_key: there is no handlers.seed around this statement, so there is no key.",
            stacklevel=2,
        )
    return key


def get_mask() -> Any:
    """Return the mask of the enclosing `mask` handlers, None without one.

    False means that no log density is needed here, so that a model can skip the work for it.

    Examples
    --------
    >>> from sojourn_primitives import get_mask, handlers
    >>> with handlers.mask(mask=False):
    ...     get_mask()
    False
    """
    msg: Message = {
        "type": "inspect",
        "name": None,
        "value": True,
        "mask": None,
        "cond_indep_stack": [],
    }
    return apply_stack(msg)["mask"]


def _given_value(init_value: Any, **kwargs: Any) -> Any:
    return init_value


def _value_from_key(init_value: Callable[[Any], Any], rng_key: Any, **kwargs: Any) -> Any:
    return init_value(rng_key)


def _same_key(rng_key: Any) -> Any:
    return rng_key
