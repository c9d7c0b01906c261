"""The normal distribution on arrays that sum to zero along each dimension."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike
from sojourn_distributions.distribution import Distribution

__all__ = ["ZeroSumNormal"]

Shape = tuple[int, ...]


class ZeroSumNormal(Distribution):
    """Independent normal numbers given that they sum to zero along each event dimension.

    The same as those numbers less their means along each dimension: the orthogonal projection of
    a spherical normal vector is spherical on the subspace, where this density is taken.

    Parameters
    ----------
    scale
        Standard deviation before the projection, positive; shape batch_shape.
    event_shape
        Shape of an event, one dimension or more.

    Examples
    --------
    >>> import jax
    >>> import numpy as np
    >>> import sojourn_distributions as dist
    >>> x = dist.ZeroSumNormal(1.0, event_shape=(3, 4)).sample(jax.random.key(0))
    >>> bool(np.allclose(x.sum(0), 0, atol=1e-5) and np.allclose(x.sum(1), 0, atol=1e-5))
    True
    """

    arg_constraints: ClassVar = {"scale": constraints.positive}
    reparametrized_params = ("scale",)
    pytree_aux_fields = ("_sizes",)

    scale: ArrayLike

    def __init__(
        self, scale: ArrayLike, event_shape: Shape, *, validate_args: bool | None = None
    ) -> None:
        sizes: Any = event_shape
        if not isinstance(sizes, tuple | list) or not sizes or min(sizes) < 1:
            raise ValueError(
                "ZeroSumNormal: event_shape must be a tuple of one or more positive sizes, such "
                f"as (3,); got {event_shape!r}"
            )
        self._sizes = tuple(int(size) for size in sizes)
        self._set_parameters(validate_args, scale=scale)

    @classmethod
    def infer_shapes(cls, scale: Shape = (), event_shape: Shape = ()) -> tuple[Shape, Shape]:
        """Batch shape, that of `scale`, and the event shape."""
        return tuple(scale), tuple(event_shape)

    def _event_shape(self) -> Shape:
        return self._sizes

    @constraints.dependent_property
    def support(self) -> Any:
        """Arrays that sum to zero along each event dimension."""
        return constraints.zero_sum(len(self._sizes))

    def _over_event(self, x: Any) -> Any:
        return jnp.reshape(x, np.shape(x) + (1,) * len(self._sizes))

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        noise = jax.random.normal(key, self.shape(sample_shape), self._dtype)
        for axis in range(-len(self._sizes), 0):
            noise = noise - jnp.mean(noise, axis=axis, keepdims=True)
        return self._over_event(self.scale) * noise

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        z = value / self._over_event(self.scale)
        dimension = math.prod(size - 1 for size in self._sizes)
        squared = jnp.sum(jnp.square(z), axis=tuple(range(-len(self._sizes), 0)))
        return -0.5 * squared - dimension * (jnp.log(self.scale) + 0.5 * math.log(2 * math.pi))

    @property
    def mean(self) -> Any:
        return jnp.zeros(self.shape(), self._dtype)

    @property
    def variance(self) -> Any:
        kept = math.prod(1 - 1 / size for size in self._sizes)
        return jnp.broadcast_to(kept * jnp.square(self._over_event(self.scale)), self.shape())

    @property
    def mode(self) -> Any:
        return self.mean

    def entropy(self) -> Any:
        dimension = math.prod(size - 1 for size in self._sizes)
        return dimension * (jnp.log(self.scale) + 0.5 * math.log(2 * math.pi) + 0.5)
