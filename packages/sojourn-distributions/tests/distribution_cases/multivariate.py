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


def low_rank_normal(loc, cov_factor, cov_diag):
    return stats.multivariate_normal(loc, cov_factor @ cov_factor.T + np.diag(cov_diag))


def matrix_normal(loc, scale_tril_row, scale_tril_column):
    row, column = (x @ x.T for x in (scale_tril_row, scale_tril_column))
    return stats.matrix_normal(loc, row, column)


def multivariate_student_t(df, loc, scale_tril):
    return stats.multivariate_t(loc, scale_tril @ scale_tril.T, df)


MATRIX = np.array([[2.0, 0.5, 0.1], [0.5, 1.0, -0.3], [0.1, -0.3, 0.7]])
MEAN = np.array([1.0, -2.0, 0.5])

FACTOR = np.linalg.cholesky(MATRIX)

CASES = [
    Case(dist.Dirichlet, {"concentration": np.array([0.9, 2.0, 3.5])}, dirichlet),
    Case(dist.GaussianRandomWalk, {"scale": 0.7, "num_steps": 4}, random_walk),
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
    Case(
        dist.LowRankMultivariateNormal,
        {
            "loc": MEAN,
            "cov_factor": np.array([[1.0, 0.5], [-2.0, 0.3], [0.1, 0.0]]),
            "cov_diag": np.array([0.3, 1.0, 2.0]),
        },
        low_rank_normal,
    ),
    Case(
        dist.LowRankMultivariateNormal,
        {
            "loc": MEAN,
            "cov_factor": np.array([[1.0], [0.5], [0.7]]),
            "cov_diag": np.array([0.3, 0.1, 0.2]),
        },
        low_rank_normal,
        "one_column",
    ),
    Case(
        dist.MatrixNormal,
        {
            "loc": np.array([[1.0, -2.0, 0.5], [0.0, 3.0, 1.0]]),
            "scale_tril_row": np.array([[1.2, 0.0], [-0.4, 0.5]]),
            "scale_tril_column": FACTOR,
        },
        matrix_normal,
    ),
    Case(
        dist.MultivariateStudentT,
        {"df": 9.0, "loc": MEAN, "scale_tril": FACTOR},
        multivariate_student_t,
    ),
]
