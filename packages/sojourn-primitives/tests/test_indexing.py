"""Indexing with broadcasting, against loops over the broadcast batch."""

import jax
import numpy as np
import pytest

from sojourn_primitives import Vindex, vindex

RNG = np.random.default_rng(0)
X = RNG.normal(size=(3, 4, 5)).astype(np.float32)
ROW = RNG.integers(0, 4, (3,))
COLUMN = RNG.integers(0, 5, (3,))
TABLE = RNG.integers(0, 4, (2, 1))


def by_loop(x, num_batch, entries):
    """One element of the broadcast batch after the other, each by plain indexing."""
    indices = [entry for entry in entries if not isinstance(entry, slice)]
    batch = np.broadcast_shapes(x.shape[:num_batch], *map(np.shape, indices))
    expanded = np.broadcast_to(x, batch + x.shape[num_batch:])
    indices = iter([np.broadcast_to(entry, batch) for entry in indices])
    entries = [entry if isinstance(entry, slice) else next(indices) for entry in entries]
    parts = [
        expanded[at][tuple(e if isinstance(e, slice) else int(e[at]) for e in entries)]
        for at in np.ndindex(batch)
    ]
    return np.array(parts).reshape(batch + np.shape(parts[0]))


@pytest.mark.parametrize(
    "entries",
    [
        (ROW, COLUMN),
        (ROW, slice(None)),
        (slice(None), COLUMN),
        (TABLE, slice(None)),
        (TABLE, COLUMN),
        (2, COLUMN),
        (2, slice(None)),
        (slice(1, 3), 4),
        (COLUMN[:, None],),
    ],
    ids=str,
)
def test_batch_dims_broadcast_with_index_arrays(entries):
    expected = by_loop(X, X.ndim - len(entries), entries)
    np.testing.assert_array_equal(Vindex(X)[(..., *entries)], expected)
    np.testing.assert_array_equal(jax.jit(lambda x: vindex(x, (..., *entries)))(X), expected)


@pytest.mark.parametrize(
    "entries",
    [(1,), (ROW % 3,), (TABLE % 3, slice(None), COLUMN), (0, ROW), (slice(None), ROW)],
    ids=str,
)
def test_without_an_ellipsis_entries_count_from_the_left(entries):
    full = entries + (slice(None),) * (X.ndim - len(entries))
    np.testing.assert_array_equal(vindex(X, entries), by_loop(X, 0, full))


@pytest.mark.parametrize("args", [(0, ...), (..., 0, 0, 0, 0), (0, 0, 0, 0)], ids=str)
def test_what_cannot_be_indexed(args):
    with pytest.raises(IndexError, match="vindex"):
        vindex(X, args)
