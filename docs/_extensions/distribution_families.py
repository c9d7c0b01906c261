"""Which public distributions there are, and on which page of the documentation each stands."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import plot_settings

import sojourn_distributions as dist


class Family(NamedTuple):
    """A page of distributions: the name of its file, its title, and a sentence on top."""

    page: str
    title: str
    introduction: str


FAMILIES = (
    Family("real-line", "On the real line", "Continuous distributions of any real number."),
    Family("half-line", "On a half line", "Continuous distributions bounded on one side."),
    Family("interval", "On an interval", "Continuous distributions bounded on both sides."),
    Family("discrete", "Counts and categories", "Distributions of integers."),
    Family("multivariate", "Vectors and matrices", "Distributions whose event is an array."),
    Family("directional", "Angles and directions", "Distributions on circles, tori and spheres."),
    Family("time-series", "Time series", "Distributions of a sequence, one value a step."),
    Family(
        "composed",
        "Composed of others",
        "Distributions made of other distributions, and those without parameters of a density.",
    ),
)

# Parameters that are distributions, and those that only sequences have.
_PARTS = {
    "base_dist",
    "base_distribution",
    "component_distribution",
    "component_distributions",
    "marginal_dist",
}
_STEPS = {"num_steps", "t"}
_COMPOSED = {"censored", "distribution", "hurdle", "improper", "mixture", "transformed"}


def public() -> dict[str, Callable[..., Any]]:
    """Every public distribution by name: the classes, and the functions that choose one."""
    values = {name: getattr(dist, name) for name in sorted(set(dist.__all__))}
    return {
        name: value
        for name, value in values.items()
        if (issubclass(value, dist.Distribution) if inspect.isclass(value) else name[0].isupper())
    }


def variants(name: str) -> list[str]:
    """Other parametrizations of a distribution, which are described with it."""
    stem = name.removesuffix("Distribution")
    names = [stem + suffix for suffix in ("Probs", "Logits")]
    return [each for each in names if each in public() and each != name]


def headings() -> list[str]:
    """Public distributions that have a section of their own."""
    described_elsewhere = {variant for name in public() for variant in variants(name)}
    return [name for name in public() if name not in described_elsewhere]


def family_of(name: str) -> str | None:
    """Name of the page that a public distribution belongs to, or None if nothing tells."""
    made = public()[name]
    parameters = set(inspect.signature(made).parameters)
    package = made.__module__.split(".")[1]
    if parameters & _STEPS:
        return "time-series"
    if package in {"directional", "multivariate"}:
        return package
    if parameters & _PARTS or package in _COMPOSED:
        return "composed"
    if package == "discrete":
        return package
    if package == "continuous":
        return _by_bounds(support_of(name))
    return None


def support_of(name: str) -> Any:
    """Support of a distribution: the class's, or where that depends on parameters, an example's."""
    made = public()[name]
    support = getattr(made, "support", None)
    if isinstance(support, dist.constraints.Constraint) and not dist.constraints.is_dependent(
        support
    ):
        return support
    examples = plot_settings.examples(name)
    return examples[0].support if examples else None


def _by_bounds(support: Any) -> str | None:
    if support is None:
        return None
    number = sum(hasattr(support, bound) for bound in ("lower_bound", "upper_bound"))
    return ("real-line", "half-line", "interval")[number]


def pages() -> dict[str, list[str]]:
    """Distributions with a section of their own, by page.

    Raises
    ------
    LookupError
        If a public distribution has no page.
    """
    found: dict[str, list[str]] = {family.page: [] for family in FAMILIES}
    for name in headings():
        page = family_of(name)
        if page is None:
            raise LookupError(
                f"{name} is on no page of the documentation: give it an example in "
                "docs/_extensions/plot_settings.py, or tell distribution_families.py its package"
            )
        found[page].append(name)
    return found
