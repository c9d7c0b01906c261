"""Distributions without a density of their own: a point, a factor, a flat measure."""

from __future__ import annotations

from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from sojourn_distributions import constraints
from sojourn_distributions.arrays import Array, ArrayLike
from sojourn_distributions.constraints import Constraint
from sojourn_distributions.distribution import Distribution

__all__ = ["Delta", "ImproperUniform", "Unit"]

Shape = tuple[int, ...]


class Delta(Distribution):
    """All mass at one point.

    Parameters
    ----------
    v
        The point; shape batch_shape + event_shape.
    log_density
        Added to the log density; shape batch_shape.
    event_dim
        Number of trailing dimensions of `v` that are its event.
    """

    arg_constraints: ClassVar = {"v": constraints.dependent, "log_density": constraints.real}
    reparametrized_params = ("v", "log_density")
    pytree_aux_fields = ("_event_ndim",)

    v: ArrayLike
    log_density: ArrayLike

    def __init__(
        self,
        v: ArrayLike = 0.0,
        log_density: ArrayLike = 0.0,
        event_dim: int = 0,
        *,
        validate_args: bool | None = None,
    ) -> None:
        if event_dim > np.ndim(v):
            raise ValueError(f"Delta: event_dim={event_dim}, but v has only shape {np.shape(v)}")
        self._event_ndim = event_dim
        self._set_parameters(validate_args, v=v, log_density=log_density)

    def _batch_shape(self) -> Shape:
        shape = np.shape(self.v)
        kept = len(shape) - self._event_ndim
        return np.broadcast_shapes(shape[:kept], np.shape(self.log_density))

    def _event_shape(self) -> Shape:
        shape = np.shape(self.v)
        return shape[len(shape) - self._event_ndim :]

    @property
    def support(self) -> Any:
        return constraints.independent(constraints.real, self.event_dim)

    @property
    def is_discrete(self) -> bool:
        return False

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        return jnp.broadcast_to(self.v, self.shape(sample_shape))

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        equal = jnp.equal(value, self.v)
        if self._event_ndim:
            equal = equal.all(axis=tuple(range(-self._event_ndim, 0)))
        return jnp.where(equal, 0.0, -jnp.inf) + self.log_density

    @property
    def mean(self) -> Any:
        return jnp.broadcast_to(self.v, self.shape())

    @property
    def variance(self) -> Any:
        return jnp.zeros(self.shape(), self._dtype)

    @property
    def mode(self) -> Any:
        return self.mean


class Unit(Distribution):
    """Adds `log_factor` to a joint density through a value of no elements."""

    arg_constraints: ClassVar = {"log_factor": constraints.real}

    log_factor: ArrayLike

    def __init__(self, log_factor: ArrayLike, *, validate_args: bool | None = False) -> None:
        self._set_parameters(validate_args, log_factor=log_factor)

    def _event_shape(self) -> Shape:
        return (0,)

    @property
    def support(self) -> Any:
        return constraints.real_vector

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        return jnp.empty(self.shape(sample_shape), self._dtype)

    def log_prob(self, value: ArrayLike = None, intermediates: Any = None) -> Any:
        batch = () if value is None else np.shape(value)[:-1]
        return jnp.broadcast_to(self.log_factor, np.broadcast_shapes(batch, self.batch_shape))


class ImproperUniform(Distribution):
    """Density 1 on a support that need not have a finite volume; cannot be sampled.

    Parameters
    ----------
    support
        Constraint of the values; `log_prob` is 0 and takes it for granted.
    batch_shape, event_shape
        Shapes of a value.
    """

    pytree_data_fields = ("_support",)

    def __init__(
        self,
        support: Constraint,
        batch_shape: Shape,
        event_shape: Shape,
        *,
        validate_args: bool | None = None,
    ) -> None:
        if len(event_shape) < support.event_dim:
            raise ValueError(
                f"ImproperUniform: the support {support!r} has events of {support.event_dim} "
                f"dimension(s), but event_shape={tuple(event_shape)}"
            )
        extra = len(event_shape) - support.event_dim
        self._support = constraints.independent(support, extra) if extra else support
        super().__init__(batch_shape, event_shape, validate_args=validate_args)

    @property
    def support(self) -> Any:
        return self._support

    @property
    def has_rsample(self) -> bool:
        return False

    def sample(self, key: Array, sample_shape: Shape = ()) -> Any:
        raise NotImplementedError(
            "ImproperUniform cannot be sampled: it has no finite mass; give an initial value, "
            "or use a proper distribution"
        )

    def log_prob(self, value: ArrayLike, intermediates: Any = None) -> Any:
        shape = np.shape(value)
        batch = np.broadcast_shapes(shape[: len(shape) - self.event_dim], self.batch_shape)
        return jnp.zeros(batch, jnp.result_type(value, 0.0))
