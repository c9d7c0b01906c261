"""A quick look at all components of the draws, for those that deserve a thorough one.

The statistics of `sojourn_hmc.diagnostics` take milliseconds a component, and their library takes
longer to import than many a run. Here batch means give, in a few passes of NumPy over all
components at once, rough values of the same: an effective sample size, and whether the halves of
the chains differ by more than their batches explain (an analysis of variance). Both are computed
for the draws, squeezed into (-1, 1) so that heavy tails do not matter, and for their distances from
the centre, where chains of unlike scales differ (Vehtari et al. 2021, §3, with ranks).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

BLOCK_NUMBERS = 1 << 18  # of components that are looked at together: their copies stay in cache
MARGIN = 1.5  # what is suspicious with respect to the limit on the effective sample size
SUSPICIOUS_R_HAT = 1.008
NORMAL_QUANTILE = 3.09  # of 0.999
ROUNDING = 1e-6  # of the variance of numbers that are all the same
CENTRE_DRAWS = 256  # as many tell centre and scale well enough


class Suspects(NamedTuple):
    """Components, as indices into the last axis of the draws.

    Attributes
    ----------
    doubtful : ndarray
        Those that a thorough look may find fault with, the smallest effective sample size first.
    ess : ndarray
        Their rough effective sample sizes.
    not_finite : ndarray
        Those with draws that are infinite or NaN.
    """

    doubtful: np.ndarray
    ess: np.ndarray
    not_finite: np.ndarray


def screen(draws: np.ndarray, least_ess: float) -> Suspects:
    """Find the components of ``draws`` that may have mixed badly.

    Parameters
    ----------
    draws : ndarray
        ``(chains, draws, components)``, a hundred draws or more.
    least_ess : float
        Effective sample size of all chains together that is asked for.

    Examples
    --------
    >>> good = np.random.default_rng(0).normal(size=(4, 500, 3))
    >>> bad = good.copy()
    >>> bad[0, :, 1] += 1
    >>> screen(good, 200.0).doubtful.tolist(), screen(bad, 200.0).doubtful.tolist()
    ([], [1])
    """
    size = draws.shape[0] * draws.shape[1]
    width = max(1, BLOCK_NUMBERS // size)
    ess = np.empty(draws.shape[2])
    apart = np.empty(draws.shape[2], bool)
    for first in range(0, draws.shape[2], width):
        block = slice(first, first + width)
        ess[block], apart[block] = _screen_block(draws[:, :, block])
    doubtful = np.flatnonzero((ess < MARGIN * least_ess) | apart)
    doubtful = doubtful[np.argsort(ess[doubtful])]
    return Suspects(doubtful, ess[doubtful], np.flatnonzero(np.isnan(ess)))


def _screen_block(draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Effective sample sizes of components, and whether halves of their chains differ.

    The size is NaN where draws are not finite, and infinite where they never change.
    """
    num_chains, num_draws, _ = draws.shape
    if draws.dtype.kind != "f":
        draws = draws.astype(float)
    num_batches = 2 * (min(max(num_draws // 20, 10), 50) // 2)
    length = num_draws // num_batches
    with np.errstate(all="ignore"):
        squeezed = _squeeze(draws)[:, num_draws - num_batches * length :]
        batches = squeezed.reshape(num_chains, num_batches, length, -1)
        squares = np.einsum("cbik,cbik->cbk", batches, batches).mean((0, 1), dtype=float) / length
        found = [
            _compare(means.mean(2).astype(float), squares) for means in (batches, np.abs(batches))
        ]
    ess = np.minimum(found[0][0], found[1][0])
    return ess, (found[0][1] | found[1][1]) & np.isfinite(ess)


def _squeeze(draws: np.ndarray) -> np.ndarray:
    """Map draws monotonically into (-1, 1), with the middle half between -1/2 and 1/2."""
    stride = max(1, draws.shape[0] * draws.shape[1] // CENTRE_DRAWS)
    some = draws[:, ::stride].reshape(-1, draws.shape[2])
    centre = np.median(some, 0)
    scale = np.median(np.abs(some - centre), 0)
    scale = np.where(scale > 0, scale, np.abs(some - centre).mean(0))
    squeezed = draws - centre.astype(draws.dtype)
    squeezed /= np.where(scale > 0, scale, 1).astype(draws.dtype)
    squeezed /= 1 + np.abs(squeezed)
    return squeezed


def _compare(means: np.ndarray, squares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Judge components by their batch means ``(chains, batches, components)`` and mean squares."""
    num_chains, num_batches, _ = means.shape
    halves = means.reshape(2 * num_chains, num_batches // 2, -1)
    variance = squares - np.square(means.mean((0, 1)))
    spread = means.reshape(-1, means.shape[2]).var(0, ddof=1)
    # The variance of a batch mean is that of a draw over the batch's effective size.
    ess = num_chains * num_batches * variance / spread
    between = halves.mean(1).var(0, ddof=1)
    within = halves.var(1, ddof=1).mean(0) / (num_batches // 2)
    degrees = 2 * num_chains - 1
    r_hat = np.sqrt(variance / (variance - between * degrees / (degrees + 1)))
    constant = variance <= ROUNDING * squares
    apart = (r_hat > SUSPICIOUS_R_HAT) & (
        between > within * chi_square_quantile(degrees, NORMAL_QUANTILE) / degrees
    )
    return np.where(constant, np.inf, ess), apart & ~constant


def chi_square_quantile(degrees: int, normal_quantile: float) -> float:
    """Quantile of a chi-square law at the same level as one of the normal law.

    Source: Wilson and Hilferty 1931; good to a few percent.

    Examples
    --------
    >>> round(chi_square_quantile(7, 3.09))  # 24.3 by tables
    25
    """
    part = 2 / (9 * degrees)
    return degrees * (1 - part + normal_quantile * math.sqrt(part)) ** 3
