"""Consensus Monte Carlo: draws of the posterior as weighted averages of draws of its factors.

Scott, Blocker, Bonassi, Chipman, George & McCulloch 2016, "Bayes and big data: the consensus Monte
Carlo algorithm", section 3. Exact if every subposterior is normal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sojourn_parallel.draws import check_num_draws, flatten, generator
from sojourn_parallel.normal_product import fit_normals, solve

PyTree = Any


def consensus(
    subposteriors: Sequence[PyTree],
    num_draws: int | None = None,
    diagonal: bool = False,
    rng_key: Any = None,
) -> PyTree:
    """Average the draws of subposteriors, weighted by their inverse covariances.

    Draw s of the result is the average of draws s of the subposteriors. Their product must be the
    posterior: each has seen its part of the data, and the prior to the power ``1 / K``.

    Parameters
    ----------
    subposteriors : list of pytree
        Draws of the K subposteriors, in the space in which they are to be averaged: arrays with a
        leading axis of draws, of one structure.
    num_draws : int, optional
        Draw that many draws of each subposterior, with replacement and independently, and average
        those; the weights too are theirs. Without it draws are taken as they are.
    diagonal : bool
        Whether the weights are inverse variances instead of inverse covariance matrices.
    rng_key : Array, optional
        A key for ``num_draws``; the key 0 by default.

    Returns
    -------
    pytree
        Draws of the structure of a subposterior.

    Raises
    ------
    ValueError
        If structures differ, a covariance has no inverse, or the numbers of draws differ and
        ``num_draws`` is not given.

    Examples
    --------
    >>> import numpy as np
    >>> from sojourn_parallel import consensus
    >>> rng = np.random.default_rng(0)
    >>> precise = {"x": rng.normal(1.0, 0.1, size=4000)}
    >>> vague = {"x": rng.normal(3.0, 1.0, size=4000)}
    >>> merged = consensus([precise, vague])["x"]  # mean (100 * 1 + 1 * 3) / 101
    >>> round(float(merged.mean()), 1), merged.shape
    (1.0, (4000,))
    """
    matrices, layout = flatten(subposteriors)
    lengths = [len(matrix) for matrix in matrices]
    if num_draws is not None:
        check_num_draws(num_draws)
        rng = generator(rng_key)
        matrices = [matrix[rng.integers(len(matrix), size=num_draws)] for matrix in matrices]
    elif len(set(lengths)) > 1:
        raise ValueError(
            f"the subposteriors have {lengths} draws, and the s-th draws of all are averaged: give "
            f"num_draws, such as num_draws={min(lengths)}, to draw from each"
        )
    normals = fit_normals(matrices, layout, diagonal)
    precision = np.sum([normal.precision for normal in normals], axis=0)
    weighted = sum(normal.weigh(matrix) for normal, matrix in zip(normals, matrices, strict=True))
    return layout.restore(solve(precision, np.asarray(weighted)))
