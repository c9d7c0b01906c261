"""MCMC kernels that move some sites of a model given the others.

The package is the place of Gibbs-within-HMC, of kernels for discrete sites and of energy-conserving
subsampling. None of them is in this release.
"""

from sojourn_gibbs._version import __version__

__all__ = ["__version__"]
