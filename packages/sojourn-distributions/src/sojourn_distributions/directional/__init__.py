"""Distributions of directions: angles, pairs of angles, and points of a sphere."""

from sojourn_distributions.directional.projected_normal import ProjectedNormal
from sojourn_distributions.directional.sine_bivariate_von_mises import SineBivariateVonMises
from sojourn_distributions.directional.sine_skewed import SineSkewed
from sojourn_distributions.directional.von_mises import VonMises

__all__ = ["ProjectedNormal", "SineBivariateVonMises", "SineSkewed", "VonMises"]
