"""Neighbourhoods of sites: an adjacency matrix as a list of edges with its spectrum."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from sojourn_distributions.arrays import is_concrete

__all__ = ["SparseAdjacency", "adjacency_complaint"]


def adjacency_complaint(matrix: Any) -> str | None:
    """What is wrong with a concrete adjacency matrix (or each of a batch), or None."""
    matrix = np.asarray(matrix)
    differs = ~np.isclose(matrix, np.swapaxes(matrix, -2, -1), rtol=1e-6, atol=0)
    if differs.any():
        index = np.argwhere(differs)[0]
        return f"must be symmetric, but entry {tuple(map(int, index))} differs from its transpose"
    if (matrix < 0).any():
        index = np.argwhere(matrix < 0)[0]
        return f"must have no negative entry, but entry {tuple(map(int, index))} is one"
    isolated = np.argwhere(matrix.sum(-1) <= 0)
    if len(isolated):
        return f"must give every site a neighbour, but site {tuple(map(int, isolated[0]))} has none"
    return None


class SparseAdjacency:
    """A symmetric matrix of weights as static data: hashable, compared by content.

    Parameters
    ----------
    matrix
        A concrete matrix, or a sparse one of scipy (anything with a `tocoo` method).
    """

    def __init__(self, matrix: Any) -> None:
        if hasattr(matrix, "tocoo"):
            entries = matrix.tocoo()
            rows, columns, weights = entries.row, entries.col, entries.data
        else:
            rows, columns = np.nonzero(np.asarray(matrix))
            weights = np.asarray(matrix)[rows, columns]
        self.size = int(matrix.shape[-1])
        self._all = rows.astype(np.int32), columns.astype(np.int32), weights.astype(np.float64)
        # Each edge once. A weight on the diagonal is half of an edge from a site to itself.
        kept = rows <= columns
        self.rows, self.columns, self.weights = (part[kept] for part in self._all)
        self.weights = np.where(self.rows == self.columns, 0.5, 1.0) * self.weights
        self.degrees = np.bincount(rows, weights=weights, minlength=self.size)
        self._content = (self.size, *(part.tobytes() for part in self._all))

    @staticmethod
    def is_readable(matrix: Any) -> bool:
        """Whether the entries are known now."""
        return hasattr(matrix, "tocoo") or is_concrete(matrix)

    @property
    def dense(self) -> Any:
        """The matrix, as a NumPy array."""
        matrix = np.zeros((self.size, self.size))
        rows, columns, weights = self._all
        np.add.at(matrix, (rows, columns), weights)
        return matrix

    @functools.cached_property
    def spectrum(self) -> tuple[Any, Any]:
        """Eigenvalues and eigenvectors of ``D^(-1/2) W D^(-1/2)``; found once."""
        root = 1 / np.sqrt(self.degrees)
        return np.linalg.eigh(self.dense * root[:, None] * root)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SparseAdjacency) and self._content == other._content

    def __hash__(self) -> int:
        return hash(self._content)

    def __repr__(self) -> str:
        return f"<adjacency of {self.size} sites and {len(self.rows)} edges>"
