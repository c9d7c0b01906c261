"""The posterior as one normal distribution: the product of those fitted to the subposteriors.

Neiswanger, Wang & Xing 2014, "Asymptotically exact, embarrassingly parallel MCMC", section 3.1.
Exact if every subposterior is normal, as it nearly is where each shard has much data.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_parallel.draws import check_num_draws, flatten, generator
from sojourn_parallel.normal_product import fit_normals, product

PyTree = Any


def parametric(
    subposteriors: Sequence[PyTree], diagonal: bool = False
) -> tuple[jax.Array, jax.Array]:
    """Mean and covariance of the normal approximation of the whole posterior.

    Parameters
    ----------
    subposteriors : list of pytree
        Draws of the subposteriors, as for `consensus`; their numbers may differ.
    diagonal : bool
        Whether to take all numbers as independent.

    Returns
    -------
    tuple of Array
        The mean ``(D,)`` of all sites in one vector, in the order of ``jax.tree.leaves``, and the
        covariance ``(D, D)``, or with ``diagonal`` the variances ``(D,)``.

    Raises
    ------
    ValueError
        If structures differ or a covariance has no inverse.

    Examples
    --------
    >>> import numpy as np
    >>> from sojourn_parallel import parametric
    >>> rng = np.random.default_rng(0)
    >>> mean, variance = parametric(
    ...     [rng.normal(1.0, 1.0, size=(9000, 2)), rng.normal(3.0, 1.0, size=(9000, 2))],
    ...     diagonal=True,
    ... )
    >>> mean.round(1).tolist(), variance.round(1).tolist()
    ([2.0, 2.0], [0.5, 0.5])
    """
    matrices, layout = flatten(subposteriors)
    normal = product(fit_normals(matrices, layout, diagonal))
    dtype = np.result_type(*layout.dtypes)
    return jnp.asarray(normal.mean, dtype), jnp.asarray(normal.covariance(), dtype)


def parametric_draws(
    subposteriors: Sequence[PyTree],
    num_draws: int,
    diagonal: bool = False,
    rng_key: Any = None,
) -> PyTree:
    """Draw from the normal approximation of the whole posterior; see `parametric`.

    Parameters
    ----------
    subposteriors : list of pytree
        Draws of the subposteriors, as for `consensus`; their numbers may differ.
    num_draws : int
        How many draws to make.
    diagonal : bool
        Whether to take all numbers as independent.
    rng_key : Array, optional
        A key; the key 0 by default.

    Returns
    -------
    pytree
        Draws of the structure of a subposterior. They know of no bounds: transform sites with
        bounds before.

    Raises
    ------
    ValueError
        As for `parametric`, or if ``num_draws`` is not positive.

    Examples
    --------
    >>> import numpy as np
    >>> from sojourn_parallel import parametric_draws
    >>> rng = np.random.default_rng(0)
    >>> shards = [{"x": rng.normal(size=(500, 3))} for _ in range(4)]
    >>> parametric_draws(shards, num_draws=1000)["x"].shape
    (1000, 3)
    """
    check_num_draws(num_draws)
    matrices, layout = flatten(subposteriors)
    normal = product(fit_normals(matrices, layout, diagonal))
    noise = generator(rng_key).standard_normal((num_draws, len(normal.mean)))
    root = normal.root()
    return layout.restore(normal.mean + (noise * root if root.ndim == 1 else noise @ root.T))
