"""What the fields of a kernel's state tell of a run, in sentences that name a remedy.

A kernel calls these in `MCMCKernel.find_problems`, each with fields that it has asked for.
"""

from __future__ import annotations

import numpy as np

LOW_E_BFMI = 0.3
"""Betancourt 2016, "Diagnosing suboptimal cotangent disintegrations"; the value is Stan's."""
SATURATED_SHARE = 0.01
LEAST_DRAWS = 100
"""Draws of a chain below which nothing is concluded from how its draws vary."""


def divergences(diverging: np.ndarray) -> list[str]:
    """Say how many transitions diverged.

    Parameters
    ----------
    diverging : ndarray
        Whether each transition diverged, ``(chains, draws)``.

    Examples
    --------
    >>> divergences(np.array([[False, True], [False, False]]))[0][:40]
    '1 of 4 transitions diverged (25%): the d'
    """
    count = int(np.sum(diverging))
    if count == 0:
        return []
    share = np.format_float_positional(100 * count / diverging.size, 2, fractional=False, trim="-")
    return [
        f"{count} of {diverging.size} transitions diverged ({share}%): the draws miss regions of "
        "high curvature. Try a higher target_accept_prob (0.95, 0.99), a reparameterisation "
        "(non-centred), or tighter priors"
    ]


def saturated_trees(num_steps: np.ndarray, max_tree_depth: int) -> list[str]:
    """Say in how many transitions NUTS stopped at its greatest depth, from one in a hundred on.

    Parameters
    ----------
    num_steps : ndarray
        Leapfrog steps of each transition, ``(chains, draws)``.
    max_tree_depth : int
        The greatest depth; a tree that has it took ``2**max_tree_depth - 1`` steps.

    Examples
    --------
    >>> saturated_trees(np.array([[7, 3], [7, 1]]), 3)[0][:51]
    '2 of 4 trajectories reached the largest tree, of de'
    """
    count = int(np.sum(num_steps >= 2**max_tree_depth - 1))
    if count < SATURATED_SHARE * num_steps.size or count == 0:
        return []
    return [
        f"{count} of {num_steps.size} trajectories reached the largest tree, of depth "
        f"{max_tree_depth} ({2**max_tree_depth - 1} steps), before they turned back: valid, but "
        "slow. Bring the parameters to like scales or sample them with dense_mass=True; then "
        "raise max_tree_depth"
    ]


def low_energy_information(energy: np.ndarray) -> list[str]:
    """Name the chains whose E-BFMI is below 0.3.

    Parameters
    ----------
    energy : ndarray
        Total energy of each transition, ``(chains, draws)``; fewer than 100 draws tell nothing.
    """
    if energy.shape[1] < LEAST_DRAWS:
        return []
    fractions = energy_information(energy)
    low = [
        f"chain {chain} {fraction:.2f}"
        for chain, fraction in enumerate(fractions)
        if fraction < LOW_E_BFMI
    ]
    if not low:
        return []
    return [
        f"E-BFMI is below {LOW_E_BFMI} ({listed(low)}): energies change too slowly for the tails "
        "to be explored. Reparameterise what has heavy tails or a scale that others depend on "
        "(non-centred)"
    ]


def energy_information(energy: np.ndarray) -> np.ndarray:
    """Estimated Bayesian fraction of missing information (E-BFMI) of each chain.

    The mean square of the change of energy from draw to draw, over the variance of the energy
    (Betancourt 2016, §3.2).

    Parameters
    ----------
    energy : ndarray
        Total energy of each transition, ``(chains, draws)``.

    Returns
    -------
    ndarray
        ``(chains,)``; NaN where the energy never changes.
    """
    energy = np.asarray(energy, float)
    centred = energy - energy.mean(1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.square(np.diff(energy, axis=1)).sum(1) / np.square(centred).sum(1)


def undefined_values(computed: dict[str, np.ndarray]) -> list[str]:
    """Name the sites computed from others that are NaN in some draws.

    Parameters
    ----------
    computed : dict of str to ndarray
        Draws ``(chains, draws, ...)`` by site. Infinite ones may be meant, as log densities are.

    Examples
    --------
    >>> undefined_values({"ratio": np.array([[1.0, np.nan]])})[0][:48]
    "deterministic sites are NaN: 'ratio' in 1 of 2 d"
    """
    found = []
    for name, draws in computed.items():
        if draws.dtype.kind != "f" or not draws.size:
            continue
        bad = np.isnan(draws).reshape(draws.shape[0] * draws.shape[1], -1).any(1)
        if bad.any():
            found.append(f"{name!r} in {int(bad.sum())} of {bad.size} draws")
    if not found:
        return []
    return [
        f"deterministic sites are NaN: {listed(found)}. The draws of the others are not touched; "
        "look for logarithms and roots of negative numbers and for 0 / 0 in what is recorded"
    ]


def listed(names: list[str], most: int = 3) -> str:
    """Join the first few of ``names`` and count the others."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
