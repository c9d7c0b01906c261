"""Which sites of a trace a sampler moves, and the abstract trace that finds them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax

from sojourn_hmc.arguments import CONCRETE_VALUE_ERRORS, readable
from sojourn_primitives import Message, Trace, handlers

Model = Callable[..., Any]
SiteValue = Callable[[Message], Any]


def is_latent(site: Message) -> bool:
    """Whether a site is a random variable without data."""
    return site["type"] == "sample" and not site["is_observed"]


def latent_sites(trace: Trace) -> dict[str, Message]:
    """The latent sites of a trace, in the order of execution."""
    return {name: site for name, site in trace.items() if is_latent(site)}


def is_moved(site: Message) -> bool:
    """Whether a site is a latent one that a sampler of continuous variables moves."""
    return is_latent(site) and not site["fn"].support.is_discrete


def moved_sites(trace: Trace) -> dict[str, Message]:
    """The continuous latent sites of a trace, in the order of execution."""
    return {name: site for name, site in trace.items() if is_moved(site)}


def observed_sites(trace: Trace) -> dict[str, Message]:
    """The observed sites of a trace, in the order of execution."""
    return {
        name: site
        for name, site in trace.items()
        if site["type"] == "sample" and site["is_observed"]
    }


def site_shape(site: Message) -> tuple[int, ...]:
    """Shape of the values of a sample site, as its distribution says it.

    Examples
    --------
    >>> import sojourn_distributions as dist
    >>> from sojourn_primitives import handlers, plate, sample
    >>> def model():
    ...     with plate("N", 3):
    ...         sample("x", dist.Normal(0.0, 1.0))
    >>> site_shape(handlers.trace(handlers.seed(model, 0)).get_trace()["x"])
    (3,)
    """
    fn: Any = site["fn"]
    return (*site["kwargs"]["sample_shape"], *fn.batch_shape, *fn.event_shape)


def check_arguments(who: str, model_args: Any, model_kwargs: Any) -> None:
    """Refuse what is no tuple and no dict: an array would be taken apart into its rows.

    Examples
    --------
    >>> check_arguments("log_density", (1.0,), {"y": 2.0})
    """
    if not isinstance(model_args, (tuple, list)):
        raise TypeError(
            f"{who}: model_args must be a tuple of the model's arguments, got "
            f"{_describe(model_args)}; a single argument y is written (y,)"
        )
    if not isinstance(model_kwargs, Mapping):
        raise TypeError(
            f"{who}: model_kwargs must be a dict of the model's keyword arguments, got "
            f"{_describe(model_kwargs)}; for none write {{}}"
        )


def abstract_trace(
    model: Model,
    args: tuple,
    kwargs: dict,
    latent_value: SiteValue,
    judge: Callable[[Trace], None],
) -> Trace:
    """Run a model on abstract latent values: no operation runs and nothing compiles.

    Data stay concrete, so that Python control flow on data works and observed values can be read.

    Parameters
    ----------
    model : Callable
        The model.
    args, kwargs
        Its arguments.
    latent_value : Callable
        Gives a latent site its value, or None for a draw from its prior.
    judge : Callable
        Looks at the trace before the run ends: what distributions compute with abstract values is
        of no use after it.

    Returns
    -------
    dict
        The trace; values of latent sites have a shape and a dtype, but no numbers.
    """
    trace: Trace = {}

    def run(key: jax.Array) -> None:
        seeded = handlers.seed(model, rng_seed=key)
        valued = handlers.substitute(seeded, substitute_fn=only_latent(latent_value))
        try:
            with handlers.trace() as recorded:
                try:
                    valued(*args, **kwargs)
                finally:
                    trace.update(recorded)
        except Exception as error:
            error.add_note(_where(model, args, kwargs, trace))
            raise
        judge(trace)

    key = jax.eval_shape(jax.random.key, 0)
    try:
        jax.eval_shape(run, key)
    except CONCRETE_VALUE_ERRORS:
        # Python control flow on data. They are no arguments of a program, unlike in `with_data`;
        # still JAX traces what is done with its arrays, and not with NumPy's.
        args, kwargs = readable((args, kwargs))
        trace.clear()
        jax.eval_shape(run, key)
    return trace


def only_latent(latent_value: SiteValue) -> SiteValue:
    """Restrict a function of sites to latent ones."""
    return lambda site: latent_value(site) if is_latent(site) else None


def only_moved(latent_value: SiteValue) -> SiteValue:
    """Restrict a function of sites to continuous latent ones."""
    return lambda site: latent_value(site) if is_moved(site) else None


def _where(model: Model, args: tuple, kwargs: dict, trace: Trace) -> str:
    name = getattr(model, "__name__", repr(model))
    given = [_describe(value) for value in args]
    given += [f"{key}={_describe(value)}" for key, value in kwargs.items()]
    last = f"after site {list(trace)[-1]!r}" if trace else "before its first site"
    return f"This happened while running the model {name}({', '.join(given)}), {last}."


def _describe(value: Any) -> str:
    shape = getattr(value, "shape", None)
    if shape is not None and hasattr(value, "dtype"):
        return f"{value.dtype}[{','.join(map(str, shape))}]"
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
