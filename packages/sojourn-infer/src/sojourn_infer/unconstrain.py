"""Between a model's own space and the unconstrained space that samplers move in.

The support of a site may depend on sites before it, so both directions run the model: each site's
transform is made from the support that the site has in that very run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from sojourn_distributions import biject_to
from sojourn_infer.density import scaled_sum, trace_log_density
from sojourn_infer.enumeration.config import is_marked
from sojourn_infer.enumeration.enum import enum
from sojourn_infer.enumeration.site_factors import check_support, enumerated_sites
from sojourn_infer.sites import Model, SiteValue, moved_sites, only_latent, only_moved
from sojourn_primitives import Message, Trace, get_mask, handlers
from sojourn_primitives.dependence import input_dependence


def constrained_trace(
    model: Model,
    args: tuple,
    kwargs: dict,
    unconstrained: dict[str, Any],
    supports: dict[str, Any] | None = None,
) -> Trace:
    """Trace a model at unconstrained values of its latent sites.

    Discrete sites that are marked have all their values at once (see `enum`), or those of
    ``supports``. Whatever else needs randomness (a plate that subsamples) takes it from a fixed
    seed.
    """

    def value(site: Message) -> Any:
        if site["name"] not in unconstrained and is_marked(site):
            return None
        if site["name"] not in unconstrained:
            raise ValueError(
                f"latent site {site['name']!r} has no value: there are values for "
                f"{list(unconstrained)}. A model must have the same sites in every run"
            )
        # Kept for the Jacobian term: handlers of the model mask that too.
        site["mask"] = get_mask()
        return biject_to(site["fn"].support)(unconstrained[site["name"]])

    # Values inside, seed outside: sites that have a value take no key.
    valued = handlers.substitute(model, substitute_fn=only_latent(value))
    enumerated = enum(handlers.seed(valued, rng_seed=0), supports=supports)
    return handlers.trace(enumerated).get_trace(*args, **kwargs)


def unconstrained_log_density(trace: Trace, unconstrained: dict[str, Any]) -> jax.Array:
    """Log density of a `constrained_trace` on the unconstrained space, Jacobian included.

    A site's Jacobian term is scaled and masked by handlers as its log density is: both stand for
    the same number of elements of a subsampled plate, and an element that does not count must not
    be drawn to a side by its transform.
    """
    density = jnp.zeros(())
    for name, site in moved_sites(trace).items():
        check_support(site)
        transform = biject_to(site["fn"].support)
        jacobian = transform.log_abs_det_jacobian(unconstrained[name], site["value"])
        if site["mask"] is not None:
            jacobian = jnp.where(site["mask"], jacobian, 0.0)
        density = density + scaled_sum(site, jacobian)
    return density + trace_log_density(trace)


def reported_values(
    model: Model, args: tuple, kwargs: dict, unconstrained: dict[str, Any]
) -> dict[str, Any]:
    """What a user reads of a model at unconstrained values: latent and deterministic values."""
    return values_to_report(
        lambda supports: constrained_trace(model, args, kwargs, unconstrained, supports)
    )


def values_to_report(trace_of: Callable[[dict[str, Any] | None], Trace]) -> dict[str, Any]:
    """Latent and deterministic values of a trace.

    A deterministic value that is computed from a discrete site that is summed out is not a number
    but a function of that site, and is left out.

    Parameters
    ----------
    trace_of : Callable
        Traces a model whose discrete sites have these supports, or None for their own.
    """
    trace = trace_of(None)
    moved = moved_sites(trace)
    computed = {n: site for n, site in trace.items() if site["type"] == "deterministic"}
    supports = {n: site["enumeration"].support for n, site in enumerated_sites(trace).items()}
    if computed and supports:

        def values(supports: dict[str, Any]) -> list[Any]:
            again = trace_of(supports)
            return [jnp.asarray(again[name]["value"]) for name in computed]

        depends_on = input_dependence(jax.make_jaxpr(values)(supports))
        hidden = {n for n, inputs in zip(computed, depends_on, strict=True) if inputs}
        computed = {n: site for n, site in computed.items() if n not in hidden}
    return {n: site["value"] for n, site in trace.items() if n in moved or n in computed}


def unconstrained_values(
    model: Model, args: tuple, kwargs: dict, key: jax.Array, latent_value: SiteValue
) -> dict[str, jax.Array]:
    """Run a model with latent values from ``latent_value`` and map them to unconstrained space.

    Parameters
    ----------
    model, args, kwargs
        The model and its arguments.
    key : Array
        Randomness for the run.
    latent_value : Callable
        Gives a latent site its (constrained) value, or None for a draw from its prior.
    """
    seeded = handlers.seed(model, rng_seed=key)
    valued = handlers.substitute(seeded, substitute_fn=only_moved(latent_value))
    trace = handlers.trace(valued).get_trace(*args, **kwargs)
    return {
        name: biject_to(site["fn"].support).inv(site["value"])
        for name, site in moved_sites(trace).items()
    }
