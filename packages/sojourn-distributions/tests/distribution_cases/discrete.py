"""Distributions on the integers, with their references in scipy.stats."""

from types import SimpleNamespace

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


def beta_binomial(concentration1, concentration0, total_count):
    return stats.betabinom(total_count, concentration1, concentration0)


def beta_negative_binomial(concentration1, concentration0, n):
    return stats.betanbinom(n, concentration0, concentration1)


def gamma_poisson(concentration, rate):
    return stats.nbinom(concentration, rate / (1 + rate))


def negative_binomial(total_count, probs):
    return stats.nbinom(total_count, 1 - probs)


def negative_binomial_of_logits(total_count, logits):
    return stats.nbinom(total_count, expit(-logits))


def multinomial(total_count, probs):
    return stats.multinomial(total_count, probs)


def multinomial_of_logits(total_count, logits):
    return stats.multinomial(total_count, softmax(logits))


def dirichlet_multinomial(concentration, total_count):
    def rvs(size, random_state):
        rng = np.random.default_rng(random_state)
        return rng.multinomial(total_count, rng.dirichlet(concentration, size))

    reference = stats.dirichlet_multinomial(concentration, total_count)
    return SimpleNamespace(logpmf=reference.logpmf, rvs=rvs)


def ordered_logistic(predictor, cutpoints):
    below = expit(np.append(cutpoints, np.inf) - predictor)
    return categorical(np.diff(below, prepend=0.0))


def negative_binomial2(mean, concentration):
    return stats.nbinom(concentration, concentration / (mean + concentration))


def sparse_poisson(rate, is_sparse):
    return stats.poisson(rate)


def poisson(rate):
    return stats.poisson(rate)


CASES = [
    Case(dist.Bernoulli, {"probs": 0.3}, bernoulli, "probs"),
    Case(dist.Bernoulli, {"logits": -0.7}, bernoulli_of_logits, "logits"),
    Case(
        dist.BetaBinomial,
        {"concentration1": 2.5, "concentration0": 1.3, "total_count": 9},
        beta_binomial,
    ),
    Case(
        dist.BetaNegativeBinomial,
        {"concentration1": 2.0, "concentration0": 12.5, "n": 3},
        beta_negative_binomial,
    ),
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
    Case(
        dist.DirichletMultinomial,
        {"concentration": np.array([0.7, 2.0, 3.5]), "total_count": 7},
        dirichlet_multinomial,
    ),
    Case(dist.DiscreteUniform, {"low": -2, "high": 5}, discrete_uniform),
    Case(dist.GammaPoisson, {"concentration": 2.5, "rate": 0.4}, gamma_poisson),
    Case(dist.Geometric, {"probs": 0.3}, geometric, "probs"),
    Case(dist.Geometric, {"logits": -0.5}, geometric_of_logits, "logits"),
    Case(
        dist.Multinomial,
        {"total_count": 7, "probs": np.array([0.1, 0.6, 0.3])},
        multinomial,
        "probs",
    ),
    Case(
        dist.Multinomial,
        {"total_count": 7, "logits": np.array([0.1, -0.6, 1.3])},
        multinomial_of_logits,
        "logits",
    ),
    Case(dist.NegativeBinomial, {"total_count": 2.5, "probs": 0.6}, negative_binomial, "probs"),
    Case(
        dist.NegativeBinomial,
        {"total_count": 2.5, "logits": 0.6},
        negative_binomial_of_logits,
        "logits",
    ),
    Case(dist.NegativeBinomial2, {"mean": 4.0, "concentration": 2.5}, negative_binomial2),
    Case(
        dist.OrderedLogistic,
        {"predictor": 0.4, "cutpoints": np.array([-1.0, 0.3, 2.0])},
        ordered_logistic,
        moments=False,
    ),
    Case(dist.Poisson, {"rate": 3.5}, poisson),
    Case(dist.Poisson, {"rate": 0.3, "is_sparse": True}, sparse_poisson, "sparse"),
]
