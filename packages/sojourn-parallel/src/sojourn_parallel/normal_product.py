"""The normal approximation of every subposterior, and the product of these normals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from sojourn_parallel.draws import Layout


class Normal(NamedTuple):
    """A normal distribution of D numbers.

    Attributes
    ----------
    mean : ndarray
        ``(D,)``.
    precision : ndarray
        Inverse covariance: ``(D, D)``, or ``(D,)`` if it is diagonal.
    """

    mean: np.ndarray
    precision: np.ndarray

    def weigh(self, vectors: np.ndarray) -> np.ndarray:
        """Multiply vectors ``(..., D)`` by the precision."""
        return vectors * self.precision if self.precision.ndim == 1 else vectors @ self.precision

    def covariance(self) -> np.ndarray:
        """The covariance, ``(D, D)`` or ``(D,)``."""
        if self.precision.ndim == 1:
            return 1 / self.precision
        return _inverse(self.precision)

    def root(self) -> np.ndarray:
        """A matrix (or its diagonal) A with ``A A^T`` the covariance."""
        covariance = self.covariance()
        return np.sqrt(covariance) if covariance.ndim == 1 else np.linalg.cholesky(covariance)


def fit_normals(matrices: Sequence[np.ndarray], layout: Layout, diagonal: bool) -> list[Normal]:
    """Fit a normal distribution to each matrix of draws; the covariance has divisor ``draws - 1``.

    Raises
    ------
    ValueError
        If a covariance has no inverse: too few draws, a number that never changes, numbers that
        determine each other. The message names the subposterior and the site.
    """
    return [_fit(matrix, layout, diagonal, index) for index, matrix in enumerate(matrices)]


def product(normals: Sequence[Normal]) -> Normal:
    """The normal distribution whose density is proportional to the product of the densities.

    Precisions add, and means are weighted by them (Scott et al. 2016, equation 6; Neiswanger, Wang
    & Xing 2014, section 3.1).
    """
    precision = np.sum([normal.precision for normal in normals], axis=0)
    weighted = np.sum([normal.weigh(normal.mean) for normal in normals], axis=0)
    return Normal(solve(precision, weighted), precision)


def solve(precision: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Multiply vectors ``(..., D)`` by the inverse of a precision, ``(D, D)`` or ``(D,)``."""
    if precision.ndim == 1:
        return vectors / precision
    return vectors @ _inverse(precision)


def _fit(matrix: np.ndarray, layout: Layout, diagonal: bool, index: int) -> Normal:
    num_draws, size = matrix.shape
    least = 2 if diagonal else size + 1
    if num_draws < least:
        remedy = "" if diagonal else ", or use diagonal=True, which takes their variances alone"
        raise ValueError(
            f"subposterior {index} has {num_draws} draws of {size} numbers, whose covariance has "
            f"no inverse: draw at least {least}{remedy}"
        )
    mean = matrix.mean(axis=0)
    spread = (matrix - mean).std(axis=0, ddof=1)
    frozen = np.flatnonzero(spread == 0)
    if frozen.size:
        raise ValueError(
            f"subposterior {index}: {layout.column(int(frozen[0]))} is the same in all draws, so "
            "its covariance has no inverse. Leave the site out if it is fixed; else its sampler "
            "did not move"
        )
    if diagonal:
        return Normal(mean, 1 / np.square(spread))
    standard = (matrix - mean) / spread
    values, vectors = np.linalg.eigh(standard.T @ standard / (num_draws - 1))
    if values[0] <= size * np.finfo(float).eps * values[-1]:
        # The direction without variance says which numbers determine each other.
        involved = np.flatnonzero(abs(vectors[:, 0]) > 0.1)
        names = "; ".join(layout.column(int(column)) for column in involved[:5])
        raise ValueError(
            f"subposterior {index}: the covariance has no inverse, since a combination of "
            f"({names}) is the same in all draws. Leave out sites that follow from others, or use "
            "diagonal=True"
        )
    scaled = vectors / spread[:, None]
    return Normal(mean, (scaled / values) @ scaled.T)


def _inverse(matrix: np.ndarray) -> np.ndarray:
    """Inverse of a symmetric positive definite matrix, scaled to a unit diagonal before."""
    scale = 1 / np.sqrt(np.diagonal(matrix))
    half = np.linalg.solve(np.linalg.cholesky(matrix * scale[:, None] * scale), np.diag(scale))
    return half.T @ half
