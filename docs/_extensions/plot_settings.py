"""What is drawn for each distribution: one line with the range and two or three examples.

An example is written as the call that makes it, which is its label in the plot as well.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

import sojourn_distributions as dist


class Plot(NamedTuple):
    """How a distribution is drawn (a method of `density_plots`), of which examples, and where."""

    kind: str
    calls: tuple[str, ...]
    limits: tuple[float, ...] = ()


def curves(low: float, high: float, *calls: str) -> Plot:
    """Densities on a line."""
    return Plot("curves", calls, (low, high))


def hurdle(low: float, high: float, *calls: str) -> Plot:
    """Densities above a point that has a probability of its own."""
    return Plot("hurdle", calls, (low, high))


def intervals(low: float, high: float, *calls: str) -> Plot:
    """Probabilities of intervals of width one."""
    return Plot("intervals", calls, (low, high))


def bars(low: int, high: int, *calls: str) -> Plot:
    """Masses of integers."""
    return Plot("bars", calls, (low, high))


def surface(low: float, high: float, *calls: str) -> Plot:
    """Densities of pairs of numbers, a panel each."""
    return Plot("surface", calls, (low, high))


def drawn(kind: str, *calls: str) -> Plot:
    """Something that needs no limits."""
    return Plot(kind, calls)


_CHOLESKY = "np.array([[1.0, 0.0], [0.8, 0.6]])"
_COVARIANCE = "np.array([[1.0, 0.8], [0.8, 1.0]])"
_CHAIN = "np.eye(40, k=1) + np.eye(40, k=-1)"

PLOTS: dict[str, Plot] = {
    # --- real line ---
    "AsymmetricLaplace": curves(
        -5, 5, "AsymmetricLaplace(0, 1, asymmetry=1)", "AsymmetricLaplace(0, 1, asymmetry=2)"
    ),
    "AsymmetricLaplaceQuantile": curves(
        -8,
        8,
        "AsymmetricLaplaceQuantile(0, 1, quantile=0.5)",
        "AsymmetricLaplaceQuantile(0, 1, quantile=0.2)",
    ),
    "Cauchy": curves(-8, 8, "Cauchy(0, 1)", "Cauchy(0, 2)", "Cauchy(3, 0.5)"),
    "Gumbel": curves(-5, 12, "Gumbel(0, 1)", "Gumbel(0, 2)", "Gumbel(4, 1)"),
    "Laplace": curves(-6, 6, "Laplace(0, 1)", "Laplace(0, 2)", "Laplace(3, 0.5)"),
    "Logistic": curves(-10, 10, "Logistic(0, 1)", "Logistic(0, 2)", "Logistic(5, 0.5)"),
    "Normal": curves(-6, 6, "Normal(0, 1)", "Normal(0, 2)", "Normal(3, 0.5)"),
    "SoftLaplace": curves(-8, 8, "SoftLaplace(0, 1)", "SoftLaplace(0, 2)", "SoftLaplace(4, 0.5)"),
    "StudentT": curves(-6, 6, "StudentT(1)", "StudentT(5)", "StudentT(5, 2, 0.5)"),
    # --- half line ---
    "Chi2": curves(0, 15, "Chi2(2)", "Chi2(3)", "Chi2(6)"),
    "Dagum": curves(0, 4, "Dagum(1, 2, 1)", "Dagum(2, 4, 1)", "Dagum(0.5, 6, 2)"),
    "Exponential": curves(0, 5, "Exponential(0.5)", "Exponential(1)", "Exponential(2)"),
    "Gamma": curves(0, 10, "Gamma(1, 1)", "Gamma(3, 1)", "Gamma(9, 2)"),
    "Gompertz": curves(0, 4, "Gompertz(0.1, 1)", "Gompertz(0.5, 1)", "Gompertz(0.1, 2)"),
    "HalfCauchy": curves(0, 8, "HalfCauchy(0.5)", "HalfCauchy(1)", "HalfCauchy(2)"),
    "HalfNormal": curves(0, 6, "HalfNormal(0.5)", "HalfNormal(1)", "HalfNormal(2)"),
    "InverseGamma": curves(0, 4, "InverseGamma(2, 1)", "InverseGamma(3, 1)", "InverseGamma(3, 3)"),
    "Levy": curves(0, 6, "Levy(0, 0.5)", "Levy(0, 2)", "Levy(2, 1)"),
    "LogNormal": curves(0, 6, "LogNormal(0, 1)", "LogNormal(0, 0.5)", "LogNormal(1, 0.25)"),
    "LowerTruncatedPowerLaw": curves(
        0.5, 6, "LowerTruncatedPowerLaw(-2.0, 1.0)", "LowerTruncatedPowerLaw(-4.0, 1.5)"
    ),
    "Pareto": curves(0.5, 6, "Pareto(1.0, 1.0)", "Pareto(1.0, 3.0)", "Pareto(2.0, 3.0)"),
    "Weibull": curves(0, 4, "Weibull(1, 1)", "Weibull(1, 2)", "Weibull(2, 5)"),
    # --- interval ---
    "Beta": curves(0, 1, "Beta(2, 2)", "Beta(2, 5)", "Beta(8, 3)"),
    "BetaProportion": curves(
        0, 1, "BetaProportion(0.5, 4)", "BetaProportion(0.3, 10)", "BetaProportion(0.8, 30)"
    ),
    "DoublyTruncatedPowerLaw": curves(
        0.5,
        4.5,
        "DoublyTruncatedPowerLaw(-2.0, 1.0, 4.0)",
        "DoublyTruncatedPowerLaw(0.5, 1.0, 4.0)",
        "DoublyTruncatedPowerLaw(-1.0, 2.0, 3.0)",
    ),
    "Kumaraswamy": curves(0, 1, "Kumaraswamy(2, 2)", "Kumaraswamy(2, 8)", "Kumaraswamy(6, 2)"),
    "LogUniform": curves(0, 5, "LogUniform(0.5, 4.5)", "LogUniform(1.0, 2.0)"),
    "RelaxedBernoulli": curves(
        0,
        1,
        "RelaxedBernoulli(2.0, probs=0.5)",
        "RelaxedBernoulli(1.0, probs=0.7)",
        "RelaxedBernoulli(0.9, probs=0.3)",
    ),
    "TruncatedCauchy": curves(
        -4, 8, "TruncatedCauchy(3, 1, low=0, high=6)", "TruncatedCauchy(0, 1, low=-1)"
    ),
    "TruncatedGamma": curves(
        0, 8, "TruncatedGamma(3, 1, low=2, high=4)", "TruncatedGamma(3, 1, low=1)"
    ),
    "TruncatedNormal": curves(
        -3,
        5,
        "TruncatedNormal(0, 1, low=0.5, high=2)",
        "TruncatedNormal(0, 1, low=-1)",
        "TruncatedNormal(3, 1, high=4)",
    ),
    "TruncatedPolyaGamma": curves(0, 2.5, "TruncatedPolyaGamma()"),
    "Uniform": curves(-2, 5, "Uniform(0, 1)", "Uniform(-1, 1)", "Uniform(0, 4)"),
    # --- counts and categories ---
    "Bernoulli": bars(0, 1, "Bernoulli(0.3)", "Bernoulli(logits=1.0)"),
    "BetaBinomial": bars(0, 10, "BetaBinomial(2, 2, 10)", "BetaBinomial(0.5, 0.5, 10)"),
    "BetaNegativeBinomial": bars(
        0, 16, "BetaNegativeBinomial(4, 2, 5)", "BetaNegativeBinomial(6, 4, 8)"
    ),
    "Binomial": bars(0, 12, "Binomial(6, 0.3)", "Binomial(12, 0.3)", "Binomial(12, 0.8)"),
    "Categorical": bars(0, 3, "Categorical(np.array([0.1, 0.4, 0.3, 0.2]))"),
    "DiscreteUniform": bars(-2, 8, "DiscreteUniform(0, 3)", "DiscreteUniform(-1, 7)"),
    "GammaPoisson": bars(0, 16, "GammaPoisson(2, 1)", "GammaPoisson(4, 0.5)"),
    "Geometric": bars(0, 10, "Geometric(0.3)", "Geometric(0.6)"),
    "NegativeBinomial": bars(0, 16, "NegativeBinomial(2, 0.5)", "NegativeBinomial(5, 0.5)"),
    "NegativeBinomial2": bars(0, 16, "NegativeBinomial2(5, 1)", "NegativeBinomial2(5, 10)"),
    "OrderedLogistic": bars(
        0,
        3,
        "OrderedLogistic(0.0, np.array([-2.0, 0.0, 1.0]))",
        "OrderedLogistic(1.5, np.array([-2.0, 0.0, 1.0]))",
    ),
    "Poisson": bars(0, 14, "Poisson(1)", "Poisson(3)", "Poisson(7)"),
    "ZeroInflatedPoisson": bars(
        0, 10, "ZeroInflatedPoisson(0.1, 3)", "ZeroInflatedPoisson(0.5, 3)"
    ),
    "ZeroInflatedNegativeBinomial2": bars(
        0,
        12,
        "ZeroInflatedNegativeBinomial2(4, 2, gate=0.1)",
        "ZeroInflatedNegativeBinomial2(4, 2, gate=0.5)",
    ),
    "HurdlePoisson": bars(0, 10, "HurdlePoisson(0.1, 3)", "HurdlePoisson(0.5, 3)"),
    "HurdleNegativeBinomial2": bars(
        0, 12, "HurdleNegativeBinomial2(0.1, 4, 2)", "HurdleNegativeBinomial2(0.5, 4, 2)"
    ),
    "HurdleGamma": hurdle(0, 8, "HurdleGamma(0.2, 3, 1)", "HurdleGamma(0.5, 6, 2)"),
    "HurdleLogNormal": hurdle(
        0, 6, "HurdleLogNormal(0.2, 0.5, 0.5)", "HurdleLogNormal(0.5, 1, 0.3)"
    ),
    # --- vectors and matrices ---
    "CAR": drawn("paths", f"CAR(0.0, 0.95, 1.0, {_CHAIN})"),
    "CirculantNormal": drawn(
        "paths",
        "CirculantNormal(np.zeros(64), covariance_rfft=100 / (1.0 + np.arange(33)) ** 3)",
    ),
    "Dirichlet": drawn(
        "simplex",
        "Dirichlet(np.array([1.5, 1.5, 1.5]))",
        "Dirichlet(np.array([2.0, 3.0, 6.0]))",
        "Dirichlet(np.array([12.0, 8.0, 4.0]))",
    ),
    "DirichletMultinomial": drawn(
        "first_count",
        "DirichletMultinomial(np.array([2.0, 2.0]), 10)",
        "DirichletMultinomial(np.array([8.0, 4.0]), 10)",
    ),
    "GaussianCopula": surface(0, 6, f"GaussianCopula(Gamma(np.array([2.0, 3.0])), {_COVARIANCE})"),
    "GaussianCopulaBeta": surface(
        0, 1, f"GaussianCopulaBeta(np.array([2.0, 4.0]), np.array([3.0, 2.0]), {_COVARIANCE})"
    ),
    "InverseWishart": drawn("ellipses", f"InverseWishart(6.0, scale_matrix={_COVARIANCE})"),
    "InverseWishartCholesky": drawn(
        "ellipses", f"InverseWishartCholesky(6.0, scale_matrix={_COVARIANCE})"
    ),
    "LKJ": drawn("correlation", "LKJ(2, 0.7)", "LKJ(2, 1.0)", "LKJ(2, 4.0)"),
    "LKJCholesky": drawn(
        "correlation", "LKJCholesky(2, 0.7)", "LKJCholesky(2, 1.0)", "LKJCholesky(2, 4.0)"
    ),
    "LowRankMultivariateNormal": surface(
        -3,
        3,
        "LowRankMultivariateNormal(np.zeros(2), np.array([[1.0], [0.8]]), np.array([0.2, 0.3]))",
    ),
    "MatrixNormal": drawn(
        "images",
        "MatrixNormal(np.zeros((8, 16)), np.linalg.cholesky(0.5 + 0.5 * np.eye(8)), "
        "np.linalg.cholesky(0.9 ** abs(np.subtract.outer(np.arange(16.0), np.arange(16.0)))))",
    ),
    "Multinomial": drawn(
        "first_count",
        "Multinomial(10, np.array([0.3, 0.7]))",
        "Multinomial(10, np.array([0.8, 0.2]))",
    ),
    "MultivariateNormal": surface(
        -3,
        3,
        "MultivariateNormal(np.zeros(2), np.diag([1.0, 0.3]))",
        f"MultivariateNormal(np.zeros(2), {_COVARIANCE})",
    ),
    "MultivariateStudentT": surface(
        -4,
        4,
        f"MultivariateStudentT(2.0, np.zeros(2), {_CHOLESKY})",
        f"MultivariateStudentT(30.0, np.zeros(2), {_CHOLESKY})",
    ),
    "Wishart": drawn("ellipses", f"Wishart(6.0, {_COVARIANCE} / 6)"),
    "WishartCholesky": drawn("ellipses", f"WishartCholesky(6.0, {_COVARIANCE} / 6)"),
    "ZeroSumNormal": drawn("scatter", "ZeroSumNormal(1.0, (3,))"),
    # --- angles and directions ---
    "ProjectedNormal": drawn(
        "circle",
        "ProjectedNormal(np.array([0.5, 0.0]))",
        "ProjectedNormal(np.array([1.5, 1.5]))",
    ),
    "SineBivariateVonMises": surface(
        -np.pi,
        np.pi,
        "SineBivariateVonMises(0.0, 0.0, 2.0, 2.0, 1.0)",
        "SineBivariateVonMises(1.0, -1.0, 4.0, 2.0, -2.0)",
    ),
    "SineSkewed": surface(
        -np.pi,
        np.pi,
        "SineSkewed(VonMises(np.zeros(2), np.ones(2)).to_event(1), np.array([0.5, 0.0]))",
        "SineSkewed(SineBivariateVonMises(0.0, 0.0, 2.0, 2.0, 1.0), np.array([-0.3, 0.6]))",
    ),
    "VonMises": curves(-np.pi, np.pi, "VonMises(0, 1)", "VonMises(0, 4)", "VonMises(2, 4)"),
    # --- time series ---
    "EulerMaruyama": drawn(
        "paths",
        "EulerMaruyama(np.linspace(0.0, 5.0, 100), lambda x, t: (1.0 - x, 0.5), Normal(3.0, 0.1))",
    ),
    "GaussianRandomWalk": drawn("paths", "GaussianRandomWalk(1.0, 100)"),
    "GaussianStateSpace": drawn(
        "paths",
        "GaussianStateSpace(100, np.array([[0.95, 0.3], [-0.3, 0.95]]), 0.01 * np.eye(2))",
    ),
    # --- composed of others ---
    "Delta": bars(-2, 3, "Delta(1)"),
    "FoldedDistribution": curves(
        0, 5, "FoldedDistribution(Normal(1, 1))", "FoldedDistribution(StudentT(3, 2, 0.7))"
    ),
    "HurdleDistribution": bars(
        0,
        10,
        "HurdleDistribution(Poisson(3), gate=0.2)",
        "HurdleDistribution(Poisson(3), gate=0.6)",
    ),
    "IntervalCensoredDistribution": intervals(
        0,
        6,
        "IntervalCensoredDistribution(Gamma(3, 1), False, False)",
        "IntervalCensoredDistribution(Gamma(3, 1), left_censored=True, right_censored=False)",
        "IntervalCensoredDistribution(Gamma(3, 1), left_censored=False, right_censored=True)",
    ),
    "LeftCensoredDistribution": curves(
        -4,
        4,
        "LeftCensoredDistribution(Normal(0, 1), censored=False)",
        "LeftCensoredDistribution(Normal(0, 1), censored=True)",
    ),
    "LeftTruncatedDistribution": curves(
        -3,
        5,
        "LeftTruncatedDistribution(Normal(0, 1), low=-1)",
        "LeftTruncatedDistribution(Cauchy(0, 1), low=1)",
    ),
    "LeftTruncatedGamma": curves(
        0, 8, "LeftTruncatedGamma(Gamma(3, 1), low=1)", "LeftTruncatedGamma(Gamma(3, 1), low=4)"
    ),
    "Mixture": curves(
        -4,
        6,
        "Mixture(Categorical(np.array([0.3, 0.7])), [Normal(-2, 0.5), Laplace(2, 1)])",
    ),
    "MixtureGeneral": curves(
        -4,
        6,
        "MixtureGeneral(Categorical(np.array([0.3, 0.7])), [Normal(-2, 0.5), Laplace(2, 1)])",
    ),
    "MixtureSameFamily": curves(
        -5,
        5,
        "MixtureSameFamily(Categorical(np.array([0.3, 0.7])), Normal(np.array([-2, 1]), 0.8))",
    ),
    "RightCensoredDistribution": curves(
        -4,
        4,
        "RightCensoredDistribution(Normal(0, 1), censored=False)",
        "RightCensoredDistribution(Normal(0, 1), censored=True)",
    ),
    "RightTruncatedDistribution": curves(
        -4,
        3,
        "RightTruncatedDistribution(Normal(0, 1), high=1)",
        "RightTruncatedDistribution(Laplace(0, 1), high=-1)",
    ),
    "RightTruncatedGamma": curves(
        0, 8, "RightTruncatedGamma(Gamma(3, 1), high=2)", "RightTruncatedGamma(Gamma(3, 1), high=6)"
    ),
    "TransformedDistribution": curves(
        0,
        1,
        "TransformedDistribution(Normal(0, 1), transforms.SigmoidTransform())",
        "TransformedDistribution(Normal(1, 0.5), transforms.SigmoidTransform())",
    ),
    "TruncatedDistribution": curves(
        -4,
        4,
        "TruncatedDistribution(Normal(0, 1), low=-1)",
        "TruncatedDistribution(Logistic(0, 1), low=-2, high=3)",
    ),
    "TwoSidedTruncatedDistribution": curves(
        -3,
        3,
        "TwoSidedTruncatedDistribution(Normal(0, 1), -1, 2)",
        "TwoSidedTruncatedDistribution(Laplace(0, 1), -2, 1)",
    ),
    "TwoSidedTruncatedGamma": curves(
        0,
        8,
        "TwoSidedTruncatedGamma(Gamma(3, 1), 1, 6)",
        "TwoSidedTruncatedGamma(Gamma(3, 1), 2, 4)",
    ),
    "ZeroInflatedDistribution": bars(
        0,
        10,
        "ZeroInflatedDistribution(Poisson(3), gate=0.2)",
        "ZeroInflatedDistribution(Poisson(3), gate=0.6)",
    ),
}


def examples(name: str) -> list[Any]:
    """The distributions that are drawn for a name, none if it is not drawn."""
    plot = PLOTS.get(name)
    names = {**{each: getattr(dist, each) for each in dist.__all__}, "np": np}
    return [eval(call, names) for call in plot.calls] if plot else []
