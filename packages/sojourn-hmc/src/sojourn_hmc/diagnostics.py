"""What draws say about themselves: effective sample size, R-hat, intervals, the summary table.

The estimators are those of Vehtari, Gelman, Simpson, Carpenter, Bürkner 2021 ("Rank-normalization,
folding, and localization: an improved R-hat"), taken from arviz-stats.
"""

from __future__ import annotations

from typing import Any

import jax
import numpy as np


class SamplingWarning(UserWarning):
    """A run ended, but its draws should not be trusted as they are."""


def effective_sample_size(x: Any) -> np.ndarray:
    """Bulk effective sample size of draws shaped ``(chains, draws, ...)``.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(size=(4, 1000))
    >>> bool(3000 < effective_sample_size(x) < 5000)
    True
    """
    return _by_component(x, lambda stats, draws: stats.ess(draws, chain_axis=0, draw_axis=1))


def split_gelman_rubin(x: Any) -> np.ndarray:
    """Rank-normalised split R-hat of draws shaped ``(chains, draws, ...)``; near 1 when mixed."""
    return _by_component(x, lambda stats, draws: stats.rhat(draws, chain_axis=0, draw_axis=1))


def hpdi(x: Any, prob: float = 0.90, axis: int = 0) -> np.ndarray:
    """Shortest interval that holds a share ``prob`` of the draws along ``axis``.

    Returns
    -------
    ndarray
        Shape ``(2, ...)``: lower and upper end.

    Examples
    --------
    >>> import numpy as np
    >>> hpdi(np.array([0.0, 1.0, 1.1, 1.2, 9.0]), prob=0.4).tolist()
    [1.0, 1.2]
    """
    draws = np.sort(np.moveaxis(np.asarray(x), axis, 0), axis=0)
    size = draws.shape[0]
    inside = min(int(prob * size), size - 1)
    widths = draws[inside:] - draws[: size - inside]
    first = np.argmin(widths, axis=0)[None]
    lower = np.take_along_axis(draws, first, axis=0)
    upper = np.take_along_axis(draws, first + inside, axis=0)
    return np.concatenate([lower, upper])


def summary(samples: Any, prob: float = 0.90, group_by_chain: bool = True) -> dict[str, dict]:
    """Moments, interval, effective sample size and R-hat of every site.

    Parameters
    ----------
    samples : pytree
        Draws shaped ``(chains, draws, ...)``, or ``(draws, ...)`` if not ``group_by_chain``.
    prob : float
        Mass of the interval.
    group_by_chain : bool
        Whether there is a leading axis of chains.

    Returns
    -------
    dict
        For each site a dict of statistics, each shaped like one draw of the site.
    """
    if not group_by_chain:
        samples = jax.tree.map(lambda draws: np.asarray(draws)[None], samples)
    lower, upper = f"{50 * (1 - prob):.1f}%", f"{50 * (1 + prob):.1f}%"
    table = {}
    for name, draws in _named(samples).items():
        draws = np.asarray(draws)
        flat = np.concatenate(draws.astype(float))
        interval = hpdi(flat, prob)
        table[name] = {
            "mean": flat.mean(0),
            "std": flat.std(0, ddof=1),
            "median": np.median(flat, 0),
            lower: interval[0],
            upper: interval[1],
            "n_eff": effective_sample_size(draws),
            "r_hat": split_gelman_rubin(draws),
        }
    return table


def print_summary(samples: Any, prob: float = 0.90, group_by_chain: bool = True) -> None:
    """Print `summary` as a table with a row for each component of each site."""
    rows = []
    columns: list[str] = []
    for name, statistics in summary(samples, prob, group_by_chain).items():
        columns = list(statistics)
        for index in np.ndindex(statistics["mean"].shape):
            label = f"{name}[{','.join(map(str, index))}]" if index else name
            rows.append((label, [statistics[column][index] for column in columns]))
    width = max((len(label) for label, _ in rows), default=0)
    print()
    print(" " * (width + 2) + "".join(f"{column:>10}" for column in columns))
    for label, values in rows:
        print(f"{label:>{width + 2}}" + "".join(f"{value:>10.2f}" for value in values))
    print()


def _named(samples: Any) -> dict[str, Any]:
    if isinstance(samples, dict):
        return samples
    leaves = jax.tree_util.tree_leaves_with_path(samples)
    return {f"Param:{n}{jax.tree_util.keystr(path)}": leaf for n, (path, leaf) in enumerate(leaves)}


def _by_component(x: Any, statistic: Any) -> np.ndarray:
    # Imported late: arviz-stats brings SciPy, which sampling does not need.
    from arviz_stats.base import array_stats

    draws = np.asarray(x, dtype=float)
    shape = draws.shape[2:]
    if draws.size == 0 or draws.shape[1] < 4:
        return np.full(shape, np.nan)
    # Draws that never change have no variance to divide by: their statistics are NaN.
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(statistic(array_stats, draws)).reshape(shape)
