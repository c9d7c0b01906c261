"""Distributions on vectors and matrices, with their references in scipy.stats."""

from types import SimpleNamespace

import numpy as np
from scipy import stats
from scipy.linalg import block_diag, circulant

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


def reshaped(frozen, event_shape):
    """A distribution of flat vectors, taken as arrays."""
    return SimpleNamespace(
        logpdf=lambda x: frozen.logpdf(x.reshape(len(x), -1)),
        rvs=lambda size, random_state: frozen.rvs(size, random_state).reshape(size, *event_shape),
    )


def car(loc, correlation, conditional_precision, adj_matrix):
    precision = np.diag(adj_matrix.sum(-1)) - correlation * adj_matrix
    return stats.multivariate_normal(loc, np.linalg.inv(conditional_precision * precision))


def sparse_car(loc, correlation, conditional_precision):
    return dist.CAR(loc, correlation, conditional_precision, ADJACENCY, is_sparse=True)


def car_of_edges(loc, correlation, conditional_precision):
    return car(loc, correlation, conditional_precision, ADJACENCY)


def circulant_normal(loc, covariance_row):
    return stats.multivariate_normal(loc, circulant(covariance_row))


def circulant_normal_of_spectrum(loc, covariance_rfft):
    return circulant_normal(loc, np.fft.irfft(covariance_rfft, len(loc)))


def zero_sum_normal(scale, event_shape):
    projections = [np.eye(size) - 1 / size for size in event_shape]
    covariance = scale**2 * np.kron(*projections)
    return reshaped(stats.multivariate_normal(cov=covariance, allow_singular=True), event_shape)


def gumbel_copula(marginal_dist, correlation_matrix):
    marginal = stats.gumbel_r(marginal_dist.loc, marginal_dist.scale)
    scores = stats.multivariate_normal(cov=correlation_matrix)

    def logpdf(x):
        z = stats.norm.ppf(marginal.cdf(x))
        return scores.logpdf(z) + (marginal.logpdf(x) - stats.norm.logpdf(z)).sum(-1)

    return SimpleNamespace(
        logpdf=logpdf,
        rvs=lambda size, random_state: marginal.ppf(stats.norm.cdf(scores.rvs(size, random_state))),
    )


def gaussian_state_space(num_steps, transition_matrix, scale_tril, initial_value):
    # States are a lower triangular block matrix of powers, times the innovations.
    size = len(initial_value)
    powers = [np.linalg.matrix_power(transition_matrix, k) for k in range(num_steps + 1)]
    blocks = [
        [powers[i - j] if i >= j else np.zeros((size, size)) for j in range(num_steps)]
        for i in range(num_steps)
    ]
    factor = np.block(blocks) @ block_diag(*[scale_tril] * num_steps)
    mean = np.concatenate([power @ initial_value for power in powers[1:]])
    return reshaped(stats.multivariate_normal(mean, factor @ factor.T), (num_steps, size))


def ornstein_uhlenbeck(x, t):
    return 0.3 - x, 0.5 + 0.1 * t


def euler_maruyama(t, sde_fn, init_dist):
    # A path is linear in the first value and the increments.
    mean, factor = np.array([init_dist.loc]), np.array([[init_dist.scale]])
    for now, step in zip(t, np.diff(t), strict=False):
        mean = np.append(mean, mean[-1] + (0.3 - mean[-1]) * step)
        factor = np.block(
            [
                [factor, np.zeros((len(factor), 1))],
                [(1 - step) * factor[-1], (0.5 + 0.1 * now) * step**0.5],
            ]
        )
    return stats.multivariate_normal(mean, factor @ factor.T)


ADJACENCY = np.array([[0, 1, 0, 2], [1, 0, 1, 0], [0, 1, 0, 0], [2, 0, 0, 0]])
MATRIX = np.array([[2.0, 0.5, 0.1], [0.5, 1.0, -0.3], [0.1, -0.3, 0.7]])
MEAN = np.array([1.0, -2.0, 0.5])

FACTOR = np.linalg.cholesky(MATRIX)

CASES = [
    Case(
        dist.CAR,
        {
            "loc": np.array([1.0, -2.0, 0.5, 0.0]),
            "correlation": 0.7,
            "conditional_precision": 2.0,
            "adj_matrix": ADJACENCY.astype(float),
        },
        car,
    ),
    Case(
        sparse_car,
        {
            "loc": np.array([1.0, -2.0, 0.5, 0.0]),
            "correlation": -0.7,
            "conditional_precision": 2.0,
        },
        car_of_edges,
    ),
    Case(
        dist.CirculantNormal,
        {"loc": np.array([1.0, -2.0, 0.5, 0.0]), "covariance_row": np.array([2.0, 0.5, 0.1, 0.5])},
        circulant_normal,
        "even",
    ),
    Case(
        dist.CirculantNormal,
        {
            "loc": np.array([1.0, -2.0, 0.5, 0.0, 3.0]),
            "covariance_rfft": np.array([2.0, 0.5, 1.3]),
        },
        circulant_normal_of_spectrum,
        "odd",
    ),
    Case(dist.Dirichlet, {"concentration": np.array([0.9, 2.0, 3.5])}, dirichlet),
    Case(
        dist.EulerMaruyama,
        {
            "t": np.array([0.0, 0.3, 1.0, 1.2]),
            "sde_fn": ornstein_uhlenbeck,
            "init_dist": dist.Normal(1.0, 2.0),
        },
        euler_maruyama,
        moments=False,
    ),
    Case(
        dist.GaussianCopula,
        {
            "marginal_dist": dist.Gumbel(np.array([1.0, -2.0]), np.array([0.7, 1.5])),
            "correlation_matrix": np.array([[1.0, -0.6], [-0.6, 1.0]]),
        },
        gumbel_copula,
    ),
    Case(
        dist.GaussianStateSpace,
        {
            "num_steps": 3,
            "transition_matrix": np.array([[0.9, 0.2], [0.0, -0.5]]),
            "scale_tril": np.array([[1.2, 0.0], [-0.4, 0.5]]),
            "initial_value": np.array([1.0, 2.0]),
        },
        gaussian_state_space,
    ),
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
    Case(dist.ZeroSumNormal, {"scale": 1.3, "event_shape": (2, 3)}, zero_sum_normal),
]
