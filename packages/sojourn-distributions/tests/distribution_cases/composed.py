"""Distributions built from others: mixtures, and counts with additional zeros."""

from types import SimpleNamespace

import numpy as np
from scipy import stats
from scipy.special import expit

import sojourn_distributions as dist
from distribution_cases.case import Case


def mixture(weights, loc, scale):
    return dist.MixtureSameFamily(dist.Categorical(weights), dist.Normal(loc, scale))


def inflated_binomial(gate):
    return dist.ZeroInflatedDistribution(dist.Binomial(5, 0.4), gate=gate)


def inflated_binomial_by_logits(gate_logits):
    return dist.ZeroInflatedDistribution(dist.Binomial(5, 0.4), gate_logits=gate_logits)


def normal_mixture(weights, loc, scale):
    parts = stats.norm(loc, scale)

    def cdf(x):
        return (weights * parts.cdf(np.expand_dims(x, -1))).sum(-1)

    return SimpleNamespace(
        logpdf=lambda x: np.log((weights * parts.pdf(np.expand_dims(x, -1))).sum(-1)),
        cdf=cdf,
        ppf=lambda q: np.linspace(-3.0, 4.0, len(q)),
    )


def zero_inflated(base, gate):
    return SimpleNamespace(
        logpmf=lambda k: np.log(gate * (k == 0) + (1 - gate) * base.pmf(k)),
        cdf=lambda k: gate * (k >= 0) + (1 - gate) * base.cdf(k),
        ppf=lambda q: np.minimum(np.arange(len(q)), 5),
    )


def zero_inflated_binomial(gate):
    return zero_inflated(stats.binom(5, 0.4), gate)


def zero_inflated_binomial_of_logits(gate_logits):
    return zero_inflated(stats.binom(5, 0.4), expit(gate_logits))


def zero_inflated_poisson(gate, rate):
    return zero_inflated(stats.poisson(rate), gate)


CASES = [
    Case(inflated_binomial, {"gate": 0.2}, zero_inflated_binomial),
    Case(inflated_binomial_by_logits, {"gate_logits": -1.0}, zero_inflated_binomial_of_logits),
    Case(dist.ZeroInflatedPoisson, {"gate": 0.2, "rate": 2.0}, zero_inflated_poisson),
    Case(
        mixture,
        {"weights": np.array([0.3, 0.7]), "loc": np.array([-1.0, 1.5]), "scale": 0.8},
        normal_mixture,
    ),
]
