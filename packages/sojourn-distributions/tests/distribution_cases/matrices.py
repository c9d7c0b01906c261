"""Distributions on positive definite and correlation matrices and their Cholesky factors."""

from types import SimpleNamespace

import numpy as np
from scipy import stats

import sojourn_distributions as dist
from distribution_cases.case import Case


def of_matrices(frozen):
    """scipy's distribution, with the matrices of a batch along its first dimension."""
    return SimpleNamespace(
        logpdf=lambda x: frozen.logpdf(np.moveaxis(x, 0, -1)),
        rvs=frozen.rvs,
        stats=lambda _: (frozen.mean(), frozen.var()),
    )


def of_factors(frozen):
    """Distribution of the Cholesky factor L of what scipy's distribution draws."""

    def logpdf(factor):
        size = factor.shape[-1]
        diagonal = np.diagonal(factor, axis1=-2, axis2=-1)
        log_volume = size * np.log(2) + (np.arange(size, 0, -1) * np.log(diagonal)).sum(-1)
        return frozen.logpdf(np.moveaxis(factor @ np.swapaxes(factor, -2, -1), 0, -1)) + log_volume

    return SimpleNamespace(
        logpdf=logpdf,
        rvs=lambda size, random_state: np.linalg.cholesky(frozen.rvs(size, random_state)),
    )


def wishart(concentration, scale_matrix):
    return of_matrices(stats.wishart(concentration, scale_matrix))


def wishart_cholesky(concentration, scale_tril):
    return of_factors(stats.wishart(concentration, scale_tril @ scale_tril.T))


def inverse_wishart(concentration, scale_matrix):
    return of_matrices(stats.invwishart(concentration, scale_matrix))


def inverse_wishart_cholesky(concentration, rate_matrix):
    return of_factors(stats.invwishart(concentration, np.linalg.inv(rate_matrix)))


MATRIX = np.array([[2.0, 0.5, 0.1], [0.5, 1.0, -0.3], [0.1, -0.3, 0.7]])

CASES = [
    Case(dist.InverseWishart, {"concentration": 12.5, "scale_matrix": MATRIX}, inverse_wishart),
    Case(
        dist.InverseWishartCholesky,
        {"concentration": 7.5, "rate_matrix": MATRIX},
        inverse_wishart_cholesky,
    ),
    # The diagonal of a correlation matrix does not vary: its moments are tested apart.
    Case(
        dist.LKJ,
        {"dimension": 3, "concentration": 1.5, "sample_method": "cvine"},
        moments=False,
    ),
    Case(dist.LKJCholesky, {"dimension": 3, "concentration": 1.5}),
    Case(dist.Wishart, {"concentration": 4.5, "scale_matrix": MATRIX}, wishart),
    Case(
        dist.WishartCholesky,
        {"concentration": 4.5, "scale_tril": np.linalg.cholesky(MATRIX)},
        wishart_cholesky,
    ),
]
