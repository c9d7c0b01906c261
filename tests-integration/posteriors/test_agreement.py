"""The rule of agreement accepts draws from the reference distribution and refuses others."""

import numpy as np
import pytest
from scipy import stats

from .agreement import compare

DRAWS = np.random.default_rng(5).normal(size=(4, 2000, 2))
REFERENCE = {
    "mean": 0.0,
    "mcse_mean": 0.01,
    "sd": 1.0,
    "mcse_sd": 0.007,
    "q05": stats.norm.ppf(0.05),
    "q05_prob_se": 0.0022,
    "q50": 0.0,
    "q50_prob_se": 0.005,
    "q95": stats.norm.ppf(0.95),
    "q95_prob_se": 0.0022,
}


@pytest.mark.parametrize(
    "change, agrees",
    [
        pytest.param(lambda x: x, True, id="same"),
        pytest.param(lambda x: x + 0.02, True, id="shift-within-error"),
        pytest.param(lambda x: x + 0.1, False, id="shift"),
        pytest.param(lambda x: 1.15 * x, False, id="wider"),
        pytest.param(lambda x: 0.85 * x, False, id="narrower"),
        pytest.param(lambda x: (x**2 - 1) / np.sqrt(2), False, id="other-shape-same-moments"),
        pytest.param(lambda x: x + 0.2 * np.arange(-1.5, 2)[:, None, None], False, id="unmixed"),
    ],
)
def test_rule(change, agrees):
    comparisons = compare({"beta": change(DRAWS)}, {"beta[1]": REFERENCE, "beta[2]": REFERENCE})
    assert [row.parameter for row in comparisons] == ["beta[1]", "beta[2]"]
    assert [row.agrees() for row in comparisons] == [agrees, agrees]
