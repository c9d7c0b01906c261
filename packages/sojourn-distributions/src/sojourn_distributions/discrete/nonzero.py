"""Draws of a count given that it is not 0, exact however improbable that is."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp

from sojourn_distributions.arrays import Array
from sojourn_distributions.discrete.geometric import GeometricLogits, GeometricProbs
from sojourn_distributions.discrete.negative_binomial import NegativeBinomialBase
from sojourn_distributions.discrete.poisson import Poisson
from sojourn_distributions.distribution import Distribution

__all__ = ["sample_nonzero"]

Shape = tuple[int, ...]


@functools.singledispatch
def sample_nonzero(base: Distribution, key: Array, shape: Shape) -> Any:
    """Draw from a distribution on integers until every element differs from 0.

    `shape` ends in a batch shape that the distribution's broadcasts to. An element that has no
    other value than 0 stays 0. The known families are drawn directly, without repetition.
    """
    base = jax.lax.stop_gradient(base).expand(shape)
    possible = base.log_prob(jnp.zeros(shape, int)) < 0

    def missing(state: tuple[Any, Any]) -> Any:
        return jnp.any((state[0] == 0) & possible)

    def redraw(state: tuple[Any, Any]) -> tuple[Any, Any]:
        value, key = state
        key, key_now = jax.random.split(key)
        return jnp.where(value == 0, base.sample(key_now).astype(value.dtype), value), key

    return jax.lax.while_loop(missing, redraw, (jnp.zeros(shape, int), key))[0]


@sample_nonzero.register(Poisson)
def _(base: Poisson, key: Array, shape: Shape) -> Any:
    # Of a Poisson process on [0, 1]: the first point, given that there is one, and the later ones.
    key_first, key_later = jax.random.split(key)
    u = jax.random.uniform(key_first, shape, base._dtype)
    first = -jnp.log1p(u * jnp.expm1(-base.rate))  # the time, times the rate
    return 1 + jax.random.poisson(key_later, jnp.maximum(base.rate - first, 0.0), shape)


@sample_nonzero.register(NegativeBinomialBase)
def _(base: NegativeBinomialBase, key: Array, shape: Shape) -> Any:
    # Likewise of a Poisson process whose rate is scale * Gamma(r): nothing has come up to time t
    # with probability (1 + scale t)^-r, and a first point at t makes the rate
    # Gamma(r + 1) * scale / (1 + scale t).
    key_first, key_rate, key_later = jax.random.split(key, 3)
    r, scale = base.concentration, 1 / base.rate
    u = jax.random.uniform(key_first, shape, base._dtype)
    log_none = jnp.log1p(u * jnp.expm1(-r * jnp.log1p(scale)))
    grown = jnp.minimum(jnp.expm1(-log_none / r), scale)  # scale t
    unit = jax.random.gamma(key_rate, r + 1.0, shape, base._dtype)
    return 1 + jax.random.poisson(key_later, unit * (scale - grown) / (1 + grown), shape)


@sample_nonzero.register(GeometricProbs)
@sample_nonzero.register(GeometricLogits)
def _(base: Distribution, key: Array, shape: Shape) -> Any:
    return 1 + base.expand(shape).sample(key)  # it has no memory
