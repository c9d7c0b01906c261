"""Compare draws with posteriordb's reference statistics, within Monte Carlo error.

Two sets of draws agree where for every parameter the means differ by at most 4 combined standard
errors or 0.05 sd, the sds by at most 10 % or 4 combined standard errors, and the shares of draws
below the reference quantiles from their nominal probabilities by at most 4 standard errors.
"""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from arviz_stats.base import array_stats

DATA = Path(__file__).parent / "data"
QUANTILES = {"q05": 0.05, "q50": 0.50, "q95": 0.95}
MOST_ERRORS = 4
MAX_RHAT = 1.01


class Comparison(NamedTuple):
    """One parameter: differences in units of combined standard errors, and what the rule says.

    Attributes
    ----------
    mean_z, mean_in_sd : float
        Difference of the means, in combined standard errors and in reference sds.
    sd_z, sd_ratio : float
        Difference of the sds in combined standard errors; own sd over reference sd.
    quantile_z : float
        Largest difference of probabilities below the reference quantiles, in standard errors.
    rhat : float
        Rank-normalised split R-hat of the draws.
    """

    parameter: str
    mean_z: float
    mean_in_sd: float
    sd_z: float
    sd_ratio: float
    quantile_z: float
    rhat: float

    def agrees(self):
        return (
            (abs(self.mean_z) <= MOST_ERRORS or abs(self.mean_in_sd) <= 0.05)
            and (abs(self.sd_z) <= MOST_ERRORS or abs(self.sd_ratio - 1) <= 0.10)
            and self.quantile_z <= MOST_ERRORS
            and self.rhat <= MAX_RHAT
        )


def load(posterior):
    """Data (lists as arrays) and reference statistics of a posterior."""
    content = json.loads((DATA / f"{posterior}.json").read_text())
    data = {
        name: np.array(value, float) if isinstance(value, list) else value
        for name, value in content["data"].items()
    }
    return data, content["reference"]


def compare(samples, reference):
    """Compare samples by site, shaped ``(chains, draws, ...)``, with reference statistics.

    Sites are matched by posteriordb's names: ``beta[1]`` is the first component of ``beta``.
    """
    draws = components(samples)
    return [compare_one(name, draws[name], record) for name, record in reference.items()]


def components(samples):
    """Each component of each site by posteriordb's name, shaped ``(chains, draws)``."""
    named = {}
    for site, values in samples.items():
        values = np.asarray(values, float)
        for index in np.ndindex(values.shape[2:]):
            suffix = f"[{','.join(str(i + 1) for i in index)}]" if index else ""
            named[site + suffix] = values[(slice(None), slice(None), *index)]
    return named


def compare_one(name, draws, record):
    """Compare the draws ``(chains, draws)`` of one parameter with its reference record."""

    def error(statistic, values=draws):
        return float(array_stats.mcse(values, chain_axis=0, draw_axis=1, method=statistic))

    mean_difference, sd_difference = draws.mean() - record["mean"], draws.std(ddof=1) - record["sd"]
    shares = []
    for quantile, probability in QUANTILES.items():
        below = (draws <= record[quantile]).astype(float)
        combined = np.hypot(error("mean", below), record[f"{quantile}_prob_se"])
        shares.append(abs(below.mean() - probability) / combined)
    return Comparison(
        parameter=name,
        mean_z=mean_difference / np.hypot(error("mean"), record["mcse_mean"]),
        mean_in_sd=mean_difference / record["sd"],
        sd_z=sd_difference / np.hypot(error("sd"), record["mcse_sd"]),
        sd_ratio=draws.std(ddof=1) / record["sd"],
        quantile_z=max(shares),
        rhat=float(array_stats.rhat(draws, chain_axis=0, draw_axis=1)),
    )


def table(comparisons):
    """Lay comparisons out in lines, for the message of a failure."""
    lines = [" ".join(f"{column:>10}" for column in Comparison._fields)]
    for row in comparisons:
        numbers = " ".join(f"{value:>10.3f}" for value in row[1:])
        lines.append(f"{row.parameter:>10} {numbers}" + ("" if row.agrees() else "  <- differs"))
    return "\n".join(lines)
