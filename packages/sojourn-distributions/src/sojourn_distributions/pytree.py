"""Objects whose numbers are JAX leaves and whose other attributes are static structure."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, Self

import jax

__all__ = ["PytreeNode"]

Names = tuple[str, ...]


class PytreeNode:
    """Base of distributions, constraints and transforms: registers every subclass with JAX.

    A subclass says with `_data_fields` which attributes are leaves (or subtrees) and with
    `_aux_fields` which are static. Only attributes stored on the instance take part, so
    class-level constants and values computed on demand never change the tree's structure.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        jax.tree_util.register_pytree_node(
            cls,
            lambda node: node.tree_flatten(),
            lambda aux, leaves: cls.tree_unflatten(aux, leaves),
        )

    def _data_fields(self) -> Names:
        """Names of the attributes whose values are subtrees."""
        return ()

    def _aux_fields(self) -> Names:
        """Names of the attributes that are static (hashable and comparable)."""
        return ()

    def tree_flatten(self) -> tuple[tuple[Any, ...], Any]:
        """Split into subtrees and static data, as JAX asks of a registered node."""
        stored = self.__dict__
        data = tuple(name for name in self._data_fields() if name in stored)
        aux = tuple((name, stored[name]) for name in self._aux_fields() if name in stored)
        return tuple(stored[name] for name in data), (data, aux)

    @classmethod
    def tree_unflatten(cls, aux_data: Any, params: Any) -> Self:
        """Rebuild without running `__init__`, so that any kind of leaf is accepted."""
        data, aux = aux_data
        node = object.__new__(cls)
        node.__dict__.update(zip(data, params, strict=True))
        node.__dict__.update(aux)
        return node


def dataclass_fields(node: Any, *, static: bool) -> Names:
    """Names of a dataclass's fields, those marked `metadata={"static": True}` or the others."""
    cls: Any = type(node)
    return _dataclass_fields(cls, static)


@functools.cache
def _dataclass_fields(cls: Any, static: bool) -> Names:
    return tuple(
        field.name
        for field in dataclasses.fields(cls)
        if bool(field.metadata.get("static", False)) is static
    )
