"""`Predictive`: what a model says of its sites, given draws of others or none."""

from __future__ import annotations

import warnings
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_infer.draw_batch import DrawBatch, draw_batch
from sojourn_infer.enumeration import config_enumerate, discrete_values
from sojourn_infer.keys import check_key
from sojourn_infer.param_sets import check_not_batched, checked_params, count_sets, take_set
from sojourn_infer.per_draw import PerDraw, Settings, at_one_draw
from sojourn_infer.sites import Model, SiteValue, is_latent, site_shape
from sojourn_primitives import Message, Trace, handlers


class Predictive:
    """Draws from the prior or posterior predictive distribution of a model.

    For each posterior draw the model runs once, with that draw's values at the sites that it names;
    all other sites are drawn. Sites that are observed when the model is called keep their data, so
    what is to be predicted must not be observed then: leave the data out of the call.

    Parameters
    ----------
    model : Callable
        The model.
    posterior_samples : dict, optional
        Values by site, with leading batch dims. Without it sites are drawn from the prior.
    guide : Callable, optional
        A model whose draws serve as values of sites that ``posterior_samples`` does not name.
    params : dict, optional
        Values of `param` sites of the model and the guide, the same for all draws; with
        ``batch_ndims=1``, a guide and no posterior draws several such sets, by a leading dim.
    num_samples : int, optional
        Number of draws where no posterior draws say it; of several sets of ``params``, for each.
    return_sites : sequence of str, optional
        Sites to return; ``""`` returns all but plates. By default sample sites that are not in
        ``posterior_samples``, and deterministic sites.
    infer_discrete : bool
        Whether discrete sites that were summed out, and are not in ``posterior_samples``, are drawn
        from their joint posterior given each draw and the data: call the model with its data. By
        default they are drawn from their priors. Then log densities count, and `get_mask` is None.
    parallel : bool
        Whether to compute all draws at once, vectorized; otherwise one after another.
    batch_ndims : int, optional
        Number of leading dims of every posterior sample that are draws: 1 (the default), 2 for
        chains of draws, 0 for a single draw. Without posterior samples, but with a guide and
        ``params``, number of leading dims of ``params`` that are sets: 0 (the default) or 1. With
        neither, results have as many dims of draws, all but the last of size 1.
    condition_deterministic : bool, optional
        Whether deterministic sites keep the values of ``posterior_samples``. By default they are
        computed again, as new inputs require.
    exclude_deterministic : bool, optional
        The opposite of ``condition_deterministic``, an older name.
    batch_size : int, optional
        How many draws to compute at once, vectorized; what they need is the bound on device memory.
    progress_bar : bool
        Whether to show progress when it takes more than two seconds.

    Raises
    ------
    ValueError
        There are neither posterior draws nor ``num_samples``, batch shapes differ, or ``params``
        has batch dims for which there is no meaning.

    Notes
    -----
    Draw i gets its key from the key of the call and i alone: ``parallel`` and ``batch_size`` change
    nothing but time and memory. The compiled program lives with the object; another call with
    arguments of the same shapes compiles nothing. What the model reads from outside of its
    arguments must not change in between; a new object traces the model anew, and compiles only
    what has changed.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> import sojourn_distributions as dist
    >>> from sojourn_infer import Predictive
    >>> from sojourn_primitives import sample
    >>> def model(x, y=None):
    ...     slope = sample("slope", dist.Normal(0.0, 1.0))
    ...     sample("y", dist.Normal(slope * x, 1.0), obs=y)
    >>> x = jnp.arange(3.0)
    >>> prior = Predictive(model, num_samples=100)(jax.random.key(0), x)
    >>> prior["slope"].shape, prior["y"].shape
    ((100,), (100, 3))
    >>> posterior = Predictive(model, {"slope": jnp.ones(50)})(jax.random.key(1), x)
    >>> {name: draws.shape for name, draws in posterior.items()}
    {'y': (50, 3)}

    Three sets of parameters of a guide, such as three stages of its fit, 100 draws from each:

    >>> from sojourn_primitives import param
    >>> def guide(x, y=None):
    ...     sample("slope", dist.Normal(param("loc", 0.0), param("scale", 1.0)))
    >>> stages = {"loc": jnp.array([0.0, 0.5, 0.8]), "scale": jnp.array([1.0, 0.5, 0.1])}
    >>> predictive = Predictive(model, guide=guide, params=stages, num_samples=100, batch_ndims=1)
    >>> predictive(jax.random.key(2), x)["y"].shape
    (100, 3, 3)
    """

    def __init__(
        self,
        model: Model,
        posterior_samples: Mapping[str, Any] | None = None,
        *,
        guide: Model | None = None,
        params: Mapping[str, Any] | None = None,
        num_samples: int | None = None,
        return_sites: Sequence[str] | None = None,
        infer_discrete: bool = False,
        parallel: bool = False,
        batch_ndims: int | None = None,
        condition_deterministic: bool | None = None,
        exclude_deterministic: bool | None = None,
        batch_size: int | None = None,
        progress_bar: bool = True,
    ):
        for name, function in (("model", model), ("guide", guide)):
            if not callable(function) and (name == "model" or function is not None):
                raise TypeError(f"Predictive: {name} must be a function, got {function!r}")
        settings = Settings(parallel, batch_size, progress_bar)
        settings.check("Predictive")
        self.model = model
        self.guide = guide
        self.params = checked_params("Predictive", params)
        self.posterior_samples = posterior_samples
        given: Any = posterior_samples  # what is no dict is refused below
        no_draws = given is None or (isinstance(given, Mapping) and not given)
        if no_draws and num_samples is None:
            raise ValueError(
                "Predictive: nothing tells the number of draws; give posterior_samples, or "
                "num_samples to draw all sites from the prior or the guide"
            )
        guided_only = guide is not None and no_draws
        if batch_ndims is None:
            batch_ndims = 0 if guided_only else 1
        self.batch_ndims = batch_ndims
        self.draws = draw_batch("Predictive", posterior_samples, batch_ndims, num_samples)
        self.num_samples = self.draws.num_draws
        self._num_sets = count_sets("Predictive", self.params, batch_ndims) if guided_only else None
        self.return_sites = _checked_names(return_sites)
        self.infer_discrete = infer_discrete
        self.parallel = parallel
        self.condition_deterministic = _conditions(condition_deterministic, exclude_deterministic)
        self.batch_size = batch_size
        self._per_draw = PerDraw(self._of_draw, settings)

    @property
    def exclude_deterministic(self) -> bool:
        """Whether deterministic sites are computed again."""
        return not self.condition_deterministic

    def __call__(self, rng_key: jax.Array, *args: Any, **kwargs: Any) -> dict[str, jax.Array]:
        """Draw, with the model called on ``args`` and ``kwargs``.

        Parameters
        ----------
        rng_key : Array
            A key.

        Returns
        -------
        dict
            Values by site, each with the batch shape of the posterior samples in front, or
            ``(num_samples,)``, or with several sets of parameters ``(num_samples, sets)``.

        Raises
        ------
        ValueError
            A posterior sample does not fit its site, or a name of ``return_sites`` is no site; said
            before anything compiles, with the name of the site.
        """
        check_key("Predictive: the first argument", rng_key)
        values, batch_shape = self.draws
        sets, set_index = None, None
        if self._num_sets is not None:
            # A single set is part of the program, so that what is wrong with it is said while the
            # model is traced. Several may be large, and are data.
            sets = self.params
            batch_shape = (*batch_shape, self._num_sets)
            set_index = np.broadcast_to(np.arange(self._num_sets), batch_shape).reshape(-1)
        rows = DrawBatch((values, set_index), batch_shape)
        found = self._per_draw(rows, rng_key, (sets, *args), kwargs)
        # JAX sorts names; the user's own order is kept.
        return {name: found[name] for name in self.return_sites} if self.return_sites else found

    def _of_draw(
        self, draw: tuple[dict[str, Any], Any], key: jax.Array, args: tuple, kwargs: dict
    ) -> dict[str, Any]:
        """Run the model at one posterior draw and select what is returned."""
        (values, set_index), sets, args = draw, args[0], args[1:]
        params = self.params if set_index is None else take_set(sets, set_index)
        guide_trace = self._guide_trace(values, params, key, args, kwargs)
        guided = {name: site["value"] for name, site in guide_trace.items() if self._guides(site)}
        values = {**guided, **values}
        known = self._known(values, params)
        model: Model = handlers.mask(self.model, mask=False)
        if self.infer_discrete:
            model = _with_discrete_values(self.model, key, known)
        valued = handlers.substitute(handlers.seed(model, rng_seed=key), substitute_fn=known)
        with at_one_draw("predicting with the model", self.model, values):
            trace = handlers.trace(valued).get_trace(*args, **kwargs)
        self._judge(trace, guide_trace)
        _check_shapes(trace, values, guided)
        return {name: jnp.asarray(trace[name]["value"]) for name in self._returned(trace, values)}

    def _guide_trace(
        self,
        values: dict[str, Any],
        params: dict[str, Any],
        key: jax.Array,
        args: Any,
        kwargs: dict,
    ) -> Trace:
        """Run the guide, if there is one."""
        if self.guide is None:
            return {}
        guide = handlers.substitute(self.guide, substitute_fn=self._known(values, params))
        # A counter that no site of the model has, so that the model's keys stay its own.
        seeded = handlers.seed(guide, rng_seed=jax.random.fold_in(key, 0xFFFFFFFF))
        with at_one_draw("predicting with the guide", self.guide, values):
            return handlers.trace(seeded).get_trace(*args, **kwargs)

    def _known(self, values: Mapping[str, Any], params: Mapping[str, Any]) -> SiteValue:
        """Return a function of sites: the value that is given for one, or None."""

        def value(site: Message) -> Any:
            name: Any = site["name"]
            if site["type"] == "param":
                given = values[name] if name in values else params.get(name)
                check_not_batched("Predictive", site, given)
                return given
            conditions = site["type"] == "sample" or self._keeps(site)
            return values.get(name) if conditions else None

        return value

    def _guides(self, site: Message) -> bool:
        """Whether the model takes the value of this site of the guide."""
        return is_latent(site) or self._keeps(site)

    def _keeps(self, site: Message) -> bool:
        """Whether a deterministic site keeps a value that is given."""
        return self.condition_deterministic and site["type"] == "deterministic"

    def _returned(self, trace: Trace, values: Mapping[str, Any]) -> Iterable[str]:
        if self.return_sites == "":
            return [name for name, site in trace.items() if site["type"] != "plate"]
        if self.return_sites is not None:
            return self.return_sites
        return [
            name
            for name, site in trace.items()
            if site["type"] == "deterministic" or (site["type"] == "sample" and name not in values)
        ]

    def _judge(self, trace: Trace, guide_trace: Trace) -> None:
        """Look for names that are no sites."""
        sites = [name for name, site in trace.items() if site["type"] != "plate"]
        unknown = [name for name in self.return_sites or () if name not in trace]
        if unknown:
            raise ValueError(
                f"Predictive: return_sites names {unknown}, which the model does not have when "
                f"called so; its sites are {sites}"
            )
        known = trace.keys() | guide_trace.keys()
        ignored = [name for name in self.draws.values if name not in known]
        if ignored:
            warnings.warn(
                f"Predictive: posterior_samples names {ignored}, which are no sites of the model "
                f"when called so and are ignored; its sites are {sites}",
                stacklevel=2,
            )


def _with_discrete_values(model: Model, key: jax.Array, value: SiteValue) -> Model:
    """Give a model's discrete sites values from their joint posterior at one draw of the others."""

    def run(*args: Any, **kwargs: Any) -> Any:
        marked = config_enumerate(handlers.substitute(model, substitute_fn=value))
        # A counter that no site of the model has, so that the model's keys stay its own.
        own_key = jax.random.fold_in(key, 0xFFFFFFFE)
        values = discrete_values(marked, args, kwargs, own_key)
        return handlers.substitute(model, data=values)(*args, **kwargs)

    return run


def _check_shapes(trace: Trace, values: Mapping[str, Any], guided: Container[str]) -> None:
    """Refuse values that a site took by broadcasting: they come from another model or plate."""
    for name in values.keys() & trace.keys():
        site = trace[name]
        if site["type"] != "sample":
            continue
        shape = site_shape(site)
        if jnp.shape(site["value"]) == shape:
            continue
        if name in guided:
            whose, remedy = "the guide's value", "Give it the same shape in the guide"
        else:
            whose = "a posterior draw"
            remedy = (
                "Leave it out of posterior_samples to have it drawn anew, or see whether "
                "batch_ndims is right"
            )
        raise ValueError(
            f"Predictive: {whose} of site {name!r} has shape {jnp.shape(site['value'])}, but the "
            f"site has shape {shape} in the model as it is called now. {remedy}"
        )


def _checked_names(return_sites: Any) -> Sequence[str] | None:
    if isinstance(return_sites, str) and return_sites != "":
        raise TypeError(
            f"Predictive: return_sites is a list of site names, got {return_sites!r}: write "
            f"[{return_sites!r}]"
        )
    if return_sites is None or return_sites == "":
        return return_sites
    # NumPyro's way to ask for nothing, a list of the empty name, stays possible.
    names: Any = list(return_sites) if isinstance(return_sites, Iterable) else [None]
    if not all(isinstance(name, str) for name in names):
        raise TypeError(f"Predictive: return_sites is a list of site names, got {return_sites!r}")
    return [name for name in names if name != ""]


def _conditions(condition: bool | None, exclude: bool | None) -> bool:
    if condition is not None and exclude is not None and condition == exclude:
        raise ValueError(
            f"Predictive: condition_deterministic={condition} contradicts "
            f"exclude_deterministic={exclude}; give one of them"
        )
    if condition is None and exclude is not None:
        condition = not exclude
    return bool(condition)
