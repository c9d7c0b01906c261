"""Distributions on the positive numbers, with their references in scipy.stats."""

import numpy as np
from scipy import stats

import sojourn_distributions as dist
from distribution_cases.case import Case


def FoldedNormal(loc, scale):
    return dist.FoldedDistribution(dist.Normal(loc, scale))


def dagum(concentration, sharpness, scale):
    return stats.burr(sharpness, concentration, scale=scale)


def exponential(rate):
    return stats.expon(scale=1 / rate)


def folded_normal(loc, scale):
    return stats.foldnorm(loc / scale, scale=scale)


def gamma(concentration, rate):
    return stats.gamma(concentration, scale=1 / rate)


def gompertz(concentration, rate):
    return stats.gompertz(concentration, scale=1 / rate)


def half_cauchy(scale):
    return stats.halfcauchy(scale=scale)


def half_normal(scale):
    return stats.halfnorm(scale=scale)


def inverse_gamma(concentration, rate):
    return stats.invgamma(concentration, scale=rate)


def log_normal(loc, scale):
    return stats.lognorm(scale, scale=np.exp(loc))


def lower_truncated_power_law(alpha, low):
    return stats.pareto(-1 - alpha, scale=low)


def pareto(scale, alpha):
    return stats.pareto(alpha, scale=scale)


def weibull(scale, concentration):
    return stats.weibull_min(concentration, scale=scale)


CASES = [
    Case(dist.Chi2, {"df": 3.0}, stats.chi2),
    Case(dist.Dagum, {"concentration": 0.7, "sharpness": 6.5, "scale": 1.3}, dagum),
    Case(dist.Exponential, {"rate": 2.5}, exponential),
    Case(FoldedNormal, {"loc": 0.5, "scale": 1.3}, folded_normal),
    Case(dist.Gamma, {"concentration": 2.5, "rate": 0.5}, gamma),
    Case(dist.Gamma, {"concentration": 0.3, "rate": 2.0}, gamma, "peaked"),
    Case(dist.Gompertz, {"concentration": 0.4, "rate": 1.5}, gompertz),
    Case(dist.HalfCauchy, {"scale": 2.0}, half_cauchy, moments=False),
    Case(dist.HalfNormal, {"scale": 1.3}, half_normal),
    Case(dist.InverseGamma, {"concentration": 6.0, "rate": 2.0}, inverse_gamma),
    Case(dist.Levy, {"loc": -0.5, "scale": 1.2}, stats.levy, moments=False),
    Case(dist.LogNormal, {"loc": 0.2, "scale": 0.5}, log_normal),
    Case(dist.LowerTruncatedPowerLaw, {"alpha": -8.0, "low": 1.5}, lower_truncated_power_law),
    Case(dist.Pareto, {"scale": 0.7, "alpha": 7.5}, pareto),
    Case(dist.Weibull, {"scale": 2.0, "concentration": 1.5}, weibull),
    Case(dist.Weibull, {"scale": 0.5, "concentration": 0.8}, weibull, "peaked"),
]
