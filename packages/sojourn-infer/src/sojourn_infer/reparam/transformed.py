"""Coordinates before or after a transform."""

from __future__ import annotations

from typing import Any

from sojourn_distributions import TransformedDistribution
from sojourn_infer.reparam.strategy import Reparam, under_masks, unwrap
from sojourn_primitives import sample


class TransformReparam(Reparam):
    """Move a transformed distribution's transforms out of it: sample before they are applied.

    The site ``name_base`` has the distribution that is transformed.

    Examples
    --------
    >>> import sojourn_distributions as dist
    >>> from sojourn_distributions.transforms import AffineTransform
    >>> from sojourn_infer.reparam import TransformReparam
    >>> from sojourn_primitives import handlers, sample
    >>> def model():
    ...     scale = sample("scale", dist.HalfNormal(1.0))
    ...     transform = AffineTransform(3.0, scale)
    ...     sample("x", dist.TransformedDistribution(dist.Normal(0.0, 1.0), transform))
    >>> noncentred = handlers.reparam(model, config={"x": TransformReparam()})
    >>> trace = handlers.trace(handlers.seed(noncentred, 0)).get_trace()
    >>> trace["x_base"]["fn"]
    <Normal with batch shape () and event shape ()>
    """

    def __call__(self, name: str, fn: Any, obs: Any) -> tuple[Any, Any]:
        """State ``name_base``; see `Reparam`."""
        self.check_latent(name, obs)
        inside, rewrap = unwrap(fn)
        if not isinstance(inside, TransformedDistribution):
            raise ValueError(
                f"TransformReparam: site {name!r} has a {type(inside).__name__}, which is not a "
                "TransformedDistribution. Write it as one (a Normal as "
                "TransformedDistribution(Normal(0, 1), AffineTransform(loc, scale))), or use "
                "LocScaleReparam"
            )
        value = sample(f"{name}_base", rewrap(inside.base_dist))
        for transform in inside.transforms:
            value = transform(value)
        return None, value


class ExplicitReparam(Reparam):
    """Sample ``y = transform(x)`` in place of ``x``, whatever the distribution of ``x`` is.

    The site ``name_base`` has the distribution of ``y``.

    Parameters
    ----------
    transform : Transform
        A bijection from the support of ``x``.

    Examples
    --------
    >>> import sojourn_distributions as dist
    >>> from sojourn_distributions.transforms import SoftplusTransform
    >>> from sojourn_infer.reparam import ExplicitReparam
    >>> from sojourn_primitives import handlers, sample
    >>> def model():
    ...     sample("x", dist.Gamma(4.0, 4.0))
    >>> config = {"x": ExplicitReparam(SoftplusTransform().inv)}  # softplus in place of exp
    >>> list(handlers.trace(handlers.seed(handlers.reparam(model, config=config), 0)).get_trace())
    ['x_base', 'x']
    """

    def __init__(self, transform: Any):
        if not (callable(transform) and hasattr(transform, "log_abs_det_jacobian")):
            raise TypeError(f"ExplicitReparam: transform must be a Transform, got {transform!r}")
        self.transform = transform

    def __call__(self, name: str, fn: Any, obs: Any) -> tuple[Any, Any]:
        """State ``name_base``; see `Reparam`."""
        self.check_latent(name, obs)
        inside, rewrap = under_masks(self, name, fn)
        moved = TransformedDistribution(inside, self.transform)
        value = sample(f"{name}_base", rewrap(moved))
        return None, self.transform.inv(value)
