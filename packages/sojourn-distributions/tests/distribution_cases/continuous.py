"""Distributions on the real numbers, with their references in scipy.stats."""

from types import SimpleNamespace

import numpy as np
from scipy import stats

import sojourn_distributions as dist
from distribution_cases.case import Case


def truncated(base, low=-np.inf, high=np.inf):
    below, mass = base.cdf(low), base.cdf(high) - base.cdf(low)
    return SimpleNamespace(
        logpdf=lambda x: base.logpdf(x) - np.log(mass),
        cdf=lambda x: np.clip((base.cdf(x) - below) / mass, 0, 1),
        ppf=lambda q: base.ppf(below + q * mass),
    )


def truncated_normal(loc, scale, low=-np.inf, high=np.inf):
    return stats.truncnorm((low - loc) / scale, (high - loc) / scale, loc, scale)


def beta(concentration1, concentration0):
    return stats.beta(concentration1, concentration0)


def exponential(rate):
    return stats.expon(scale=1 / rate)


def gamma(concentration, rate):
    return stats.gamma(concentration, scale=1 / rate)


def half_cauchy(scale):
    return stats.halfcauchy(scale=scale)


def half_normal(scale):
    return stats.halfnorm(scale=scale)


def inverse_gamma(concentration, rate):
    return stats.invgamma(concentration, scale=rate)


def log_normal(loc, scale):
    return stats.lognorm(scale, scale=np.exp(loc))


def truncated_cauchy(loc, scale, low, high):
    return truncated(stats.cauchy(loc, scale), low, high)


def uniform(low, high):
    return stats.uniform(low, high - low)


def asymmetric_laplace(loc, scale, asymmetry):
    return stats.laplace_asymmetric(asymmetry, loc, scale)


def asymmetric_laplace_of_quantile(loc, scale, quantile):
    asymmetry = np.sqrt(quantile / (1 - quantile))
    return stats.laplace_asymmetric(asymmetry, loc, scale / np.sqrt(quantile * (1 - quantile)))


def soft_laplace(loc, scale):
    return stats.hypsecant(loc, scale)


def truncated_student_t(df, loc, scale, low, high):
    return truncated(stats.t(df, loc, scale), low, high)


def TruncatedStudentT(df, loc, scale, low, high):
    return dist.TruncatedDistribution(dist.StudentT(df, loc, scale), low, high)


def TruncatedSoftLaplace(loc, scale, low):
    return dist.TruncatedDistribution(dist.SoftLaplace(loc, scale), low)


def truncated_soft_laplace(loc, scale, low):
    return truncated(stats.hypsecant(loc, scale), low)


CASES = [
    Case(dist.AsymmetricLaplace, {"loc": 0.3, "scale": 1.2, "asymmetry": 1.7}, asymmetric_laplace),
    Case(
        dist.AsymmetricLaplaceQuantile,
        {"loc": -0.3, "scale": 0.6, "quantile": 0.8},
        asymmetric_laplace_of_quantile,
    ),
    Case(dist.SoftLaplace, {"loc": -0.3, "scale": 0.6}, soft_laplace),
    Case(
        TruncatedSoftLaplace,
        {"loc": -0.3, "scale": 0.6, "low": 0.2},
        truncated_soft_laplace,
        moments=False,
    ),
    Case(
        TruncatedStudentT,
        {"df": 4.0, "loc": -0.3, "scale": 0.6, "low": -0.5, "high": 2.0},
        truncated_student_t,
        moments=False,
    ),
    Case(dist.Beta, {"concentration1": 2.5, "concentration0": 0.8}, beta),
    Case(dist.Cauchy, {"loc": 0.5, "scale": 1.5}, stats.cauchy, moments=False),
    Case(dist.Chi2, {"df": 3.0}, stats.chi2),
    Case(dist.Exponential, {"rate": 2.5}, exponential),
    Case(dist.Gamma, {"concentration": 2.5, "rate": 0.5}, gamma),
    Case(dist.Gamma, {"concentration": 0.3, "rate": 2.0}, gamma, "peaked"),
    Case(dist.Gumbel, {"loc": -1.0, "scale": 0.7}, stats.gumbel_r),
    Case(dist.HalfCauchy, {"scale": 2.0}, half_cauchy, moments=False),
    Case(dist.HalfNormal, {"scale": 1.3}, half_normal),
    Case(dist.InverseGamma, {"concentration": 6.0, "rate": 2.0}, inverse_gamma),
    Case(dist.Laplace, {"loc": 0.4, "scale": 1.2}, stats.laplace),
    Case(dist.Logistic, {"loc": -0.3, "scale": 0.8}, stats.logistic),
    Case(dist.LogNormal, {"loc": 0.2, "scale": 0.5}, log_normal),
    Case(dist.Normal, {"loc": 1.5, "scale": 0.7}, stats.norm),
    Case(dist.Normal, {"loc": 0, "scale": 1}, stats.norm, "integers"),
    Case(dist.StudentT, {"df": 7.0, "loc": 0.5, "scale": 1.4}, stats.t),
    Case(
        dist.TruncatedCauchy,
        {"loc": 0.3, "scale": 1.0, "low": -1.0, "high": 2.0},
        truncated_cauchy,
        moments=False,
    ),
    Case(dist.TruncatedNormal, {"loc": 0.5, "scale": 1.0, "low": 1.0}, truncated_normal, "left"),
    Case(dist.TruncatedNormal, {"loc": 0.5, "scale": 2.0, "high": 1.0}, truncated_normal, "right"),
    Case(
        dist.TruncatedNormal,
        {"loc": 0.5, "scale": 1.0, "low": -1.0, "high": 2.0},
        truncated_normal,
        "both",
    ),
    Case(
        dist.TruncatedNormal,
        {"loc": 0.0, "scale": 1.0, "low": 4.0, "high": 5.0},
        truncated_normal,
        "tail",
    ),
    Case(dist.Uniform, {"low": -1.0, "high": 3.0}, uniform),
]
