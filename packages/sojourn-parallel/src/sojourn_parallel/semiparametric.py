"""The posterior as a normal product times a kernel estimate of what the normals miss.

Neiswanger, Wang & Xing 2014, "Asymptotically exact, embarrassingly parallel MCMC", section 3.3.
Each subposterior is estimated by its normal fit times a kernel-smoothed correction, so that the
product of all has the density

    N(x; mean, covariance of `parametric`) * prod_k sum_i N(x; t_ki, h_k^2) / fit_k(t_ki)

over the draws i of each subposterior k. The paper draws from it by a Markov chain over the ways of
choosing one draw from each subposterior, of which nearly all proposals fail. The density itself is
cheap, and near the normal product: Metropolis-Hastings with proposals from there, which leaves the
same density invariant, makes nearly independent draws.

Everything happens on coordinates in which the normal product is standard.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy.special import logsumexp

from sojourn_parallel.draws import check_num_draws, evenly, flatten, generator
from sojourn_parallel.normal_product import fit_normals, product

PyTree = Any

MAX_CENTERS = 2000  # of kernels for each subposterior: enough where kernels are of any use
NUM_CHAINS = 50
BURN_IN = 50
PROPOSAL_SCALE = 1.25  # of the normal product: wider than what it stands for
WALK_SCALE = 0.5  # of the steps in between, for regions that the wide proposals seldom reach


class Estimate(NamedTuple):
    """The estimated density of the product, up to a constant.

    Attributes
    ----------
    centers : Array
        Draws of every subposterior, ``(K, centers, D)``.
    log_weights : Array
        Minus the log of the normal fits at the centers, ``(K, centers)``; minus infinity for rows
        that a shorter subposterior does not have.
    bandwidths : Array
        Standard deviations of the kernels of every subposterior, ``(K,)``.
    """

    centers: jax.Array
    log_weights: jax.Array
    bandwidths: jax.Array

    def log_density(self, point: jax.Array) -> jax.Array:
        """Log density at a point ``(D,)``."""
        distances = jnp.sum(jnp.square(self.centers - point), axis=-1)
        kernels = -0.5 * distances / jnp.square(self.bandwidths)[:, None]
        corrections = logsumexp(kernels + self.log_weights, axis=1)
        return -0.5 * jnp.sum(jnp.square(point)) + jnp.sum(corrections)


class Point(NamedTuple):
    """Where a chain is.

    Attributes
    ----------
    position : Array
        ``(D,)``, in standard coordinates.
    log_density : Array
        The estimated log density there.
    """

    position: jax.Array
    log_density: jax.Array


def semiparametric(subposteriors: Sequence[PyTree], num_draws: int, rng_key: Any = None) -> PyTree:
    """Draw from the product of subposteriors that need not be normal.

    Better than `consensus` on skewed subposteriors of a few numbers. The kernel estimate needs more
    draws as their number grows; beyond about ten it smooths away what the normals miss, and
    `parametric_draws` is as good.

    Parameters
    ----------
    subposteriors : list of pytree
        Draws of the K subposteriors, in the space in which they are to be multiplied: arrays with a
        leading axis of draws, of one structure. Their numbers may differ; of more than 2000 draws
        every n-th is used.
    num_draws : int
        How many draws to make.
    rng_key : Array, optional
        A key; the key 0 by default.

    Returns
    -------
    pytree
        Draws of the structure of a subposterior.

    Raises
    ------
    ValueError
        If structures differ, a covariance has no inverse, or ``num_draws`` is not positive.

    Examples
    --------
    >>> import numpy as np
    >>> from sojourn_parallel import semiparametric
    >>> rng = np.random.default_rng(0)
    >>> shards = [{"x": rng.gamma(4.0, size=2000)} for _ in range(3)]  # density x^9 exp(-3 x)
    >>> merged = semiparametric(shards, num_draws=4000)["x"]
    >>> bool(abs(merged.mean() - 10 / 3) < 0.1)
    True
    """
    check_num_draws(num_draws)
    matrices, layout = flatten(subposteriors)
    rng = generator(rng_key)
    if len(matrices) == 1:
        return layout.restore(matrices[0][rng.integers(len(matrices[0]), size=num_draws)])
    normals = fit_normals(matrices, layout, diagonal=False)
    whole = product(normals)
    root = whole.root()
    to_standard = np.linalg.inv(root)
    size = len(whole.mean)
    centers = [evenly(matrix, MAX_CENTERS) for matrix in matrices]
    most = max(len(rows) for rows in centers)
    points = np.zeros((len(matrices), most, size))
    log_weights = np.full((len(matrices), most), -np.inf)
    bandwidths = np.zeros(len(matrices))
    for k, (rows, normal) in enumerate(zip(centers, normals, strict=True)):
        residual = rows - normal.mean
        points[k, : len(rows)] = (rows - whole.mean) @ to_standard.T
        log_weights[k, : len(rows)] = 0.5 * np.sum(residual * normal.weigh(residual), axis=1)
        # The usual rate, times the geometric mean of the standard deviations.
        spread = to_standard @ normal.covariance() @ to_standard.T
        width = np.exp(0.5 * np.linalg.slogdet(spread)[1] / size)
        bandwidths[k] = width * len(rows) ** (-1 / (4 + size))
    dtype = jax.dtypes.canonicalize_dtype(float)
    estimate = Estimate(*(jnp.asarray(a, dtype) for a in (points, log_weights, bandwidths)))
    per_chain = -(-num_draws // NUM_CHAINS)
    keys = jax.random.split(jax.random.key(int(rng.integers(2**31))), NUM_CHAINS)
    chains = np.asarray(_draw(keys, estimate, per_chain), np.float64)
    standard = chains.reshape(-1, size)[:num_draws]
    return layout.restore(whole.mean + standard @ root.T)


@partial(jax.jit, static_argnames="num_draws")
def _draw(keys: jax.Array, estimate: Estimate, num_draws: int) -> jax.Array:
    """Draw with one chain for each key, ``(draws, chains, D)``."""
    size, dtype = estimate.centers.shape[-1], estimate.centers.dtype

    def at(position: jax.Array) -> Point:
        return Point(position, estimate.log_density(position))

    def accept(key: jax.Array, old: Point, new: Point, log_ratio: Any) -> Point:
        gain = new.log_density - old.log_density + log_ratio
        accepted = jnp.log(jax.random.uniform(key, (), dtype)) < gain
        return jax.tree.map(lambda a, b: jnp.where(accepted, a, b), new, old)

    def step(point: Point, key: jax.Array) -> tuple[Point, jax.Array]:
        keys = jax.random.split(key, 4)
        position = PROPOSAL_SCALE * jax.random.normal(keys[0], (size,), dtype)
        # The proposal's density at the old point over that at the new one.
        squares = jnp.sum(jnp.square(position)) - jnp.sum(jnp.square(point.position))
        point = accept(keys[1], point, at(position), 0.5 * squares / PROPOSAL_SCALE**2)
        noise = WALK_SCALE * jax.random.normal(keys[2], (size,), dtype)
        point = accept(keys[3], point, at(point.position + noise), 0.0)
        return point, point.position

    def chain(key: jax.Array) -> jax.Array:
        key_start, key_steps = jax.random.split(key)
        start = at(jax.random.normal(key_start, (size,), dtype))
        steps = jax.random.split(key_steps, BURN_IN + num_draws)
        return lax.scan(step, start, steps)[1][BURN_IN:]

    return jnp.swapaxes(jax.vmap(chain)(keys), 0, 1)
