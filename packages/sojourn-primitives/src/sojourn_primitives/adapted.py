"""Distributions of TensorFlow Probability on JAX and of distrax as `DistributionLike`."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.tree_util import register_pytree_node_class

Shape = tuple[int, ...]

_INTERFACE = ("sample", "log_prob", "batch_shape", "event_shape")


def adapt(fn: Any) -> Any:
    """Return ``fn``, wrapped if it has TensorFlow Probability's interface and not expand or mask.

    Examples
    --------
    >>> from sojourn_primitives import Unit
    >>> from sojourn_primitives.adapted import adapt
    >>> unit = Unit(0.0)
    >>> adapt(unit) is unit
    True
    """
    if isinstance(fn, type) or hasattr(fn, "expand") or hasattr(fn, "mask"):
        return fn
    return Adapted(fn) if all(hasattr(fn, part) for part in _INTERFACE) else fn


@register_pytree_node_class
class Adapted:
    """A distribution with ``sample(sample_shape=, seed=)``, made fit for `sample` and plates.

    Any attribute that is not defined here is the wrapped distribution's own.

    Parameters
    ----------
    base : distribution
        The distribution, with ``sample``, ``log_prob``, ``batch_shape`` and ``event_shape``.
    batch_shape : tuple of int, optional
        Shape that it is expanded to.
    mask : bool or bool array, optional
        Where its log density counts.
    """

    def __init__(self, base: Any, batch_shape: Shape | None = None, mask: Any = None) -> None:
        self.base = base
        self.batch_shape: Shape = tuple(base.batch_shape) if batch_shape is None else batch_shape
        self.event_shape: Shape = tuple(base.event_shape)
        self._mask = mask

    @property
    def event_dim(self) -> int:
        """Number of dims of one draw."""
        return len(self.event_shape)

    @property
    def kind(self) -> str:
        """The name of the wrapped distribution."""
        return type(self.base).__name__

    def __call__(self, *args: Any, rng_key: Any, sample_shape: Shape = ()) -> Any:
        """Draw; shape ``sample_shape + batch_shape + event_shape``."""
        return self.sample(rng_key, sample_shape)

    def sample(self, key: Any, sample_shape: Shape = ()) -> Any:
        """Draw; shape ``sample_shape + batch_shape + event_shape``."""
        base_shape = tuple(self.base.batch_shape)
        left = len(self.batch_shape) - len(base_shape)
        widened = [i for i, n in enumerate(base_shape) if self.batch_shape[left + i] != n]
        copies = self.batch_shape[:left] + tuple(self.batch_shape[left + i] for i in widened)
        draws = self.base.sample(
            sample_shape=(math.prod(sample_shape) * math.prod(copies),), seed=key
        )
        # The dims: sample, new on the left, copies of dims of size 1, base batch, event. Each copy
        # takes the place of its dim of size 1.
        draws = draws.reshape(tuple(sample_shape) + copies + base_shape + self.event_shape)
        first = len(sample_shape) + left
        places = [first + len(widened) + i for i in widened]
        for i, place in enumerate(places):
            draws = jnp.swapaxes(draws, first + i, place)
        return jnp.squeeze(draws, tuple(range(first, first + len(widened))))

    def log_prob(self, value: Any) -> Any:
        """Log density, zero where masked; shape ``sample_shape + batch_shape``."""
        terms = self.base.log_prob(value)
        batch = np.shape(value)[: len(np.shape(value)) - self.event_dim]
        terms = jnp.broadcast_to(terms, np.broadcast_shapes(batch, self.batch_shape))
        return terms if self._mask is None else jnp.where(self._mask, terms, 0.0)

    def expand(self, batch_shape: Shape) -> Adapted:
        """Return independent copies."""
        shape = tuple(batch_shape)
        own = self.batch_shape
        fits = len(shape) >= len(own) and all(
            n in (1, m) for m, n in zip(reversed(shape), reversed(own), strict=False)
        )
        if not fits:
            raise ValueError(f"cannot expand batch shape {self.batch_shape} to {shape}.")
        return Adapted(self.base, shape, self._mask)

    def mask(self, mask: Any) -> Adapted:
        """Return the distribution whose log density counts only where ``mask`` is True."""
        if mask is True:
            return self
        both = mask if self._mask is None else jnp.logical_and(self._mask, mask)
        return Adapted(self.base, np.broadcast_shapes(self.batch_shape, np.shape(mask)), both)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name == "base":
            raise AttributeError(name)
        return getattr(self.base, name)

    def tree_flatten(self) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Split into the arrays and the static rest."""
        return (self.base, self._mask), (self.batch_shape, self.event_shape)

    @classmethod
    def tree_unflatten(cls, aux: tuple[Any, ...], children: tuple[Any, ...]) -> Adapted:
        """Put the arrays back."""
        new = object.__new__(cls)
        (new.base, new._mask), (new.batch_shape, new.event_shape) = children, aux
        return new

    def __repr__(self) -> str:
        return f"Adapted({self.base!r}, batch_shape={self.batch_shape})"
