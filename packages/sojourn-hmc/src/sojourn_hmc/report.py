"""The short report on a run: what is wrong with it, where, and what to do.

Limits are those of Vehtari, Gelman, Simpson, Carpenter, Bürkner 2021 (R-hat 1.01, an effective
sample size of 100 for each chain), held against what a run of its length can show.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from sojourn_hmc.diagnostics import ess_bulk, ess_tail, named_leaves, rhat
from sojourn_hmc.problems import LEAST_DRAWS, listed
from sojourn_hmc.screening import chi_square_quantile, screen

HIGH_R_HAT = 1.01
LOW_ESS = 100
SHORT_RUN_SHARE = 0.1
LEAST_DRAWS_TO_MIX = 400  # of shorter chains, R-hat and effective sample size are mostly noise
NORMAL_QUANTILE = 3.7  # of 0.9999: noise of R-hat that is passed over
MOST_EXAMINED = 50


class Component(NamedTuple):
    """One scalar component of a site.

    Attributes
    ----------
    label : str
        Name of the site, with an index unless it is a scalar.
    draws : ndarray
        ``(chains, draws)``.
    """

    label: str
    draws: np.ndarray


def report(samples: Any, unconstrained: Any, problems: Sequence[str]) -> str:
    """Describe what is wrong with a run, a line for each problem; an empty text if nothing is.

    Whether chains have mixed is judged if they have 400 kept draws or more, whether they move if
    they have 100. Of chains with fewer than 1000 draws an effective sample size of a tenth of the
    draws is asked for, in place of 100. An R-hat above 1.01 counts if it is more than noise at the
    effective sample size explains, or if that is too low itself.

    Parameters
    ----------
    samples : pytree
        What a user reads, ``(chains, draws, ...)``; an empty one is not judged.
    unconstrained : pytree
        The sample field of the states, for chains that never move.
    problems : sequence of str
        What the kernel finds.

    Examples
    --------
    >>> good = {"x": np.random.default_rng(0).normal(size=(2, 500))}
    >>> report(good, good, [])
    ''
    """
    return "\n".join([*problems, *_stuck_chains(unconstrained), *_mixing(samples)])


def _judged(samples: Any, least_draws: int) -> list[tuple[str, np.ndarray]]:
    """Sites with draws that can be judged."""
    leaves = [(name, np.asarray(leaf)) for name, leaf in named_leaves(samples).items()]
    return [
        (name, leaf)
        for name, leaf in leaves
        if leaf.ndim >= 2
        and leaf.size > 0
        and leaf.shape[1] >= least_draws
        and leaf.dtype.kind in "fiub"
    ]


def _stuck_chains(unconstrained: Any) -> list[str]:
    sites = [leaf for _, leaf in _judged(unconstrained, LEAST_DRAWS)]
    if not sites:
        return []
    stuck = [
        f"chain {chain}"
        for chain in range(sites[0].shape[0])
        if not any(_moves(leaf[chain]) for leaf in sites)
    ]
    if not stuck:
        return []
    return [
        f"{listed(stuck)} of {sites[0].shape[0]} never moved: every proposal was rejected. Try "
        "other initial values, a smaller step size, or a longer warmup, and look for draws where "
        "the density is infinite or NaN"
    ]


def _moves(draws: np.ndarray) -> bool:
    if np.any(draws[0] != draws[-1]):
        return True
    return bool(np.any(draws != draws[0]))


def _mixing(samples: Any) -> list[str]:
    judged = _judged(samples, LEAST_DRAWS_TO_MIX)
    if not judged:
        return []
    num_chains, num_draws = judged[0][1].shape[:2]
    least_ess = num_chains * min(LOW_ESS, SHORT_RUN_SHARE * num_draws)
    doubtful: list[tuple[float, Component]] = []
    not_finite: list[str] = []
    for name, leaf in judged:
        flat = leaf.reshape(*leaf.shape[:2], -1)
        suspects = screen(flat, least_ess)
        not_finite += [_label(name, leaf.shape[2:], k) for k in suspects.not_finite]
        doubtful += [
            (ess, Component(_label(name, leaf.shape[2:], k), flat[:, :, k]))
            for k, ess in zip(suspects.doubtful[:MOST_EXAMINED], suspects.ess, strict=False)
        ]
    lines = []
    if not_finite:
        lines.append(
            f"draws of {listed(not_finite)} are infinite or NaN: values leave the range of their "
            "type. Try double precision, or priors that hold them back"
        )
    if doubtful:
        doubtful.sort(key=lambda entry: entry[0])
        lines += _examine([component for _, component in doubtful[:MOST_EXAMINED]], least_ess)
    return lines


def _examine(components: list[Component], least_ess: float) -> list[str]:
    """Compute the statistics of components, and say which are out of bounds."""
    labels = [component.label for component in components]
    draws = np.stack([component.draws for component in components], 2)
    num_chains = draws.shape[0]
    bulk, tail, r_hat = ess_bulk(draws), ess_tail(draws), rhat(draws)
    low = np.fmin(bulk, tail) < least_ess
    # The means of half chains vary by the variance over their effective size.
    degrees = 2 * num_chains - 1
    quantile = chi_square_quantile(degrees, NORMAL_QUANTILE) / degrees
    noise = np.sqrt(1 + quantile * 2 * num_chains / np.fmin(bulk, tail))
    high = (r_hat > HIGH_R_HAT) & (low | (r_hat > noise))
    lines = []
    if high.any():
        worst = np.argsort(-np.where(high, r_hat, -np.inf))[: high.sum()]
        lines.append(
            f"R-hat is above {HIGH_R_HAT} ({listed([f'{labels[k]} {r_hat[k]:.2f}' for k in worst])}"
            "): chains have not come to the same distribution. Run a longer warmup and more draws; "
            "if it stays, look for several modes, for parameters that the data do not identify, "
            "or reparameterise"
        )
    if low.any():
        size = np.fmin(bulk, tail)
        worst = np.argsort(np.where(low, size, np.inf))[: low.sum()]
        lines.append(
            f"the effective sample size is below {least_ess:.0f} in bulk or tail "
            f"({listed([f'{labels[k]} {size[k]:.0f}' for k in worst])}): means and quantiles are "
            "unreliable. Draw more, or reparameterise what is strongly correlated "
            "(dense_mass=True for a few parameters)"
        )
    return lines


def _label(name: str, shape: tuple[int, ...], component: int) -> str:
    index = ",".join(str(i) for i in np.unravel_index(component, shape))
    return f"{name}[{index}]" if index else name
