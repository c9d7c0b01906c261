"""Indexing in which index arrays broadcast with each other and with the batch dims of the array.

NumPy moves the dims that index arrays make to different places, depending on where slices stand.
Models whose indices may be single numbers, batches, or have dims of their own (plates, enumeration)
need one rule: what is indexed becomes batch dims on the left, what is sliced event dims on the
right. This is the rule of Pyro's ``Vindex``.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np


def vindex(tensor: Any, args: Any) -> Any:
    """Index ``tensor`` with broadcasting.

    Parameters
    ----------
    tensor : array
        What is indexed.
    args : tuple
        One entry for each dim from the left: an integer, an array of integers or a slice; dims that
        are not mentioned are sliced whole. A leading ``...`` instead lets the entries count from
        the right, and the dims to their left are batch dims, which broadcast with the index arrays.

    Returns
    -------
    array
        Shape ``broadcast(batch dims, index arrays) + sliced dims``.

    Raises
    ------
    IndexError
        If there are more entries than dims, or ``...`` stands elsewhere than first.

    Examples
    --------
    >>> import numpy as np
    >>> from sojourn_primitives import vindex
    >>> rows = np.arange(12).reshape(3, 4)
    >>> vindex(rows, (..., np.array([0, 1, 3]))).tolist()  # one entry of each row
    [0, 5, 11]
    """
    args = args if isinstance(args, tuple) else (args,)
    shape = np.shape(tensor)
    has_batch = bool(args) and args[0] is Ellipsis
    entries = args[1:] if has_batch else args
    if any(entry is Ellipsis for entry in entries):
        raise IndexError(f"vindex: '...' may only stand first, got the index {args}")
    if len(entries) > len(shape):
        raise IndexError(f"vindex: {len(entries)} entries for an array of shape {shape}")
    num_batch = len(shape) - len(entries) if has_batch else 0
    if not has_batch:
        entries += (slice(None),) * (len(shape) - len(entries))
    num_events = sum(isinstance(entry, slice) for entry in entries)

    # Every dim is indexed by an array, reshaped so that batch dims and index arrays line up on the
    # left and each sliced dim has a place of its own on the right.
    index: list[Any] = []
    for dim in range(num_batch):
        along = np.arange(shape[dim])
        index.append(along.reshape((-1,) + (1,) * (num_batch - 1 - dim + num_events)))
    events_left = num_events
    for dim, entry in enumerate(entries, start=num_batch):
        if isinstance(entry, slice):
            events_left -= 1
            index.append(np.arange(shape[dim])[entry].reshape((-1,) + (1,) * events_left))
        elif num_events == 0:
            index.append(entry)
        else:
            index.append(jnp.reshape(entry, np.shape(entry) + (1,) * num_events))
    return jnp.asarray(tensor)[tuple(index)]


class Vindex:
    """Give an array the indexing of `vindex`: ``Vindex(x)[..., i, :]``.

    Examples
    --------
    >>> import numpy as np
    >>> from sojourn_primitives import Vindex
    >>> x = np.zeros((3, 4, 5))
    >>> i = np.array([[0], [2]])
    >>> Vindex(x)[..., i, :].shape  # batch (3,) broadcasts with (2, 1)
    (2, 3, 5)
    """

    def __init__(self, tensor: Any) -> None:
        self._tensor = tensor

    def __getitem__(self, args: Any) -> Any:
        return vindex(self._tensor, args)
