"""`ModelTarget`: a model function as what the sampler core asks for."""

from __future__ import annotations

import copy
import warnings
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_distributions import biject_to, validation_enabled
from sojourn_hmc import Setup
from sojourn_hmc.variables import Variables
from sojourn_infer.enumeration.config import config_enumerate, is_marked
from sojourn_infer.enumeration.notes import is_enumerated
from sojourn_infer.enumeration.site_factors import largest_log_density
from sojourn_infer.enumeration.support import (
    checked_support,
    family,
    has_finite_support,
    is_discrete,
)
from sojourn_infer.initialization import InitStrategy, init_to_uniform
from sojourn_infer.sites import (
    Model,
    abstract_trace,
    is_moved,
    latent_sites,
    moved_sites,
    observed_sites,
)
from sojourn_infer.unconstrain import (
    constrained_trace,
    reported_values,
    unconstrained_log_density,
    unconstrained_values,
)
from sojourn_infer.variables import describe_model
from sojourn_primitives import Message, Trace


class ModelTarget:
    """The posterior of a model's latent sites, given its arguments and observed sites.

    Parameters
    ----------
    model : Callable
        A function written with the primitives. It must state the same sites in every run.
    init_strategy : Callable
        Gives each latent site its first value.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> import sojourn_distributions as dist
    >>> from sojourn_infer import ModelTarget
    >>> from sojourn_primitives import sample
    >>> def model(y):
    ...     scale = sample("scale", dist.HalfNormal(1.0))
    ...     sample("y", dist.Normal(0.0, scale), obs=y)
    >>> setup = ModelTarget(model).setup((jnp.ones(3),), {})
    >>> round(float(setup.potential({"scale": jnp.zeros(())})), 3)  # at scale 1
    4.983
    """

    def __init__(self, model: Model, init_strategy: InitStrategy = init_to_uniform):
        if not callable(init_strategy):
            raise TypeError(
                "init_strategy must be a function of a site, such as init_to_uniform, got "
                f"{init_strategy!r}"
            )
        self.model = model
        self.init_strategy = init_strategy

    def with_model(self, model: Model) -> Self:
        """Return a target on ``model`` that is like this one in everything else."""
        other = copy.copy(self)
        other.model = model
        return other

    def check(self, model_args: tuple, model_kwargs: dict, init_params: Any) -> None:
        """Run the model abstractly; raise on what cannot be sampled, before anything compiles.

        Raises
        ------
        ValueError
            If a latent site is discrete without a finite support, an observed value lies outside
            of its support, or ``init_params`` does not fit the latent sites. What the model itself
            raises gets a note that says where it happened.

        Warns
        -----
        UserWarning
            Discrete sites are summed out that the model does not mark: names them.
        """

        def first_value(site: Message) -> Any:
            # A strategy may not know what to do with a site that cannot be sampled anyway.
            _check_latent(site)
            return self.init_strategy(site) if is_moved(site) else None

        def judge(trace: Trace) -> None:
            _announce_sums(trace)
            for site in observed_sites(trace).values():
                _check_observed(site)
            if init_params is not None:
                _check_init_params(trace, init_params)

        abstract_trace(self.model, model_args, model_kwargs, first_value, judge)

    def setup(self, model_args: tuple, model_kwargs: dict, init_params: Any = None) -> Setup:
        """Bind the model's arguments; see `Target`."""
        model = config_enumerate(self.model)

        def start(key: jax.Array) -> dict[str, jax.Array]:
            if init_params is not None:
                return jax.tree.map(_floating, dict(init_params))
            return unconstrained_values(model, model_args, model_kwargs, key, self.init_strategy)

        def potential(position: dict[str, jax.Array]) -> jax.Array:
            trace = constrained_trace(model, model_args, model_kwargs, position)
            return -unconstrained_log_density(trace, position)

        def constrain(position: dict[str, jax.Array]) -> dict[str, jax.Array]:
            return reported_values(model, model_args, model_kwargs, position)

        return Setup(start, potential, constrain)

    def describe(self, model_args: tuple, model_kwargs: dict) -> Variables:
        """Name the axes of the sites after plates, and give the data; see `Described`."""
        return describe_model(self.model, model_args, model_kwargs)

    def explain(self, position: Any, model_args: tuple, model_kwargs: dict) -> str:
        """List the sites' values and log densities at ``position``, the suspects first."""
        # The parameters of distributions may be what is wrong, which is for the lines to show.
        with validation_enabled(False):
            model = config_enumerate(self.model)
            trace = constrained_trace(model, model_args, model_kwargs, position)
        lines = []
        for name, site in trace.items():
            if site["type"] != "sample" or is_enumerated(site):
                continue
            density = float(largest_log_density(site))
            kind = "observed" if site["is_observed"] else "latent"
            line = f"  {kind} site {name!r}: log density {density:g}, value {_range(site['value'])}"
            lines.append((np.isfinite(density), line))
        lines.sort(key=lambda entry: entry[0])
        return "\n".join(["the sites there, the least finite first:", *(line for _, line in lines)])


def _announce_sums(trace: Trace) -> None:
    """Say which discrete sites are summed out without the user having marked them."""
    names = [n for n, s in latent_sites(trace).items() if is_discrete(s) and not is_marked(s)]
    if names:
        warnings.warn(
            f"the discrete latent sites {names} are summed out; Predictive(..., infer_discrete="
            "True) draws them afterwards. Mark them, infer={'enumerate': 'parallel'} or "
            "config_enumerate(model), to have this said in the model and not here",
            stacklevel=2,
        )


def _check_latent(site: Message) -> None:
    if is_marked(site):
        checked_support(site)
    elif is_discrete(site) and not has_finite_support(site):
        raise ValueError(
            f"latent site {site['name']!r} is discrete ({family(site['fn'])}) and has no finite "
            "support, so it can neither be moved by a gradient nor summed out. Observe it; bound "
            "its support (a Categorical over the values that matter), which is then summed out; or "
            "sample it with DiscreteHMCGibbs or MixedHMC around this kernel"
        )
    elif is_discrete(site):
        checked_support(site)


def _check_observed(site: Message) -> None:
    # Distributions from elsewhere need not offer this check.
    validate = getattr(site["fn"], "validate_sample", None)
    if validate is None:
        return
    try:
        validate(site["value"])
    except ValueError as error:
        raise ValueError(
            f"observed site {site['name']!r}: {error}. Correct the data, choose a distribution "
            "with this support, or leave missing values out with handlers.mask"
        ) from None


def _check_init_params(trace: Trace, init_params: Any) -> None:
    expected = {
        name: biject_to(site["fn"].support).inverse_shape(np.shape(site["value"]))
        for name, site in moved_sites(trace).items()
    }
    if not isinstance(init_params, dict):
        raise TypeError(
            "init_params must be a dict of unconstrained values by latent site "
            f"{expected}, got {type(init_params).__name__}"
        )
    missing, unknown = expected.keys() - init_params, init_params.keys() - expected
    if missing or unknown:
        raise ValueError(
            f"init_params: missing sites {sorted(missing)}, unknown sites {sorted(unknown)}; the "
            f"latent sites and their unconstrained shapes are {expected}"
        )
    for name, shape in expected.items():
        if np.asarray(init_params[name]).dtype.kind not in "biuf":
            raise TypeError(
                f"init_params[{name!r}] must be numbers, got {init_params[name]!r}: the "
                f"unconstrained value of this site has shape {shape}"
            )
        if np.shape(init_params[name]) != shape:
            raise ValueError(
                f"init_params[{name!r}] has shape {np.shape(init_params[name])}, but the "
                f"unconstrained value of this site has shape {shape}"
            )


def _floating(value: Any) -> jax.Array:
    return jnp.asarray(value, dtype=jnp.result_type(value, float))


def _range(value: Any) -> str:
    array = np.asarray(value)
    if array.size == 0:
        return "empty"
    if array.size == 1:
        return f"{array.item():g}"
    number_of_nans = int(np.sum(np.isnan(array)))
    nans = f", {number_of_nans} of them NaN" if number_of_nans else ""
    finite = array[~np.isnan(array)]
    between = f" between {finite.min():g} and {finite.max():g}" if finite.size else ""
    return f"{array.size} numbers{between}{nans}"
