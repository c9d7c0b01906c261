"""Where a composition starts: values of all sites, drawn until the joint density is finite."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from sojourn_distributions import biject_to
from sojourn_gibbs.joint import Joint, Values
from sojourn_gibbs.latents import Latents
from sojourn_infer.initialization import InitStrategy, init_to_uniform
from sojourn_primitives import Message, Trace, handlers

MAX_ATTEMPTS = 100


def starting_values(
    joint: Joint, key: jax.Array, given: Mapping[str, Any], unconstrained: frozenset[str]
) -> Values:
    """Draw values (constrained) of all sites that are moved.

    Sites start where the target's ``init_strategy`` says, discrete ones in a draw from their prior
    where it says nothing of integers. All are drawn again, at most 100 times, while the joint
    density is not finite.

    Parameters
    ----------
    joint : Joint
        The model with its arguments.
    key : Array
        Randomness.
    given : mapping
        Native values that the user gives.
    unconstrained : frozenset of str
        Which of them are unconstrained.
    """
    strategy = getattr(joint.target, "init_strategy", init_to_uniform)
    sites = joint.latents.sites

    def draw(key: jax.Array) -> Values:
        model = handlers.substitute(
            handlers.seed(joint.target.model, rng_seed=key),
            substitute_fn=lambda site: _first_value(site, strategy, given, unconstrained),
        )
        trace = handlers.trace(model).get_trace(*joint.args, **joint.kwargs)
        return {name: jnp.asarray(trace[name]["value"], sites[name].dtype) for name in sites}

    def attempt(carry: tuple) -> tuple:
        number, _, _ = carry
        values = draw(jax.random.fold_in(key, number))
        return number + 1, jnp.isfinite(joint.log_density(values)), values

    attempts = MAX_ATTEMPTS if sites.keys() - given.keys() else 1
    nowhere = {name: jnp.zeros(site.shape, site.dtype) for name, site in sites.items()}
    return lax.while_loop(
        lambda carry: (carry[0] < attempts) & ~carry[1],
        attempt,
        (jnp.int32(0), jnp.asarray(False), nowhere),
    )[2]


def _first_value(
    site: Message, strategy: InitStrategy, given: Mapping[str, Any], unconstrained: frozenset[str]
) -> Any:
    if site["type"] != "sample" or site["is_observed"]:
        return None
    name, is_discrete = str(site["name"]), site["fn"].support.is_discrete
    if name in given:
        value = jnp.asarray(given[name])
        return biject_to(site["fn"].support)(value) if name in unconstrained else value
    return _discrete_value(site, strategy) if is_discrete else strategy(site)


def _discrete_value(site: Message, strategy: InitStrategy) -> Any:
    """Ask the strategy, which may be made for continuous sites; None draws from the prior."""
    try:
        value = strategy(site)
    except NotImplementedError:  # a discrete support has no unconstrained space
        return None
    return value if jnp.issubdtype(jnp.result_type(value), jnp.integer) else None


def check_given(given: Any, latents: Latents, unconstrained: Mapping[str, tuple[int, ...]]) -> None:
    """Raise if what a user gives as ``init_params`` does not fit the sites.

    Parameters
    ----------
    given
        The argument.
    latents : Latents
        The latent sites of the model.
    unconstrained : mapping
        Shapes of the unconstrained values of those sites that are to be given so.
    """
    if not isinstance(given, Mapping):
        raise TypeError(
            "init_params must be a dict of values by latent site, some or all of "
            f"{list(latents.sites)}, got {type(given).__name__}"
        )
    unknown = [name for name in given if name not in latents.sites]
    if unknown:
        raise ValueError(
            f"init_params: {unknown} are not among the latent sites {list(latents.sites)}"
        )
    for name, value in given.items():
        site = latents.sites[name]
        if np.asarray(value).dtype.kind not in ("biu" if site.is_discrete else "biuf"):
            what = "integers" if site.is_discrete else "numbers"
            raise TypeError(f"init_params[{name!r}] must be {what}, got {value!r}")
        shape = unconstrained.get(name, site.shape)
        if np.shape(value) != shape:
            space = "unconstrained value" if name in unconstrained else "value"
            raise ValueError(
                f"init_params[{name!r}] has shape {np.shape(value)}, but the {space} of this site "
                f"has shape {shape}"
            )


def unconstrained_shapes(trace: Trace, names: Collection[str]) -> dict[str, tuple[int, ...]]:
    """Shapes of the unconstrained values of the continuous ones among some sites of a trace."""
    return {
        name: biject_to(trace[name]["fn"].support).inverse_shape(np.shape(trace[name]["value"]))
        for name in names
        if not trace[name]["fn"].support.is_discrete
    }
