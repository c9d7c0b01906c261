"""One pass over the discrete sites of a model: every element is offered a move, given the rest.

The elements of a site that are independent of each other given everything else move together: the
model is evaluated once for each candidate value, given to all elements at once, and its log density
is kept apart by element. All other elements move one at a time, in a random order.

Invariant: each move is reversible with respect to the conditional law of what it moves, and what
moves together is conditionally independent, so the pass leaves the joint law unchanged.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from sojourn_gibbs.codes import Coding
from sojourn_gibbs.discrete_proposals import Propose
from sojourn_gibbs.elementwise import Axes, followed_axes
from sojourn_gibbs.joint import Joint, Values, no_nan
from sojourn_gibbs.latents import Latent, Latents


class Outcome(NamedTuple):
    """What a pass, or a part of it, gives.

    Attributes
    ----------
    values : dict
        The new values of all discrete sites.
    accepted : Array
        How many elements took what was proposed to them.
    """

    values: Values
    accepted: jax.Array


def update_all(joint: Joint, values: Values, key: jax.Array, propose: Propose) -> Outcome:
    """Offer every element of every discrete site a move.

    Parameters
    ----------
    joint : Joint
        The joint density.
    values : dict
        Present values of the discrete sites.
    key : Array
        Randomness for the pass.
    propose : Callable
        One of `sojourn_gibbs.discrete_proposals`.
    """
    together = {
        site.name: terms
        for site in joint.latents.discrete
        if (terms := terms_by_element(joint, site, values)) is not None
    }
    alone = tuple(site for site in joint.latents.discrete if site.name not in together)
    accepted = jnp.zeros((), jnp.int32)
    for n, site in enumerate(joint.latents.discrete):
        if site.name in together:
            part = _update_together(
                joint, site, together[site.name], values, jax.random.fold_in(key, n), propose
            )
            values, accepted = part.values, accepted + part.accepted
    if alone:
        key = jax.random.fold_in(key, len(joint.latents.discrete))
        part = _update_one_by_one(joint, Coding(alone), values, key, propose)
        values, accepted = part.values, accepted + part.accepted
    return Outcome(values, accepted)


def terms_by_element(
    joint: Joint, site: Latent, values: Values
) -> Callable[[Values], jax.Array] | None:
    """Return the log density by element of a site, or None where its elements interact.

    The function gives an array of the site's shape: of each element all terms that it has a part
    in. That is known if every term that depends on the site keeps its elements apart, which is read
    off the traced program (`followed_axes`), not tried out with numbers.
    """
    dims = [axis for axis, size in enumerate(site.shape) if size > 1]
    if not dims or joint.latents.summed_out:
        return None
    program = jax.make_jaxpr(lambda value: joint.terms(values | {site.name: value}))(site.aval)
    follows = followed_axes(program)
    if any(axes is not None and None in axes.follow for axes in follows):
        return None

    def by_element(values: Values) -> jax.Array:
        total = jnp.zeros(tuple(site.shape[dim] for dim in dims))
        for term, axes in zip(joint.terms(values), follows, strict=True):
            if axes is not None:
                total = total + _gather_up(term, axes)
        return no_nan(total.reshape(site.shape))

    return by_element


def _gather_up(term: jax.Array, axes: Axes) -> jax.Array:
    """Sum a term over all axes but those that follow the site, which come in the site's order."""
    kept = [axis for axis in axes.follow if axis is not None]
    rest = tuple(axis for axis in range(term.ndim) if axis not in kept)
    order = sorted(kept)
    return jnp.transpose(jnp.sum(term, axis=rest), [order.index(axis) for axis in kept])


def _update_together(
    joint: Joint,
    site: Latent,
    by_element: Callable[[Values], jax.Array],
    values: Values,
    key: jax.Array,
    propose: Propose,
) -> Outcome:
    coding = Coding((site,))
    key_window, key_propose, key_accept = jax.random.split(key, 3)
    codes = coding.encode(values)
    offered = coding.candidates(key_window, codes, stride_doublings(joint, coding, values))

    def weigh(candidate: jax.Array) -> jax.Array:
        return by_element(values | coding.decode(candidate)).ravel()

    log_weights = jax.vmap(weigh, 1, 1)(offered.codes)
    move = propose(key_propose, log_weights, offered.allowed, offered.current)
    taken = _accept(key_accept, move.log_ratio, codes.shape)
    chosen = jnp.take_along_axis(offered.codes, move.choice[:, None], axis=1)[:, 0]
    return Outcome(
        values | coding.decode(jnp.where(taken, chosen, codes)), jnp.sum(taken, dtype=jnp.int32)
    )


def _update_one_by_one(
    joint: Joint, coding: Coding, values: Values, key: jax.Array, propose: Propose
) -> Outcome:
    def log_density(codes: jax.Array) -> jax.Array:
        return joint.log_density(values | coding.decode(codes))

    def doublings(codes: jax.Array) -> jax.Array:
        return stride_doublings(joint, coding, values | coding.decode(codes))

    key_order, key = jax.random.split(key)
    order = jax.random.permutation(key_order, coding.size)

    def update(n: jax.Array, carry: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        codes, accepted = carry
        key_move, key_accept = jax.random.split(jax.random.fold_in(key, n))
        move = propose_one(coding, log_density, doublings, codes, order[n], key_move, propose)
        taken = _accept(key_accept, move.log_ratio)
        return jnp.where(taken, move.codes, codes), accepted + taken

    start = (coding.encode(values), jnp.zeros((), jnp.int32))
    codes, accepted = lax.fori_loop(0, coding.size, update, start)
    return Outcome(values | coding.decode(codes), accepted)


class MoveOfOne(NamedTuple):
    """A move that is proposed to one element.

    Attributes
    ----------
    codes : Array
        All codes, ``(N,)``, with the proposed one in place.
    log_ratio : Array or None
        Logarithm of the Metropolis-Hastings ratio; None where the move is always made.
    """

    codes: jax.Array
    log_ratio: jax.Array | None


def propose_one(
    coding: Coding,
    log_density: Callable[[jax.Array], jax.Array],
    doublings: Callable[[jax.Array], jax.Array],
    codes: jax.Array,
    element: jax.Array,
    key: jax.Array,
    propose: Propose,
) -> MoveOfOne:
    """Propose a move to one element, given all others.

    Parameters
    ----------
    coding : Coding
        Of the sites whose elements move one by one.
    log_density : Callable
        Log density at codes ``(N,)``, all else being fixed.
    doublings : Callable
        See `stride_doublings`, at codes ``(N,)``.
    codes : Array
        Present codes, ``(N,)``.
    element : Array
        Index of the element.
    key : Array
        Randomness.
    propose : Callable
        One of `sojourn_gibbs.discrete_proposals`.
    """
    key_window, key_propose = jax.random.split(key)
    offered = coding.candidates(key_window, codes, doublings(codes), element)

    def weigh(candidate: jax.Array) -> jax.Array:
        return no_nan(log_density(codes.at[element].set(candidate)))

    move = propose(key_propose, jax.vmap(weigh)(offered.codes), offered.allowed, offered.current)
    return MoveOfOne(codes.at[element].set(offered.codes[move.choice]), move.log_ratio)


def _accept(key: jax.Array, log_ratio: jax.Array | None, shape: tuple[int, ...] = ()) -> jax.Array:
    if log_ratio is None:
        return jnp.ones(shape, bool)
    uniform = jax.random.uniform(key, log_ratio.shape, log_ratio.dtype)
    return jnp.log(uniform) < log_ratio


def stride_doublings(joint: Joint, coding: Coding, values: Values) -> jax.Array:
    """See `Coding.doublings`; at values of all sites."""
    variances = {}
    if coding.has_windows:
        trace = joint.trace(values)
        for site in coding.sites:
            if site.support is None:
                variances[site.name] = _prior_variance(trace[site.name]["fn"])
    return coding.doublings(variances)


def _prior_variance(fn: Any) -> Any:
    """Variance of each element of a site given what it depends on, or None if it is not told."""
    try:
        return fn.variance
    except (NotImplementedError, AttributeError):
        return None


def num_elements(latents: Latents) -> int:
    """Number of elements of all discrete sites."""
    return sum(math.prod(site.shape) for site in latents.discrete)
