"""Which chains run together and which at the same time: on threads, devices, processes.

Chains on a CPU with one JAX device run on threads: a compiled program releases the interpreter, so
threads use all cores without any configuration. Several devices form a mesh, each with a batch of
chains; data that a user has laid out on devices decide on which. Several processes share the
chains out. No choice is made silently; `Placement` says it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from sojourn_hmc.sharding import Layout, auto_mesh, devices_for_chains, layout_of, put_on

METHODS = ("parallel", "sequential", "vectorized")

Transform = Callable[[Callable[[Any], Any]], Callable[[Any], Any]]
"""Turns a function of one chain into one of many, which have a leading axis, as `jax.vmap` does."""


class Placement(NamedTuple):
    """How the chains of a run are laid out.

    Attributes
    ----------
    lanes : tuple of tuple of int
        Chains that one program call advances together, counted from the first of this process.
    workers : int
        How many lanes advance at the same time.
    batched : bool
        Whether a lane is a batch of chains (with a leading axis) or a single chain.
    description : str
        What was done, in words.
    mesh : Mesh or None
        The devices, if there are several.
    chain_axes : tuple of str
        Axes of the mesh that the chains of a lane are spread over.
    transform : Callable or None
        What makes a program of one chain one of a batch; None for the usual way.
    first_chain : int
        The first chain of this process.
    """

    lanes: tuple[tuple[int, ...], ...]
    workers: int
    batched: bool
    description: str
    mesh: Mesh | None = None
    chain_axes: tuple[str, ...] = ()
    transform: Transform | None = None
    first_chain: int = 0

    @property
    def sharding(self) -> NamedSharding | None:
        """Where the state of a lane lies, if on several devices."""
        return self.along_chains(0)

    def along_chains(self, axis: int) -> NamedSharding | None:
        """A sharding with chains, or what else is shared out among devices, at ``axis``."""
        if self.mesh is None:
            return None
        spec = (None,) * axis + (self.chain_axes,) if self.chain_axes else ()
        return NamedSharding(self.mesh, PartitionSpec(*spec))

    @property
    def num_shards(self) -> int:
        """Parts that a lane falls into, each on a device, or devices, of its own."""
        return math.prod(self.mesh.shape[axis] for axis in self.chain_axes) if self.mesh else 1

    def chains_of(self, lane: tuple[int, ...]) -> np.ndarray:
        """The chains of a lane as a program takes them: an array of them, or the one index.

        On a mesh every device has as many chains as another: the last chain is repeated to fill up,
        and whoever reads a lane takes its first ``len(lane)`` chains.
        """
        chains = np.asarray(lane, np.int32) + np.int32(self.first_chain)
        if not self.batched:
            return chains[0]
        return np.pad(chains, (0, -len(lane) % self.num_shards), "edge")

    @property
    def own_places(self) -> tuple[bool, ...] | None:
        """Which places of a lane on a mesh have a chain of their own; None if all have."""
        (first, *_) = self.lanes
        filling = -len(first) % self.num_shards
        return (True,) * len(first) + (False,) * filling if filling else None

    def decides(self) -> tuple:
        """What of it decides a program, beside the shapes."""
        return (self.batched, self.mesh, self.chain_axes, self.transform, self.own_places)

    def lay_out(self, chains: Any) -> Any:
        """Put arrays with a leading axis of a lane's chains where the lane is."""
        return chains if self.mesh is None else jax.device_put(chains, self.sharding)

    def put(self, data: Any) -> Any:
        """Put what all chains share on the device or devices."""
        return jax.device_put(data) if self.mesh is None else put_on(self.mesh, data)

    def part(self, lane: tuple[int, ...], state: Any) -> Any:
        """The lane's part of a state with a leading axis of all chains."""
        index = self.chains_of(lane)
        return jax.tree.map(lambda leaf: leaf[index], state)


def place(chain_method: str | Transform | Mesh, num_chains: int, data: Any = ()) -> Placement:
    """Lay out ``num_chains`` chains by ``chain_method``.

    Parameters
    ----------
    chain_method : str, Callable or Mesh
        As for `MCMC`.
    num_chains : int
        Number of chains, over all processes.
    data : pytree
        The model's arguments; arrays on several devices keep their layout.

    Raises
    ------
    ValueError
        If the layout of the data admits no placement, or a process would have no chain.

    Examples
    --------
    >>> place("sequential", 3).lanes
    ((0,), (1,), (2,))
    >>> place("vectorized", 3).lanes
    ((0, 1, 2),)
    """
    here, note = _chains_of_this_process(num_chains)
    chains = tuple(range(len(here)))
    mesh = auto_mesh(chain_method) if isinstance(chain_method, Mesh) else None
    layout = layout_of(data, mesh)
    if layout is not None and chain_method != "sequential":
        placement = _where_the_data_are(layout, chains, chain_method)
    elif not isinstance(chain_method, str):
        assert not isinstance(chain_method, Mesh)
        text = f"{_counted(chains)} through chain_method={_name_of(chain_method)}"
        placement = Placement((chains,), 1, True, text, transform=chain_method)
    elif chain_method == "vectorized":
        placement = Placement((chains,), 1, True, f"{_counted(chains)} as one batch")
    elif chain_method == "sequential" or len(chains) == 1:
        text = f"{_counted(chains)}{' taking turns' * (len(chains) > 1)} on one thread"
        placement = Placement(_singles(chains), 1, False, text)
        if layout is not None:
            text += f" and {_holders(layout.mesh)}"
            placement = placement._replace(description=text, mesh=layout.mesh)
    else:
        placement = _in_parallel(chains)
    return placement._replace(description=placement.description + note, first_chain=here[0])


def _in_parallel(chains: tuple[int, ...]) -> Placement:
    devices, cores = devices_for_chains(), available_cores()
    platform = devices[0].platform
    # A CPU's devices share its cores, and batches of chains are slow there: a device takes one
    # chain or none.
    suits = platform != "cpu" or len(chains) <= len(devices) <= cores
    if len(devices) > 1 and suits:
        # No more devices than the fullest one needs: five chains on four are 2 + 2 + 1.
        on_each = math.ceil(len(chains) / len(devices))
        used = math.ceil(len(chains) / on_each)
        mesh = Mesh(np.array(devices[:used]), ("chains",))
        return _on_a_mesh(mesh, ("chains",), chains)
    if platform != "cpu":
        return Placement((chains,), 1, True, f"{_counted(chains)} as one batch on {devices[0]}")
    workers = min(len(chains), cores)
    text = f"{_counted(chains)} on {workers} thread{'s' * (workers > 1)}"
    if len(devices) > 1:
        text += f" of one of {len(devices)} CPU devices, which share {cores} cores"
    return Placement(_singles(chains), workers, False, text)


def _where_the_data_are(
    layout: Layout, chains: tuple[int, ...], chain_method: str | Transform | Mesh
) -> Placement:
    mesh, spare = layout.mesh, layout.spare
    if callable(chain_method) and not isinstance(chain_method, Mesh):
        text = f"{_counted(chains)} through chain_method={_name_of(chain_method)}"
        text += f" on {_holders(mesh)}"
        return Placement((chains,), 1, True, text, mesh, transform=chain_method)
    if chain_method == "parallel" and len(chains) == 1:
        return Placement((chains,), 1, False, f"1 chain on {_holders(mesh)}", mesh)
    if chain_method == "parallel" and mesh.size == 1 and mesh.devices.flat[0].platform == "cpu":
        workers = min(len(chains), available_cores())
        text = f"{_counted(chains)} on {workers} threads of {_holders(mesh)}"
        return Placement(_singles(chains), workers, False, text, mesh)
    if chain_method != "vectorized" and spare:
        return _on_a_mesh(mesh, spare, chains)
    text = f"{_counted(chains)} as one batch on {_holders(mesh)}"
    return Placement((chains,), 1, True, text, mesh)


def _on_a_mesh(mesh: Mesh, axes: tuple[str, ...], chains: tuple[int, ...]) -> Placement:
    """Spread chains over axes of a mesh."""
    placement = Placement((chains,), 1, True, "", mesh, axes)
    on_each = math.ceil(len(chains) / placement.num_shards)
    fewer_on_some = on_each * placement.num_shards > len(chains)
    devices = mesh.size // placement.num_shards
    shape = " x ".join(f"{axis} {size}" for axis, size in mesh.shape.items())
    text = (
        f"{_counted(chains)} on a mesh of {mesh.size} {mesh.devices.flat[0].platform} devices"
        f"{f' ({shape})' * (len(mesh.shape) > 1)}, {'at most ' * fewer_on_some}{on_each} on "
        f"{'each' if devices == 1 else f'every {devices}'}{' as a batch' * (on_each > 1)}"
    )
    return placement._replace(description=text)


def _chains_of_this_process(num_chains: int) -> tuple[tuple[int, ...], str]:
    """The chains that this process runs, and what is to be said about it."""
    here, count = jax.process_index(), jax.process_count()
    chains = chains_of_process(num_chains, here, count)
    if count == 1:
        return chains, ""
    if num_chains < count:
        raise ValueError(
            f"num_chains={num_chains} leaves some of {count} processes without a chain: ask for "
            f"num_chains={count} or more, or start fewer processes"
        )
    which = f"chains {chains[0]} to {chains[-1]}" if len(chains) > 1 else f"chain {chains[0]}"
    return chains, f" ({which}, in process {here} of {count})"


def chains_of_process(num_chains: int, process: int, count: int) -> tuple[int, ...]:
    """Chains of one of several processes: neighbours, and as many as another has or one more.

    Examples
    --------
    >>> [chains_of_process(5, process, 2) for process in range(2)]
    [(0, 1, 2), (3, 4)]
    """
    first, more = divmod(num_chains, count)
    begin = process * first + min(process, more)
    return tuple(range(begin, begin + first + (process < more)))


def _holders(mesh: Mesh) -> str:
    """Devices that hold the data, in words."""
    if mesh.size == 1:
        return f"{mesh.devices.flat[0]}, which holds the data"
    return f"the {mesh.size} devices that hold the data"


def _counted(chains: tuple[int, ...]) -> str:
    return "1 chain" if len(chains) == 1 else f"{len(chains)} chains"


def _singles(chains: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    return tuple((chain,) for chain in chains)


def _name_of(function: Any) -> str:
    return getattr(function, "__name__", repr(function))


def available_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
