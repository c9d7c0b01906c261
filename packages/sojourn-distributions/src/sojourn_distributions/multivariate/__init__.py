"""Distributions on vectors and matrices, a family per file."""

from sojourn_distributions.multivariate.car import CAR
from sojourn_distributions.multivariate.circulant_normal import CirculantNormal
from sojourn_distributions.multivariate.copula import GaussianCopula, GaussianCopulaBeta
from sojourn_distributions.multivariate.dirichlet import Dirichlet
from sojourn_distributions.multivariate.euler_maruyama import EulerMaruyama
from sojourn_distributions.multivariate.gaussian_random_walk import GaussianRandomWalk
from sojourn_distributions.multivariate.gaussian_state_space import GaussianStateSpace
from sojourn_distributions.multivariate.inverse_wishart import (
    InverseWishart,
    InverseWishartCholesky,
)
from sojourn_distributions.multivariate.lkj import LKJ, LKJCholesky
from sojourn_distributions.multivariate.low_rank_normal import LowRankMultivariateNormal
from sojourn_distributions.multivariate.matrix_normal import MatrixNormal
from sojourn_distributions.multivariate.normal import MultivariateNormal
from sojourn_distributions.multivariate.student_t import MultivariateStudentT
from sojourn_distributions.multivariate.wishart import Wishart, WishartCholesky
from sojourn_distributions.multivariate.zero_sum_normal import ZeroSumNormal

__all__ = [
    "CAR",
    "LKJ",
    "CirculantNormal",
    "Dirichlet",
    "EulerMaruyama",
    "GaussianCopula",
    "GaussianCopulaBeta",
    "GaussianRandomWalk",
    "GaussianStateSpace",
    "InverseWishart",
    "InverseWishartCholesky",
    "LKJCholesky",
    "LowRankMultivariateNormal",
    "MatrixNormal",
    "MultivariateNormal",
    "MultivariateStudentT",
    "Wishart",
    "WishartCholesky",
    "ZeroSumNormal",
]
