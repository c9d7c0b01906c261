"""Kernels that move some sites given the others, from `sojourn_gibbs`."""

from sojourn_gibbs import HMCECS, HMCECSState, taylor_proxy

__all__ = ["HMCECS", "HMCECSState", "taylor_proxy"]
