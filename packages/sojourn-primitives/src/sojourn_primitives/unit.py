"""The distribution of a `factor` site: an empty event whose log density is a given term."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.tree_util import register_pytree_node_class


@register_pytree_node_class
class Unit:
    """A distribution over one empty event, with log density ``log_factor``.

    Parameters
    ----------
    log_factor : array
        The log density; its shape is the batch shape.
    """

    event_shape = (0,)
    event_dim = 1
    has_enumerate_support = False
    is_discrete = False

    def __init__(self, log_factor: Any) -> None:
        self.log_factor = log_factor
        self.batch_shape: tuple[int, ...] = tuple(np.shape(log_factor))
        self._mask: Any = None

    def __call__(
        self, *args: Any, rng_key: Any = None, sample_shape: tuple[int, ...] = ()
    ) -> np.ndarray:
        """Return the empty event, shape ``sample_shape + batch_shape + (0,)``; needs no key."""
        return self.sample(rng_key, sample_shape)

    def sample(self, key: Any = None, sample_shape: tuple[int, ...] = ()) -> np.ndarray:
        """Return the empty event, shape ``sample_shape + batch_shape + (0,)``; needs no key."""
        return np.empty(tuple(sample_shape) + self.batch_shape + (0,), np.float32)

    def log_prob(self, value: Any) -> Any:
        """Return the log factor, zero where masked; ``batch_shape`` broadcast with the value's."""
        shape = np.broadcast_shapes(self.batch_shape, np.shape(value)[:-1])
        terms = self.log_factor
        if self._mask is not None:
            terms = (
                np.zeros((), np.float32)
                if self._mask is False
                else jnp.where(self._mask, terms, 0.0)
            )
        if np.shape(terms) == shape:
            return terms
        on_host = isinstance(terms, (np.ndarray, np.generic, float, int))
        return np.broadcast_to(terms, shape) if on_host else jnp.broadcast_to(terms, shape)

    def expand(self, batch_shape: tuple[int, ...]) -> Unit:
        """Return this factor once for every element of ``batch_shape``."""
        return self._with(self.log_factor, tuple(batch_shape), self._mask)

    def mask(self, mask: Any) -> Unit:
        """Return this factor with the terms left out where ``mask`` is False."""
        if mask is True:
            return self
        batch_shape = (
            self.batch_shape
            if mask is False
            else np.broadcast_shapes(self.batch_shape, np.shape(mask))
        )
        if self._mask is not None and mask is not False:
            mask = False if self._mask is False else self._mask & mask
        return self._with(self.log_factor, batch_shape, mask)

    @classmethod
    def _with(cls, log_factor: Any, batch_shape: tuple[int, ...], mask: Any) -> Unit:
        # no __init__: inside a tree transformation the leaf may be a placeholder without a shape
        new = object.__new__(cls)
        new.log_factor, new.batch_shape, new._mask = log_factor, batch_shape, mask
        return new

    def tree_flatten(self) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Split into the arrays and the static rest."""
        static = self._mask if self._mask is None or self._mask is False else ...
        return (self.log_factor, self._mask if static is ... else None), (self.batch_shape, static)

    @classmethod
    def tree_unflatten(cls, aux: tuple[Any, ...], children: tuple[Any, ...]) -> Unit:
        """Put the arrays back."""
        batch_shape, static = aux
        return cls._with(children[0], batch_shape, children[1] if static is ... else static)

    def __repr__(self) -> str:
        return f"Unit(batch_shape={self.batch_shape})"
