"""Probability distributions, constraints and transforms on JAX.

Importing this package creates no JAX array and starts no backend, and neither does building a
distribution from Python or NumPy numbers.
"""

from sojourn_distributions import (
    constraints,
    continuous,
    directional,
    discrete,
    multivariate,
    transforms,
)
from sojourn_distributions.censored import (
    IntervalCensoredDistribution,
    LeftCensoredDistribution,
    RightCensoredDistribution,
)
from sojourn_distributions.continuous import *  # noqa: F403 -- listed by continuous.__all__
from sojourn_distributions.directional import *  # noqa: F403 -- listed by directional.__all__
from sojourn_distributions.discrete import *  # noqa: F403 -- listed by discrete.__all__
from sojourn_distributions.distribution import (
    Distribution,
    ExpandedDistribution,
    Independent,
    MaskedDistribution,
)
from sojourn_distributions.folded import FoldedDistribution
from sojourn_distributions.hurdle import (
    HurdleDistribution,
    HurdleGamma,
    HurdleLogits,
    HurdleLogNormal,
    HurdleNegativeBinomial2,
    HurdlePoisson,
    HurdleProbs,
)
from sojourn_distributions.improper import Delta, ImproperUniform, Unit
from sojourn_distributions.kl import kl_divergence
from sojourn_distributions.mixture import Mixture, MixtureGeneral, MixtureSameFamily
from sojourn_distributions.multivariate import *  # noqa: F403 -- listed by multivariate.__all__
from sojourn_distributions.transformed import TransformedDistribution
from sojourn_distributions.transforms import biject_to
from sojourn_distributions.validation import enable_validation, validation_enabled

__all__ = [
    "Delta",
    "Distribution",
    "ExpandedDistribution",
    "FoldedDistribution",
    "HurdleDistribution",
    "HurdleGamma",
    "HurdleLogNormal",
    "HurdleLogits",
    "HurdleNegativeBinomial2",
    "HurdlePoisson",
    "HurdleProbs",
    "ImproperUniform",
    "Independent",
    "IntervalCensoredDistribution",
    "LeftCensoredDistribution",
    "MaskedDistribution",
    "Mixture",
    "MixtureGeneral",
    "MixtureSameFamily",
    "RightCensoredDistribution",
    "TransformedDistribution",
    "Unit",
    "biject_to",
    "constraints",
    "enable_validation",
    "kl_divergence",
    "transforms",
    "validation_enabled",
]
__all__ += continuous.__all__
__all__ += directional.__all__
__all__ += discrete.__all__
__all__ += multivariate.__all__
