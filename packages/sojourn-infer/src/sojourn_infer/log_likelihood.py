"""The log density of each observation at posterior draws, as model comparison needs it."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from sojourn_infer.draw_batch import draw_batch
from sojourn_infer.per_draw import PerDraw, Settings, at_one_draw
from sojourn_infer.sites import Model, latent_sites, observed_sites, only_latent, site_shape
from sojourn_primitives import Message, handlers


def log_likelihood(
    model: Model,
    posterior_samples: Mapping[str, Any],
    *args: Any,
    parallel: bool = False,
    batch_ndims: int = 1,
    batch_size: int | None = None,
    **kwargs: Any,
) -> dict[str, jax.Array]:
    """Log likelihood of the observed sites at posterior draws, element by element.

    Parameters
    ----------
    model : Callable
        The model, called with data.
    posterior_samples : dict
        Values of all latent sites by name (constrained space), with leading batch dims; what else
        is in it, such as deterministic values, is not used.
    *args, **kwargs
        The model's arguments.
    parallel : bool
        Whether to compute all draws at once, vectorized; otherwise one after another.
    batch_ndims : int
        Number of leading dims that are draws: 1, 2 for chains of draws, 0 for a single draw.
    batch_size : int, optional
        How many draws to compute at once, vectorized. A model that has an argument of this name
        gets it instead.

    Returns
    -------
    dict
        By observed site an array of the draws' batch shape and the site's batch shape: one number
        for each conditionally independent observation. Masks count, scales do not.

    Raises
    ------
    ValueError
        A latent site has no draws, draws do not fit their site, or batch shapes differ.

    Notes
    -----
    Each call traces the model. It compiles nothing if the program is one that was compiled before,
    with draws and data of the same shapes.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> import sojourn_distributions as dist
    >>> from sojourn_infer import log_likelihood
    >>> from sojourn_primitives import sample
    >>> def model(y):
    ...     loc = sample("loc", dist.Normal(0.0, 1.0))
    ...     sample("y", dist.Normal(loc, 1.0), obs=y)
    >>> log_likelihood(model, {"loc": jnp.zeros(100)}, jnp.arange(3.0))["y"].shape
    (100, 3)
    """
    if batch_size is not None and "batch_size" in _argument_names(model):
        # Not an argument of NumPyro's function, where models are free to have it.
        kwargs["batch_size"], batch_size = batch_size, None
    settings = Settings(parallel, batch_size)
    return log_likelihood_of(model, posterior_samples, args, kwargs, batch_ndims, settings)


def log_likelihood_of(
    model: Model,
    posterior_samples: Mapping[str, Any],
    args: tuple,
    kwargs: dict,
    batch_ndims: int,
    settings: Settings,
) -> dict[str, jax.Array]:
    """Do as `log_likelihood`, for a model whose keywords may be those of that function too."""
    settings.check("log_likelihood")
    batch = draw_batch("log_likelihood", posterior_samples, batch_ndims)

    def of_draw(
        values: dict[str, Any], key: None, args: tuple, kwargs: dict
    ) -> dict[str, jax.Array]:
        def value(site: Message) -> Any:
            name = site["name"]
            if name not in values:
                raise ValueError(
                    f"log_likelihood: latent site {name!r} has no draws in posterior_samples, "
                    f"which holds {list(values)}. Call it with the data if it is to be observed; "
                    "Predictive draws it otherwise, with infer_discrete=True if it was summed out"
                )
            return values[name]

        valued = handlers.substitute(model, substitute_fn=only_latent(value))
        # A plate that subsamples needs a key; it takes the same one for every draw.
        seeded = handlers.seed(valued, rng_seed=0)
        with at_one_draw("computing the log likelihood of the model", model, values):
            trace = handlers.trace(seeded).get_trace(*args, **kwargs)
        for site in latent_sites(trace).values():
            _check_shape(site)
        return {
            name: site["fn"].log_prob(site["value"]) for name, site in observed_sites(trace).items()
        }

    return PerDraw(of_draw, settings)(batch, None, args, kwargs)


def _argument_names(model: Model) -> Collection[str]:
    try:
        return inspect.signature(model).parameters
    except ValueError:  # one that is written in C
        return ()


def _check_shape(site: Message) -> None:
    """Refuse a value that a site took by broadcasting: it comes from another model or plate."""
    shape = jnp.shape(site["value"])
    if shape != site_shape(site):
        raise ValueError(
            f"log_likelihood: a posterior draw of site {site['name']!r} has shape {shape}, but the "
            f"site has shape {site_shape(site)}. See whether batch_ndims is right, and whether the "
            "model is called as it was for the draws"
        )
