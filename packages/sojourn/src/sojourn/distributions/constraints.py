"""Constraints, from `sojourn_distributions`."""

from sojourn_distributions.constraints import *  # noqa: F403
from sojourn_distributions.constraints import __all__ as __all__
