"""The base class of distributions and its wrappers, from `sojourn_distributions`."""

from sojourn_distributions import (
    Delta,
    Distribution,
    ExpandedDistribution,
    FoldedDistribution,
    ImproperUniform,
    Independent,
    MaskedDistribution,
    TransformedDistribution,
    Unit,
    enable_validation,
    validation_enabled,
)

DistributionMeta = type(Distribution)

__all__ = [
    "Delta",
    "Distribution",
    "DistributionMeta",
    "ExpandedDistribution",
    "FoldedDistribution",
    "ImproperUniform",
    "Independent",
    "MaskedDistribution",
    "TransformedDistribution",
    "Unit",
    "enable_validation",
    "validation_enabled",
]
