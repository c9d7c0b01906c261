"""Densities of models, from `sojourn_infer`."""

from sojourn_infer import log_density

__all__ = ["log_density"]
