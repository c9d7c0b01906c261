"""Several paths from different starts, their draws weighted together, and starts for chains."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.flatten_util import ravel_pytree

from sojourn_hmc.adaptation.saved import Adaptation
from sojourn_hmc.arguments import Arguments, with_data
from sojourn_hmc.diagnostics import SamplingWarning
from sojourn_hmc.differentiate import value_and_gradient
from sojourn_hmc.pathfinding.single import PathSettings, follow
from sojourn_hmc.start import MAX_ATTEMPTS, find_start, flattening
from sojourn_hmc.target import Target

TRUSTED_PARETO_K = 0.7
"""Vehtari, Simpson, Gelman, Yao, Gabry 2024, "Pareto smoothed importance sampling", §3."""

NEGLIGIBLE_SPREAD = 0.1
"""Of log ratios: with no weight a tenth larger than another there is no tail worth a warning."""


class Pathfinder(NamedTuple):
    """What `pathfinder` found.

    Attributes
    ----------
    init_params : pytree
        Unconstrained starts, as ``MCMC.run(init_params=...)`` takes them: with a leading axis of
        chains if there are several.
    adaptation : Adaptation
        Where the warmup of a kernel may start: ``NUTS(..., adaptation=...)``. A normal
        approximation understates what is skewed or heavy-tailed, so leave the warmup on.
    draws : pytree
        Unconstrained draws of all paths, ``(num_paths * num_draws, ...)``.
    log_weights : ndarray
        Their normalized log weights, Pareto-smoothed, ``(num_paths * num_draws,)``.
    pareto_k : float
        Shape of the weights' tail; above 0.7 the weights, and so the draws, are not to be trusted.
    elbo : ndarray
        Evidence lower bound of each path's best approximation, ``(num_paths,)``.
    """

    init_params: Any
    adaptation: Adaptation
    draws: Any
    log_weights: np.ndarray
    pareto_k: float
    elbo: np.ndarray


class _Found(NamedTuple):
    """What the paths return, with leading axes of paths and draws; on the host in the end."""

    draws: Any
    log_ratios: Any
    means: Any
    variances: Any
    elbo: Any
    seed: Any


def pathfinder(
    target: Target,
    rng_key: jax.Array,
    *,
    model_args: tuple = (),
    model_kwargs: dict | None = None,
    init_params: Any = None,
    num_chains: int = 4,
    num_paths: int = 8,
    num_draws: int = 100,
    history: int = 10,
    max_iterations: int = 100,
    num_elbo_draws: int = 200,
    forward_mode_differentiation: bool = False,
) -> Pathfinder:
    """Find starts for chains near the bulk of a distribution, by several optimization paths.

    Parameters
    ----------
    target : Target
        What is to be sampled.
    rng_key : Array
        A key.
    model_args, model_kwargs
        The target's arguments.
    init_params : pytree, optional
        Unconstrained position from which all paths start, where the target has no starts itself.
    num_chains : int
        How many starts to return.
    num_paths : int
        How many paths, each from a start of its own.
    num_draws : int
        Draws from the best approximation of each path.
    history, max_iterations, num_elbo_draws : int
        Pairs that L-BFGS remembers, steps of a path at most, draws that judge each step.
    forward_mode_differentiation : bool
        Differentiate in forward mode.

    Returns
    -------
    Pathfinder
        Starts, a mass matrix to begin with, and the weighted draws.

    Raises
    ------
    ValueError
        A number is out of its range, or no path found an approximation.

    Warns
    -----
    SamplingWarning
        The weights have a heavy tail (Pareto k above 0.7): the draws are starts, no posterior.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> from sojourn_hmc import MCMC, NUTS, PotentialTarget, pathfinder
    >>> def potential(z):
    ...     return 0.5 * jnp.sum(((z - 3) / jnp.array([1.0, 10.0])) ** 2)
    >>> found = pathfinder(
    ...     PotentialTarget(potential), jax.random.key(0), init_params=jnp.zeros(2), num_chains=2
    ... )
    >>> found.init_params.shape, found.adaptation.inverse_mass_matrix.round(-1)
    ((2, 2), array([  0., 100.], dtype=float32))
    >>> kernel = NUTS(potential_fn=potential, adaptation=found.adaptation)
    >>> mcmc = MCMC(kernel, num_warmup=100, num_samples=100, num_chains=2, progress_bar=False)
    >>> mcmc.run(jax.random.key(1), init_params=found.init_params)
    """
    kwargs = model_kwargs or {}
    _check_numbers(
        num_chains=num_chains,
        num_paths=num_paths,
        num_draws=num_draws,
        history=history,
        max_iterations=max_iterations,
        num_elbo_draws=num_elbo_draws,
    )
    if num_chains > num_paths * num_draws:
        raise ValueError(
            f"num_chains={num_chains} starts cannot be chosen among num_paths * num_draws = "
            f"{num_paths * num_draws} draws"
        )
    target.check(model_args, kwargs, init_params)
    settings = PathSettings(history, max_iterations, num_elbo_draws)

    def run(arguments: Arguments) -> tuple[_Found, tuple]:
        def program(key: jax.Array, data: tuple) -> _Found:
            keys = jax.random.split(key, num_paths)
            args, kwargs, start = arguments.structure.bind(data)
            setup = target.setup(args, kwargs, start)
            attempts = MAX_ATTEMPTS if start is None else 1
            return _all_paths(
                setup, keys, attempts, num_draws, settings, forward_mode_differentiation
            )

        found = jax.jit(program)(rng_key, arguments.data)
        return found, arguments.structure.bind(arguments.data)

    # The inputs as the target could be traced with them, as data or with readable values.
    found, inputs = with_data((model_args, kwargs, init_params), run)
    shape = jax.eval_shape(lambda key: target.setup(*inputs).start(key), rng_key)
    return _weighted(jax.tree.map(np.asarray, found), shape, num_chains)


def _check_numbers(**numbers: int) -> None:
    for name, number in numbers.items():
        if number < 1:
            raise ValueError(f"pathfinder: {name} must be positive, got {number}")


def _all_paths(
    setup: Any,
    keys: jax.Array,
    attempts: int,
    num_draws: int,
    settings: PathSettings,
    forward_mode: bool,
) -> _Found:
    _, unravel = flattening(setup.start, keys[0])

    def potential(flat: jax.Array) -> jax.Array:
        return setup.potential(unravel(flat))

    gradient = value_and_gradient(potential, forward_mode)

    def one(key: jax.Array) -> _Found:
        key_start, key_path, key_draws = jax.random.split(key, 3)
        start = find_start(lambda k: ravel_pytree(setup.start(k))[0], gradient, key_start, attempts)
        path = follow(potential, gradient, start, key_path, settings)
        draws, log_density = path.best.draw(key_draws, num_draws)
        log_target = -jax.vmap(potential)(draws)
        return _Found(
            draws,
            log_target - log_density,
            path.best.mean,
            path.best.covariance.variances(),
            path.elbo,
            jax.random.bits(key_draws),
        )

    return jax.lax.map(one, keys)


def _weighted(found: _Found, shape: Any, num_chains: int) -> Pathfinder:
    """Weight the draws of all paths together, on the host."""
    num_paths, num_draws, size = found.draws.shape
    ratios = found.log_ratios.astype(float).ravel()
    usable = np.isfinite(ratios)
    if usable.sum() < num_chains:
        raise ValueError(
            f"pathfinder: of {ratios.size} draws of {num_paths} paths {int(usable.sum())} have a "
            "finite density: the paths found no region to start in. Try another init_strategy or "
            "init_params, or double precision"
        )
    log_weights = np.full(ratios.size, -np.inf)
    log_weights[usable], pareto_k = smoothed_weights(ratios[usable])
    if not pareto_k <= TRUSTED_PARETO_K:
        warnings.warn(
            f"pathfinder: the weights of the draws have a heavy tail (Pareto k = {pareto_k:.2f}, "
            f"above {TRUSTED_PARETO_K}): they serve as starts, but do not represent the posterior",
            SamplingWarning,
            stacklevel=3,
        )
    weights = np.exp(log_weights)
    draws = found.draws.reshape(-1, size)
    chosen = _without_replacement(log_weights, num_chains, int(found.seed[0]))
    by_path = weights.reshape(num_paths, num_draws).sum(1)
    positions = _unravel(draws[chosen], shape)
    if num_chains == 1:
        positions = jax.tree.map(lambda leaf: leaf[0], positions)
    return Pathfinder(
        positions,
        _adaptation(found.means, found.variances, by_path),
        _unravel(draws, shape),
        log_weights,
        float(pareto_k),
        found.elbo,
    )


def smoothed_weights(log_ratios: np.ndarray) -> tuple[np.ndarray, float]:
    """Pareto-smoothed normalized log weights, and the tail's shape."""
    if np.ptp(log_ratios) < NEGLIGIBLE_SPREAD:  # no tail to fit: the approximation is exact
        return np.full(log_ratios.size, -np.log(log_ratios.size)), -np.inf
    # Imported late: arviz-stats brings SciPy, which sampling does not need.
    from arviz_stats.base import array_stats

    # It takes log likelihoods, whose negatives are the log ratios of leave-one-out validation.
    log_weights, pareto_k = array_stats.psislw(-log_ratios)
    return log_weights - np.logaddexp.reduce(log_weights), float(pareto_k)


def _without_replacement(log_weights: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Choose different draws by weight: the largest sums of log weight and Gumbel noise."""
    noise = np.random.default_rng(seed).gumbel(size=log_weights.size)
    return np.argsort(-(log_weights + noise), kind="stable")[:count]


def _adaptation(means: np.ndarray, variances: np.ndarray, weights: np.ndarray) -> Adaptation:
    """Variances of the mixture of all paths, and a step that suits a standard normal."""
    used = weights > 0
    share = (weights[used] / weights[used].sum())[:, None]
    centre = (share * means[used]).sum(0)
    mixture = (share * (variances[used] + (means[used] - centre) ** 2)).sum(0)
    dtype = means.dtype
    # Leapfrog steps scale with the dimension to the power -1/4 (Beskos et al. 2013).
    step_size = np.asarray(means.shape[1] ** -0.25, dtype)
    return Adaptation(step_size, mixture.astype(dtype))


def _unravel(rows: np.ndarray, shape: Any) -> Any:
    """Cut rows of flat positions into the leaves of a position, on the host."""
    leaves, treedef = jax.tree.flatten(shape)
    ends = np.cumsum([leaf.size for leaf in leaves])[:-1]
    parts = np.split(rows, ends, axis=1)
    cut = [
        part.reshape((len(rows), *leaf.shape)).astype(leaf.dtype)
        for part, leaf in zip(parts, leaves, strict=True)
    ]
    return jax.tree.unflatten(treedef, cut)
