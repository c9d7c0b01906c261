"""Distributions on vectors and matrices, a family per file."""

from sojourn_distributions.multivariate.dirichlet import Dirichlet
from sojourn_distributions.multivariate.gaussian_random_walk import GaussianRandomWalk
from sojourn_distributions.multivariate.lkj import LKJCholesky
from sojourn_distributions.multivariate.normal import MultivariateNormal

__all__ = ["Dirichlet", "GaussianRandomWalk", "LKJCholesky", "MultivariateNormal"]
