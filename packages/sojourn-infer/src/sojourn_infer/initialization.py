"""Where chains start: strategies that give each latent site a first value in its support.

A strategy is a function of a site; called without one, with settings only, it returns the strategy
with these settings, so that ``init_to_uniform`` and ``init_to_uniform(radius=1)`` both serve.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_distributions import biject_to
from sojourn_infer.sites import site_shape
from sojourn_primitives import Message

InitStrategy = Callable[[Message], Any]


def init_to_uniform(site: Message | None = None, radius: float = 2) -> Any:
    """Start uniformly in ``(-radius, radius)`` of the unconstrained space.

    Examples
    --------
    >>> from sojourn_infer import NUTS, init_to_uniform
    >>> kernel = NUTS(lambda: None, init_strategy=init_to_uniform(radius=0.5))
    """
    if not radius >= 0:
        raise ValueError(f"init_to_uniform: radius must be 0 or more, got {radius}")
    if site is None:
        return partial(init_to_uniform, radius=radius)
    transform = biject_to(site["fn"].support)
    unconstrained = jax.random.uniform(
        site["kwargs"]["rng_key"],
        transform.inverse_shape(site_shape(site)),
        minval=-radius,
        maxval=radius,
    )
    return transform(unconstrained)


def uniform_radius(strategy: InitStrategy) -> float | None:
    """Radius of a strategy that starts every site uniformly; None if it is another one.

    Such a start needs the shapes of the sites alone, not a run of the model.

    Examples
    --------
    >>> uniform_radius(init_to_uniform(radius=0.5)), uniform_radius(init_to_median)
    (0.5, None)
    """
    if strategy is init_to_uniform:
        return 2.0
    if strategy is init_to_feasible:
        return 0.0
    if isinstance(strategy, partial) and strategy.func is init_to_uniform and not strategy.args:
        return strategy.keywords["radius"]
    return None


def init_to_sample(site: Message | None = None) -> Any:
    """Start from a draw from the prior; where it is improper, uniformly."""
    if site is None:
        return init_to_sample
    draws = _prior_draws(site, 1)
    return init_to_uniform(site) if draws is None else draws[0]


def init_to_median(site: Message | None = None, num_samples: int = 15) -> Any:
    """Start from the elementwise median of draws from the prior; where improper, uniformly."""
    if num_samples < 1:
        raise ValueError(f"init_to_median: num_samples must be positive, got {num_samples}")
    if site is None:
        return partial(init_to_median, num_samples=num_samples)
    draws = _prior_draws(site, num_samples)
    return init_to_uniform(site) if draws is None else jnp.median(draws, axis=0)


def init_to_mean(site: Message | None = None) -> Any:
    """Start from the mean of the prior; uniformly where it is infinite.

    A prior whose mean is not known starts as by `init_to_median`.

    Examples
    --------
    >>> from sojourn_infer import NUTS, init_to_mean
    >>> kernel = NUTS(lambda: None, init_strategy=init_to_mean)
    """
    if site is None:
        return init_to_mean
    fn: Any = site["fn"]
    try:
        mean = fn.mean() if callable(fn.mean) else fn.mean
    except NotImplementedError:
        return init_to_median(site)
    mean = jnp.broadcast_to(mean, site_shape(site))
    # Events are kept whole: an element of a simplex has no value without the others.
    event = tuple(range(-len(fn.event_shape), 0))
    finite = jnp.all(jnp.isfinite(mean), axis=event, keepdims=True)
    return jnp.where(finite, mean, init_to_uniform(site))


def init_to_feasible(site: Message | None = None) -> Any:
    """Start in the middle of the unconstrained space, at 0, whatever the prior's parameters are.

    Examples
    --------
    >>> from sojourn_infer import NUTS, init_to_feasible
    >>> kernel = NUTS(lambda: None, init_strategy=init_to_feasible())
    """
    if site is None:
        return init_to_feasible
    return init_to_uniform(site, radius=0)


def _prior_draws(site: Message, num_samples: int) -> Any:
    """Return draws from a site's prior, or None if it cannot be drawn from."""
    try:
        return site["fn"](
            rng_key=site["kwargs"]["rng_key"],
            sample_shape=(num_samples, *site["kwargs"]["sample_shape"]),
        )
    except NotImplementedError:
        return None


def init_to_value(site: Message | None = None, values: Mapping[str, Any] | None = None) -> Any:
    """Start from given values (constrained space); a site without one starts uniformly.

    All chains start from the same values. For a value of its own for each chain give ``run`` the
    ``init_params`` that `unconstrain_fn` makes of them, with ``batch_ndims=1``.

    Raises
    ------
    ValueError
        A value has not the shape of its site, or lies outside of the support.

    Examples
    --------
    >>> from sojourn_infer import NUTS, init_to_value
    >>> kernel = NUTS(lambda: None, init_strategy=init_to_value(values={"scale": 1.0}))
    """
    values = {} if values is None else values
    if site is None:
        return partial(init_to_value, values=values)
    name = site["name"]
    if name is None or name not in values:
        return init_to_uniform(site)
    shape = site_shape(site)
    if np.shape(values[name]) != shape:
        raise ValueError(
            f"init_to_value: the value for site {name!r} has shape {np.shape(values[name])}, but "
            f"the site has shape {shape}"
        )
    _check_support(site, values[name])
    return jnp.asarray(values[name])


def _check_support(site: Message, value: Any) -> None:
    # Distributions from elsewhere need not offer this check.
    validate = getattr(site["fn"], "validate_sample", None)
    if validate is None:
        return
    try:
        validate(value)
    except ValueError as error:
        raise ValueError(f"init_to_value: the value for site {site['name']!r}: {error}") from None
