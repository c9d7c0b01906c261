"""What a model with subsampled plates, and a reference for it, must be like; errors say what to do.

Each function looks at an abstract trace, before anything is compiled.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from sojourn_gibbs.ecs.likelihood import Plates, is_term, plates_around
from sojourn_infer.sites import latent_sites
from sojourn_primitives import Message, Trace


def require_subsamples(trace: Trace, plates: Plates, num_blocks: int) -> None:
    """Raise a ValueError unless plates subsample, and every subsample fills the blocks."""
    if not plates:
        whole = [name for name, site in trace.items() if site["type"] == "plate"]
        raise ValueError(
            f"HMCECS: no plate of the model subsamples (plates: {whole}). Give the plate of the "
            "data a size below its own, plate(name, size, subsample_size=...), and take the data "
            "through subsample(data, event_dim=...); or sample with the inner kernel alone"
        )
    for name, plate in plates.items():
        if num_blocks > plate.subsample_size:
            raise ValueError(
                f"HMCECS: num_blocks={num_blocks}, but the subsample of plate {name!r} has only "
                f"{plate.subsample_size} indices. Choose at most as many blocks as indices"
            )


def require_terms(trace: Trace, plates: Plates) -> None:
    """Raise a ValueError unless the likelihood is a sum of terms in continuous global variables."""
    for name, site in latent_sites(trace).items():
        if site["fn"].support.is_discrete:
            raise ValueError(
                f"HMCECS with a proxy: latent site {name!r} is discrete, and a Taylor expansion "
                "needs continuous ones. Leave out the proxy and sum the site out with infer="
                "{'enumerate': 'parallel'}, or write the likelihood without it"
            )
    for name, site in latent_sites(trace).items():
        for plate in plates_around(site, plates):
            raise ValueError(
                f"HMCECS with a proxy: latent site {name!r} stands in the subsampled plate "
                f"{plate!r}, so each datum has a variable of its own, and the expansion about one "
                "reference does not hold. Move the site out of the plate, integrate it out, or do "
                "not subsample"
            )
    data = {
        name: plates_around(site, plates) for name, site in trace.items() if is_term(site, plates)
    }
    for name, around in data.items():
        if len(around) > 1:
            raise ValueError(
                f"HMCECS with a proxy: observed site {name!r} stands in the subsampled plates "
                f"{list(around)}, and a difference estimator sums over one. Subsample one of them"
            )
    for plate in plates:
        if not any(plate in around for around in data.values()):
            raise ValueError(
                f"HMCECS with a proxy: nothing is observed in the subsampled plate {plate!r}, so "
                "there is nothing to estimate. Put the observed site into it, or do not subsample"
            )


def require_reference(trace: Trace, reference: Mapping[str, Any]) -> None:
    """Raise unless a reference has a value for each latent site, of its shape and in its support.

    Deterministic sites may be there too, as they are among samples; they are not looked at.
    """
    latent = latent_sites(trace)
    expected = {name: np.shape(site["value"]) for name, site in latent.items()}
    computed = {name for name, site in trace.items() if site["type"] == "deterministic"}
    missing = expected.keys() - reference.keys()
    unknown = reference.keys() - expected.keys() - computed
    if missing or unknown:
        raise ValueError(
            f"taylor_proxy: reference_params: missing sites {sorted(missing)}, unknown sites "
            f"{sorted(unknown)}; the latent sites and their shapes are {expected}"
        )
    for name, site in latent.items():
        value = np.asarray(reference[name])
        if value.dtype.kind not in "biuf":
            raise TypeError(
                f"taylor_proxy: reference_params[{name!r}] must be numbers, got {value!r}"
            )
        if value.shape != expected[name]:
            raise ValueError(
                f"taylor_proxy: reference_params[{name!r}] has shape {value.shape}, but the site's "
                f"(constrained) value has shape {expected[name]}"
            )
        _check_support(name, site, value)


def _check_support(name: str, site: Message, value: np.ndarray) -> None:
    inside = site["fn"].support(value)
    if isinstance(inside, jax.core.Tracer):
        return  # the support depends on other sites: the start is looked at later
    if not np.all(inside) or not np.all(np.isfinite(value)):
        raise ValueError(
            f"taylor_proxy: reference_params[{name!r}] is not in the site's support "
            f"{site['fn'].support}: got {value}. Give values in the model's own (constrained) space"
        )
