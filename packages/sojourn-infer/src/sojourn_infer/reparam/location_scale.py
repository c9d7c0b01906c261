"""Non-centred and partially centred coordinates for families of location and scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_distributions import constraints
from sojourn_infer.reparam.strategy import Reparam, unwrap
from sojourn_primitives import param, sample


class LocScaleReparam(Reparam):
    """Take location and scale out of a site's distribution, wholly or in part.

    With ``c = centered``, the site ``name_decentered`` has location ``c loc`` and scale
    ``scale**c``, and the value is ``loc + scale**(1 - c) (name_decentered - c loc)``. At 0
    (non-centred) the new site knows nothing of location and scale; at 1 nothing changes.

    Parameters
    ----------
    centered : number, array or None
        Between 0 and 1. None makes it a parameter ``name_centered``, 0.5 unless something else sets
        it: `lift` with a prior on it, such as ``Uniform(0, 1)``, makes it a latent site.
    shape_params : sequence of str
        Names of further parameters of the distribution; they are kept.

    References
    ----------
    Gorinova, Moore and Hoffman 2020, "Automatic reparameterisation of probabilistic programs",
    ICML, §3.

    Examples
    --------
    >>> import sojourn_distributions as dist
    >>> from sojourn_infer.reparam import LocScaleReparam
    >>> from sojourn_primitives import handlers, sample
    >>> def model():
    ...     scale = sample("scale", dist.HalfNormal(1.0))
    ...     return sample("x", dist.Normal(3.0, scale))
    >>> noncentred = handlers.reparam(model, config={"x": LocScaleReparam(0)})
    >>> list(handlers.trace(handlers.seed(noncentred, 0)).get_trace())
    ['scale', 'x_decentered', 'x']
    """

    def __init__(self, centered: Any = None, shape_params: Sequence[str] = ()):
        if isinstance(centered, str) or isinstance(shape_params, str):
            raise TypeError(
                "LocScaleReparam: centered is a number and shape_params a list of names, got "
                f"centered={centered!r}, shape_params={shape_params!r}"
            )
        if isinstance(centered, (list, tuple)):
            centered = np.asarray(centered)
        if centered is not None and not isinstance(centered, jax.core.Tracer):
            between = np.logical_and(np.greater_equal(centered, 0), np.less_equal(centered, 1))
            if not np.all(between):
                raise ValueError(
                    f"LocScaleReparam: centered must lie between 0 and 1, got {centered}"
                )
        self.centered = centered
        self.shape_params = tuple(shape_params)

    def __call__(self, name: str, fn: Any, obs: Any) -> tuple[Any, Any]:
        """State ``name_decentered``; see `Reparam`."""
        self.check_latent(name, obs)
        inside, rewrap = unwrap(fn)
        kept = self._kept_parameters(name, fn, inside)
        if isinstance(self.centered, (int, float)) and self.centered == 1:
            return fn, obs
        loc, scale = inside.loc, inside.scale
        centered = self.centered
        if centered is None:
            half = jnp.full(inside.batch_shape, 0.5)
            centered = param(f"{name}_centered", half, constraint=constraints.unit_interval)
        new_loc, rest = centered * loc, scale ** (1 - centered)
        decentered = type(inside)(loc=new_loc, scale=scale**centered, **kept)
        value = sample(f"{name}_decentered", rewrap(decentered))
        return None, loc + rest * (value - new_loc)

    def _kept_parameters(self, name: str, fn: Any, inside: Any) -> dict[str, Any]:
        given = inside.get_args() if hasattr(inside, "get_args") else {}
        if "loc" not in given or "scale" not in given:
            raise ValueError(
                f"LocScaleReparam: the distribution of site {name!r}, {type(inside).__name__}, has "
                "no parameters loc and scale. TransformReparam is for transformed distributions, "
                "ExplicitReparam for any"
            )
        _, real = unwrapped_support(fn.support)
        if not real:
            raise ValueError(
                f"LocScaleReparam: site {name!r} has the support {fn.support}, but moving and "
                "stretching needs the real numbers. TransformReparam is for transformed "
                "distributions such as LogNormal"
            )
        others = [key for key in given if key not in ("loc", "scale")]
        unnamed = [key for key in others if key not in self.shape_params]
        unknown = [key for key in self.shape_params if key not in others]
        if unnamed or unknown:
            raise ValueError(
                f"LocScaleReparam: beside loc and scale, {type(inside).__name__} at site {name!r} "
                f"has the parameters {others}; shape_params={list(self.shape_params)} must name "
                "them"
            )
        return {key: given[key] for key in others}


def unwrapped_support(support: Any) -> tuple[Any, bool]:
    """Return the constraint of single elements, and whether it is that of the real numbers."""
    while hasattr(support, "base_constraint"):
        support = support.base_constraint
    return support, support == constraints.real
