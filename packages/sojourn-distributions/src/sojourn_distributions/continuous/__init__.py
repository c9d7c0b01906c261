"""Distributions on the real numbers and intervals of them, a family per file."""

from sojourn_distributions.continuous.beta import Beta, BetaProportion
from sojourn_distributions.continuous.cauchy import Cauchy, HalfCauchy
from sojourn_distributions.continuous.dagum import Dagum
from sojourn_distributions.continuous.gamma import Chi2, Exponential, Gamma, InverseGamma
from sojourn_distributions.continuous.gompertz import Gompertz
from sojourn_distributions.continuous.gumbel import Gumbel
from sojourn_distributions.continuous.kumaraswamy import Kumaraswamy
from sojourn_distributions.continuous.laplace import (
    AsymmetricLaplace,
    AsymmetricLaplaceQuantile,
    Laplace,
    SoftLaplace,
)
from sojourn_distributions.continuous.levy import Levy
from sojourn_distributions.continuous.log_uniform import LogUniform
from sojourn_distributions.continuous.logistic import Logistic
from sojourn_distributions.continuous.normal import HalfNormal, LogNormal, Normal
from sojourn_distributions.continuous.pareto import Pareto
from sojourn_distributions.continuous.polya_gamma import TruncatedPolyaGamma
from sojourn_distributions.continuous.power_law import (
    DoublyTruncatedPowerLaw,
    LowerTruncatedPowerLaw,
)
from sojourn_distributions.continuous.relaxed_bernoulli import (
    RelaxedBernoulli,
    RelaxedBernoulliLogits,
)
from sojourn_distributions.continuous.student_t import StudentT
from sojourn_distributions.continuous.truncated import (
    LeftTruncatedDistribution,
    RightTruncatedDistribution,
    TruncatedCauchy,
    TruncatedDistribution,
    TruncatedNormal,
    TwoSidedTruncatedDistribution,
)
from sojourn_distributions.continuous.truncated_gamma import (
    LeftTruncatedGamma,
    RightTruncatedGamma,
    TruncatedGamma,
    TwoSidedTruncatedGamma,
)
from sojourn_distributions.continuous.uniform import Uniform
from sojourn_distributions.continuous.weibull import Weibull

__all__ = [
    "AsymmetricLaplace",
    "AsymmetricLaplaceQuantile",
    "Beta",
    "BetaProportion",
    "Cauchy",
    "Chi2",
    "Dagum",
    "DoublyTruncatedPowerLaw",
    "Exponential",
    "Gamma",
    "Gompertz",
    "Gumbel",
    "HalfCauchy",
    "HalfNormal",
    "InverseGamma",
    "Kumaraswamy",
    "Laplace",
    "LeftTruncatedDistribution",
    "LeftTruncatedGamma",
    "Levy",
    "LogNormal",
    "LogUniform",
    "Logistic",
    "LowerTruncatedPowerLaw",
    "Normal",
    "Pareto",
    "RelaxedBernoulli",
    "RelaxedBernoulliLogits",
    "RightTruncatedDistribution",
    "RightTruncatedGamma",
    "SoftLaplace",
    "StudentT",
    "TruncatedCauchy",
    "TruncatedDistribution",
    "TruncatedGamma",
    "TruncatedNormal",
    "TruncatedPolyaGamma",
    "TwoSidedTruncatedDistribution",
    "TwoSidedTruncatedGamma",
    "Uniform",
    "Weibull",
]
