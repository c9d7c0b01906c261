"""The table of distributions under test, one row each; every test that takes `case` runs on all.

A row is ``Case(constructor, parameters, reference)``. The reference takes the same parameters and
returns an object with scipy.stats' `logpdf` or `logpmf`, and for numbers also `cdf` and `ppf`
(None if scipy has no counterpart: then only the laws that need none are tested).
"""

from distribution_cases import (
    composed,
    continuous,
    directional,
    discrete,
    intervals,
    matrices,
    multivariate,
    positive,
)

CASES = [
    *continuous.CASES,
    *positive.CASES,
    *intervals.CASES,
    *discrete.CASES,
    *multivariate.CASES,
    *matrices.CASES,
    *directional.CASES,
    *composed.CASES,
]
