"""Sample Adaptive MCMC: a set of points is its own proposal, and no gradient is needed.

Source: Zhu 2019, "Sample Adaptive MCMC", NeurIPS, Algorithm 1. Notation: ``N`` points of dimension
``D`` with mean ``m`` and covariance ``C`` (divisor ``N``).

Invariant: the state is a set of ``N`` points with law ``pi`` to the power ``N``. A point ``z`` is
drawn from the normal that is fitted to the set, and one of the ``N + 1`` is removed, with
probability proportional to ``q(x | the others) / pi(x)``, where ``q`` is the normal fitted to the
others. So ``pi(kept) q(removed | kept)`` is the joint density of the ``N + 1`` points whichever was
added, which is detailed balance for sets.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.flatten_util import ravel_pytree
from jax.scipy.linalg import solve_triangular

from sojourn_hmc.acceptance import mean_of_phase
from sojourn_hmc.bad_start import describe_bad_start, finite_start
from sojourn_hmc.start import MAX_ATTEMPTS, find_start, flattening
from sojourn_hmc.target import Potential, Target
from sojourn_hmc.target_kernel import TargetKernel
from sojourn_hmc.transition import transition_keys
from sojourn_hmc.uniforms import uniform

MAX_ENERGY_JUMP = 1000.0  # as for Hamiltonian trajectories
MAX_HALVINGS = 30  # of the distance of a first point from the start


class SAAdaptState(NamedTuple):
    """The points, and the normal that is fitted to them.

    Attributes
    ----------
    zs : Array
        ``(N, D)``, the points, flat and unconstrained.
    pes : Array
        ``(N,)``, their potential energies.
    loc : Array
        ``(D,)``, their mean.
    inv_mass_matrix_sqrt : Array
        Cholesky factor ``(D, D)`` of their covariance or, diagonal, their standard deviations
        ``(D,)``.
    num_warmup : Array
        Number of warmup transitions; `SAState.mean_accept_prob` begins anew after them.
    """

    zs: jax.Array
    pes: jax.Array
    loc: jax.Array
    inv_mass_matrix_sqrt: jax.Array
    num_warmup: jax.Array


class SAState(NamedTuple):
    """State of a chain of Sample Adaptive MCMC.

    Attributes
    ----------
    i : Array
        Number of transitions made, warmup included.
    z : pytree
        Unconstrained position: one of the points, drawn uniformly.
    potential_energy : Array
        Negative log density at ``z`` (unconstrained).
    accept_prob : Array
        Probability with which the last proposal became one of the points.
    mean_accept_prob : Array
        Mean of ``accept_prob``, begun anew after warmup.
    diverging : Array
        Whether the potential energy of the last proposal exceeded that of ``z`` by more than 1000.
    adapt_state : SAAdaptState
        The points.
    rng_key : Array
        The chain's key; transition ``i`` derives its own from it.
    """

    i: jax.Array
    z: Any
    potential_energy: jax.Array
    accept_prob: jax.Array
    mean_accept_prob: jax.Array
    diverging: jax.Array
    adapt_state: SAAdaptState
    rng_key: jax.Array


class SA(TargetKernel):
    """Sample Adaptive MCMC (Zhu 2019): one evaluation of the potential a step, no gradient.

    The warmup is burn-in and needs to be long, since nothing but the points themselves adapts. A
    transition replaces one point at most and reports one of the ``N`` at random, so consecutive
    draws are nearly independent of each other while they come from nearly the same points: take
    many, and thin. It cannot be a block of a composition: all its points are draws from one law,
    while the other blocks move given the one that is reported.

    Parameters
    ----------
    target : Target, optional
        What to sample: any object with the three methods of `Target`.
    potential_fn : Callable, optional
        In place of ``target``: maps a position (any pytree) to the negative log density. It need
        not be differentiable.
    adapt_state_size : int, optional
        Number ``N`` of points, at least 2 and, with ``dense_mass``, more than the dimension ``D``.
        ``2 * D`` by default.
    dense_mass : bool
        Whether the normal fitted to the points has a full covariance or a diagonal one.
    initial_scale : float or array
        The first points are the start plus normal noise with this standard deviation, a number or
        one for each component of the flat unconstrained position ``(D,)``.

    Raises
    ------
    ValueError
        If a setting is out of its range, or not exactly one of target and potential_fn is given.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> from sojourn_hmc import MCMC, SA
    >>> kernel = SA(potential_fn=lambda z: 0.5 * jnp.sum((z - 3.0) ** 2))
    >>> mcmc = MCMC(kernel, num_warmup=1000, num_samples=2000, thinning=2, progress_bar=False)
    >>> mcmc.run(jax.random.key(0), init_params=jnp.zeros(3))
    >>> mcmc.get_samples().shape
    (1000, 3)
    """

    def __init__(
        self,
        target: Target | None = None,
        potential_fn: Potential | None = None,
        *,
        adapt_state_size: int | None = None,
        dense_mass: bool = True,
        initial_scale: Any = 1.0,
    ):
        if adapt_state_size is not None:
            if not isinstance(adapt_state_size, (int, np.integer)):
                raise TypeError(f"adapt_state_size must be an integer, got {adapt_state_size!r}")
            if adapt_state_size < 2:
                raise ValueError(
                    "adapt_state_size is the number of points that the proposal is fitted to and "
                    f"must be at least 2, got {adapt_state_size}"
                )
        if not isinstance(dense_mass, (bool, np.bool_)):
            raise TypeError(f"dense_mass of SA must be True or False, got {dense_mass!r}")
        scale = np.asarray(initial_scale)
        if scale.ndim > 1 or not np.all((scale > 0) & np.isfinite(scale)):
            raise ValueError(
                "initial_scale must be a positive number or one for each component of the flat "
                f"unconstrained position, got {initial_scale}"
            )
        super().__init__(target, potential_fn)
        self.adapt_state_size = adapt_state_size
        self.dense_mass = bool(dense_mass)
        self.initial_scale = scale

    @property
    def sample_field(self) -> str:
        """The unconstrained position."""
        return "z"

    @property
    def default_fields(self) -> tuple[str, ...]:
        """The position, and whether the last proposal diverged."""
        return ("z", "diverging")

    @property
    def watched_fields(self) -> tuple[str, ...]:
        """None: a proposal of high energy is refused, and no region is missed for it."""
        return ()

    def init(
        self,
        rng_key: jax.Array,
        num_warmup: Any,
        init_params: Any = None,
        model_args: tuple = (),
        model_kwargs: dict | None = None,
    ) -> SAState:
        """Spread the points around a start; see `MCMCKernel.init`."""
        setup = self.target.setup(model_args, model_kwargs or {}, init_params)
        _, unravel = flattening(setup.start, rng_key)

        def potential(position: jax.Array) -> jax.Array:
            return setup.potential(unravel(position))

        # Transitions use the fold-ins from 0 upwards.
        key_start, key_points = (
            jax.random.fold_in(rng_key, np.uint32(0xFFFFFFFF - k)) for k in range(2)
        )
        start = find_start(
            lambda key: ravel_pytree(setup.start(key))[0],
            # Only the potential has to be finite.
            lambda position: (potential(position), jnp.zeros_like(position)),
            key_start,
            MAX_ATTEMPTS if init_params is None else 1,
        )
        dtype = start.position.dtype
        num_points = self._num_points(start.position.shape[0])
        noise = self._scale(start.position)[None] * jax.random.normal(
            key_points, (num_points, *start.position.shape), dtype
        )
        zs, pes = spread(potential, start.position, noise)
        zero = jnp.zeros((), dtype)
        return SAState(
            i=jnp.zeros((), jnp.int32),
            z=unravel(start.position),
            potential_energy=start.potential_energy,
            accept_prob=zero,
            mean_accept_prob=zero,
            diverging=jnp.asarray(False),
            adapt_state=SAAdaptState(
                zs, pes, *fit(zs, self.dense_mass), jnp.asarray(num_warmup, jnp.int32)
            ),
            rng_key=rng_key,
        )

    def sample(
        self, state: SAState, model_args: tuple = (), model_kwargs: dict | None = None
    ) -> SAState:
        """Exchange one point at most and report one of them; see `MCMCKernel.sample`."""
        setup = self.target.setup(model_args, model_kwargs or {}, None)
        _, unravel = ravel_pytree(state.z)
        zs, pes, loc, factor, num_warmup = state.adapt_state
        num_points, dtype = len(zs), zs.dtype
        keys = transition_keys(state.rng_key, state.i)

        noise = jax.random.normal(keys.momentum, loc.shape, dtype)
        proposal = loc + (factor @ noise if self.dense_mass else factor * noise)
        energy = setup.potential(unravel(proposal))

        standard = jnp.concatenate([standardize(factor, zs - loc[None]), noise[None]])
        log_densities = left_out_log_densities(standard, self.dense_mass)
        energies = jnp.append(pes, energy)
        removed, accept_prob = choose_removed(
            log_densities, energies, uniform(keys.seed, jnp.int32(0), dtype)
        )
        replaced = jnp.arange(num_points) == removed
        zs = jnp.where(replaced[:, None], proposal[None], zs)
        pes = jnp.where(replaced, energy, pes)
        loc, factor = fit(zs, self.dense_mass, factor)

        reported = jnp.minimum(
            (uniform(keys.seed, jnp.int32(1), dtype) * num_points).astype(jnp.int32), num_points - 1
        )
        return SAState(
            i=state.i + 1,
            z=unravel(zs[reported]),
            potential_energy=pes[reported],
            accept_prob=accept_prob,
            mean_accept_prob=mean_of_phase(
                state.mean_accept_prob, accept_prob, state.i, num_warmup
            ),
            # Written so that a NaN counts.
            diverging=~(energy - pes[reported] <= MAX_ENERGY_JUMP),
            adapt_state=SAAdaptState(zs, pes, loc, factor, num_warmup),
            rng_key=state.rng_key,
        )

    def check_start(self, state: SAState, model_args: tuple, model_kwargs: dict) -> None:
        """Raise if the potential is not finite at the start, or the points do not spread."""
        if not finite_start(state.potential_energy):
            raise ValueError(
                describe_bad_start(
                    self.target, state.z, state.potential_energy, None, model_args, model_kwargs
                )
            )
        if not np.all(np.isfinite(np.asarray(state.adapt_state.inv_mass_matrix_sqrt))):
            raise ValueError(
                "cannot start a chain: no normal can be fitted to the first "
                f"{len(state.adapt_state.zs)} points around the start, whose covariance is "
                "singular: give another initial_scale (in units of the unconstrained space, wide "
                "enough to be told apart in the precision used), or a larger adapt_state_size"
            )

    def get_diagnostics_str(self, state: SAState) -> str:
        """Mean acceptance probability."""
        return f"acc. prob={float(state.mean_accept_prob):.2f}"

    def _num_points(self, size: int) -> int:
        if self.adapt_state_size is None:
            return max(2, 2 * size)
        if self.dense_mass and self.adapt_state_size <= size:
            raise ValueError(
                f"adapt_state_size={self.adapt_state_size} points have a singular covariance in "
                f"the {size} unconstrained dimensions of the position: give at least {size + 1} "
                f"(by default it is {2 * size}), or dense_mass=False"
            )
        return self.adapt_state_size

    def _scale(self, position: jax.Array) -> jax.Array:
        if self.initial_scale.ndim and self.initial_scale.shape != position.shape:
            raise ValueError(
                f"initial_scale has shape {self.initial_scale.shape}, but the position has "
                f"{position.shape[0]} unconstrained components: give one number, or one for each"
            )
        return jnp.broadcast_to(jnp.asarray(self.initial_scale, position.dtype), position.shape)


def spread(
    potential: Callable[[jax.Array], jax.Array], start: jax.Array, noise: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Place points ``start + noise`` where the potential is finite, nearer to the start if need be.

    Parameters
    ----------
    potential : Callable
        Of a flat position ``(D,)``.
    start : Array
        ``(D,)``, where the potential is finite.
    noise : Array
        ``(N, D)``. The rows of points that are not finite are halved again and again.

    Returns
    -------
    tuple
        Points ``(N, D)`` and their potential energies ``(N,)``.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> wall = lambda q: jnp.where(jnp.abs(q[0]) < 1, 0.0, jnp.inf)
    >>> spread(wall, jnp.zeros(1), jnp.array([[0.5], [3.0]]))[0].tolist()
    [[0.5], [0.75]]
    """

    def attempt(carry: tuple) -> tuple:
        count, factors, energies = carry
        factors = jnp.where(jnp.isfinite(energies), factors, factors / 2)
        positions = start[None] + factors[:, None] * noise
        return count + 1, factors, jax.vmap(potential)(positions)

    # One loop with one copy of the potential: it enters with points that are not finite.
    energy = jax.eval_shape(potential, start)
    factors = jnp.full(len(noise), 2, noise.dtype)
    nowhere = jnp.full(len(noise), jnp.nan, energy.dtype)
    _, factors, energies = lax.while_loop(
        lambda carry: (carry[0] <= MAX_HALVINGS) & ~jnp.all(jnp.isfinite(carry[2])),
        attempt,
        (jnp.int32(0), factors, nowhere),
    )
    return start[None] + factors[:, None] * noise, energies


def fit(
    points: jax.Array, dense: bool, previous_factor: jax.Array | None = None
) -> tuple[jax.Array, jax.Array]:
    """Mean of points ``(N, D)`` and a factor of their covariance (divisor ``N``).

    The factor is computed from the points each time: updating it by one exchange after the other
    would lose its definiteness in the end. Where rounding has made the covariance singular, the
    previous factor is kept.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> loc, factor = fit(jnp.array([[1.0, 0.0], [3.0, 4.0]]), dense=False)
    >>> loc.tolist(), factor.tolist()
    ([2.0, 2.0], [1.0, 2.0])
    """
    loc = jnp.mean(points, 0)
    deviations = points - loc[None]
    if dense:
        factor = jnp.linalg.cholesky(deviations.T @ deviations / len(points))
        scales = jnp.diagonal(factor)
    else:
        factor = scales = jnp.sqrt(jnp.mean(deviations**2, 0))
    if previous_factor is None:
        previous_factor = jnp.full_like(factor, jnp.nan)
    regular = jnp.all((scales > 0) & jnp.isfinite(scales))
    return loc, jnp.where(regular, factor, previous_factor)


def standardize(factor: jax.Array, deviations: jax.Array) -> jax.Array:
    """Deviations ``(N, D)`` from the mean in units of the factor."""
    if factor.ndim == 1:
        return deviations / factor[None]
    return solve_triangular(factor, deviations.T, lower=True).T


def left_out_log_densities(standard: jax.Array, dense: bool) -> jax.Array:
    r"""Log density of each of ``N + 1`` points under the normal fitted to the ``N`` others.

    Only differences matter, so a constant is left out. With :math:`T` the scatter matrix of all
    points around their mean :math:`\mu`, the others of :math:`x_n` have mean
    :math:`\mu - \delta_n / N` and scatter matrix :math:`T - \frac{N+1}{N} \delta_n \delta_n^T`,
    where :math:`\delta_n = x_n - \mu`. By the lemmas of Sherman-Morrison and of the determinant all
    that is needed of them is the leverage :math:`h_n = \delta_n^T T^{-1} \delta_n`, and, since
    the first ``N`` points have mean 0 and scatter :math:`N I` here,
    :math:`T = N (I + \epsilon \epsilon^T / (N + 1))` with :math:`\epsilon` the last point.

    Parameters
    ----------
    standard : Array
        ``(N + 1, D)``: the points, then the proposal, in standard units.
    dense : bool
        Whether the normals have a full covariance or a diagonal one.

    Returns
    -------
    Array
        ``(N + 1,)``; not a number where the others have a singular covariance.
    """
    n = len(standard) - 1
    proposal = standard[-1]
    deviations = standard - proposal[None] / (n + 1)
    squares = deviations**2
    if dense:
        overlap = (deviations @ proposal) ** 2 / (n + 1 + jnp.sum(proposal**2))
        leverages = (jnp.sum(squares, -1) - overlap) / n
    else:
        leverages = squares / n * ((n + 1) / (n + 1 + proposal[None] ** 2))
    # One minus this is by how much the others' determinant is the smaller.
    kept = 1 - (n + 1) / n * leverages
    terms = -0.5 * jnp.log(kept) - 0.5 * (n + 1) ** 2 / n * (leverages / kept)
    return terms if dense else jnp.sum(terms, -1)


def choose_removed(
    log_densities: jax.Array, energies: jax.Array, u: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Choose which of ``N + 1`` points to remove, the last being the proposal.

    A proposal whose energy is not finite is removed for certain, and so is, before all others, a
    point of the set whose energy is not.

    Parameters
    ----------
    log_densities : Array
        ``(N + 1,)``, from `left_out_log_densities`.
    energies : Array
        ``(N + 1,)``, potential energies.
    u : Array
        Uniform in ``[0, 1)``.

    Returns
    -------
    tuple
        The index, and the probability with which it is not that of the proposal.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> removed, accept_prob = choose_removed(jnp.zeros(3), jnp.zeros(3), jnp.float32(0.5))
    >>> int(removed), round(float(accept_prob), 3)
    (1, 0.667)
    """
    last = len(energies) - 1
    finite = jnp.isfinite(energies)
    logits = log_densities + energies.astype(log_densities.dtype)
    # Others without spread give no density to a point that lies elsewhere.
    logits = jnp.where(jnp.isnan(logits), -jnp.inf, logits)
    highest = jnp.max(logits)
    weights = jnp.exp(logits - jnp.where(jnp.isfinite(highest), highest, 0))
    weights = jnp.where(jnp.all(finite), weights, (~finite).astype(weights.dtype))
    sums = jnp.cumsum(weights)
    total = sums[-1]
    chosen = jnp.minimum(jnp.sum(sums <= u * total), last)
    usable = finite[last] & (total > 0)
    accept_prob = jnp.where(usable, sums[-2] / total, 0)
    return jnp.where(usable, chosen, last), accept_prob
