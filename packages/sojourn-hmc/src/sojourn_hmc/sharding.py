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
    """How data lie on devices that are not the default one.

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
    """How the arrays of a pytree lie on devices; None if they are where arrays are by default.

    An array that a user has put on another device counts, unless others lie on several.

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
        mesh = _chosen_device(tree)
    if mesh is None:
        return None
    return Layout(mesh, tuple(axis for axis in mesh.axis_names if axis in split))


def _chosen_device(tree: Any) -> Mesh | None:
    """The device that a user has put arrays on, if it is not the default one."""
    chosen = {
        device
        for leaf in jax.tree.leaves(tree)
        if isinstance(leaf, jax.Array) and getattr(leaf, "committed", False)
        for device in leaf.sharding.device_set
    }
    if len(chosen) > 1:
        raise ValueError(
            f"arrays among the model's arguments lie on different devices: {chosen}; put them on "
            "one, or lay them out on a mesh of several"
        )
    if chosen <= {devices_for_chains()[0]}:
        return None
    return Mesh(np.array(list(chosen)), ("devices",))


def devices_for_chains() -> list[jax.Device]:
    """Devices of this process that chains may use: one, where a user has chosen it."""
    chosen = jax.config.values["jax_default_device"]
    if isinstance(chosen, str):  # the name of a platform
        return jax.local_devices(backend=chosen)[:1]
    return jax.local_devices() if chosen is None else [chosen]


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
