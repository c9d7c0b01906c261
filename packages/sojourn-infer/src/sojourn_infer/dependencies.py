"""Which random variables depend on which, before and after data are seen."""

from __future__ import annotations

from typing import Any

from sojourn_infer.sites import Model, abstract_trace, check_arguments
from sojourn_primitives import Trace, get_model_relations

Dependencies = dict[str, dict[str, set[str]]]


def get_dependencies(
    model: Model, model_args: tuple | None = None, model_kwargs: dict | None = None
) -> dict[str, Dependencies]:
    """Return the dependencies of a conditioned model's sites, in the prior and in the posterior.

    Deterministic sites, and sites with a `Delta` distribution, are passed through.

    Parameters
    ----------
    model : Callable
        The model.
    model_args, model_kwargs
        Its arguments; what is observed for these counts as data.

    Returns
    -------
    dict
        ``"prior_dependencies"`` maps each site to itself and the latent sites that its distribution
        is computed from, in the order of the model. ``"posterior_dependencies"`` maps each latent
        site to itself, to the sites that it is a parent of, and to the later latent sites with
        which it shares a child, because a child that is known couples its parents. The values are
        sets of plates: those whose elements depend on each other all, not one by one.

    Notes
    -----
    Found in the traced program, without numbers. Coupling of parents is the moralization of Webb
    et al. 2018, "Faithful inversion of generative models for effective amortized inference".
    Unlike NumPyro 0.22, what depends on a latent site through a `Delta` site keeps its dependency.

    Examples
    --------
    >>> import sojourn_distributions as dist
    >>> from sojourn_infer import get_dependencies
    >>> from sojourn_primitives import plate, sample
    >>> def model():
    ...     with plate("p", 5):
    ...         a = sample("a", dist.Normal(0.0, 1.0))
    ...     sample("b", dist.Normal(a.sum(), 1.0), obs=0.0)
    >>> get_dependencies(model)["posterior_dependencies"]
    {'a': {'a': {'p'}, 'b': set()}}
    """
    args = () if model_args is None else model_args
    kwargs = {} if model_kwargs is None else model_kwargs
    check_arguments("get_dependencies", args, kwargs)
    relations = get_model_relations(model, args, kwargs)
    trace = abstract_trace(model, args, kwargs, lambda site: None, lambda trace: None)
    names = [name for name in relations["sample_sample"] if _is_random(name, relations)]
    observed = set(relations["observed"])
    latent = [name for name in names if name not in observed]
    prior: Dependencies = {}
    for name in names:
        upstream = _parents(name, relations)
        prior[name] = {other: set() for other in latent if other in upstream}
        prior[name][name] = set()
    posterior: Dependencies = {name: {name: set()} for name in latent}
    for child, parents in prior.items():
        for parent in parents:
            if parent in posterior:
                posterior[parent].setdefault(child, set())
        _couple(child, [name for name in parents if name in posterior], posterior, trace)
    order = {name: position for position, name in enumerate(names)}
    return {
        "prior_dependencies": prior,
        "posterior_dependencies": {
            name: dict(sorted(others.items(), key=lambda entry: order[entry[0]]))
            for name, others in posterior.items()
        },
    }


def _is_random(name: str, relations: dict[str, Any]) -> bool:
    return relations["sample_dist"][name] not in ("Delta", "Deterministic")


def _parents(name: str, relations: dict[str, Any]) -> set[str]:
    """Random sites that a site's distribution is computed from, through others that are not."""
    found: set[str] = set()
    for other in relations["sample_sample"][name]:
        if other == name:
            continue
        found |= {other} if _is_random(other, relations) else _parents(other, relations)
    return found


def _couple(child: str, parents: list[str], posterior: Dependencies, trace: Trace) -> None:
    """Let parents of a child depend on each other, fully in plates that the child is not in."""
    inside = _plates(trace, child)
    for position, earlier in enumerate(parents):
        for later in parents[position:]:
            summed = (_plates(trace, earlier) & _plates(trace, later)) - inside
            posterior[earlier].setdefault(later, set()).update(summed)


def _plates(trace: Trace, name: str) -> set[str]:
    return {frame.name for frame in trace[name]["cond_indep_stack"]}
