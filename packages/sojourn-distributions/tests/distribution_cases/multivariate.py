"""Distributions on vectors and matrices, with their references in scipy.stats."""

from types import SimpleNamespace

import numpy as np
from scipy import stats

import sojourn_distributions as dist
from distribution_cases.case import Case


def random_walk(scale, num_steps):
    time = np.arange(1, num_steps + 1)
    return stats.multivariate_normal(cov=scale**2 * np.minimum(time[:, None], time))


def dirichlet(concentration):
    return SimpleNamespace(
        logpdf=lambda x: stats.dirichlet(concentration).logpdf(x.T),
        rvs=stats.dirichlet(concentration).rvs,
    )


def multivariate_normal(loc, covariance_matrix):
    return stats.multivariate_normal(loc, covariance_matrix)


def multivariate_normal_of_precision(loc, precision_matrix):
    return stats.multivariate_normal(loc, np.linalg.inv(precision_matrix))


def multivariate_normal_of_cholesky(loc, scale_tril):
    return stats.multivariate_normal(loc, scale_tril @ scale_tril.T)


MATRIX = np.array([[2.0, 0.5, 0.1], [0.5, 1.0, -0.3], [0.1, -0.3, 0.7]])
MEAN = np.array([1.0, -2.0, 0.5])

CASES = [
    Case(dist.Dirichlet, {"concentration": np.array([0.9, 2.0, 3.5])}, dirichlet),
    Case(dist.GaussianRandomWalk, {"scale": 0.7, "num_steps": 4}, random_walk),
    Case(dist.LKJCholesky, {"dimension": 3, "concentration": 1.5}, moments=False),
    Case(
        dist.MultivariateNormal,
        {"loc": MEAN, "covariance_matrix": MATRIX},
        multivariate_normal,
        "covariance",
    ),
    Case(
        dist.MultivariateNormal,
        {"loc": MEAN, "precision_matrix": MATRIX},
        multivariate_normal_of_precision,
        "precision",
    ),
    Case(
        dist.MultivariateNormal,
        {"loc": MEAN, "scale_tril": np.tril(MATRIX)},
        multivariate_normal_of_cholesky,
        "cholesky",
    ),
]
