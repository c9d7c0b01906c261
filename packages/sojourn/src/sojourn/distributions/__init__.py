"""Distributions, constraints and transforms, from `sojourn_distributions`."""

from sojourn_distributions import *  # noqa: F403
from sojourn_distributions import __all__ as __all__
