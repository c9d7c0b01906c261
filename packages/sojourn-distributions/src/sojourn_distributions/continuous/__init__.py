"""Distributions on the real numbers and intervals of them, a family per file."""

from sojourn_distributions.continuous.beta import Beta
from sojourn_distributions.continuous.cauchy import Cauchy, HalfCauchy
from sojourn_distributions.continuous.gamma import Chi2, Exponential, Gamma, InverseGamma
from sojourn_distributions.continuous.gumbel import Gumbel
from sojourn_distributions.continuous.laplace import (
    AsymmetricLaplace,
    AsymmetricLaplaceQuantile,
    Laplace,
    SoftLaplace,
)
from sojourn_distributions.continuous.logistic import Logistic
from sojourn_distributions.continuous.normal import HalfNormal, LogNormal, Normal
from sojourn_distributions.continuous.student_t import StudentT
from sojourn_distributions.continuous.truncated import (
    LeftTruncatedDistribution,
    RightTruncatedDistribution,
    TruncatedCauchy,
    TruncatedDistribution,
    TruncatedNormal,
    TwoSidedTruncatedDistribution,
)
from sojourn_distributions.continuous.uniform import Uniform

__all__ = [
    "AsymmetricLaplace",
    "AsymmetricLaplaceQuantile",
    "Beta",
    "Cauchy",
    "Chi2",
    "Exponential",
    "Gamma",
    "Gumbel",
    "HalfCauchy",
    "HalfNormal",
    "InverseGamma",
    "Laplace",
    "LeftTruncatedDistribution",
    "LogNormal",
    "Logistic",
    "Normal",
    "RightTruncatedDistribution",
    "SoftLaplace",
    "StudentT",
    "TruncatedCauchy",
    "TruncatedDistribution",
    "TruncatedNormal",
    "TwoSidedTruncatedDistribution",
    "Uniform",
]
