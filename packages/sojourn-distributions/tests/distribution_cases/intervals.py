"""Distributions on intervals and cut-off ones, with references made of pieces of scipy."""

from types import SimpleNamespace

import numpy as np
from scipy import optimize, special, stats

import sojourn_distributions as dist
from distribution_cases.case import Case


def TruncatedSoftLaplace(loc, scale, low):
    return dist.TruncatedDistribution(dist.SoftLaplace(loc, scale), low)


def TruncatedStudentT(df, loc, scale, low, high):
    return dist.TruncatedDistribution(dist.StudentT(df, loc, scale), low, high)


def beta(concentration1, concentration0):
    return stats.beta(concentration1, concentration0)


def beta_of_mean(mean, concentration):
    return stats.beta(mean * concentration, (1 - mean) * concentration)


def kumaraswamy(concentration1, concentration0):
    power = stats.beta(1, concentration0)  # the distribution of value**concentration1
    return SimpleNamespace(
        logpdf=lambda x: (
            power.logpdf(x**concentration1)
            + np.log(concentration1)
            + special.xlogy(concentration1 - 1, x)
        ),
        cdf=lambda x: power.cdf(x**concentration1),
        ppf=lambda q: power.ppf(q) ** (1 / concentration1),
    )


def log_uniform(low, high):
    return stats.loguniform(low, high)


def polya_gamma():
    """The series for small values alone, with as many terms as large ones take."""
    odd = 2 * np.arange(40) + 1
    sign = np.where(odd % 4 == 1, 1.0, -1.0)

    def full_cdf(x):
        return (sign * 2 * special.erfc(odd / np.sqrt(8 * np.expand_dims(x, -1)))).sum(-1)

    def logpdf(x):
        terms = sign * odd * np.exp(-(odd**2) / (8 * np.expand_dims(x, -1)))
        return np.log(terms.sum(-1) / np.sqrt(2 * np.pi * x**3) / full_cdf(2.5))

    def cdf(x):
        return full_cdf(x) / full_cdf(2.5)

    def invert(p):
        return optimize.brentq(lambda x: cdf(x) - p, 1e-3, 2.5, xtol=1e-15)

    def ppf(q):
        return np.array([invert(p) for p in q])

    return SimpleNamespace(logpdf=logpdf, cdf=cdf, ppf=ppf)


def polya_gamma_mass():
    """Probability of at most 2.5 under PG(1, 0), by the series for large values."""
    odd = 2 * np.arange(5) + 1
    return 1 - 4 / np.pi * np.sum((-1.0) ** (odd // 2) / odd * np.exp(-1.25 * (np.pi * odd) ** 2))


def power_law(alpha, low, high):
    integral = (high ** (alpha + 1) - low ** (alpha + 1)) / (alpha + 1)
    start = low ** (alpha + 1)
    return SimpleNamespace(
        logpdf=lambda x: alpha * np.log(x) - np.log(integral),
        cdf=lambda x: (x ** (alpha + 1) - start) / (alpha + 1) / integral,
        ppf=lambda q: (start + q * integral * (alpha + 1)) ** (1 / (alpha + 1)),
    )


def reciprocal_power_law(alpha, low, high):
    return stats.loguniform(low, high)


def relaxed_bernoulli(temperature, logits):
    log_odds = stats.logistic(logits / temperature, 1 / temperature)
    return SimpleNamespace(
        logpdf=lambda x: log_odds.logpdf(special.logit(x)) - np.log(x) - np.log1p(-x),
        cdf=lambda x: log_odds.cdf(special.logit(x)),
        ppf=lambda q: special.expit(log_odds.ppf(q)),
    )


def relaxed_bernoulli_of_probs(temperature, probs):
    return relaxed_bernoulli(temperature, special.logit(probs))


def truncated(base, low=-np.inf, high=np.inf):
    below, mass = base.cdf(low), base.cdf(high) - base.cdf(low)
    return SimpleNamespace(
        logpdf=lambda x: base.logpdf(x) - np.log(mass),
        cdf=lambda x: np.clip((base.cdf(x) - below) / mass, 0, 1),
        ppf=lambda q: base.ppf(below + q * mass),
    )


def truncated_cauchy(loc, scale, low, high):
    return truncated(stats.cauchy(loc, scale), low, high)


def truncated_gamma(concentration, rate, low=0.0, high=np.inf):
    return truncated(stats.gamma(concentration, scale=1 / rate), low, high)


def truncated_normal(loc, scale, low=-np.inf, high=np.inf):
    return stats.truncnorm((low - loc) / scale, (high - loc) / scale, loc, scale)


def truncated_soft_laplace(loc, scale, low):
    return truncated(stats.hypsecant(loc, scale), low)


def truncated_student_t(df, loc, scale, low, high):
    return truncated(stats.t(df, loc, scale), low, high)


def uniform(low, high):
    return stats.uniform(low, high - low)


BOTH = {"low": -1.0, "high": 2.0}
GAMMA = {"concentration": 2.5, "rate": 1.5}
POWERS = {"low": 1.2, "high": 4.0}

CASES = [
    Case(dist.Beta, {"concentration1": 2.5, "concentration0": 0.8}, beta),
    Case(dist.BetaProportion, {"mean": 0.3, "concentration": 5.0}, beta_of_mean),
    Case(dist.DoublyTruncatedPowerLaw, {"alpha": -3.5, **POWERS}, power_law, "steep"),
    Case(dist.DoublyTruncatedPowerLaw, {"alpha": -1.0, **POWERS}, reciprocal_power_law, "log"),
    Case(
        dist.DoublyTruncatedPowerLaw,
        {"alpha": 0.5, "low": 0.2, "high": 2.0},
        power_law,
        "rising",
    ),
    Case(dist.Kumaraswamy, {"concentration1": 1.6, "concentration0": 0.7}, kumaraswamy),
    Case(dist.LogUniform, {"low": 0.3, "high": 5.0}, log_uniform),
    Case(
        dist.RelaxedBernoulliLogits,
        {"temperature": 1.5, "logits": 0.4},
        relaxed_bernoulli,
    ),
    Case(
        dist.RelaxedBernoulli,
        {"temperature": 0.6, "probs": 0.3},
        relaxed_bernoulli_of_probs,
    ),
    Case(dist.TruncatedCauchy, {"loc": 0.3, "scale": 1.0, **BOTH}, truncated_cauchy),
    Case(dist.TruncatedGamma, {**GAMMA, "low": 1.0}, truncated_gamma, "left"),
    Case(dist.TruncatedGamma, {**GAMMA, "high": 2.0}, truncated_gamma, "right"),
    Case(dist.TruncatedGamma, {**GAMMA, "low": 0.5, "high": 3.0}, truncated_gamma, "both"),
    Case(dist.TruncatedNormal, {"loc": 0.5, "scale": 1.0, "low": 1.0}, truncated_normal, "left"),
    Case(dist.TruncatedNormal, {"loc": 0.5, "scale": 2.0, "high": 1.0}, truncated_normal, "right"),
    Case(dist.TruncatedNormal, {"loc": 0.5, "scale": 1.0, **BOTH}, truncated_normal, "both"),
    Case(
        dist.TruncatedNormal,
        {"loc": 0.0, "scale": 1.0, "low": 4.0, "high": 5.0},
        truncated_normal,
        "tail",
    ),
    Case(dist.TruncatedPolyaGamma, {}, polya_gamma),
    Case(
        TruncatedSoftLaplace,
        {"loc": -0.3, "scale": 0.6, "low": 0.2},
        truncated_soft_laplace,
    ),
    Case(
        TruncatedStudentT,
        {"df": 4.0, "loc": -0.3, "scale": 0.6, "low": -0.5, "high": 2.0},
        truncated_student_t,
    ),
    Case(dist.Uniform, {"low": -1.0, "high": 3.0}, uniform),
]
