"""What a composition has to know of its blocks and their sites, found while it is traced."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sojourn_gibbs.custom_gibbs import CustomGibbs
from sojourn_gibbs.latents import Latents
from sojourn_hmc import BarkerMH, HamiltonianKernel, MCMCKernel

GRADIENT_KERNELS = (HamiltonianKernel, BarkerMH)


class Plan(NamedTuple):
    """The blocks of a composition on a model with its arguments.

    Attributes
    ----------
    shares : tuple of tuple of str
        Names of the sites of each block.
    unconstrained : frozenset of str
        Sites that their block keeps unconstrained.
    custom : tuple of str
        Sites that a function of the user moves.
    carried : frozenset of str
        Sites kept unconstrained whose support depends on a site of another block: when that moves,
        their value stays and their unconstrained value changes.
    """

    shares: tuple[tuple[str, ...], ...]
    unconstrained: frozenset[str]
    custom: tuple[str, ...]
    carried: frozenset[str]


def make_plan(
    kernels: Sequence[MCMCKernel], shares: tuple[tuple[str, ...], ...], latents: Latents
) -> Plan:
    """Find out how each site is kept and what its support depends on."""
    unconstrained: set[str] = set()
    carried: set[str] = set()
    custom: list[str] = []
    for kernel, names in zip(kernels, shares, strict=True):
        if isinstance(kernel, CustomGibbs):
            custom += names
            continue
        for name in names:
            site = latents.sites[name]
            if not site.is_discrete:
                unconstrained.add(name)
                if set(site.depends_on) - set(names):
                    carried.add(name)
    return Plan(shares, frozenset(unconstrained), tuple(custom), frozenset(carried))


def check_supports(kernels: Sequence[MCMCKernel], plan: Plan, latents: Latents) -> None:
    """Raise where a kernel cannot move on the support of one of its sites."""
    for kernel, names in zip(kernels, plan.shares, strict=True):
        discrete = [name for name in names if latents.sites[name].is_discrete]
        if discrete and isinstance(kernel, GRADIENT_KERNELS):
            raise ValueError(
                f"{type(kernel).__name__} moves continuous sites only, but {discrete} are "
                "discrete: give them to a block with DiscreteGibbs, or mark them "
                "infer={'enumerate': 'parallel'} to have them summed out"
            )
        moving = sorted(plan.carried.intersection(names))
        if moving and not isinstance(kernel, GRADIENT_KERNELS):
            on = sorted({other for n in moving for other in latents.sites[n].depends_on})
            raise ValueError(
                f"the support of {moving} depends on {on}, which another block moves, and "
                f"{type(kernel).__name__} cannot carry its state over: put them into one block, or "
                "sample a variable of fixed support and compute the site from it"
            )
