"""The joint law of all sites that a composition moves, each in its own (constrained) space.

What blocks keep of a site is its *native* value: unconstrained where a gradient kernel moves it,
constrained everywhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from sojourn_distributions import biject_to
from sojourn_gibbs.conditional_target import Given, conditioned
from sojourn_gibbs.latents import Latents, find_latents, is_summed_out
from sojourn_hmc import ModelBased, Target
from sojourn_infer.sites import is_latent
from sojourn_primitives import Message, Trace, handlers

Values = dict[str, Any]


class Joint(NamedTuple):
    """The joint density of a model's latent sites, for one set of arguments.

    Attributes
    ----------
    target : Target
        The model, as a target that can be had on other models (`sojourn_hmc.ModelBased`).
    latents : Latents
        Its latent sites.
    args, kwargs
        Its arguments.
    """

    target: Any
    latents: Latents
    args: tuple
    kwargs: dict

    def given(self, values: Values) -> Given:
        """Arguments of the conditioned model that has these sites fixed."""
        return Given(values, self.args, self.kwargs)

    def given_others(self, values: Values, names: Collection[str]) -> Given:
        """Arguments of the conditioned model that has all sites fixed but those named."""
        return self.given({name: value for name, value in values.items() if name not in names})

    def log_density(self, values: Values) -> jax.Array:
        """Log density at values of all sites that are moved; minus infinity in place of NaN."""
        target = self.target.with_model(conditioned(self.target.model))
        return no_nan(-target.setup(self.given(values), {}).potential({}))

    def trace(self, values: Values) -> Trace:
        """Trace the model at values of all sites that are moved."""
        seeded = handlers.seed(conditioned(self.target.model), rng_seed=0)
        return handlers.trace(seeded).get_trace(*self.given(values))

    def terms(self, values: Values) -> list[jax.Array]:
        """The terms of the log density, an array for each sample site, not added up."""
        terms = []
        for site in self.trace(values).values():
            if site["type"] == "sample":
                density = site["fn"].log_prob(site["value"])
                terms.append(density if site["scale"] is None else site["scale"] * density)
        return terms

    def constrained(self, native: Mapping[str, Any], unconstrained: frozenset[str]) -> Values:
        """Values of the sites from native ones, of which those named are unconstrained."""
        trace = self._trace_at(native, unconstrained)
        return {name: trace[name]["value"] for name in native}

    def unconstrained(self, values: Values, names: frozenset[str]) -> Values:
        """Unconstrained values of the named sites, all sites being where they are."""
        trace = self._trace_at(values, frozenset())
        return {
            name: biject_to(trace[name]["fn"].support).inv(trace[name]["value"])
            for name in self.latents.sites
            if name in names
        }

    def reported(self, native: Mapping[str, Any], unconstrained: frozenset[str]) -> Values:
        """What a user reads: the sites that are moved, and the deterministic ones."""
        return {
            name: site["value"]
            for name, site in self._trace_at(native, unconstrained).items()
            if site["type"] == "deterministic" or (is_latent(site) and not is_summed_out(site))
        }

    def outside(self, values: Values, names: Collection[str]) -> dict[str, jax.Array]:
        """How many elements of the named sites lie outside of their support."""
        if not names:
            return {}
        trace = self.trace(values)
        return {
            name: jnp.sum(~trace[name]["fn"].support(values[name]), dtype=jnp.int32)
            for name in names
        }

    def describe_bad_start(self, values: Values) -> str:
        """Say why a chain cannot start where the sites have these values."""
        target = self.target.with_model(conditioned(self.target.model))
        return (
            "cannot start a chain: the joint density is zero or not finite at each start that was "
            f"tried\n{target.explain({}, self.given(values), {})}\nTry: init_params with values of "
            "positive density, and a check of the data and of the supports of the discrete sites"
        )

    def _trace_at(self, native: Mapping[str, Any], unconstrained: frozenset[str]) -> Trace:
        def value(site: Message) -> Any:
            if not is_latent(site) or site["name"] not in native:
                return None
            kept = native[str(site["name"])]
            if site["name"] in unconstrained:
                return biject_to(site["fn"].support)(kept)
            return kept

        seeded = handlers.seed(self.target.model, rng_seed=0)
        valued = handlers.substitute(seeded, substitute_fn=value)
        return handlers.trace(valued).get_trace(*self.args, **self.kwargs)


def joint_of(target: Any, args: tuple, kwargs: dict) -> Joint:
    """Find the latent sites of a target's model; no number is computed."""
    return Joint(target, find_latents(target.model, args, kwargs), args, kwargs)


def require_model(kernel: str, target: Target) -> None:
    """Raise a TypeError unless a target is made from a model."""
    if not isinstance(target, ModelBased):
        raise TypeError(
            f"{kernel} needs a kernel on a model function, so that sites can be fixed by name: got "
            f"one on {type(target).__name__}"
        )


def checked_joint(
    target: Any,
    args: tuple,
    kwargs: dict,
    judge: Callable[[Trace], None] = lambda trace: None,
) -> Joint:
    """Find the latent sites, and raise on what cannot be sampled, before anything compiles.

    Parameters
    ----------
    target : Target
        The model as a target.
    args, kwargs
        Its arguments, concrete.
    judge : Callable
        Looks at the abstract trace too.
    """
    conditional = target.with_model(conditioned(target.model))

    def look(trace: Trace) -> None:
        values = {
            name: site["value"]
            for name, site in trace.items()
            if is_latent(site) and not is_summed_out(site)
        }
        conditional.check(Given(values, args, kwargs), {}, None)
        judge(trace)

    strategy = getattr(target, "init_strategy", None)
    latents = find_latents(target.model, args, kwargs, strategy, look)
    return Joint(target, latents, args, kwargs)


def no_nan(log_density: jax.Array) -> jax.Array:
    """Minus infinity in place of NaN: such a value is never moved to."""
    return jnp.where(jnp.isnan(log_density), -jnp.inf, log_density)
