"""Distributions on all real numbers, with their references in scipy.stats."""

import numpy as np
from scipy import stats

import sojourn_distributions as dist
from distribution_cases.case import Case


def asymmetric_laplace(loc, scale, asymmetry):
    return stats.laplace_asymmetric(asymmetry, loc, scale)


def asymmetric_laplace_of_quantile(loc, scale, quantile):
    asymmetry = np.sqrt(quantile / (1 - quantile))
    return stats.laplace_asymmetric(asymmetry, loc, scale / np.sqrt(quantile * (1 - quantile)))


CASES = [
    Case(dist.AsymmetricLaplace, {"loc": 0.3, "scale": 1.2, "asymmetry": 1.7}, asymmetric_laplace),
    Case(
        dist.AsymmetricLaplaceQuantile,
        {"loc": -0.3, "scale": 0.6, "quantile": 0.8},
        asymmetric_laplace_of_quantile,
    ),
    Case(dist.Cauchy, {"loc": 0.5, "scale": 1.5}, stats.cauchy, moments=False),
    Case(dist.Gumbel, {"loc": -1.0, "scale": 0.7}, stats.gumbel_r),
    Case(dist.Laplace, {"loc": 0.4, "scale": 1.2}, stats.laplace),
    Case(dist.Logistic, {"loc": -0.3, "scale": 0.8}, stats.logistic),
    Case(dist.Normal, {"loc": 1.5, "scale": 0.7}, stats.norm),
    Case(dist.Normal, {"loc": 0, "scale": 1}, stats.norm, "integers"),
    Case(dist.SoftLaplace, {"loc": -0.3, "scale": 0.6}, stats.hypsecant),
    Case(dist.StudentT, {"df": 7.0, "loc": 0.5, "scale": 1.4}, stats.t),
]
