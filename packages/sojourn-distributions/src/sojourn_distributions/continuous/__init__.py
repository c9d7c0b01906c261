"""Distributions on the real numbers and intervals of them, a family per file."""

from sojourn_distributions.continuous.cauchy import Cauchy, HalfCauchy
from sojourn_distributions.continuous.gamma import Chi2, Exponential, Gamma, InverseGamma
from sojourn_distributions.continuous.normal import HalfNormal, LogNormal, Normal
from sojourn_distributions.continuous.uniform import Uniform

__all__ = [
    "Cauchy",
    "Chi2",
    "Exponential",
    "Gamma",
    "HalfCauchy",
    "HalfNormal",
    "InverseGamma",
    "LogNormal",
    "Normal",
    "Uniform",
]
