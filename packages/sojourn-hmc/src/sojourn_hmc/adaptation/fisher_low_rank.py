r"""A mass matrix of low rank plus diagonal from draws and gradients, by the Fisher divergence.

The matrix that minimises the Fisher divergence to a standard normal is the geometric mean of the
covariance of the draws and the inverse covariance of the gradients. It is computed in the few
directions that draws and gradients span most, and kept where it differs from the diagonal by more
than a factor.

Source: Seyboldt, Carlson, Carpenter 2026, "Preconditioning Hamiltonian Monte Carlo by minimizing
Fisher divergence" (arXiv:2603.18845).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from sojourn_hmc.adaptation import dual_averaging
from sojourn_hmc.adaptation.fisher import LARGEST, SMALLEST, start_scale
from sojourn_hmc.adaptation.overlap import (
    EARLY_WINDOW,
    FIRST_WINDOW,
    OverlappingWarmup,
    overlap_schedule,
    switch,
)
from sojourn_hmc.adaptation.shared import EVERY as MEETING_EVERY
from sojourn_hmc.adaptation.shared import Poolable
from sojourn_hmc.adaptation.warmup import (
    HMCAdaptState,
    Observation,
    SearchStepSize,
    initial_state,
)
from sojourn_hmc.blocks import Blocks
from sojourn_hmc.low_rank import LowRank
from sojourn_hmc.only_where import only_where
from sojourn_hmc.start import StartPoint

MAX_WINDOW = 128  # bounds the memory: two windows of draws and gradients are kept
MAX_RANK = 32
RIDGE = 1e-5  # on the sums of outer products
CUTOFF = 2.0  # an eigenvalue nearer to 1 than this factor is taken for 1
DRAWS_PER_DIRECTION = 3
EVERY = 20  # draws between two estimates


class LowRankState(NamedTuple):
    """The last draws and gradients, ring buffers ``(2 * MAX_WINDOW, D)``, and two windows on them.

    Attributes
    ----------
    positions, gradients : Array
        The buffers.
    next_row : Array
        Where the next draw is written.
    num_foreground, num_background : Array
        Draws in the two windows; both end at the newest draw.
    window : Array
        Length of the next window.
    """

    positions: jax.Array
    gradients: jax.Array
    next_row: jax.Array
    num_foreground: jax.Array
    num_background: jax.Array
    window: jax.Array


class Draws(NamedTuple):
    """A few draws and their gradients, ``(n, D)``.

    Attributes
    ----------
    positions, gradients : Array
        The draws.
    there : Array
        Which rows hold one, ``(n,)``.
    """

    positions: jax.Array
    gradients: jax.Array
    there: jax.Array


def geometric_mean(a: jax.Array, b: jax.Array) -> jax.Array:
    """The positive definite solution ``x`` of ``x b x = a``.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> a, b = jnp.diag(jnp.array([1.0, 4.0, 8.0])), jnp.diag(jnp.array([1.0, 1.0, 0.5]))
    >>> jnp.diagonal(geometric_mean(a, b)).round(3).tolist()
    [1.0, 2.0, 4.0]
    """
    values, vectors = _eigh(b)
    root = (vectors * jnp.sqrt(values)[None, :]) @ vectors.T
    inverse_root = (vectors / jnp.sqrt(values)[None, :]) @ vectors.T
    values, vectors = _eigh(root @ a @ root)
    middle = (vectors * jnp.sqrt(values)[None, :]) @ vectors.T
    return inverse_root @ middle @ inverse_root


def _eigh(matrix: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Eigenvalues and vectors; rounding must not leave an eigenvalue at or below 0."""
    values, vectors = jnp.linalg.eigh(0.5 * (matrix + matrix.T))
    floor = jnp.finfo(values.dtype).eps * jnp.max(values)
    return jnp.maximum(values, floor), vectors


def leading_directions(rows: jax.Array, rank: int) -> jax.Array:
    """The directions ``(D, rank)`` in which ``(n, D)`` rows vary most, largest first.

    By the smaller of the two products of the rows: far cheaper than a singular value
    decomposition, and as accurate where it matters.
    """
    num_rows, size = rows.shape
    if size <= num_rows:
        _, vectors = jnp.linalg.eigh(rows.T @ rows)
        return vectors[:, ::-1][:, :rank]
    _, weights = jnp.linalg.eigh(rows @ rows.T)
    directions = rows.T @ weights[:, ::-1][:, :rank]
    norms = jnp.sqrt(jnp.sum(directions**2, 0))
    return directions / jnp.where(norms > 0, norms, 1.0)[None, :]


def low_rank_estimate(
    positions: jax.Array, gradients: jax.Array, weights: jax.Array, rank: int
) -> LowRank:
    """Estimate the inverse mass matrix.

    Parameters
    ----------
    positions, gradients : Array
        ``(n, D)``.
    weights : Array
        ``(n,)``, 1 for a row that counts and 0 for one that does not.
    rank : int
        Number of columns of the result, at most ``D``.
    """
    count = jnp.sum(weights)
    rows = weights[:, None]

    def center(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        centered = rows * (x - jnp.sum(rows * x, 0, keepdims=True) / count)
        return centered, jnp.sum(centered**2, 0) / count

    x, variance_x = center(positions)
    a, variance_a = center(gradients)
    scale = jnp.clip((variance_x / variance_a) ** 0.25, SMALLEST**0.5, LARGEST**0.5)
    x, a = x / scale[None, :], a * scale[None, :]
    # In turns, so that the leading directions of both come first.
    in_turns = jnp.stack([leading_directions(x, rank), leading_directions(a, rank)], 2)
    basis, _ = jnp.linalg.qr(in_turns.reshape(x.shape[1], -1))
    # In more directions than that, draws or gradients would seem not to vary at all in some.
    known = jnp.arange(basis.shape[1], dtype=count.dtype) < count / DRAWS_PER_DIRECTION
    basis = jnp.where(known[None, :], basis, 0.0)
    ridge = RIDGE / count * jnp.eye(basis.shape[1], dtype=basis.dtype)

    def covariance(y: jax.Array) -> jax.Array:
        projected = y @ basis
        return projected.T @ projected / count + ridge

    values, vectors = _eigh(geometric_mean(covariance(x), covariance(a)))
    strength = jnp.abs(jnp.log(values))
    strongest = jnp.argsort(-strength)[:rank]
    kept = strength[strongest] > jnp.log(CUTOFF)
    return LowRank(
        scale,
        jnp.where(kept[None, :], basis @ vectors[:, strongest], 0.0),
        jnp.where(kept, values[strongest], 1.0),
    )


def with_draws(known: LowRankState, draws: Draws) -> LowRankState:
    """Add draws to the buffers, the first first; if they are more than fit, the last of them.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> buffer, zero = jnp.zeros((3, 1)), jnp.int32(0)
    >>> known = LowRankState(buffer, buffer, zero, zero, zero, zero)
    >>> rows = jnp.array([[1.0], [2.0], [3.0]])
    >>> for there in ([True, False, True], [True, True, True]):
    ...     known = with_draws(known, Draws(rows, -rows, jnp.array(there)))
    ...     print(known.positions[:, 0].tolist(), int(known.next_row), int(known.num_background))
    [1.0, 3.0, 0.0] 2 2
    [2.0, 3.0, 1.0] 2 5
    """
    capacity = known.positions.shape[0]
    # Rows that hold a draw come first, in their order.
    order = jnp.argsort(~draws.there, stable=True)
    count = jnp.sum(draws.there, dtype=jnp.int32)
    number = jnp.arange(order.shape[0], dtype=jnp.int32)
    fits = (number < count) & (number >= count - capacity)
    rows = jnp.where(fits, (known.next_row + number) % capacity, capacity)  # beyond: nowhere
    return known._replace(
        positions=known.positions.at[rows].set(draws.positions[order], mode="drop"),
        gradients=known.gradients.at[rows].set(draws.gradients[order], mode="drop"),
        next_row=(known.next_row + count) % capacity,
        num_foreground=jnp.minimum(known.num_foreground + count, capacity),
        num_background=known.num_background + count,
    )


class LowRankWarmup(OverlappingWarmup, Poolable):
    """Overlapping windows; the matrix is renewed every few draws.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> from sojourn_hmc import MCMC, NUTS
    >>> direction = jnp.array([0.6, 0.8, 0.0])  # sd 10 along it, 1 across
    >>> precision = jnp.eye(3) - 0.99 * jnp.outer(direction, direction)
    >>> kernel = NUTS(potential_fn=lambda z: 0.5 * z @ precision @ z, warmup="low_rank")
    >>> mcmc = MCMC(kernel, num_warmup=200, num_samples=10, progress_bar=False)
    >>> mcmc.run(jax.random.key(0), init_params=jnp.ones(3))
    >>> learned = mcmc.last_state.adapt_state.inverse_mass_matrix.dense()
    >>> bool(abs(learned @ precision - jnp.eye(3)).max() < 0.1)
    True
    """

    def init(
        self,
        start: StartPoint,
        step_size: jax.Array,
        inverse_mass_matrix: Any,
        is_given: bool,
        num_warmup: jax.Array,
    ) -> HMCAdaptState:
        if not isinstance(inverse_mass_matrix, LowRank):
            if getattr(inverse_mass_matrix, "ndim", None) != 1:
                raise ValueError(
                    "warmup='low_rank' learns a diagonal plus a matrix of low rank: leave "
                    "dense_mass at False, and give a vector or a LowRank as inverse_mass_matrix"
                )
            if not is_given and self.settings.adapt_mass_matrix:
                inverse_mass_matrix = start_scale(start.potential_gradient)
            size, dtype = start.position.shape[0], start.position.dtype
            rank = min(MAX_RANK, size)
            inverse_mass_matrix = LowRank(
                jnp.sqrt(inverse_mass_matrix), jnp.zeros((size, rank), dtype), jnp.ones(rank, dtype)
            )
        buffer = jnp.zeros((2 * MAX_WINDOW, *start.position.shape), start.position.dtype)
        zero = jnp.int32(0)
        return initial_state(
            step_size,
            inverse_mass_matrix,
            dual_averaging.init(step_size),
            LowRankState(buffer, buffer, zero, zero, zero, jnp.int32(FIRST_WINDOW)),
            overlap_schedule(num_warmup),
        )

    def estimate(
        self, state: HMCAdaptState, step: jax.Array, observation: Observation
    ) -> tuple[HMCAdaptState, jax.Array]:
        known = state.mm_state
        capacity = known.positions.shape[0]
        known = known._replace(
            positions=known.positions.at[known.next_row].set(observation.position),
            gradients=known.gradients.at[known.next_row].set(observation.gradient),
            next_row=(known.next_row + 1) % capacity,
            num_foreground=jnp.minimum(known.num_foreground + 1, capacity),
            num_background=known.num_background + 1,
        )
        switches, window = switch(state.schedule, step, known.num_background, known.window)
        known = known._replace(
            num_foreground=jnp.where(switches, known.num_background, known.num_foreground),
            num_background=jnp.where(switches, 0, known.num_background),
            window=jnp.minimum(window, MAX_WINDOW),
        )
        enough = known.num_foreground >= EARLY_WINDOW
        is_first = enough & (state.window_idx == 0)
        renewed = enough & (switches | is_first | (known.num_background % EVERY == 0))
        inverse = only_where(renewed, lambda: self._renew(known, state), state.inverse_mass_matrix)
        state = state.with_inverse_mass_matrix(inverse)._replace(
            mm_state=known, window_idx=state.window_idx + (switches | is_first).astype(jnp.int32)
        )
        return state, is_first

    def no_sums(self, state: HMCAdaptState) -> Draws:
        size, dtype = (
            state.inverse_mass_matrix.scale.shape[0],
            state.inverse_mass_matrix.scale.dtype,
        )
        rows = jnp.zeros((MEETING_EVERY, size), dtype)
        return Draws(rows, rows, jnp.zeros(MEETING_EVERY, bool))

    def take_in(
        self,
        sums: Draws,
        schedule: Any,
        step: jax.Array,
        observation: Observation,
        blocks: Blocks | None,
    ) -> Draws:
        counts = observation.moved & (step < schedule.final_start)
        row = jnp.sum(sums.there, dtype=jnp.int32)
        return only_where(
            counts,
            lambda: Draws(
                sums.positions.at[row].set(observation.position),
                sums.gradients.at[row].set(observation.gradient),
                sums.there.at[row].set(True),
            ),
            sums,
        )

    def pool(self, sums: Draws, counts: jax.Array) -> Draws:
        sums = sums._replace(there=sums.there & counts[:, None])

        def first_of_all_chains_first(leaf: jax.Array) -> jax.Array:
            return jnp.swapaxes(leaf, 0, 1).reshape(-1, *leaf.shape[2:])

        together: Draws = jax.tree.map(first_of_all_chains_first, sums)
        return together

    def concludes(self, schedule: Any, step: jax.Array) -> jax.Array:
        return step + 1 == schedule.final_start

    def conclude(
        self,
        state: HMCAdaptState,
        step: jax.Array,
        sums: Draws,
        num_chains: jax.Array,
        blocks: Blocks | None,
        search: SearchStepSize,
    ) -> HMCAdaptState:
        state, is_first = only_where(
            step < state.schedule.final_start,
            lambda: self._estimate_together(state, step, sums, num_chains),
            (state, jnp.asarray(False)),
        )
        return self.with_step_size(state, is_first, blocks, search)

    def _estimate_together(
        self, state: HMCAdaptState, step: jax.Array, draws: Draws, num_chains: jax.Array
    ) -> tuple[HMCAdaptState, jax.Array]:
        """As `estimate`, of draws of several chains: they follow each other in the buffers."""
        known = with_draws(state.mm_state, draws)
        capacity = known.positions.shape[0]
        # As many draws as there are chains make one transition older.
        num_background = known.num_background // num_chains
        switches, window = switch(state.schedule, step, num_background, known.window)
        known = known._replace(
            num_foreground=jnp.where(
                switches, jnp.minimum(known.num_background, capacity), known.num_foreground
            ),
            num_background=jnp.where(switches, 0, known.num_background),
            window=jnp.minimum(window, MAX_WINDOW),
        )
        enough = known.num_foreground >= EARLY_WINDOW
        is_first = enough & (state.window_idx == 0)
        inverse = only_where(enough, lambda: self._renew(known, state), state.inverse_mass_matrix)
        state = state.with_inverse_mass_matrix(inverse)._replace(
            mm_state=known, window_idx=state.window_idx + (switches | is_first).astype(jnp.int32)
        )
        return state, is_first

    def _renew(self, known: LowRankState, state: HMCAdaptState) -> LowRank:
        capacity = known.positions.shape[0]
        age = (known.next_row - 1 - jnp.arange(capacity, dtype=jnp.int32)) % capacity
        weights = (age < known.num_foreground).astype(known.positions.dtype)
        last = state.inverse_mass_matrix
        rank = last.values.shape[0]
        estimate = low_rank_estimate(known.positions, known.gradients, weights, rank)
        finite = jnp.all(jnp.asarray([jnp.all(jnp.isfinite(part)) for part in estimate]))
        return jax.tree.map(lambda new, old: jnp.where(finite, new, old), estimate, last)
