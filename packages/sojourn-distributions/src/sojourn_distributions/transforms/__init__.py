"""Invertible maps between sets of values, and `biject_to`, which finds one for a constraint."""

from sojourn_distributions.transforms.concatenation import CatTransform
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
from sojourn_distributions.transforms.orthonormal import DiscreteCosineTransform, HaarTransform
from sojourn_distributions.transforms.registry import ConstraintRegistry, biject_to
from sojourn_distributions.transforms.reshaping import (
    ComplexTransform,
    PermuteTransform,
    ReshapeTransform,
    UnpackTransform,
)
from sojourn_distributions.transforms.transform import (
    ComposeTransform,
    IdentityTransform,
    IndependentTransform,
    Transform,
)
from sojourn_distributions.transforms.vector import (
    L1BallTransform,
    OrderedTransform,
    SimplexToOrderedTransform,
    StickBreakingTransform,
    ZeroSumTransform,
)

__all__ = [
    "AbsTransform",
    "AffineTransform",
    "CatTransform",
    "CholeskyTransform",
    "ComplexTransform",
    "ComposeTransform",
    "ConstraintRegistry",
    "CorrCholeskyTransform",
    "CorrMatrixCholeskyTransform",
    "DiscreteCosineTransform",
    "ExpTransform",
    "HaarTransform",
    "IdentityTransform",
    "IndependentTransform",
    "L1BallTransform",
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
    "UnpackTransform",
    "ZeroSumTransform",
    "biject_to",
]
