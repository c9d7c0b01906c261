"""Invertible maps between sets of values, and `biject_to`, which finds one for a constraint."""

from sojourn_distributions.transforms.elementwise import (
    AbsTransform,
    AffineTransform,
    ExpTransform,
    PowerTransform,
    SigmoidTransform,
    SoftplusTransform,
)
from sojourn_distributions.transforms.fourier import (
    PackRealFastFourierCoefficientsTransform,
    RealFastFourierTransform,
)
from sojourn_distributions.transforms.matrix import (
    CholeskyTransform,
    CorrCholeskyTransform,
    CorrMatrixCholeskyTransform,
    LowerCholeskyAffine,
    LowerCholeskyTransform,
    ScaledUnitLowerCholeskyTransform,
    SoftplusLowerCholeskyTransform,
)
from sojourn_distributions.transforms.registry import ConstraintRegistry, biject_to
from sojourn_distributions.transforms.reshaping import PermuteTransform, ReshapeTransform
from sojourn_distributions.transforms.transform import (
    ComposeTransform,
    IdentityTransform,
    IndependentTransform,
    Transform,
)
from sojourn_distributions.transforms.vector import (
    OrderedTransform,
    SimplexToOrderedTransform,
    StickBreakingTransform,
    ZeroSumTransform,
)

__all__ = [
    "AbsTransform",
    "AffineTransform",
    "CholeskyTransform",
    "ComposeTransform",
    "ConstraintRegistry",
    "CorrCholeskyTransform",
    "CorrMatrixCholeskyTransform",
    "ExpTransform",
    "IdentityTransform",
    "IndependentTransform",
    "LowerCholeskyAffine",
    "LowerCholeskyTransform",
    "OrderedTransform",
    "PackRealFastFourierCoefficientsTransform",
    "PermuteTransform",
    "PowerTransform",
    "RealFastFourierTransform",
    "ReshapeTransform",
    "ScaledUnitLowerCholeskyTransform",
    "SigmoidTransform",
    "SimplexToOrderedTransform",
    "SoftplusLowerCholeskyTransform",
    "SoftplusTransform",
    "StickBreakingTransform",
    "Transform",
    "ZeroSumTransform",
    "biject_to",
]
