"""One path: L-BFGS towards a mode, a normal approximation at every point, the best of them kept.

The approximation at a point x with gradient g of the *potential* and inverse Hessian H is centred
at ``x - H g``, a Newton step on: downhill in the potential, uphill in the density.

Source: Zhang et al. 2022, Algorithms 1 and 2.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from sojourn_hmc.differentiate import Gradient
from sojourn_hmc.pathfinding.inverse_hessian import (
    InverseHessian,
    Pairs,
    add_pair,
    inverse_hessian,
    no_pairs,
)
from sojourn_hmc.pathfinding.line_search import search_line
from sojourn_hmc.start import StartPoint

FlatPotential = Callable[[jax.Array], jax.Array]

# A path ends where the potential or its gradient hardly change any more.
LEAST_CHANGE = 1e-5
LEAST_GRADIENT = 1e-8


class PathSettings(NamedTuple):
    """How a path is followed.

    Attributes
    ----------
    history : int
        Pairs that L-BFGS remembers.
    max_iterations : int
        Steps at most.
    num_elbo_draws : int
        Draws that judge the approximation at a point.
    """

    history: int
    max_iterations: int
    num_elbo_draws: int


class Normal(NamedTuple):
    """A normal approximation.

    Attributes
    ----------
    mean : Array
        ``(D,)``.
    covariance : InverseHessian
        The inverse Hessian.
    """

    mean: jax.Array
    covariance: InverseHessian

    def draw(self, key: jax.Array, num_draws: int) -> tuple[jax.Array, jax.Array]:
        """Draws ``(num_draws, D)`` and their log densities ``(num_draws,)``."""
        root = self.covariance.root()
        size = self.mean.shape[0]
        noise = jax.random.normal(key, (num_draws, size), self.mean.dtype)
        draws = jax.vmap(lambda e: self.mean + root.times(e))(noise)
        log_density = -0.5 * jnp.sum(noise**2, 1) - 0.5 * size * math.log(2 * math.pi)
        return draws, log_density - root.log_determinant()


class Path(NamedTuple):
    """Where a path is, and the best that it has seen.

    Attributes
    ----------
    iteration : Array
        Steps made.
    point : StartPoint
        Position, potential, gradient.
    pairs : Pairs
        What L-BFGS remembers.
    best : Normal
        The approximation with the highest evidence lower bound, of all points but the first.
    elbo : Array
        That bound; minus infinity if none was finite.
    ended : Array
        Whether there is nowhere to go.
    """

    iteration: jax.Array
    point: StartPoint
    pairs: Pairs
    best: Normal
    elbo: jax.Array
    ended: jax.Array


def normal_at(point: StartPoint, pairs: Pairs) -> Normal:
    """The approximation at a point of a path."""
    covariance = inverse_hessian(pairs)
    return Normal(point.position - covariance.times(point.potential_gradient), covariance)


def evidence_lower_bound(
    normal: Normal, potential: FlatPotential, key: jax.Array, num_draws: int
) -> jax.Array:
    """Mean of log target minus log approximation; minus infinity where it is not finite."""
    draws, log_density = normal.draw(key, num_draws)
    bound = jnp.mean(-jax.vmap(potential)(draws) - log_density)
    return jnp.where(jnp.isfinite(bound), bound, -jnp.inf)


def follow(
    potential: FlatPotential,
    gradient: Gradient,
    start: StartPoint,
    key: jax.Array,
    settings: PathSettings,
) -> Path:
    """Follow a path from ``start`` to its end.

    Parameters
    ----------
    potential, gradient : Callable
        Of a flat position ``(D,)``.
    start : StartPoint
        Where both are finite.
    key : Array
        For the draws that judge.
    settings : PathSettings
        History, bounds.
    """

    def advance(path: Path) -> Path:
        point, pairs = path.point, path.pairs
        direction = -inverse_hessian(pairs).times(point.potential_gradient)
        # Rounding can spoil the matrix; the diagonal alone always points downhill.
        downhill = direction @ point.potential_gradient < 0
        fallback = -pairs.diagonal * point.potential_gradient
        direction = jnp.where(downhill, direction, fallback)
        # The identity knows nothing of the scale: the first step has length 1 at most.
        length = jnp.linalg.norm(direction)
        first = jnp.where(path.iteration == 0, 1 / jnp.maximum(length, 1.0), 1.0)
        new, found = search_line(gradient, point, direction, first.astype(direction.dtype))
        step = new.position - point.position
        pairs = add_pair(pairs, step, new.potential_gradient - point.potential_gradient)
        normal = normal_at(new, pairs)
        elbo = evidence_lower_bound(
            normal, potential, jax.random.fold_in(key, path.iteration), settings.num_elbo_draws
        )
        better = found & (elbo > path.elbo)
        return Path(
            path.iteration + 1,
            _where(found, new, point),
            _where(found, pairs, path.pairs),
            _where(better, normal, path.best),
            jnp.where(better, elbo, path.elbo),
            ~found | _converged(point, new),
        )

    pairs = no_pairs(start.position, settings.history)
    flat = jnp.max(jnp.abs(start.potential_gradient), initial=0.0) <= LEAST_GRADIENT
    begin = Path(
        jnp.zeros((), jnp.int32),
        start,
        pairs,
        normal_at(start, pairs),
        jnp.full_like(start.potential_energy, -jnp.inf),
        flat,
    )
    return lax.while_loop(
        lambda path: ~path.ended & (path.iteration < settings.max_iterations), advance, begin
    )


def _converged(old: StartPoint, new: StartPoint) -> jax.Array:
    before, after = old.potential_energy, new.potential_energy
    size = jnp.maximum(jnp.maximum(jnp.abs(before), jnp.abs(after)), 1.0)
    flat = jnp.max(jnp.abs(new.potential_gradient), initial=0.0) <= LEAST_GRADIENT
    return (jnp.abs(before - after) <= LEAST_CHANGE * size) | flat


def _where(condition: jax.Array, new: Any, old: Any) -> Any:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), new, old)
