"""The distribution of a scanned site: one distribution for each step, stacked along time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import register_pytree_node_class

Shape = tuple[int, ...]


@register_pytree_node_class
class Stacked:
    """Independent distributions of one kind, one for each step of a `scan`.

    The batch shape is the steps' batch shape with the time axis put in, leftmost unless `expand`
    added dims. Whatever is asked of it is asked of one step's distribution under `jax.vmap`, so
    that the parameters need no common rank; an attribute that it does not define itself
    (``loc``, ``mean``, ...) is that attribute of the steps, stacked along a leading time axis.

    Parameters
    ----------
    treedef : PyTreeDef
        Structure of one step's distribution.
    fixed : dict
        Leaves that all steps have in common, by position.
    varying : dict
        Leaves with a leading time axis, by position.
    batch_shape, event_shape : tuple of int
        Shapes of one step's distribution.
    length : int
        Number of steps.
    left : int
        Number of dims of ``batch_shape`` that stand to the left of the time axis.
    """

    def __init__(
        self,
        treedef: Any,
        fixed: dict[int, Any],
        varying: dict[int, Any],
        batch_shape: Shape,
        event_shape: Shape,
        length: int,
        left: int = 0,
    ) -> None:
        self._treedef = treedef
        self._fixed = fixed
        self._varying = varying
        self._step_batch_shape = tuple(batch_shape)
        self._length = length
        self._left = left
        self.event_shape = tuple(event_shape)
        self.batch_shape = self._step_batch_shape[:left] + (length,) + self._step_batch_shape[left:]

    # --- what a distribution is asked ------------------------------------------------------

    @property
    def event_dim(self) -> int:
        """Number of dims of one draw."""
        return len(self.event_shape)

    @property
    def is_discrete(self) -> bool:
        """Whether the steps' distributions are discrete."""
        return self._step(self._varying).is_discrete

    @property
    def has_enumerate_support(self) -> bool:
        """Whether the steps' distributions list their support."""
        return getattr(self._step(self._varying), "has_enumerate_support", False)

    @property
    def support(self) -> Any:
        """The steps' support; bounds that differ by step have a time axis."""
        rank = len(self._step_batch_shape) + len(self.event_shape)
        return self._stacked_tree(lambda step: step.support, rank)

    def __call__(self, *args: Any, rng_key: Any, sample_shape: Shape = ()) -> Any:
        """Draw; shape ``sample_shape + batch_shape + event_shape``."""
        return self.sample(rng_key, sample_shape)

    def sample(self, key: Any, sample_shape: Shape = ()) -> Any:
        """Draw; shape ``sample_shape + batch_shape + event_shape``."""
        keys = jax.random.split(key, self._length)
        draw = lambda step, k: step(rng_key=k, sample_shape=tuple(sample_shape))  # noqa: E731
        return self._over_time(draw, keys, 0, len(sample_shape) + self._left)

    def log_prob(self, value: Any, intermediates: Any = None) -> Any:
        """Log density; shape ``sample_shape + batch_shape``."""
        shape = np.broadcast_shapes(np.shape(value), self.batch_shape + self.event_shape)
        if np.shape(value) != shape:
            value = jnp.broadcast_to(value, shape)
        axis = len(shape) - (len(self.batch_shape) + len(self.event_shape)) + self._left
        return self._over_time(lambda step, v: step.log_prob(v), value, axis, axis)

    def expand(self, batch_shape: Shape) -> Stacked:
        """Return independent copies; the size along the time axis stays."""
        shape = tuple(batch_shape)
        if shape == self.batch_shape:
            return self
        left = self._left + len(shape) - len(self.batch_shape)
        if left < 0 or shape[left] != self._length:
            raise ValueError(
                f"a scanned distribution of batch shape {self.batch_shape} cannot be expanded to "
                f"{shape}: its time axis has size {self._length}. Add dims to the left of it, or "
                "put the plate inside of the scanned function."
            )
        step_shape = shape[:left] + shape[left + 1 :]
        return self._again(lambda step: step.expand(step_shape), step_shape, left)

    def mask(self, mask: Any) -> Stacked:
        """Return the distribution whose log density counts only where ``mask`` is True."""
        if isinstance(mask, bool):
            return self._again(lambda step: step.mask(mask), self._step_batch_shape, self._left)
        shape = np.broadcast_shapes(np.shape(mask), self.batch_shape)
        wider = self.expand(shape)
        by_time = jnp.moveaxis(jnp.broadcast_to(mask, shape), wider._left, 0)
        return wider._again(
            lambda step, m: step.mask(m), wider._step_batch_shape, wider._left, by_time
        )

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        value = getattr(self._step(self._varying), name)
        if not callable(value) and not jax.tree.leaves(value):
            return value
        if callable(value):
            raise AttributeError(
                f"a scanned {self.kind} has no method {name!r}; it has log_prob, sample, expand, "
                "mask and the attributes of one step with a leading time axis."
            )
        return self._stacked_tree(lambda step: getattr(step, name))

    @property
    def kind(self) -> str:
        """The name of the steps' distribution."""
        step = self._step(self._varying)
        return str(getattr(step, "kind", type(step).__name__))

    # --- one step under vmap ---------------------------------------------------------------

    def _step(self, varying: dict[int, Any]) -> Any:
        leaves = {**self._fixed, **varying}
        return self._treedef.unflatten([leaves[i] for i in range(len(leaves))])

    def _over_time(self, f: Callable[..., Any], argument: Any, in_axis: int, out_axis: int) -> Any:
        def of_step(varying: dict[int, Any], x: Any) -> Any:
            return f(self._step(varying), x)

        return jax.vmap(of_step, (0, in_axis), out_axis, axis_size=self._length)(
            self._varying, argument
        )

    def _stacked_tree(self, f: Callable[..., Any], rank: int | None = None, *arguments: Any) -> Any:
        """Return the tree ``f(step)``; leaves that vary by step get a leading time axis.

        With a rank, leaves of lower rank get dims of size 1 after the time axis, so that they line
        up with values from the right.
        """
        leaves, treedef, varying = self._map(f, *arguments)
        for i, leaf in varying.items():
            missing = 0 if rank is None else max(0, rank + 1 - leaf.ndim)
            leaf = leaf.reshape(leaf.shape[:1] + (1,) * missing + leaf.shape[1:])
            leaves[i] = leaf if rank is None else jnp.moveaxis(leaf, 0, self._left)
        return treedef.unflatten(leaves)

    def _again(
        self, f: Callable[..., Any], batch_shape: Shape, left: int, *arguments: Any
    ) -> Stacked:
        leaves, treedef, varying = self._map(f, *arguments)
        fixed = {i: leaf for i, leaf in enumerate(leaves) if i not in varying}
        return Stacked(treedef, fixed, varying, batch_shape, self.event_shape, self._length, left)

    def _map(self, f: Callable[..., Any], *arguments: Any) -> tuple[list[Any], Any, dict[int, Any]]:
        """Return leaves and structure of ``f(step, *arguments)``, and the leaves that vary."""
        leaves: list[Any] = []
        treedef: Any = None

        def of_step(varying: dict[int, Any], arguments: tuple[Any, ...]) -> dict[int, Any]:
            nonlocal leaves, treedef
            leaves, treedef = jax.tree.flatten(f(self._step(varying), *arguments))
            return {i: x for i, x in enumerate(leaves) if isinstance(x, jax.core.Tracer)}

        varying = jax.vmap(of_step, axis_size=self._length)(self._varying, arguments)
        return leaves, treedef, varying

    def tree_flatten(self) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Split into the arrays and the static rest."""
        static = (
            self._treedef,
            tuple(self._varying),
            tuple(self._fixed),
            self._step_batch_shape,
            self.event_shape,
            self._length,
            self._left,
            self.batch_shape,
        )
        return (tuple(self._varying.values()), tuple(self._fixed.values())), static

    @classmethod
    def tree_unflatten(cls, aux: tuple[Any, ...], children: tuple[Any, ...]) -> Stacked:
        """Put the arrays back."""
        new = object.__new__(cls)
        new._treedef, varying, fixed, *shapes = aux
        new._varying = dict(zip(varying, children[0], strict=True))
        new._fixed = dict(zip(fixed, children[1], strict=True))
        new._step_batch_shape, new.event_shape, new._length, new._left, new.batch_shape = shapes
        return new

    def __repr__(self) -> str:
        return f"Stacked({self.kind}, batch_shape={self.batch_shape})"
