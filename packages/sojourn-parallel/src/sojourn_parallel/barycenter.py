"""The average of subposteriors in the geometry of optimal transport, which keeps their shape.

Each shard here sees the whole prior and its likelihood to the power K, so that every subposterior
has about the width of the posterior itself; what is left is to average distributions, not to
multiply them. Srivastava, Li & Dunson 2018, "Scalable Bayes via barycenter in Wasserstein space".
The barycenter is taken among the affine images of the subposteriors: its mean is the average mean
and its covariance solves the fixed-point equation of Álvarez-Esteban, del Barrio, Cuesta-Albertos &
Matrán 2016, "A fixed-point approach to barycenters in Wasserstein space", theorem 4.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sojourn_parallel.draws import evenly, flatten
from sojourn_parallel.normal_product import fit_normals

PyTree = Any

MAX_ITERATIONS = 200
TOLERANCE = 1e-12  # of the covariance from one iteration to the next, relative


def barycenter(subposteriors: Sequence[PyTree]) -> PyTree:
    """Move the draws of all subposteriors to their barycenter and pool them.

    Nothing is approximated by a normal: draws are shifted, stretched and turned, so that a common
    skewness stays. On the other hand, what `consensus` multiplies this averages: the subposteriors
    must come from **the whole prior and the likelihood to the power K** (a scale handler with the
    factor K around the observed sites).

    Parameters
    ----------
    subposteriors : list of pytree
        Draws of the K subposteriors: arrays with a leading axis of draws, of one structure. Their
        numbers may differ; each subposterior counts alike.

    Returns
    -------
    pytree
        Draws of the structure of a subposterior, as many of each as the shortest has.

    Raises
    ------
    ValueError
        If structures differ or a covariance has no inverse.

    Examples
    --------
    >>> import numpy as np
    >>> from sojourn_parallel import barycenter
    >>> rng = np.random.default_rng(0)
    >>> shards = [rng.gamma(4.0, size=3000) + shift for shift in (-1.0, 0.0, 1.0)]
    >>> merged = barycenter(shards)
    >>> merged.shape, round(float(merged.mean()), 1)
    ((9000,), 4.0)
    """
    matrices, layout = flatten(subposteriors)
    normals = fit_normals(matrices, layout, diagonal=False)
    covariances = [normal.covariance() for normal in normals]
    mean = np.mean([normal.mean for normal in normals], axis=0)
    covariance = _barycenter_covariance(covariances)
    shortest = min(len(matrix) for matrix in matrices)
    moved = []
    for matrix, normal, own in zip(matrices, normals, covariances, strict=True):
        rows = evenly(matrix, shortest) - normal.mean
        moved.append(mean + rows @ _transport(own, covariance))
    return layout.restore(np.concatenate(moved))


def _transport(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The symmetric matrix that maps a normal of one covariance to another at the least cost."""
    root, inverse = _roots(source)
    return inverse @ _roots(root @ target @ root)[0] @ inverse


def _barycenter_covariance(covariances: list[np.ndarray]) -> np.ndarray:
    covariance = np.mean(covariances, axis=0)
    for _ in range(MAX_ITERATIONS):
        root, inverse = _roots(covariance)
        mean_root = np.mean([_roots(root @ own @ root)[0] for own in covariances], axis=0)
        new = inverse @ mean_root @ mean_root @ inverse
        if np.linalg.norm(new - covariance) <= TOLERANCE * np.linalg.norm(covariance):
            return new
        covariance = new
    raise ValueError(
        f"the barycenter's covariance did not settle in {MAX_ITERATIONS} iterations: the widths of "
        "the subposteriors differ too much to be averaged"
    )


def _roots(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Symmetric square root of a covariance, and its inverse."""
    values, vectors = np.linalg.eigh(matrix)
    root = np.sqrt(np.maximum(values, np.finfo(float).tiny))
    return (vectors * root) @ vectors.T, (vectors / root) @ vectors.T
