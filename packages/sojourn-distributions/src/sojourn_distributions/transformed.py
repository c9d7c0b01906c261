"""The distribution of a transformed random variable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from sojourn_distributions.arrays import Array, ArrayLike, is_concrete
from sojourn_distributions.constraints import independent
from sojourn_distributions.distribution import Distribution, sum_rightmost
from sojourn_distributions.transforms import ComposeTransform, Transform

__all__ = ["TransformedDistribution"]

Shape = tuple[int, ...]


class TransformedDistribution(Distribution):
    """The distribution of ``transforms[-1](...transforms[0](x))`` for x of a base distribution.

    A subclass with parameters of its own may define `base_dist` and `transforms` as properties.

    Parameters
    ----------
    base_distribution
        Distribution of x.
    transforms
        One transform or a sequence, the first applied first.

    Examples
    --------
    >>> import sojourn_distributions as dist
    >>> from sojourn_distributions.transforms import ExpTransform
    >>> log_normal = dist.TransformedDistribution(dist.Normal(0.0, 1.0), ExpTransform())
    >>> log_normal.support
    positive
    """

    pytree_data_fields = ("_base_dist", "_transforms")

    def __init__(
        self,
        base_distribution: Distribution,
        transforms: Transform | Sequence[Transform],
        *,
        validate_args: bool | None = None,
    ) -> None:
        if isinstance(transforms, Transform):
            transforms = [transforms]
        transforms = [
            part
            for transform in transforms
            for part in (
                transform.parts if isinstance(transform, ComposeTransform) else [transform]
            )
        ]
        composed = ComposeTransform(transforms)
        # Every transformed element must come from its own independent draw, and dimensions that
        # the transform mixes must be drawn as one event.
        lacking = composed.domain.event_dim - base_distribution.event_dim
        if len(base_distribution.shape()) < composed.domain.event_dim:
            raise ValueError(
                f"a transform of {composed.domain.event_dim}-dimensional events cannot act on a "
                f"base distribution of shape {base_distribution.shape()}"
            )
        image = composed.inverse_shape(composed.forward_shape(base_distribution.shape()))
        kept = len(image) - base_distribution.event_dim
        base_distribution = base_distribution.expand(image[:kept])
        self._base_dist = base_distribution.to_event(lacking) if lacking > 0 else base_distribution
        self._transforms = list(transforms)
        self._set_parameters(validate_args)

    @property
    def base_dist(self) -> Distribution:
        """Distribution before the transforms, with the batch shape of the whole."""
        return self._base_dist

    @property
    def transforms(self) -> Sequence[Transform]:
        """The transforms, the first applied first."""
        return self._transforms

    @property
    def _composed(self) -> ComposeTransform:
        return ComposeTransform(self.transforms)

    def _split_shape(self) -> tuple[Shape, Shape]:
        composed, base = self._composed, self.base_dist
        shape = composed.forward_shape(base.shape())
        extra = max(base.event_dim - composed.domain.event_dim, 0)
        batch_ndim = len(shape) - composed.codomain.event_dim - extra
        return shape[:batch_ndim], shape[batch_ndim:]

    def _batch_shape(self) -> Shape:
        return self._split_shape()[0]

    def _event_shape(self) -> Shape:
        return self._split_shape()[1]

    @property
    def support(self) -> Any:
        from_constraint = self._composed.codomain if self.transforms else self.base_dist.support
        extra = self.event_dim - from_constraint.event_dim
        return independent(from_constraint, extra) if extra else from_constraint

    @property
    def has_rsample(self) -> bool:
        return self.base_dist.has_rsample

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        x = self.base_dist.sample(key, sample_shape)
        for transform in self.transforms:
            x = transform(x)
        return x

    def sample_with_intermediates(self, key: Array, sample_shape: Shape = ()) -> tuple[Any, Any]:
        """Draw; intermediates are each transform's input and its own intermediates."""
        x = self.base_dist.sample(key, sample_shape)
        intermediates = []
        for transform in self.transforms:
            y, own = transform.call_with_intermediates(x)
            intermediates.append([x, own])
            x = y
        return x, intermediates

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        """Log density at a value of the support; outside it the result is undefined."""
        event_dim = self.event_dim
        correction: Any = 0.0
        y = value
        for i in reversed(range(len(self.transforms))):
            transform = self.transforms[i]
            x, own = intermediates[i] if intermediates else (transform.inv(y), None)
            event_dim += transform.domain.event_dim - transform.codomain.event_dim
            term = transform.log_abs_det_jacobian(x, y, own)
            correction = correction + sum_rightmost(term, event_dim - transform.domain.event_dim)
            y = x
        base_log_prob = self.base_dist.log_prob(y)
        return sum_rightmost(base_log_prob, event_dim - self.base_dist.event_dim) - correction

    def _monotone(self, value: ArrayLike) -> tuple[Any, Any]:
        sign: Any = 1
        for transform in reversed(self.transforms):
            sign = sign * transform.sign
            value = transform.inv(value)
        return value, sign

    def cdf(self, value: ArrayLike) -> Any:
        """Probability of at most `value`, for monotone transforms of numbers."""
        x, sign = self._monotone(value)
        q = self.base_dist.cdf(x)
        return jnp.where(sign > 0, q, 1 - q)

    def log_cdf(self, value: ArrayLike) -> Any:
        x, sign = self._monotone(value)
        base = self.base_dist
        if is_concrete(sign) and np.all(np.greater(sign, 0)):  # the common case: one program less
            return base.log_cdf(x)
        return jnp.where(sign > 0, base.log_cdf(x), base.log_survival(x))

    def log_survival(self, value: ArrayLike) -> Any:
        x, sign = self._monotone(value)
        base = self.base_dist
        if is_concrete(sign) and np.all(np.greater(sign, 0)):
            return base.log_survival(x)
        return jnp.where(sign > 0, base.log_survival(x), base.log_cdf(x))

    def icdf(self, q: ArrayLike) -> Any:
        """Value with probability `q` below it, for monotone transforms of numbers."""
        x = self.base_dist.icdf(jnp.where(self._composed.sign > 0, q, 1 - q))
        for transform in self.transforms:
            x = transform(x)
        return x
