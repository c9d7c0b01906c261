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


COUNTED = np.arange(3)[:, None, None]


@pytest.mark.parametrize(
    "entries",
    [
        (COUNTED, ROW[:2, None], slice(None)),
        (COUNTED, np.arange(4)[:, None], np.arange(5)),
        (np.arange(3), np.arange(4)[:, None], slice(None)),
        (COUNTED, TABLE, slice(1, 4)),
        (TABLE % 3, np.arange(4), slice(None)),
        (np.arange(3), np.arange(3), slice(None)),
        (COUNTED, np.arange(3), np.arange(5)[:, None]),
        (ROW % 3 - 3, slice(None), slice(None)),
    ],
    ids=lambda entries: "-".join(str(np.shape(e)) for e in entries),
)
def test_dims_that_are_counted_through_and_gradients(entries):
    expected = by_loop(X, 0, entries)
    np.testing.assert_array_equal(vindex(X, entries), expected)
    weights = RNG.normal(size=expected.shape).astype(np.float32)
    slope = jax.jit(jax.grad(lambda x: (weights * vindex(x, entries) ** 2).sum()))(X)
    _, along = jax.jvp(lambda x: vindex(x, entries), (X,), (X,))
    np.testing.assert_allclose(along, expected, rtol=1e-6)
    # One entry after the other: what it was read for, times what it is.
    indicator = np.eye(X.size, dtype=np.float32).reshape(X.size, *X.shape)
    reads = np.stack([by_loop(one, 0, entries) for one in indicator])
    by_hand = (reads * weights * 2 * expected).reshape(X.size, -1).sum(1).reshape(X.shape)
    np.testing.assert_allclose(slope, by_hand, rtol=1e-5, atol=1e-5)


def test_the_gradient_of_an_index_is_the_same_known_and_traced():
    rows = np.array([[0, -1, 1], [1, 1, -2]])
    weights = RNG.normal(size=(2, 3, *X.shape[1:])).astype(np.float32)

    def slope(x, rows):
        return jax.grad(lambda x: (weights * vindex(x, rows)).sum())(x)

    np.testing.assert_allclose(
        jax.jit(lambda x: slope(x, rows))(X), jax.jit(slope)(X, rows), rtol=1e-6
    )


def test_rows_of_a_large_table():
    table = np.arange(300.0).reshape(100, 3)
    rows = np.array([[99, 0], [5, 5]])
    np.testing.assert_array_equal(vindex(table, (rows, slice(None))), table[rows])


@pytest.mark.parametrize("args", [(0, ...), (..., 0, 0, 0, 0), (0, 0, 0, 0)], ids=str)
def test_what_cannot_be_indexed(args):
    with pytest.raises(IndexError, match="vindex"):
        vindex(X, args)
