"""Discrete sites summed out of a model, and drawn back.

The way of the data: `enum` gives marked sites all their values at once, `joint_density` makes log
factors of the sites of a trace, `log_marginal` eliminates the discrete variables from them, and
`draw_all` draws these back.
"""

from sojourn_infer.enumeration.config import config_enumerate
from sojourn_infer.enumeration.enum import enum
from sojourn_infer.enumeration.infer_discrete import discrete_values, infer_discrete

__all__ = ["config_enumerate", "discrete_values", "enum", "infer_discrete"]
