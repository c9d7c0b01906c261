"""The table of distributions under test, one row each; every test that takes `case` runs on all.

A row is ``Case(constructor, parameters, reference)``. The reference takes the same parameters and
returns an object with scipy.stats' `logpdf` or `logpmf`, and for numbers also `cdf` and `ppf`
(None if scipy has no counterpart: then only the laws that need none are tested).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np
import pytest
from scipy import stats

import sojourn_distributions as dist


@dataclass(frozen=True)
class Case:
    constructor: Callable[..., dist.Distribution]
    parameters: dict[str, Any]
    reference: Callable[..., Any] | None = None
    label: str = ""
    # Moments that do not exist, or have no formula, or converge too slowly to be compared.
    moments: bool = True

    def make(self) -> Any:
        return self.constructor(**self.parameters)

    def scipy(self) -> Any:
        if self.reference is None:
            pytest.skip("no reference in scipy.stats")
        return self.reference(**self.parameters)

    def points(self) -> np.ndarray:
        """Some values of the support, from the reference."""
        reference = self.scipy()
        if self.make().event_shape:
            return np.asarray(reference.rvs(size=5, random_state=7))
        return reference.ppf(np.array([0.001, 0.1, 0.3, 0.5, 0.7, 0.9, 0.999]))

    def __str__(self) -> str:
        return self.constructor.__name__ + (f"-{self.label}" if self.label else "")


# Constructors of what takes another distribution.


def mixture(weights, loc, scale):
    return dist.MixtureSameFamily(dist.Categorical(weights), dist.Normal(loc, scale))


def inflated_binomial(gate):
    return dist.ZeroInflatedDistribution(dist.Binomial(5, 0.4), gate=gate)


def inflated_binomial_by_logits(gate_logits):
    return dist.ZeroInflatedDistribution(dist.Binomial(5, 0.4), gate_logits=gate_logits)


# References: scipy.stats by the parameters of the table.


def normal_mixture(weights, loc, scale):
    parts = stats.norm(loc, scale)

    def cdf(x):
        return (weights * parts.cdf(np.expand_dims(x, -1))).sum(-1)

    return SimpleNamespace(
        logpdf=lambda x: np.log((weights * parts.pdf(np.expand_dims(x, -1))).sum(-1)),
        cdf=cdf,
        ppf=lambda q: np.linspace(-3.0, 4.0, len(q)),
    )


def random_walk(scale, num_steps):
    time = np.arange(1, num_steps + 1)
    return stats.multivariate_normal(cov=scale**2 * np.minimum(time[:, None], time))


def truncated(base, low=-np.inf, high=np.inf):
    below, mass = base.cdf(low), base.cdf(high) - base.cdf(low)
    return SimpleNamespace(
        logpdf=lambda x: base.logpdf(x) - np.log(mass),
        cdf=lambda x: np.clip((base.cdf(x) - below) / mass, 0, 1),
        ppf=lambda q: base.ppf(below + q * mass),
    )


def truncated_normal(loc, scale, low=-np.inf, high=np.inf):
    return stats.truncnorm((low - loc) / scale, (high - loc) / scale, loc, scale)


def zero_inflated(base, gate):
    return SimpleNamespace(
        logpmf=lambda k: np.log(gate * (k == 0) + (1 - gate) * base.pmf(k)),
        cdf=lambda k: gate * (k >= 0) + (1 - gate) * base.cdf(k),
        ppf=lambda q: np.minimum(np.arange(len(q)), 5),
    )


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def categorical(probs):
    return stats.rv_discrete(values=(np.arange(len(probs)), probs))


def softmax(x):
    return np.exp(x) / np.exp(x).sum()


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


def bernoulli(probs):
    return stats.bernoulli(probs)


def bernoulli_of_logits(logits):
    return stats.bernoulli(sigmoid(logits))


def binomial(total_count, probs):
    return stats.binom(total_count, probs)


def binomial_of_logits(total_count, logits):
    return stats.binom(total_count, sigmoid(logits))


def categorical_of_logits(logits):
    return categorical(softmax(logits))


def discrete_uniform(low, high):
    return stats.randint(low, high + 1)


def geometric(probs):
    return stats.geom(probs, -1)


def geometric_of_logits(logits):
    return stats.geom(sigmoid(logits), -1)


def negative_binomial2(mean, concentration):
    return stats.nbinom(concentration, concentration / (mean + concentration))


def poisson(rate):
    return stats.poisson(rate)


def zero_inflated_binomial(gate):
    return zero_inflated(stats.binom(5, 0.4), gate)


def zero_inflated_binomial_of_logits(gate_logits):
    return zero_inflated(stats.binom(5, 0.4), sigmoid(gate_logits))


def zero_inflated_poisson(gate, rate):
    return zero_inflated(stats.poisson(rate), gate)


def dirichlet(concentration):
    return SimpleNamespace(
        logpdf=lambda x: stats.dirichlet(concentration).logpdf(x.T),
        rvs=stats.dirichlet(concentration).rvs,
    )


def multivariate_normal(loc, covariance_matrix):
    return stats.multivariate_normal(loc, covariance_matrix)


def multivariate_normal_of_precision(loc, precision_matrix):
    return stats.multivariate_normal(loc, np.linalg.inv(precision_matrix))


def multivariate_normal_of_cholesky(loc, scale_tril):
    return stats.multivariate_normal(loc, scale_tril @ scale_tril.T)


MATRIX = np.array([[2.0, 0.5, 0.1], [0.5, 1.0, -0.3], [0.1, -0.3, 0.7]])
MEAN = np.array([1.0, -2.0, 0.5])

CASES = [
    # continuous
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
    # discrete
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
    Case(inflated_binomial, {"gate": 0.2}, zero_inflated_binomial),
    Case(inflated_binomial_by_logits, {"gate_logits": -1.0}, zero_inflated_binomial_of_logits),
    Case(dist.ZeroInflatedPoisson, {"gate": 0.2, "rate": 2.0}, zero_inflated_poisson),
    # vectors, matrices, mixtures
    Case(dist.Dirichlet, {"concentration": np.array([0.9, 2.0, 3.5])}, dirichlet),
    Case(dist.GaussianRandomWalk, {"scale": 0.7, "num_steps": 4}, random_walk),
    Case(dist.LKJCholesky, {"dimension": 3, "concentration": 1.5}, moments=False),
    Case(
        dist.MultivariateNormal,
        {"loc": MEAN, "covariance_matrix": MATRIX},
        multivariate_normal,
        "covariance",
    ),
    Case(
        dist.MultivariateNormal,
        {"loc": MEAN, "precision_matrix": MATRIX},
        multivariate_normal_of_precision,
        "precision",
    ),
    Case(
        dist.MultivariateNormal,
        {"loc": MEAN, "scale_tril": np.tril(MATRIX)},
        multivariate_normal_of_cholesky,
        "cholesky",
    ),
    Case(
        mixture,
        {"weights": np.array([0.3, 0.7]), "loc": np.array([-1.0, 1.5]), "scale": 0.8},
        normal_mixture,
    ),
]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", CASES, ids=str)


@pytest.fixture(params=[False, True], ids=["float32", "float64"])
def precision(request):
    """Run the test in each precision; the value is the number of digits to expect, as a factor."""
    with jax.enable_x64(request.param):
        yield 1e-12 if request.param else 5e-5


@pytest.fixture
def x64():
    with jax.enable_x64(True):
        yield


@pytest.fixture
def log_density():
    """scipy's name of the log density or mass."""
    return lambda reference: getattr(reference, "logpdf", None) or reference.logpmf


@pytest.fixture(scope="session")
def jit():
    """`jax.jit` that compiles in half the time: most programs here run once."""
    return functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


@pytest.fixture(scope="session")
def log_prob(jit):
    """`log_prob` as one compiled program per kind of distribution and shape of value."""
    return jit(lambda d, x: d.log_prob(x))


@pytest.fixture
def cases():
    """The whole table."""
    return CASES
