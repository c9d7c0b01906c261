"""Draws as a DataTree with ArviZ's groups and names, for its summaries, comparisons and plots.

The names are those of ArviZ's schema, https://python.arviz.org/en/latest/schema. ArviZ is imported
here, when something is converted, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from sojourn_hmc._version import __version__
from sojourn_hmc.kernel import MCMCKernel
from sojourn_hmc.results import Results
from sojourn_hmc.variables import Variables, describe

STATISTICS = {
    "accept_prob": "acceptance_rate",
    "adapt_state.step_size": "step_size",
    "diverging": "diverging",
    "energy": "energy",
    "kernel_results.has_divergence": "diverging",
    "num_steps": "n_steps",
}
"""ArviZ's names of fields of our kernels' states; ``lp`` and ``tree_depth`` are computed."""

Values = Mapping[str, Any]


class Drawn(NamedTuple):
    """What was drawn, and from what.

    Attributes
    ----------
    kernel : MCMCKernel
        The kernel.
    args, kwargs
        What its model was called with.
    results : Results
        What there is of the sampling.
    warmup : Results
        What there is of the warmup.
    """

    kernel: MCMCKernel
    args: tuple
    kwargs: dict
    results: Results
    warmup: Results


def to_datatree(
    drawn: Drawn,
    *,
    log_likelihood: bool = False,
    posterior_predictive: Values | None = None,
    predictions: Values | None = None,
    prior: Values | None = None,
    constant_data: Values | None = None,
    predictions_constant_data: Values | None = None,
    coords: Values | None = None,
    dims: Mapping[str, Any] | None = None,
    pred_coords: Values | None = None,
    pred_dims: Mapping[str, Any] | None = None,
) -> Any:
    """Convert draws; `MCMC.to_datatree` describes the parameters."""
    base = _arviz_base()
    if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(drawn.results)):
        raise RuntimeError(
            "there are no numbers to convert while the run is traced: return get_samples() from "
            "the traced function"
        )
    known = describe(drawn.kernel, drawn.args, drawn.kwargs)
    groups: dict[str, dict[str, np.ndarray]] = {}
    for prefix, results in (("", drawn.results), ("warmup_", drawn.warmup)):
        if results.samples is not None:
            groups[f"{prefix}posterior"] = by_name(results.samples)
            fields = {**results.hidden_fields, **results.extra_fields}
            groups[f"{prefix}sample_stats"] = statistics(drawn.kernel, fields)
    posterior = groups.get("posterior", groups.get("warmup_posterior", {}))
    if log_likelihood:
        groups["log_likelihood"] = _log_likelihood(known, drawn.results)
    for name, given in (
        ("posterior_predictive", posterior_predictive),
        ("predictions", predictions),
    ):
        if given is not None:
            groups[name] = _as_drawn(name, given, drawn.results)
    if prior is not None:
        groups |= _prior(prior, posterior)
    for name, data in (
        ("observed_data", known.observed),
        ("constant_data", constant_data),
        ("predictions_constant_data", predictions_constant_data),
    ):
        if data:
            groups[name] = {key: _numpy(value) for key, value in data.items()}
    named = _that_fit({**known.dims, **(dims or {})}, groups)
    _check_coords(coords or {}, named, groups)
    attributes = {"inference_library": "sojourn", "inference_library_version": __version__}
    return base.from_dict(
        groups,
        save_warmup=True,
        coords=dict(coords or {}),
        dims=named,
        pred_coords=dict(pred_coords or {}),
        pred_dims=named if pred_dims is None else dict(pred_dims),
        attrs={"/": attributes, **dict.fromkeys(groups, attributes)},
    )


def by_name(samples: Any) -> dict[str, np.ndarray]:
    """Samples by name, whatever pytree they are: parts without a name are ``Param:0`` and so on.

    Examples
    --------
    >>> list(by_name({"a": np.zeros(3), "b": {"c": np.zeros(3)}})), list(by_name(np.zeros(3)))
    (['a', 'b.c'], ['Param:0'])
    """
    if hasattr(samples, "_asdict"):
        samples = samples._asdict()
    if not isinstance(samples, Mapping):
        return {f"Param:{i}": _numpy(leaf) for i, leaf in enumerate(jax.tree.leaves(samples))}
    named: dict[str, np.ndarray] = {}
    for name, value in samples.items():
        if not jax.tree_util.all_leaves([value]):
            named |= {f"{name}.{inner}": leaf for inner, leaf in by_name(value).items()}
        else:
            named[str(name)] = _numpy(value)
    return named


def statistics(kernel: MCMCKernel, fields: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Collected fields of a kernel's state under ArviZ's names.

    ``lp`` is the log density, so that it has the opposite sign of ``potential_energy``. A tree of
    NUTS that made ``n`` leapfrog steps was doubled ``floor(log2 n) + 1`` times.
    """
    # Compositions keep the state of HMC among their own.
    named = by_name({name.removeprefix("hmc_state."): value for name, value in fields.items()})
    named = {STATISTICS.get(name, name): value for name, value in named.items()}
    if "potential_energy" in named:
        named["lp"] = -named.pop("potential_energy")
    if hasattr(kernel, "max_tree_depth") and "n_steps" in named:
        named["tree_depth"] = np.frexp(named["n_steps"])[1].astype(int)
    return named


def _arviz_base() -> Any:
    try:
        import arviz_base
    except ImportError as error:
        if error.name != "arviz_base":
            raise
        raise ImportError(
            "arviz_base is not installed: pip install 'sojourn[arviz]'", name="arviz_base"
        ) from error
    return arviz_base


def _log_likelihood(known: Variables, results: Results) -> dict[str, np.ndarray]:
    if known.log_likelihood is None:
        raise ValueError(
            "log_likelihood=True needs a model with observed sites; a kernel on potential_fn knows "
            "the density of a position only"
        )
    if results.samples is None:
        raise ValueError("log_likelihood=True needs draws of the posterior: call run() first")
    return by_name(known.log_likelihood(results.samples))


def _as_drawn(group: str, given: Values, results: Results) -> dict[str, np.ndarray]:
    """Values for every draw, in chains."""
    if results.samples is None:
        raise ValueError(f"{group} needs draws of the posterior to stand beside: call run() first")
    drawn = jax.tree.leaves((results.samples, results.extra_fields, results.hidden_fields))
    values = _not_empty(given)
    if not drawn:
        return values
    shape = np.shape(drawn[0])[:2]
    for name, value in values.items():
        array = value
        if array.shape[:1] == (shape[0] * shape[1],) and array.shape[:2] != shape:
            array = array.reshape(*shape, *array.shape[1:])
        if array.shape[:2] != shape:
            raise ValueError(
                f"{group}[{name!r}] has shape {value.shape}, but its first axes must be the "
                f"draws: {shape[0] * shape[1]}, or {shape} in chains"
            )
        values[name] = array
    return values


def _prior(prior: Values, posterior: Values) -> dict[str, dict[str, np.ndarray]]:
    """One chain of prior draws: of what is in the posterior, and of what is predicted."""
    groups: dict[str, dict[str, np.ndarray]] = {}
    for name, value in _not_empty(prior).items():
        group = "prior" if name in posterior else "prior_predictive"
        groups.setdefault(group, {})[name] = value[None]
    return groups


def _not_empty(values: Values) -> dict[str, np.ndarray]:
    """Without what has no numbers, such as the values of factors."""
    arrays = {name: _numpy(value) for name, value in values.items()}
    return {name: array for name, array in arrays.items() if array.size > 0}


def _that_fit(
    dims: Mapping[str, Sequence], groups: Mapping[str, Mapping[str, np.ndarray]]
) -> dict[str, list]:
    """Names of axes of the variables that there are, as lists."""
    most: dict[str, int] = {}
    for group, values in groups.items():
        for name, value in values.items():
            most[name] = max(most.get(name, 0), value.ndim - (0 if "data" in group else 2))
    for name, axes in dims.items():
        if name in most and len(axes) > most[name]:
            raise ValueError(
                f"dims[{name!r}] names {len(axes)} axes, {axes}, but the variable has {most[name]}"
            )
    return {name: list(axes) for name, axes in dims.items() if name in most}


def _check_coords(
    coords: Values, dims: Mapping[str, list], groups: Mapping[str, Mapping[str, np.ndarray]]
) -> None:
    for group, values in groups.items():
        if group.startswith("predictions"):
            continue
        for name, value in values.items():
            shape = value.shape if "data" in group else value.shape[2:]
            for axis, size in zip(dims.get(name, []), shape, strict=False):
                if axis in coords and len(coords[axis]) != size and group != "log_likelihood":
                    raise ValueError(
                        f"coords[{axis!r}] has {len(coords[axis])} labels, but that axis of "
                        f"{name!r} in {group} has length {size}"
                    )


def _numpy(value: Any) -> np.ndarray:
    if isinstance(value, jax.Array) and jax.dtypes.issubdtype(value.dtype, jax.dtypes.prng_key):
        value = jax.random.key_data(value)
    return np.asarray(value)
