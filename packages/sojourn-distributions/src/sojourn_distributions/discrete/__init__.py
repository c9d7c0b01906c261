"""Distributions on integers, a family per file."""

from sojourn_distributions.discrete.bernoulli import Bernoulli, BernoulliLogits, BernoulliProbs
from sojourn_distributions.discrete.beta_binomial import BetaBinomial, BetaNegativeBinomial
from sojourn_distributions.discrete.binomial import Binomial, BinomialLogits, BinomialProbs
from sojourn_distributions.discrete.categorical import (
    Categorical,
    CategoricalLogits,
    CategoricalProbs,
)
from sojourn_distributions.discrete.geometric import Geometric, GeometricLogits, GeometricProbs
from sojourn_distributions.discrete.multinomial import (
    DirichletMultinomial,
    Multinomial,
    MultinomialLogits,
    MultinomialProbs,
)
from sojourn_distributions.discrete.negative_binomial import (
    GammaPoisson,
    NegativeBinomial,
    NegativeBinomial2,
    NegativeBinomialLogits,
    NegativeBinomialProbs,
)
from sojourn_distributions.discrete.ordered_logistic import OrderedLogistic
from sojourn_distributions.discrete.poisson import Poisson
from sojourn_distributions.discrete.uniform import DiscreteUniform
from sojourn_distributions.discrete.zero_inflated import (
    ZeroInflatedDistribution,
    ZeroInflatedLogits,
    ZeroInflatedNegativeBinomial2,
    ZeroInflatedPoisson,
    ZeroInflatedProbs,
)

__all__ = [
    "Bernoulli",
    "BernoulliLogits",
    "BernoulliProbs",
    "BetaBinomial",
    "BetaNegativeBinomial",
    "Binomial",
    "BinomialLogits",
    "BinomialProbs",
    "Categorical",
    "CategoricalLogits",
    "CategoricalProbs",
    "DirichletMultinomial",
    "DiscreteUniform",
    "GammaPoisson",
    "Geometric",
    "GeometricLogits",
    "GeometricProbs",
    "Multinomial",
    "MultinomialLogits",
    "MultinomialProbs",
    "NegativeBinomial",
    "NegativeBinomial2",
    "NegativeBinomialLogits",
    "NegativeBinomialProbs",
    "OrderedLogistic",
    "Poisson",
    "ZeroInflatedDistribution",
    "ZeroInflatedLogits",
    "ZeroInflatedNegativeBinomial2",
    "ZeroInflatedPoisson",
    "ZeroInflatedProbs",
]
