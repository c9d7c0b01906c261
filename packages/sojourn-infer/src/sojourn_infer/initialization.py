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

from sojourn_distributions import biject_to
from sojourn_primitives import Message

InitStrategy = Callable[[Message], Any]


def init_to_uniform(site: Message | None = None, radius: float = 2) -> Any:
    """Start uniformly in ``(-radius, radius)`` of the unconstrained space.

    Examples
    --------
    >>> from sojourn_infer import NUTS, init_to_uniform
    >>> kernel = NUTS(lambda: None, init_strategy=init_to_uniform(radius=0.5))
    """
    if site is None:
        return partial(init_to_uniform, radius=radius)
    fn = site["fn"]
    transform = biject_to(fn.support)
    shape = tuple(site["kwargs"]["sample_shape"]) + fn.batch_shape + fn.event_shape
    unconstrained = jax.random.uniform(
        site["kwargs"]["rng_key"],
        transform.inverse_shape(shape),
        minval=-radius,
        maxval=radius,
    )
    return transform(unconstrained)


def init_to_sample(site: Message | None = None) -> Any:
    """Start from a draw from the prior."""
    if site is None:
        return init_to_sample
    return site["fn"](
        rng_key=site["kwargs"]["rng_key"], sample_shape=tuple(site["kwargs"]["sample_shape"])
    )


def init_to_median(site: Message | None = None, num_samples: int = 15) -> Any:
    """Start from the elementwise median of ``num_samples`` draws from the prior."""
    if site is None:
        return partial(init_to_median, num_samples=num_samples)
    sample_shape = (num_samples, *site["kwargs"]["sample_shape"])
    draws = site["fn"](rng_key=site["kwargs"]["rng_key"], sample_shape=sample_shape)
    return jnp.median(draws, axis=0)


def init_to_value(site: Message | None = None, values: Mapping[str, Any] | None = None) -> Any:
    """Start from given values (constrained space); a site without one starts uniformly.

    Examples
    --------
    >>> from sojourn_infer import NUTS, init_to_value
    >>> kernel = NUTS(lambda: None, init_strategy=init_to_value(values={"scale": 1.0}))
    """
    values = {} if values is None else values
    if site is None:
        return partial(init_to_value, values=values)
    name = site["name"]
    if name is not None and name in values:
        return jnp.asarray(values[name])
    return init_to_uniform(site)
