"""Other coordinates for latent sites, given to `sojourn_primitives.handlers.reparam`."""

from sojourn_infer.reparam.directions import CircularReparam, ProjectedNormalReparam
from sojourn_infer.reparam.location_scale import LocScaleReparam
from sojourn_infer.reparam.strategy import Reparam
from sojourn_infer.reparam.transformed import ExplicitReparam, TransformReparam
from sojourn_infer.reparam.unit_jacobian import (
    DiscreteCosineReparam,
    HaarReparam,
    UnitJacobianReparam,
)

__all__ = [
    "CircularReparam",
    "DiscreteCosineReparam",
    "ExplicitReparam",
    "HaarReparam",
    "LocScaleReparam",
    "ProjectedNormalReparam",
    "Reparam",
    "TransformReparam",
    "UnitJacobianReparam",
]
