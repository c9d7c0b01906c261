"""The latent sites of a model: which are moved, which are summed out, which are discrete."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from sojourn_hmc.arguments import Arguments, with_data
from sojourn_infer.initialization import InitStrategy
from sojourn_infer.sites import abstract_trace, latent_sites
from sojourn_primitives import Message, Trace, handlers
from sojourn_primitives.dependence import input_dependence


class Latent(NamedTuple):
    """A latent site.

    Attributes
    ----------
    name : str
        Its name.
    shape : tuple of int
        Shape of its value (constrained).
    dtype : dtype
        Type of its value.
    is_discrete : bool
        Whether its support is countable.
    support : ndarray or None
        The values of one element of a discrete site, ``(K,)``; None where they cannot be listed.
    depends_on : tuple of str
        The latent sites that its support is computed from.
    """

    name: str
    shape: tuple[int, ...]
    dtype: Any
    is_discrete: bool
    support: np.ndarray | None
    depends_on: tuple[str, ...]

    @property
    def aval(self) -> jax.ShapeDtypeStruct:
        """Shape and type of its value, without numbers."""
        return jax.ShapeDtypeStruct(self.shape, self.dtype)


def is_summed_out(site: Message) -> bool:
    """Whether a discrete site asks to be summed out of the density."""
    return site["infer"].get("enumerate") == "parallel" and bool(site["fn"].support.is_discrete)


def moved_sites(trace: Trace) -> dict[str, Message]:
    """The latent sites of a trace that a sampler moves: all but those that are summed out."""
    return {name: s for name, s in latent_sites(trace).items() if not is_summed_out(s)}


def discrete_latent_sites(trace: Trace) -> list[str]:
    """Names of the discrete sites that a sampler moves; to be given to `Gibbs` as ``sites``."""
    return [name for name, s in moved_sites(trace).items() if s["fn"].support.is_discrete]


class Latents(NamedTuple):
    """The latent sites of a model with its arguments.

    Attributes
    ----------
    sites : dict of str to Latent
        Those that are moved, in the order of the model.
    summed_out : tuple of str
        Names of the others.
    """

    sites: dict[str, Latent]
    summed_out: tuple[str, ...]

    @property
    def discrete(self) -> list[Latent]:
        """The discrete sites that are moved."""
        return [site for site in self.sites.values() if site.is_discrete]


def find_latents(
    model: Callable,
    args: tuple,
    kwargs: dict,
    init_strategy: InitStrategy | None = None,
    judge: Callable[[Trace], None] = lambda trace: None,
) -> Latents:
    """Find the latent sites of a model without computing a number.

    Parameters
    ----------
    model : Callable
        The model.
    args, kwargs
        Its arguments; arrays may be traced.
    init_strategy : Callable, optional
        Gives continuous sites their value, where a draw from the prior will not do.
    judge : Callable
        Looks at the abstract trace before it is gone.
    """
    found: list[Latents] = []

    def value(site: Message) -> Any:
        if site["fn"].support.is_discrete or init_strategy is None:
            return None
        return init_strategy(site)

    def look(trace: Trace) -> None:
        moved = moved_sites(trace)
        depends_on = support_dependence(model, args, kwargs, moved)
        sites = {name: describe(site, depends_on[name]) for name, site in moved.items()}
        summed_out = tuple(n for n, s in latent_sites(trace).items() if is_summed_out(s))
        found.append(Latents(sites, summed_out))
        judge(trace)

    abstract_trace(model, args, kwargs, value, look)
    return found[0]


def describe(site: Message, depends_on: tuple[str, ...]) -> Latent:
    """Say of a site what its value and its support are."""
    value, is_discrete = site["value"], bool(site["fn"].support.is_discrete)
    return Latent(
        name=str(site["name"]),
        shape=tuple(np.shape(value)),
        dtype=jax.dtypes.canonicalize_dtype(value.dtype),
        is_discrete=is_discrete,
        support=scalar_support(site) if is_discrete else None,
        depends_on=depends_on,
    )


def scalar_support(site: Message) -> np.ndarray | None:
    """Values of one element of a discrete site, ``(K,)``, or None where they cannot be listed.

    Raises
    ------
    ValueError
        If the elements of the site are no single integers, each free to move.
    """
    fn = site["fn"]
    while fn.event_shape and hasattr(fn, "reinterpreted_batch_ndims"):
        fn = fn.base_dist
    if fn.event_shape:
        raise ValueError(
            f"discrete site {site['name']!r} ({type(fn).__name__}) takes vectors of shape "
            f"{fn.event_shape} whose entries are not free to move one by one: update it with a "
            "gibbs_fn (HMCGibbs, CustomGibbs), or write it with Categorical sites"
        )
    if not getattr(fn, "has_enumerate_support", False):
        return None
    try:
        support = fn.enumerate_support(expand=False)
    except NotImplementedError:  # bounds that are traced, or that differ between elements
        return None
    return None if isinstance(support, jax.core.Tracer) else np.ravel(support)


def support_dependence(
    model: Callable, args: tuple, kwargs: dict, moved: dict[str, Message]
) -> dict[str, tuple[str, ...]]:
    """For each site, the sites that its support is computed from."""
    names = list(moved)
    avals = {
        name: jax.ShapeDtypeStruct(np.shape(moved[name]["value"]), moved[name]["value"].dtype)
        for name in names
    }
    counts: list[int] = []

    def program(arguments: Arguments) -> Any:
        args, kwargs = arguments.structure.bind(arguments.data)

        def bounds(values: dict[str, Any]) -> list[Any]:
            seeded = handlers.seed(handlers.substitute(model, data=values), rng_seed=0)
            trace = handlers.trace(seeded).get_trace(*args, **kwargs)
            leaves = [jax.tree.leaves(trace[name]["fn"].support) for name in names]
            counts.extend(map(len, leaves))
            return [leaf for each in leaves for leaf in each]

        return jax.make_jaxpr(bounds)(avals)

    by_input = sorted(names)  # the order in which JAX flattens a dict
    inputs = iter(input_dependence(with_data((args, kwargs), program)))
    return {
        name: tuple(by_input[i] for i in sorted(set().union(*(next(inputs) for _ in range(count)))))
        for name, count in zip(names, counts, strict=True)
    }
