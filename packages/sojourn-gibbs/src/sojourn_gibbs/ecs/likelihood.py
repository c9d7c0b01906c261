"""The log likelihood of subsampled plates, one term for each index of the subsample.

A plate of ``n`` data has a subsample ``u`` of ``m`` indices. Its term ``l_i`` is the log density of
datum ``i``, summed over all observed sites of the plate and over every other dim of theirs. The
factor ``n / m`` that a plate puts on the sites inside belongs to an estimator, not to a term; what
handlers of the model scale or mask is scaled or masked in the terms.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from sojourn_gibbs.conditional_target import Given, conditioned
from sojourn_infer.initialization import init_to_uniform
from sojourn_infer.sites import Model, abstract_trace, latent_sites
from sojourn_infer.unconstrain import constrained_trace, unconstrained_log_density
from sojourn_primitives import Message, Trace

Indices = dict[str, jax.Array]
"""The subsample of each plate by its name, ``(m,)``, integers from 0 to ``n - 1``."""
Terms = dict[str, jax.Array]
"""A number for each index of each plate's subsample, ``(m,)``."""


class PlateSize(NamedTuple):
    """Number of data of a subsampled plate, and of indices in its subsample."""

    size: int
    subsample_size: int


Plates = dict[str, PlateSize]


class Split(NamedTuple):
    """A log density, taken apart.

    Attributes
    ----------
    outside : Array
        Log density, with Jacobian, of all sites but the data of subsampled plates; a scalar.
    terms : dict
        The terms of these data.
    plates : dict
        The subsampled plates.
    """

    outside: jax.Array
    terms: Terms
    plates: Plates


class LogLikelihood(NamedTuple):
    """The likelihood of a model with its arguments, as a function of indices and position.

    Attributes
    ----------
    model : Callable
        The model; subsamples are given to it as values of its plates.
    args, kwargs : tuple, dict
        Its arguments.
    """

    model: Model
    args: tuple
    kwargs: dict

    def split(self, indices: Indices, position: dict[str, jax.Array]) -> Split:
        """Take the log density at a position apart.

        Parameters
        ----------
        indices : dict
            A subsample for every subsampled plate.
        position : dict
            Unconstrained values of the latent sites.
        """
        given = Given(indices, self.args, self.kwargs)
        trace = constrained_trace(conditioned(self.model), given, {}, position)
        plates = subsampled_plates(trace)
        data = {name: site for name, site in trace.items() if is_term(site, plates)}
        others = {name: site for name, site in trace.items() if name not in data}
        outside = unconstrained_log_density(others, position)
        return Split(outside, likelihood_terms(data, plates), plates)

    def terms(self, indices: Indices, position: dict[str, jax.Array]) -> Terms:
        """Return the terms alone."""
        return self.split(indices, position).terms


class Layout(NamedTuple):
    """What a model's abstract trace says of its subsampled plates.

    Attributes
    ----------
    plates : dict
        The plates.
    has_terms : bool
        Whether each datum in them has a term of its own: no site is summed over, and none stands in
        two subsampled plates.
    deterministic : tuple of str
        Deterministic sites inside of them.
    """

    plates: Plates
    has_terms: bool
    deterministic: tuple[str, ...]


def subsampled_plates(trace: Trace) -> Plates:
    """Return the plates of a trace that subsample, by name, in the order of execution."""
    plates = {
        name: PlateSize(*site["args"]) for name, site in trace.items() if site["type"] == "plate"
    }
    return {name: plate for name, plate in plates.items() if plate.subsample_size < plate.size}


def plates_around(site: Message, plates: Plates) -> dict[str, int]:
    """Return the dims of those among ``plates`` that a site stands in, by name."""
    frames = site.get("cond_indep_stack", ())
    return {frame.name: frame.dim for frame in frames if frame.name in plates}


def is_term(site: Message, plates: Plates) -> bool:
    """Whether a site is data inside of a subsampled plate."""
    return site["type"] == "sample" and site["is_observed"] and bool(plates_around(site, plates))


def likelihood_terms(trace: Trace, plates: Plates) -> Terms:
    """Sum the log densities of the observed sites of each plate, apart from its own dim.

    Parameters
    ----------
    trace : dict
        Sites inside of one subsampled plate each.
    plates : dict
        The subsampled plates.

    Returns
    -------
    dict
        For each plate ``(m,)``, zeros if nothing is observed in it.
    """
    terms = {name: jnp.zeros(plate.subsample_size) for name, plate in plates.items()}
    for site in trace.values():
        ((name, dim),) = plates_around(site, plates).items()
        plate = plates[name]
        scale = site["scale"] / (plate.size / plate.subsample_size)
        density = scale * site["fn"].log_prob(site["value"])
        axis = density.ndim + dim
        others = tuple(k for k in range(density.ndim) if k != axis)
        terms[name] = terms[name] + jnp.sum(density, others)
    return terms


def examine(
    model: Model, args: tuple, kwargs: dict, judge: Callable[[Trace, Plates], None] | None = None
) -> Layout:
    """Trace a model abstractly and find its subsampled plates; nothing is computed.

    Parameters
    ----------
    model, args, kwargs
        The model and its arguments.
    judge : Callable, optional
        Looks at the trace and its plates, and raises if it does not like them.
    """
    found = []

    def first_value(site: Message) -> Any:
        return None if site["fn"].support.is_discrete else init_to_uniform(site)

    def look(trace: Trace) -> None:
        plates = subsampled_plates(trace)
        if judge is not None:
            judge(trace, plates)
        data = [site for site in trace.values() if is_term(site, plates)]
        found.append(
            Layout(
                plates,
                not any(site["fn"].support.is_discrete for site in latent_sites(trace).values())
                and all(len(plates_around(site, plates)) == 1 for site in data),
                tuple(
                    name
                    for name, site in trace.items()
                    if site["type"] == "deterministic" and plates_around(site, plates)
                ),
            )
        )

    abstract_trace(model, args, kwargs, first_value, look)
    return found[0]
