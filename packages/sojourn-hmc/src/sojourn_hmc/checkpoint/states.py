"""States of chains as plain arrays with descriptions, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_hmc.files import CheckpointError, damaged, fit
from sojourn_hmc.lane import is_typed_key


class Leaf(NamedTuple):
    """What a header says of one array of the states.

    Attributes
    ----------
    place : str
        Where it is in the state.
    shape : list of int
        Its shape; the first axis is that of chains.
    dtype : str
        Its type.
    key : str or None
        The implementation, if these are the data of typed keys.
    """

    place: str
    shape: list[int]
    dtype: str
    key: str | None


def encode(states: Any) -> tuple[dict[str, np.ndarray], list[Leaf]]:
    """Arrays of states with a leading axis of chains, and what to say of them.

    Examples
    --------
    >>> arrays, leaves = encode({"x": np.zeros((2, 3), np.float32)})
    >>> leaves
    [Leaf(place="['x']", shape=[2, 3], dtype='float32', key=None)]
    """
    arrays, leaves = {}, []
    for n, (path, leaf) in enumerate(jax.tree_util.tree_leaves_with_path(states)):
        is_key = is_typed_key(leaf)
        array = np.asarray(jax.random.key_data(leaf) if is_key else leaf)
        arrays[str(n)] = array
        key = str(jax.random.key_impl(leaf)) if is_key else None
        place = jax.tree_util.keystr(path)
        leaves.append(Leaf(place, list(array.shape), array.dtype.name, key))
    return arrays, leaves


def decode(
    arrays: dict[str, np.ndarray], leaves: list[Leaf], like: Any, num_chains: int, path: Path
) -> Any:
    """States from what `encode` made; raise a CheckpointError if they are not like ``like``.

    Parameters
    ----------
    arrays, leaves
        What was read.
    like : pytree
        Shapes of the state of one chain.
    num_chains : int
        Number of chains.
    path : Path
        Of the file, for errors.
    """
    expected, treedef = jax.tree_util.tree_flatten_with_path(like)
    places = [jax.tree_util.keystr(place) for place, _ in expected]
    if [leaf.place for leaf in leaves] != places:
        raise CheckpointError(
            f"the states in {path} have the fields {[leaf.place for leaf in leaves]}; the kernel's "
            f"state has {places}. Was it another version of the kernel?"
        )
    values = []
    for n, (leaf, (_, shape)) in enumerate(zip(leaves, expected, strict=True)):
        if str(n) not in arrays:
            raise damaged(path)
        array = fit(arrays[str(n)], tuple(leaf.shape), jnp.dtype(leaf.dtype), path)
        value = array
        if leaf.key is not None:
            value = jax.random.wrap_key_data(jax.device_put(array), impl=leaf.key)
        if value.shape != (num_chains, *shape.shape) or value.dtype != shape.dtype:
            raise CheckpointError(
                f"in {path} the state's {leaf.place} is {value.dtype}{list(value.shape)}; "
                f"{shape.dtype}{[num_chains, *shape.shape]} is expected"
            )
        values.append(value)
    return jax.tree.unflatten(treedef, values)
