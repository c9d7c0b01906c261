"""A tree of arrays and other things that can be returned by a compiled function."""

from __future__ import annotations

from typing import Any

import jax
from jax.tree_util import register_pytree_node_class


class _Static:
    """Leaves that are no results of a program; each is equal to itself only."""

    def __init__(self, treedef: Any, leaves: tuple[Any, ...]):
        self.treedef = treedef
        self.leaves = leaves


@register_pytree_node_class
class Recorded:
    """A tree such as a trace, whose tracers are leaves for JAX and whose other leaves are static.

    Parameters
    ----------
    tree : pytree
        Anything, strings and functions among its leaves included.
    """

    def __init__(self, tree: Any):
        self.tree = tree

    def tree_flatten(self) -> tuple[tuple[Any, ...], Any]:
        """Split into arrays that are computed and the static rest."""
        leaves, treedef = jax.tree.flatten(self.tree)
        computed = tuple(leaf for leaf in leaves if isinstance(leaf, jax.Array))
        static = tuple(_COMPUTED if isinstance(leaf, jax.Array) else leaf for leaf in leaves)
        return computed, _Static(treedef, static)

    @classmethod
    def tree_unflatten(cls, static: _Static, computed: tuple[Any, ...]) -> Recorded:
        """Put what was computed back into its places."""
        remaining = iter(computed)
        leaves = [next(remaining) if leaf is _COMPUTED else leaf for leaf in static.leaves]
        return cls(jax.tree.unflatten(static.treedef, leaves))


_COMPUTED = object()
