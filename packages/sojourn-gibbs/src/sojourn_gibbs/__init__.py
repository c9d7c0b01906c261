"""MCMC kernels that move some sites of a model given the others."""

from sojourn_gibbs._version import __version__
from sojourn_gibbs.conditional_target import Given, conditional_target, conditioned

__all__ = ["Given", "__version__", "conditional_target", "conditioned"]
