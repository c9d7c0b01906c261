"""Distributions on the integers, with their references in scipy.stats."""

import numpy as np
from scipy import stats
from scipy.special import expit, softmax

import sojourn_distributions as dist
from distribution_cases.case import Case


def categorical(probs):
    return stats.rv_discrete(values=(np.arange(len(probs)), probs))


def bernoulli(probs):
    return stats.bernoulli(probs)


def bernoulli_of_logits(logits):
    return stats.bernoulli(expit(logits))


def binomial(total_count, probs):
    return stats.binom(total_count, probs)


def binomial_of_logits(total_count, logits):
    return stats.binom(total_count, expit(logits))


def categorical_of_logits(logits):
    return categorical(softmax(logits))


def discrete_uniform(low, high):
    return stats.randint(low, high + 1)


def geometric(probs):
    return stats.geom(probs, -1)


def geometric_of_logits(logits):
    return stats.geom(expit(logits), -1)


def negative_binomial2(mean, concentration):
    return stats.nbinom(concentration, concentration / (mean + concentration))


def poisson(rate):
    return stats.poisson(rate)


CASES = [
    Case(dist.Bernoulli, {"probs": 0.3}, bernoulli, "probs"),
    Case(dist.Bernoulli, {"logits": -0.7}, bernoulli_of_logits, "logits"),
    Case(dist.Binomial, {"total_count": 12, "probs": 0.3}, binomial, "probs"),
    Case(dist.Binomial, {"total_count": 12, "logits": 0.6}, binomial_of_logits, "logits"),
    Case(
        dist.Categorical, {"probs": np.array([0.1, 0.6, 0.3])}, categorical, "probs", moments=False
    ),
    Case(
        dist.Categorical,
        {"logits": np.array([0.1, -0.6, 1.3])},
        categorical_of_logits,
        "logits",
        moments=False,
    ),
    Case(dist.DiscreteUniform, {"low": -2, "high": 5}, discrete_uniform),
    Case(dist.Geometric, {"probs": 0.3}, geometric, "probs"),
    Case(dist.Geometric, {"logits": -0.5}, geometric_of_logits, "logits"),
    Case(dist.NegativeBinomial2, {"mean": 4.0, "concentration": 2.5}, negative_binomial2),
    Case(dist.Poisson, {"rate": 3.5}, poisson),
]
