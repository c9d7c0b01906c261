"""A model's prior as a map of the unit cube: what samplers that move in prior mass ask for.

Nested sampling (Skilling 2006) and quasi Monte Carlo know a prior as values ``x(u)`` of uniform
numbers. Most laws have such a map: the quantile function, Rosenblatt's transform one component at a
time. The others are drawn by a heavy-tailed law ``q`` on the unconstrained space instead, and
``p / q`` goes into the likelihood, which changes neither the posterior nor the evidence.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import sojourn_distributions as dist
from sojourn_distributions import biject_to
from sojourn_infer.density import trace_log_density
from sojourn_infer.enumeration.config import config_enumerate
from sojourn_infer.enumeration.enum import enum
from sojourn_infer.enumeration.support import family, has_finite_support, is_discrete
from sojourn_infer.initialization import init_to_sample
from sojourn_infer.sites import Model, abstract_trace, latent_sites, moved_sites, only_moved
from sojourn_infer.unconstrain import values_to_report
from sojourn_primitives import Message, Trace, handlers

Shape = tuple[int, ...]


class Prior(NamedTuple):
    """A value drawn from uniform numbers.

    Attributes
    ----------
    value : Array
        The value, in the law's support.
    log_ratio : Array or float
        ``log p - log q`` of it, of the batch shape; 0 where it was drawn from the law itself.
    """

    value: Any
    log_ratio: Any


def cube_event_shape(fn: Any) -> Shape:
    """Shape of the uniform numbers for one event of a law.

    Examples
    --------
    >>> cube_event_shape(dist.Dirichlet(np.ones(3))), cube_event_shape(dist.Gamma(2.0, 1.0))
    ((2,), ())
    """
    if isinstance(fn, dist.Independent):
        return fn.base_dist.batch_shape[len(fn.batch_shape) :] + cube_event_shape(fn.base_dist)
    if _only_wraps(fn) or isinstance(fn, dist.TransformedDistribution):
        return cube_event_shape(fn.base_dist)
    if isinstance(fn, dist.Dirichlet):
        return (fn.event_shape[0] - 1,)
    if isinstance(fn, dist.MultivariateNormal):
        return fn.event_shape
    if _has_quantiles(fn):
        return ()
    return tuple(biject_to(fn.support).inverse_shape(fn.event_shape))


def from_uniform(fn: Any, uniform: Any) -> Prior:
    """Draw from a law with uniform numbers.

    Parameters
    ----------
    fn : Distribution
        A continuous law.
    uniform : Array
        Uniform on ``(0, 1)``; shape sample_shape + batch_shape + ``cube_event_shape(fn)``.

    Examples
    --------
    >>> value, log_ratio = from_uniform(dist.Exponential(2.0), jnp.array([0.5, 0.9]))
    >>> [round(float(x), 3) for x in value], log_ratio
    ([0.347, 1.151], 0.0)
    """
    if isinstance(fn, dist.Independent):
        value, log_ratio = from_uniform(fn.base_dist, uniform)
        if np.ndim(log_ratio) > 0:
            axes = tuple(range(-(len(fn.base_dist.batch_shape) - len(fn.batch_shape)), 0))
            log_ratio = jnp.sum(log_ratio, axis=axes)
        return Prior(value, log_ratio)
    if _only_wraps(fn):
        # A repeated law meets uniform numbers of the larger shape: all below broadcasts.
        return from_uniform(fn.base_dist, uniform)
    if isinstance(fn, dist.TransformedDistribution):
        value, log_ratio = from_uniform(fn.base_dist, uniform)
        for transform in fn.transforms:
            value = transform(value)
        return Prior(value, log_ratio)
    if isinstance(fn, dist.Dirichlet):
        return Prior(_broken_stick(fn.concentration, uniform), 0.0)
    if isinstance(fn, dist.MultivariateNormal):
        noise = jax.scipy.special.ndtri(uniform)[..., None]
        return Prior(fn.loc + jnp.squeeze(jnp.matmul(fn.scale_tril, noise), -1), 0.0)
    if _has_quantiles(fn):
        return Prior(fn.icdf(uniform), 0.0)
    return _from_cauchy(fn, uniform)


def cube_shapes(model: Model, args: tuple, kwargs: dict) -> dict[str, Shape]:
    """Shapes of the uniform numbers for every continuous latent site; nothing compiles.

    Raises
    ------
    ValueError
        If a latent site is discrete without a finite support, or has no normalised prior.
    """
    shapes: dict[str, Shape] = {}

    def judge(trace: Trace) -> None:
        for site in latent_sites(trace).values():
            _check(site)
        for name, site in moved_sites(trace).items():
            shape = np.shape(site["value"])
            batch = shape[: len(shape) - len(site["fn"].event_shape)]
            shapes[name] = batch + cube_event_shape(site["fn"])

    abstract_trace(config_enumerate(model), args, kwargs, init_to_sample, judge)
    return shapes


def cube_trace(
    model: Model,
    args: tuple,
    kwargs: dict,
    uniform: dict[str, jax.Array],
    supports: dict[str, Any] | None = None,
) -> tuple[Trace, jax.Array]:
    """Trace a model at latent values drawn with uniform numbers; discrete sites are summed out.

    Parameters
    ----------
    model, args, kwargs
        The model and its arguments.
    uniform : dict
        The uniform numbers, of the shapes of `cube_shapes`.
    supports : dict, optional
        As for `constrained_trace`.

    Returns
    -------
    tuple
        The trace, and the log likelihood: the log joint density over the log density of how the
        latent values were drawn, a scalar. A latent site that handlers scale counts by its scale;
        elements that they mask are drawn from their law and do not count.

    Raises
    ------
    ValueError
        If the prior of a continuous site depends on a discrete one.
    """
    log_ratios: dict[str, Any] = {}

    def value(site: Message) -> Any:
        name = site["name"]
        assert name is not None
        numbers = uniform[name]
        _check_one_prior(site, numbers)
        limits = jnp.finfo(numbers.dtype)
        drawn = from_uniform(site["fn"], jnp.clip(numbers, limits.tiny, 1 - limits.epsneg))
        log_ratios[name] = drawn.log_ratio
        return drawn.value

    # Values inside, seed outside: sites that have a value take no key.
    valued = handlers.substitute(config_enumerate(model), substitute_fn=only_moved(value))
    enumerated = enum(handlers.seed(valued, rng_seed=0), supports=supports)
    trace = handlers.trace(enumerated).get_trace(*args, **kwargs)
    # A prior that a value was drawn from counts no more; what a scale adds to it does.
    rest = trace.copy()
    for name, site in moved_sites(trace).items():
        if site["scale"] is None:
            del rest[name]
        else:
            rest[name] = site.copy()
            rest[name]["scale"] = site["scale"] - 1
    ratios = [jnp.sum(log_ratio) for log_ratio in log_ratios.values()]
    return trace, sum(ratios, start=trace_log_density(rest))


def cube_values(
    model: Model, args: tuple, kwargs: dict, uniform: dict[str, jax.Array]
) -> dict[str, Any]:
    """What a user reads of a model at latent values drawn with uniform numbers."""
    return values_to_report(lambda supports: cube_trace(model, args, kwargs, uniform, supports)[0])


def _only_wraps(fn: Any) -> bool:
    return isinstance(fn, (dist.ExpandedDistribution, dist.MaskedDistribution))


def _has_quantiles(fn: Any) -> bool:
    """Whether a law on numbers has a quantile function; distributions from elsewhere may not."""
    if len(fn.event_shape) > 0 or not hasattr(fn, "icdf"):
        return False
    try:
        jax.eval_shape(fn.icdf, jnp.float32(0.5))
    except NotImplementedError:
        return False
    return True


def _broken_stick(concentration: Any, uniform: jax.Array) -> jax.Array:
    """A Dirichlet draw: each share is a beta part of what the ones before have left."""
    concentration = jnp.asarray(concentration)
    rest = jnp.flip(jnp.cumsum(jnp.flip(concentration, -1), -1), -1)
    parts = dist.Beta(concentration[..., :-1], rest[..., 1:], validate_args=False).icdf(uniform)
    ones = jnp.ones_like(parts[..., :1])
    left = jnp.concatenate([ones, jnp.cumprod(1 - parts, axis=-1)], axis=-1)
    return left * jnp.concatenate([parts, ones], axis=-1)


def _from_cauchy(fn: Any, uniform: jax.Array) -> Prior:
    """Any law with a density, by standard Cauchy variables on the unconstrained space.

    Their tails are heavier than those of any law with moments, so the ratio is bounded.
    """
    position = jnp.tan(math.pi * (uniform - 0.5))
    log_q = -jnp.log(math.pi) - jnp.log1p(position**2)
    transform = biject_to(fn.support)
    value = transform(position)
    log_jacobian = transform.log_abs_det_jacobian(position, value)
    log_p = fn.log_prob(value)
    events = tuple(range(np.ndim(log_p), np.ndim(log_q)))
    log_ratio = log_p + _sum_to(log_jacobian, np.ndim(log_p)) - jnp.sum(log_q, axis=events)
    # So far out that the transform has no digits left, there is no mass either.
    return Prior(value, jnp.where(jnp.isnan(log_ratio), -jnp.inf, log_ratio))


def _sum_to(terms: jax.Array, ndim: int) -> jax.Array:
    return jnp.sum(terms, axis=tuple(range(ndim, np.ndim(terms))))


def _check(site: Message) -> None:
    name, fn = site["name"], site["fn"]
    if is_discrete(site) and not has_finite_support(site):
        raise ValueError(
            f"latent site {name!r} is discrete and has no finite support: it can neither be summed "
            "out nor be drawn by a continuous map. Observe it, or bound its support (a Categorical "
            "over the values that matter)"
        )
    if family(fn) == "ImproperUniform":
        raise ValueError(
            f"latent site {name!r} has an improper prior, with which there is no evidence: give it "
            "a distribution that can be normalised"
        )


def _check_one_prior(site: Message, numbers: jax.Array) -> None:
    fn = site["fn"]
    batch = numbers.shape[: numbers.ndim - len(cube_event_shape(fn))]
    if np.broadcast_shapes(batch, tuple(fn.batch_shape)) != batch:
        raise ValueError(
            f"the prior of latent site {site['name']!r} depends on a discrete site that is summed "
            f"out (batch shape {tuple(fn.batch_shape)} in place of {batch}), so that no single law "
            "can be drawn from: write the mixture as its prior (MixtureSameFamily)"
        )
