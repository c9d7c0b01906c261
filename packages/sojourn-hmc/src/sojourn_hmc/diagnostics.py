"""What draws say about themselves: effective sample size, R-hat, intervals, the summary table.

Functions with NumPyro's names compute what those names stand for in the literature (Gelman et al.
2013, §11.4-11.5; Geyer 1992). The others, and the table, are the estimators of Vehtari, Gelman,
Simpson, Carpenter, Bürkner 2021 ("Rank-normalization, folding, and localization: an improved
R-hat"), taken from arviz-stats: they see what the classic ones miss, such as heavy tails and
chains that differ in scale alone.

Draws are shaped ``(chains, draws, ...)``; a statistic is shaped like one draw, and NaN for draws
that never change.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from sojourn_hmc.problems import energy_information

LEAST_DRAWS = 4
"""Draws of a chain below which its statistics are NaN."""


class SamplingWarning(UserWarning):
    """A run ended, but its draws should not be trusted as they are."""


def autocovariance(x: Any, axis: int = 0, bias: bool = True) -> np.ndarray:
    """Autocovariance of a series at all lags.

    Parameters
    ----------
    x : array_like
        The series along ``axis``.
    axis : int
        Axis of time.
    bias : bool
        Whether sums at lag ``t`` are divided by the length ``n`` of the series, or by ``n - t``.

    Examples
    --------
    >>> autocovariance(np.array([1.0, -1.0, 1.0, -1.0])).round(6).tolist()
    [1.0, -0.75, 0.5, -0.25]
    """
    series = np.moveaxis(np.asarray(x, float), axis, -1)
    size = series.shape[-1]
    centred = series - series.mean(-1, keepdims=True)
    # Twice the length: the transform is of a circle, around which no product may reach.
    spectrum = np.fft.rfft(centred, 2 * size, axis=-1)
    sums = np.fft.irfft(np.square(np.abs(spectrum)), 2 * size, axis=-1)[..., :size]
    return np.moveaxis(sums / (size if bias else np.arange(size, 0, -1)), -1, axis)


def autocorrelation(x: Any, axis: int = 0, bias: bool = True) -> np.ndarray:
    """Autocorrelation of a series at all lags: `autocovariance` over its value at lag 0.

    Examples
    --------
    >>> autocorrelation(np.array([2.0, -2.0, 2.0, -2.0])).round(6).tolist()
    [1.0, -0.75, 0.5, -0.25]
    """
    covariance = autocovariance(x, axis, bias)
    with np.errstate(invalid="ignore", divide="ignore"):
        return covariance / np.take(covariance, [0], axis)


def effective_sample_size(x: Any, bias: bool = True) -> np.ndarray:
    """Effective sample size for the mean, by Geyer's initial monotone sequence over all chains.

    Parameters
    ----------
    x : array_like
        Draws ``(chains, draws, ...)``.
    bias : bool
        Which `autocovariance` is used.

    Raises
    ------
    ValueError
        If there are fewer than two draws of a chain.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(4, 1000))
    >>> bool(3000 < effective_sample_size(x) < 5000)
    True
    """
    draws = _draws(x, least_draws=2)
    num_chains, size = draws.shape[:2]
    covariance = autocovariance(draws, 1, bias)
    within, total = _variances(draws)
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = 1 - (within - covariance.mean(0)) / total
    correlation[0] = 1
    # Sums of neighbours are positive and fall for a reversible chain (Geyer 1992, §3.3).
    pairs = correlation[: size // 2 * 2].reshape(size // 2, 2, *correlation.shape[1:]).sum(1)
    positive = np.logical_and.accumulate(pairs > 0)
    pairs = np.where(np.isnan(pairs), np.nan, np.where(positive, pairs, 0))
    pairs = np.minimum.accumulate(pairs)
    return np.asarray(num_chains * size / (2 * pairs.sum(0) - 1))


def gelman_rubin(x: Any) -> np.ndarray:
    """R-hat of whole chains (Gelman and Rubin 1992): the root of total over within-chain variance.

    Raises
    ------
    ValueError
        If there are fewer than two chains, or fewer than two draws of a chain.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(4, 1000))
    >>> round(float(gelman_rubin(x)), 2), round(float(gelman_rubin(x + np.arange(4)[:, None])), 1)
    (1.0, 1.7)
    """
    draws = _draws(x, least_draws=2)
    if draws.shape[0] < 2:
        raise ValueError(
            "gelman_rubin compares chains, but there is one: use split_gelman_rubin, which "
            "compares the halves of a chain"
        )
    within, total = _variances(draws)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.sqrt(total / within))


def split_gelman_rubin(x: Any) -> np.ndarray:
    """R-hat of the halves of chains (Gelman et al. 2013, §11.4); near 1 when they have mixed.

    See `rhat` for the form that also sees heavy tails and unlike scales.

    Raises
    ------
    ValueError
        If there are fewer than four draws of a chain.

    Examples
    --------
    >>> trend = np.linspace(0, 3, 500) + np.random.default_rng(0).normal(size=(2, 500))
    >>> round(float(split_gelman_rubin(trend)), 1)
    1.3
    """
    draws = _draws(x, LEAST_DRAWS)
    half = draws.shape[1] // 2
    return gelman_rubin(np.concatenate([draws[:, :half], draws[:, -half:]]))


def rhat(x: Any) -> np.ndarray:
    """Rank-normalised split R-hat, the larger of bulk and folded; 1.01 is high.

    NaN for fewer than four draws of a chain.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(4, 1000))
    >>> bool(rhat(x) < 1.01), bool(rhat(x * np.array([1, 1, 1, 3])[:, None]) > 1.05)
    (True, True)
    """
    return _by_component(x, lambda stats, draws: stats.rhat(draws, chain_axis=0, draw_axis=1))


def ess_bulk(x: Any) -> np.ndarray:
    """Effective sample size for the centre of a distribution: of the rank-normalised draws.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_cauchy(size=(4, 1000))
    >>> bool(3000 < ess_bulk(x) < 5000)
    True
    """
    return _by_component(
        x, lambda stats, draws: stats.ess(draws, chain_axis=0, draw_axis=1, method="bulk")
    )


def ess_tail(x: Any, prob: float = 0.9) -> np.ndarray:
    """Effective sample size for the tails: the smaller of those for two quantiles.

    Parameters
    ----------
    x : array_like
        Draws ``(chains, draws, ...)``.
    prob : float
        Probability between the two quantiles; they are those of 5% and 95% by default.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(4, 1000))
    >>> bool(2500 < ess_tail(x) < 5000)
    True
    """
    between = ((1 - prob) / 2, (1 + prob) / 2)
    return _by_component(
        x,
        lambda stats, draws: stats.ess(
            draws, chain_axis=0, draw_axis=1, method="tail", prob=between
        ),
    )


def mcse_mean(x: Any) -> np.ndarray:
    """Monte Carlo standard error of the mean of all draws.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(4, 2500))
    >>> round(float(mcse_mean(x)), 3)
    0.01
    """
    return _by_component(
        x, lambda stats, draws: stats.mcse(draws, chain_axis=0, draw_axis=1, method="mean")
    )


def mcse_quantile(x: Any, prob: float) -> np.ndarray:
    """Monte Carlo standard error of the quantile ``prob`` of all draws.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(4, 2500))
    >>> bool(0.01 < mcse_quantile(x, 0.5) < 0.016)
    True
    """
    return _by_component(
        x,
        lambda stats, draws: stats.mcse(
            draws, chain_axis=0, draw_axis=1, method="quantile", prob=prob
        ),
    )


def e_bfmi(energy: Any) -> np.ndarray:
    """Estimated Bayesian fraction of missing information of each chain; below 0.3 is low.

    The energies of draws that were thinned out are missed: the value is too large then.

    Parameters
    ----------
    energy : array_like
        ``(chains, draws)``, as ``get_extra_fields(group_by_chain=True)["energy"]``.

    Returns
    -------
    ndarray
        ``(chains,)``.

    Examples
    --------
    >>> energy = np.random.default_rng(0).normal(size=(4, 1000))
    >>> e_bfmi(energy).round().tolist()  # of independent draws
    [2.0, 2.0, 2.0, 2.0]
    """
    return energy_information(_draws(energy, least_draws=2))


def hpdi(x: Any, prob: float = 0.90, axis: int = 0) -> np.ndarray:
    """Shortest interval that holds a share ``prob`` of the draws along ``axis``.

    Returns
    -------
    ndarray
        Lower and upper end, two along ``axis`` in place of the draws.

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
    return np.moveaxis(np.concatenate([lower, upper]), 0, axis)


def summary(samples: Any, prob: float = 0.90, group_by_chain: bool = True) -> dict[str, dict]:
    """Moments, interval, effective sample size and R-hat of every site.

    Parameters
    ----------
    samples : pytree
        Draws shaped ``(chains, draws, ...)``, or ``(draws, ...)`` if not ``group_by_chain``.
    prob : float
        Mass of the interval, the shortest that has it.
    group_by_chain : bool
        Whether there is a leading axis of chains.

    Returns
    -------
    dict
        For each site a dict of statistics, each shaped like one draw of the site: mean, std,
        median, the ends of the interval, n_eff (`ess_bulk`) and r_hat (`rhat`).

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(2, 500, 3))
    >>> {name: value.shape for name, value in summary({"x": x})["x"].items()}["r_hat"]
    (3,)
    """
    if not group_by_chain:
        samples = jax.tree.map(lambda draws: np.asarray(draws)[None], samples)
    lower, upper = f"{50 * (1 - prob):.1f}%", f"{50 * (1 + prob):.1f}%"
    table = {}
    for name, leaf in named_leaves(samples).items():
        draws = np.asarray(leaf)
        flat = np.concatenate(draws.astype(float))
        interval = hpdi(flat, prob)
        table[name] = {
            "mean": flat.mean(0),
            "std": flat.std(0, ddof=1) if len(flat) > 1 else np.full(flat.shape[1:], np.nan),
            "median": np.median(flat, 0),
            lower: interval[0],
            upper: interval[1],
            "n_eff": ess_bulk(draws),
            "r_hat": rhat(draws),
        }
    return table


def print_summary(samples: Any, prob: float = 0.90, group_by_chain: bool = True) -> None:
    """Print `summary` as a table with a row for each component of each site.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(2, 500))
    >>> print_summary({"x": x, "shifted": x + 10})  # doctest: +NORMALIZE_WHITESPACE, +ELLIPSIS
    <BLANKLINE>
                    mean       std    median      5.0%     95.0%     n_eff     r_hat
             x     -0.0...
       shifted      9.9...
    <BLANKLINE>
    """
    rows = []
    columns: list[str] = []
    for name, statistics in summary(samples, prob, group_by_chain).items():
        columns = list(statistics)
        for index in np.ndindex(statistics["mean"].shape):
            label = f"{name}[{','.join(map(str, index))}]" if index else name
            rows.append((label, [statistics[column][index] for column in columns]))
    width = max(10, *(len(label) for label, _ in rows)) if rows else 10
    print()
    print(" " * width + "".join(f"{column:>10}" for column in columns))
    for label, values in rows:
        print(f"{label:>{width}}" + "".join(f"{value:>10.2f}" for value in values))
    print()


def named_leaves(samples: Any) -> dict[str, Any]:
    """The arrays of a pytree by name: if it is a dict by site, and place in it; else counted."""
    if not isinstance(samples, dict):
        return {f"Param:{n}": leaf for n, leaf in enumerate(jax.tree.leaves(samples))}
    named = {}
    for site, value in samples.items():
        for path, leaf in jax.tree_util.tree_leaves_with_path(value):
            place = jax.tree_util.keystr(path, simple=True, separator=".")
            named[f"{site}.{place}" if place else site] = leaf
    return named


def _draws(x: Any, least_draws: int) -> np.ndarray:
    draws = np.asarray(x, dtype=float)
    if draws.ndim < 2 or draws.shape[1] < least_draws:
        raise ValueError(
            f"draws must be shaped (chains, draws, ...) with at least {least_draws} draws, got "
            f"{draws.shape}: one chain x goes in as x[None], samples as "
            "get_samples(group_by_chain=True) gives them"
        )
    return draws


def _variances(draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean variance within chains, and the estimate of the total one, which adds that between."""
    size = draws.shape[1]
    within = draws.var(1, ddof=1).mean(0)
    total = within * (size - 1) / size
    if draws.shape[0] > 1:
        total = total + draws.mean(1).var(0, ddof=1)
    return within, total


def _by_component(x: Any, statistic: Callable[[Any, np.ndarray], Any]) -> np.ndarray:
    # Imported late: arviz-stats brings SciPy, which sampling does not need.
    from arviz_stats.base import array_stats

    draws = np.asarray(x, dtype=float)
    shape = draws.shape[2:]
    if draws.size == 0 or draws.shape[1] < LEAST_DRAWS:
        return np.full(shape, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        values = np.asarray(statistic(array_stats, draws)).reshape(shape)
    # Draws that never change tell nothing of how well they were drawn.
    return np.where((draws == draws[:1, :1]).all((0, 1)), np.nan, values)
