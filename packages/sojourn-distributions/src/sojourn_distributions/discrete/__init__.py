"""Distributions on integers, a family per file."""

from sojourn_distributions.discrete.bernoulli import Bernoulli, BernoulliLogits, BernoulliProbs
from sojourn_distributions.discrete.binomial import Binomial, BinomialLogits, BinomialProbs
from sojourn_distributions.discrete.categorical import (
    Categorical,
    CategoricalLogits,
    CategoricalProbs,
)
from sojourn_distributions.discrete.geometric import Geometric, GeometricLogits, GeometricProbs
from sojourn_distributions.discrete.negative_binomial import NegativeBinomial2
from sojourn_distributions.discrete.poisson import Poisson
from sojourn_distributions.discrete.uniform import DiscreteUniform
from sojourn_distributions.discrete.zero_inflated import (
    ZeroInflatedDistribution,
    ZeroInflatedLogits,
    ZeroInflatedPoisson,
    ZeroInflatedProbs,
)

__all__ = [
    "Bernoulli",
    "BernoulliLogits",
    "BernoulliProbs",
    "Binomial",
    "BinomialLogits",
    "BinomialProbs",
    "Categorical",
    "CategoricalLogits",
    "CategoricalProbs",
    "DiscreteUniform",
    "Geometric",
    "GeometricLogits",
    "GeometricProbs",
    "NegativeBinomial2",
    "Poisson",
    "ZeroInflatedDistribution",
    "ZeroInflatedLogits",
    "ZeroInflatedPoisson",
    "ZeroInflatedProbs",
]
