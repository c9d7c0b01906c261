"""Where a user's data lie: on which devices, and along which axes of a mesh they are split.

Data that a user has laid out over several devices stay there, and the chains come to them. The axes
of the mesh that no data are split along are spare: chains can be spread over those.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec


class Layout(NamedTuple):
    """How data lie on several devices.

    Attributes
    ----------
    mesh : Mesh
        The devices.
    split : tuple of str
        Axes that data are split along.
    """

    mesh: Mesh
    split: tuple[str, ...]

    @property
    def spare(self) -> tuple[str, ...]:
        """Axes that no data are split along."""
        return tuple(axis for axis in self.mesh.axis_names if axis not in self.split)


def layout_of(tree: Any, mesh: Mesh | None = None) -> Layout | None:
    """How the arrays of a pytree lie on several devices; None if all are on one.

    Parameters
    ----------
    tree : pytree
        Arguments of a model.
    mesh : Mesh, optional
        Where they have to be; by default where they are.

    Raises
    ------
    ValueError
        If arrays lie on different devices, or on devices of other processes.
    """
    shardings = [
        leaf.sharding
        for leaf in jax.tree.leaves(tree)
        if isinstance(leaf, jax.Array) and len(leaf.sharding.device_set) > 1
    ]
    split: set[str] = set()
    for sharding in shardings:
        if not sharding.is_fully_addressable:
            raise ValueError(
                f"an array among the model's arguments lies on devices of other processes "
                f"({sharding}): each process samples its own chains, so give it the whole of the "
                "data on its own devices"
            )
        own = auto_mesh(sharding)
        if mesh is None:
            mesh = own
        elif set(mesh.devices.flat) != set(own.devices.flat):
            raise ValueError(
                f"arrays among the model's arguments, and the chains, lie on different devices: "
                f"{mesh} and {own}; lay them out on one mesh"
            )
        # Axes of another mesh of the same devices say nothing about this one: none is spare then.
        split |= _split_axes(sharding) if own == mesh else set(mesh.axis_names)
    if mesh is None:
        return None
    return Layout(mesh, tuple(axis for axis in mesh.axis_names if axis in split))


def auto_mesh(sharding: jax.sharding.Sharding | Mesh) -> Mesh:
    """The mesh of a sharding, with axes that the compiler handles.

    A mesh of explicit axes would ask every operation of a model for the layout of its result.
    """
    if isinstance(sharding, NamedSharding) and isinstance(sharding.mesh, Mesh):
        sharding = sharding.mesh
    if isinstance(sharding, Mesh):
        return Mesh(sharding.devices, sharding.axis_names)
    devices: list[Any] = list(sharding.device_set)
    return Mesh(np.array(sorted(devices, key=lambda device: device.id)), ("devices",))


def put_on(mesh: Mesh, tree: Any) -> Any:
    """Put the arrays of a pytree on a mesh: split ones stay as they are, others are replicated."""

    def put(leaf: Any) -> jax.Array:
        sharding = getattr(leaf, "sharding", None)
        if isinstance(sharding, NamedSharding) and len(sharding.device_set) > 1:
            if auto_mesh(sharding) == mesh:
                return jax.device_put(leaf, NamedSharding(mesh, sharding.spec))
            return leaf
        if sharding is not None and len(sharding.device_set) > 1:
            return leaf
        return jax.device_put(leaf, NamedSharding(mesh, PartitionSpec()))

    return jax.tree.map(put, tree)


def _split_axes(sharding: jax.sharding.Sharding) -> set[str]:
    if not isinstance(sharding, NamedSharding):
        return {"devices"}
    axes: set[str] = set()
    for entry in sharding.spec:
        axes |= set(entry) if isinstance(entry, tuple) else {entry} if entry is not None else set()
    return axes
