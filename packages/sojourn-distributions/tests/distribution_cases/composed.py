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


def inflated_negative_binomial(mean, concentration, gate_logits):
    base = stats.nbinom(concentration, concentration / (mean + concentration))
    return zero_inflated(base, expit(gate_logits))


def hurdle(base, gate):
    rest = (1 - gate) / (1 - base.pmf(0))
    return SimpleNamespace(
        logpmf=lambda k: np.log(np.where(k == 0, gate, rest * base.pmf(k))),
        cdf=lambda k: (k >= 0) * (gate + rest * (base.cdf(k) - base.pmf(0))),
        ppf=lambda q: np.minimum(np.arange(len(q)), 5),
    )


def hurdle_poisson(gate, rate):
    return hurdle(stats.poisson(rate), gate)


def hurdle_negative_binomial(gate, mean, concentration):
    return hurdle(stats.nbinom(concentration, concentration / (mean + concentration)), gate)


def hurdle_binomial(gate_logits):
    return dist.HurdleDistribution(dist.Binomial(5, 0.4), gate_logits=gate_logits)


def hurdle_binomial_of_logits(gate_logits):
    return hurdle(stats.binom(5, 0.4), expit(gate_logits))


def general_mixture(weights, loc):
    parts = [dist.Normal(loc, 0.7), dist.Laplace(1.0, 0.5)]
    return dist.Mixture(dist.Categorical(weights), parts)


def normal_and_laplace(weights, loc):
    parts = [stats.norm(loc, 0.7), stats.laplace(1.0, 0.5)]
    return SimpleNamespace(
        logpdf=lambda x: np.log(
            sum(w * part.pdf(x) for w, part in zip(weights, parts, strict=True))
        ),
        cdf=lambda x: sum(w * part.cdf(x) for w, part in zip(weights, parts, strict=True)),
        ppf=lambda q: np.linspace(-3.0, 4.0, len(q)),
    )


def mixture_of_counts(weights, probs):
    parts = [dist.Binomial(3, probs), dist.DiscreteUniform(2, 6)]
    return dist.MixtureGeneral(dist.Categorical(weights), parts)


def binomial_and_uniform(weights, probs):
    k = np.arange(7)
    pmf = weights[0] * stats.binom(3, probs).pmf(k) + weights[1] * stats.randint(2, 7).pmf(k)
    return stats.rv_discrete(values=(k, pmf))()


def observed_left(loc, scale):
    return dist.LeftCensoredDistribution(dist.Normal(loc, scale))


def observed_right(rate):
    return dist.RightCensoredDistribution(dist.Poisson(rate))


def poisson(rate):
    return stats.poisson(rate)


CASES = [
    # Nothing is censored here; what is has tests of its own.
    Case(observed_left, {"loc": 0.3, "scale": 1.2}, stats.norm, moments=False),
    Case(observed_right, {"rate": 3.0}, poisson, moments=False),
    Case(general_mixture, {"weights": np.array([0.3, 0.7]), "loc": -1.0}, normal_and_laplace),
    Case(mixture_of_counts, {"weights": np.array([0.3, 0.7]), "probs": 0.6}, binomial_and_uniform),
    Case(dist.HurdlePoisson, {"gate": 0.2, "rate": 0.8}, hurdle_poisson),
    Case(hurdle_binomial, {"gate_logits": -1.0}, hurdle_binomial_of_logits),
    Case(
        dist.HurdleNegativeBinomial2,
        {"gate": 0.2, "mean": 2.0, "concentration": 1.5},
        hurdle_negative_binomial,
    ),
    Case(
        dist.ZeroInflatedNegativeBinomial2,
        {"mean": 2.0, "concentration": 1.5, "gate_logits": -1.0},
        inflated_negative_binomial,
    ),
    Case(inflated_binomial, {"gate": 0.2}, zero_inflated_binomial),
    Case(inflated_binomial_by_logits, {"gate_logits": -1.0}, zero_inflated_binomial_of_logits),
    Case(dist.ZeroInflatedPoisson, {"gate": 0.2, "rate": 2.0}, zero_inflated_poisson),
    Case(
        mixture,
        {"weights": np.array([0.3, 0.7]), "loc": np.array([-1.0, 1.5]), "scale": 0.8},
        normal_mixture,
    ),
]
