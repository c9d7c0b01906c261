"""Transforms, from `sojourn_distributions`."""

from sojourn_distributions.transforms import *  # noqa: F403
from sojourn_distributions.transforms import __all__ as __all__
