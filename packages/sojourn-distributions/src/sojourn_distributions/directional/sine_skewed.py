"""Skewed distributions of angles, from symmetric ones."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike, is_concrete
from sojourn_distributions.directional.angles import wrap
from sojourn_distributions.distribution import Distribution

__all__ = ["SineSkewed"]

Shape = tuple[int, ...]


class SineSkewed(Distribution):
    """A distribution of angles, symmetric about its mean directions, made asymmetric.

    The base density is multiplied by ``1 + sum_i skewness_i sin(x_i - mean_i)``
    (Abe & Pewsey 2011; Ameijeiras-Alonso & Ley 2022).

    Parameters
    ----------
    base_dist
        Distribution of vectors of angles between -pi and pi (event shape ``(d,)``, such as
        ``VonMises(...).to_event(1)`` or `SineBivariateVonMises`) whose density does not change
        when all angles are reflected about its `mean`.
    skewness
        Shape batch_shape + (d,); the absolute values sum to at most 1.

    Raises
    ------
    ValueError
        If the base distribution is not one of vectors of angles, or `skewness` has not one
        element for each.

    Notes
    -----
    `mean` is that of the base distribution.

    Examples
    --------
    >>> import numpy as np
    >>> import sojourn_distributions as dist
    >>> base = dist.VonMises(np.zeros(2), 1.0).to_event(1)
    >>> dist.SineSkewed(base, np.array([0.3, -0.6])).event_shape
    (2,)
    """

    arg_constraints: ClassVar = {"skewness": constraints.l1_ball}
    pytree_data_fields = ("base_dist",)
    support = constraints.independent(constraints.circular, 1)

    base_dist: Distribution
    skewness: ArrayLike

    def __init__(
        self,
        base_dist: Distribution,
        skewness: ArrayLike,
        *,
        validate_args: bool | None = None,
    ) -> None:
        if base_dist.event_dim != 1 or not _is_of_angles(base_dist.support):
            raise ValueError(
                "SineSkewed: base_dist must be a distribution of vectors of angles between -pi and "
                f"pi, got {type(base_dist).__name__} of event shape {base_dist.event_shape} and "
                f"support {base_dist.support!r}; make an angle a vector of one with to_event(1)"
            )
        if np.shape(skewness)[-1:] != base_dist.event_shape:
            raise ValueError(
                "SineSkewed: skewness must have one element for each of the "
                f"{base_dist.event_shape[0]} angle(s) of base_dist, got shape {np.shape(skewness)}"
            )
        batch_shape = np.broadcast_shapes(base_dist.batch_shape, np.shape(skewness)[:-1])
        self.base_dist = base_dist.expand(batch_shape)
        self._set_parameters(validate_args, skewness=skewness)

    def _batch_shape(self) -> Shape:
        return np.broadcast_shapes(self.base_dist.batch_shape, np.shape(self.skewness)[:-1])

    def _event_shape(self) -> Shape:
        return self.base_dist.event_shape

    def _tilt(self, angles: Any) -> Any:
        return jnp.sum(self.skewness * jnp.sin(angles - self.base_dist.mean), axis=-1)

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        key_base, key_flip = jax.random.split(key)
        angles = self.base_dist.sample(key_base, sample_shape)
        # A point and its reflection are kept in proportion to their densities.
        u = jax.random.uniform(key_flip, angles.shape[:-1], angles.dtype, -1.0, 1.0)
        keep = (u <= self._tilt(angles))[..., None]
        return jnp.where(keep, angles, wrap(2 * self.base_dist.mean - angles))

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        return self.base_dist.log_prob(value) + jnp.log1p(self._tilt(value))

    @property
    def mean(self) -> Any:
        return self.base_dist.mean


def _is_of_angles(support: Any) -> bool:
    """Whether every number of a set is known to lie between -pi and pi (True if traced)."""
    base = getattr(support, "base_constraint", support)
    lower = getattr(base, "lower_bound", None)
    upper = getattr(base, "upper_bound", None)
    if lower is None or upper is None:
        return False
    if not (is_concrete(lower) and is_concrete(upper)):
        return True
    turn = np.array([-math.pi, math.pi])
    return bool(np.allclose(lower, turn[0], atol=1e-5) and np.allclose(upper, turn[1], atol=1e-5))
