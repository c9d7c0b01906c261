"""Discrete sites summed out of a model, and drawn back.

The way of the data: `enum` gives marked sites all their values at once, `joint_density` makes log
factors of the sites of a trace, `log_marginal` eliminates the discrete variables from them, and
`draw_all` draws these back.
"""

from sojourn_infer.enumeration.config import config_enumerate, is_marked
from sojourn_infer.enumeration.elimination import draw_all, log_marginal
from sojourn_infer.enumeration.enum import enum
from sojourn_infer.enumeration.infer_discrete import discrete_values, infer_discrete
from sojourn_infer.enumeration.nesting import max_plate_nesting
from sojourn_infer.enumeration.notes import is_enumerated
from sojourn_infer.enumeration.site_factors import (
    check_support,
    enumerated_sites,
    joint_density,
    largest_log_density,
    needs_sum,
)
from sojourn_infer.enumeration.support import (
    checked_support,
    family,
    has_finite_support,
    is_discrete,
)

__all__ = [
    "check_support",
    "checked_support",
    "config_enumerate",
    "discrete_values",
    "draw_all",
    "enum",
    "enumerated_sites",
    "family",
    "has_finite_support",
    "infer_discrete",
    "is_discrete",
    "is_enumerated",
    "is_marked",
    "joint_density",
    "largest_log_density",
    "log_marginal",
    "max_plate_nesting",
    "needs_sum",
]
