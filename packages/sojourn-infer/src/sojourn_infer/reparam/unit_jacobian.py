"""Coordinates that a transform of unit volume gives: waves and wavelets along a time axis."""

from __future__ import annotations

from typing import Any

from sojourn_distributions import TransformedDistribution, biject_to
from sojourn_distributions.transforms import DiscreteCosineTransform, HaarTransform
from sojourn_infer.reparam.strategy import Reparam, under_masks
from sojourn_primitives import sample


class UnitJacobianReparam(Reparam):
    """Sample a transform of the unconstrained values of a site.

    Meant for series whose neighbours are strongly coupled: their posterior is closer to independent
    in other coordinates. The support is to be real or positive, element by element.

    Parameters
    ----------
    transform : Transform
        A bijection of real arrays whose Jacobian determinant is 1 or -1.
    suffix : str
        The new site is ``name_suffix``.

    Raises
    ------
    ValueError
        If the dims that the transform mixes are not in the site's event: use ``to_event``.
    """

    def __init__(self, transform: Any, suffix: str = "transformed"):
        if not (callable(transform) and hasattr(transform, "log_abs_det_jacobian")):
            raise TypeError(
                f"{type(self).__name__}: transform must be a Transform, got {transform!r}"
            )
        self.transform = transform
        self.suffix = suffix

    def __call__(self, name: str, fn: Any, obs: Any) -> tuple[Any, Any]:
        """State ``name_suffix``; see `Reparam`."""
        self.check_latent(name, obs)
        needed = self.transform.domain.event_dim
        if len(fn.event_shape) < needed:
            raise ValueError(
                f"{type(self).__name__}: the transform mixes the last {needed} dim(s) of site "
                f"{name!r}, whose event shape is {fn.event_shape} (batch shape {fn.batch_shape}); "
                f"make them part of the event, .to_event({needed})"
            )
        inside, rewrap = under_masks(self, name, fn)
        constrain = biject_to(inside.support)
        moved = TransformedDistribution(inside, [constrain.inv, self.transform])
        value = sample(f"{name}_{self.suffix}", rewrap(moved))
        return None, constrain(self.transform.inv(value))


class DiscreteCosineReparam(UnitJacobianReparam):
    """Sample the cosine transform of a series, site ``name_dct``.

    Parameters
    ----------
    dim : int
        The time axis, negative, part of the event.
    smooth : float
        0 for white noise, 1 for a series that is continuous, 2 for a differentiable one: the
        coefficients of what has this roughness become independent of equal scale.

    Examples
    --------
    >>> import sojourn_distributions as dist
    >>> from sojourn_infer.reparam import DiscreteCosineReparam
    >>> from sojourn_primitives import handlers, sample
    >>> def model():
    ...     sample("x", dist.GaussianRandomWalk(1.0, num_steps=50))
    >>> config = {"x": DiscreteCosineReparam(smooth=1.0)}
    >>> list(handlers.trace(handlers.seed(handlers.reparam(model, config=config), 0)).get_trace())
    ['x_dct', 'x']
    """

    def __init__(self, dim: int = -1, smooth: float = 0.0):
        super().__init__(DiscreteCosineTransform(dim=dim, smooth=float(smooth)), "dct")


class HaarReparam(UnitJacobianReparam):
    """Sample the Haar wavelet transform of a series, site ``name_haar``.

    Parameters
    ----------
    dim : int
        The time axis, negative, part of the event.
    flip : bool
        Whether neighbours are paired from the end.
    """

    def __init__(self, dim: int = -1, flip: bool = False):
        super().__init__(HaarTransform(dim=dim, flip=bool(flip)), "haar")
