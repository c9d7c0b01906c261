"""Mixed Hamiltonian Monte Carlo: discrete updates inside the trajectory of the continuous sites.

Source: Zhou 2020, "Mixed Hamiltonian Monte Carlo for mixed discrete and continuous variables"
(arXiv 1909.04852).

Each discrete element has a kinetic energy ``k ~ Exponential(1)``. An event proposes a move with
Metropolis-Hastings log ratio ``A`` and makes it if ``k + A > 0``, when ``k`` becomes ``k + A``: so
it conserves the extended density exactly, and only the flows between events have an energy error.
Invariant: events are reversible, flows reversible and volume-preserving, and the schedule is as
likely as its mirror image, so accepting the end with probability ``min(1, exp(-error of the
flows))`` leaves the target unchanged at any step size.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.flatten_util import ravel_pytree

from sojourn_gibbs.codes import Coding
from sojourn_gibbs.conditional_target import Given, conditional_target
from sojourn_gibbs.discrete_proposals import choose_proposal
from sojourn_gibbs.discrete_update import propose_one, stride_doublings
from sojourn_gibbs.event_schedule import draw_schedule
from sojourn_gibbs.joint import Joint, checked_joint, joint_of, require_model
from sojourn_gibbs.starting_values import check_given, starting_values, unconstrained_shapes
from sojourn_hmc import HMC, HMCState, TargetKernel
from sojourn_hmc.fixed_length import MAX_STEPS
from sojourn_hmc.phase_space import Hamiltonian, PhasePoint
from sojourn_hmc.trajectory import MAX_ENERGY_ERROR, TrajectoryInfo, energy_error, select
from sojourn_infer.sites import is_latent
from sojourn_primitives import Trace

START = np.uint32(0xFFFFFFFF)  # transitions derive their keys from the counters 0 upwards


class MixedHMCState(NamedTuple):
    """State of a chain of mixed HMC.

    Attributes
    ----------
    z : dict
        Values of all sites that are moved; those of continuous ones are unconstrained.
    hmc_state : HMCState
        State of the continuous sites.
    rng_key : Array
        The chain's key; transition ``hmc_state.i`` derives its own from it.
    accept_prob : Array
        Acceptance probability of the last trajectory.
    """

    z: dict[str, jax.Array]
    hmc_state: HMCState
    rng_key: jax.Array
    accept_prob: jax.Array

    @property
    def diverging(self) -> jax.Array:
        """Whether the last trajectory diverged."""
        return self.hmc_state.diverging


class _Path(NamedTuple):
    """Where a trajectory is.

    Attributes
    ----------
    point : PhasePoint
        The continuous sites.
    codes : Array
        The discrete ones, ``(N,)``.
    kinetic : Array
        Their kinetic energies, ``(N,)``.
    gained : Array
        Potential energy gained in events.
    num_steps : Array
        Steps taken.
    time : Array
        Time passed, from 0 to 1.
    """

    point: PhasePoint
    codes: jax.Array
    kinetic: jax.Array
    gained: jax.Array
    num_steps: jax.Array
    time: jax.Array


class MixedHMC(TargetKernel):
    """HMC on the continuous sites of a model with discrete updates along each trajectory.

    Parameters
    ----------
    inner_kernel : HMC
        A kernel on the whole model. NUTS cannot serve: its trajectories have no given length along
        which events could be laid out.
    num_discrete_updates : int, optional
        Number of events in a trajectory, each of which offers one discrete element a move; by
        default as many as there are elements.
    random_walk : bool
        Propose all values of an element alike, in place of the conditional law.
    modified : bool
        Never propose the present value (Liu 1996).

    Raises
    ------
    TypeError, ValueError
        If the inner kernel is not HMC on a model, or the number of updates is not positive. A run
        raises if the model has no discrete site.

    Notes
    -----
    Unlike the schedule of the paper's Algorithm 1, in which a trajectory ends with an event but
    does not begin with one, the schedule here is symmetric in time (`draw_schedule`), which makes
    the draws exact at coarse steps too. `DiscreteGibbs` moves independent elements of a plate
    together; here each has its own kinetic energy, and events offer moves one by one.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> import sojourn_distributions as dist
    >>> from sojourn_gibbs import MixedHMC
    >>> from sojourn_infer import HMC, MCMC
    >>> from sojourn_primitives import sample
    >>> def model(probs, locs):
    ...     c = sample("c", dist.Categorical(probs))
    ...     sample("x", dist.Normal(locs[c], 0.5))
    >>> kernel = MixedHMC(HMC(model, trajectory_length=1.2), num_discrete_updates=4)
    >>> mcmc = MCMC(kernel, num_warmup=200, num_samples=2000, progress_bar=False)
    >>> mcmc.run(jax.random.key(0), jnp.array([0.4, 0.6]), jnp.array([-0.5, 1.0]))
    >>> sorted(mcmc.get_samples())
    ['c', 'x']
    """

    def __init__(
        self,
        inner_kernel: HMC,
        *,
        num_discrete_updates: int | None = None,
        random_walk: bool = False,
        modified: bool = False,
    ):
        if not isinstance(inner_kernel, HMC):
            raise TypeError(
                "MixedHMC needs HMC(model, ...): its discrete updates are laid out along a "
                "trajectory of given length, which no other kernel has (NUTS ends where it turns; "
                f"for NUTS take DiscreteHMCGibbs). Got {inner_kernel!r}"
            )
        require_model("MixedHMC", inner_kernel.target)
        if num_discrete_updates is not None and not num_discrete_updates >= 1:
            raise ValueError(
                f"num_discrete_updates must be at least 1, got {num_discrete_updates}; without "
                "discrete updates this is HMC"
            )
        super().__init__(inner_kernel.target, None)
        self.inner_kernel = inner_kernel
        self.num_discrete_updates = num_discrete_updates
        self.random_walk = bool(random_walk)
        self.modified = bool(modified)

    @property
    def sample_field(self) -> str:
        """Values of all sites; continuous ones are unconstrained."""
        return "z"

    @property
    def default_fields(self) -> tuple[str, ...]:
        """The values, and whether the trajectory diverged."""
        return ("z", "diverging")

    @property
    def watched_fields(self) -> tuple[str, ...]:
        """What tells of divergences; the energy changes in events, so its E-BFMI says nothing."""
        return ("diverging",)

    def check(self, model_args: tuple, model_kwargs: dict, init_params: Any) -> None:
        """Raise on a model that has no discrete site, or that HMC cannot sample otherwise."""
        shapes: dict[str, tuple[int, ...]] = {}

        def judge(trace: Trace) -> None:
            latent = {name: site for name, site in trace.items() if is_latent(site)}
            shapes.update(unconstrained_shapes(trace, latent))
            fixed = {n: s["value"] for n, s in latent.items() if n not in shapes}
            self._inner().check(Given(fixed, model_args, model_kwargs), {}, None)

        latents = checked_joint(self.target, model_args, model_kwargs, judge).latents
        if not latents.discrete:
            raise ValueError(
                "MixedHMC: the model has no discrete latent site to move; use HMC or NUTS"
            )
        if init_params is not None:
            check_given(init_params, latents, shapes)

    def init(
        self,
        rng_key: jax.Array,
        num_warmup: Any,
        init_params: Any = None,
        model_args: tuple = (),
        model_kwargs: dict | None = None,
    ) -> MixedHMCState:
        """Find values of positive density; see `MCMCKernel.init`."""
        joint = joint_of(self.target, model_args, model_kwargs or {})
        unconstrained = _continuous(joint)
        key = jax.random.fold_in(rng_key, START)
        values = starting_values(joint, key, init_params or {}, unconstrained)
        native = joint.unconstrained(values, unconstrained)
        given = joint.given_others(values, unconstrained)
        hmc_state = self._inner().init(key, num_warmup, native, given, {})
        return MixedHMCState(
            values | native, hmc_state, rng_key, jnp.zeros_like(hmc_state.accept_prob)
        )

    def sample(
        self, state: MixedHMCState, model_args: tuple = (), model_kwargs: dict | None = None
    ) -> MixedHMCState:
        """Follow one trajectory with its events, and accept or reject its end."""
        joint = joint_of(self.target, model_args, model_kwargs or {})
        coding = Coding(tuple(joint.latents.discrete))
        inner, hmc_state = self._inner(), state.hmc_state
        position, unravel = ravel_pytree(hmc_state.z)
        keys = jax.random.split(jax.random.fold_in(state.rng_key, hmc_state.i), 5)

        def hamiltonian(codes: jax.Array) -> Hamiltonian:
            return inner.hamiltonian(hmc_state, joint.given(coding.decode(codes)), {})

        codes = coding.encode(state.z)
        metric = hamiltonian(codes).metric
        momentum = metric.momentum(keys[0]) if hmc_state.r is None else ravel_pytree(hmc_state.r)[0]
        point = PhasePoint(
            position,
            momentum,
            hmc_state.potential_energy,
            ravel_pytree(hmc_state.z_grad)[0],
        )
        zero = jnp.zeros((), point.potential_energy.dtype)
        start = _Path(
            point,
            codes,
            jax.random.exponential(keys[1], codes.shape, zero.dtype),
            zero,
            jnp.zeros((), jnp.int32),
            zero,
        )
        end = self._follow(start, joint, coding, hamiltonian, unravel, hmc_state, keys[2], keys[3])
        start_energy = hamiltonian(codes).energy(point)
        end_energy = hamiltonian(end.codes).energy(end.point)
        error = energy_error(end_energy - end.gained, start_energy)
        accept_prob = jnp.minimum(1.0, jnp.exp(-error))
        accepted = jax.random.uniform(keys[4], (), error.dtype) < accept_prob
        system = hamiltonian(jnp.where(accepted, end.codes, codes))
        proposal = select(
            accepted,
            system.proposal(end.point, end_energy),
            system.proposal(point, start_energy),
        )
        info = TrajectoryInfo(end.num_steps, accept_prob, error > MAX_ENERGY_ERROR)
        hmc_state = inner.after(hmc_state, system, proposal, info)
        discrete = coding.decode(jnp.where(accepted, end.codes, codes))
        return MixedHMCState(
            state.z | hmc_state.z | discrete, hmc_state, state.rng_key, accept_prob
        )

    def _follow(
        self,
        start: _Path,
        joint: Joint,
        coding: Coding,
        hamiltonian: Callable[[jax.Array], Hamiltonian],
        unravel: Callable[[jax.Array], Any],
        hmc_state: HMCState,
        key_schedule: jax.Array,
        key_events: jax.Array,
    ) -> _Path:
        num_events = self.num_discrete_updates or coding.size
        step_size, dtype = hmc_state.adapt_state.step_size, start.time.dtype
        num_steps, length = self.inner_kernel.num_steps, hmc_state.trajectory_length
        total: Any = length if num_steps is None else num_steps * step_size
        schedule = draw_schedule(key_schedule, coding.size, num_events, dtype)
        ends = jnp.append(schedule.times, jnp.ones((), dtype))
        elements = jnp.append(schedule.elements, 0)
        propose = choose_proposal(self.random_walk, self.modified)

        def flow(path: _Path, until: jax.Array) -> _Path:
            time = (until - path.time) * total
            steps = jnp.clip(jnp.ceil(time / step_size), 1, MAX_STEPS).astype(jnp.int32)
            step = (time / steps).astype(step_size.dtype)
            system = hamiltonian(path.codes)
            point = lax.fori_loop(0, steps, lambda _, p: system.step(p, step), path.point)
            return path._replace(point=point, num_steps=path.num_steps + steps, time=until)

        def event(path: _Path, element: jax.Array, key: jax.Array) -> _Path:
            z = unravel(path.point.position)

            def log_density(codes: jax.Array) -> jax.Array:
                given = joint.given(coding.decode(codes))
                return -self._inner().target.setup(given, {}, None).potential(z)

            def doublings(codes: jax.Array) -> jax.Array:
                native = z | coding.decode(codes)
                values = joint.constrained(native, frozenset(z))
                return stride_doublings(joint, coding, values)

            move = propose_one(coding, log_density, doublings, path.codes, element, key, propose)
            gain = 0.0 if move.log_ratio is None else move.log_ratio
            kinetic = path.kinetic[element] + gain
            energy, gradient = hamiltonian(move.codes).gradient(path.point.position)
            moved = path._replace(
                point=path.point._replace(potential_energy=energy, potential_gradient=gradient),
                codes=move.codes,
                kinetic=path.kinetic.at[element].set(kinetic),
                gained=path.gained + energy - path.point.potential_energy,
            )
            return select(kinetic > 0, moved, path)

        def stretch(n: jax.Array, path: _Path) -> _Path:
            path = flow(path, ends[n])
            key = jax.random.fold_in(key_events, n)
            return lax.cond(n < num_events, lambda p: event(p, elements[n], key), lambda p: p, path)

        return lax.fori_loop(0, num_events + 1, stretch, start)

    def refresh(self, state: MixedHMCState, model_args: tuple, model_kwargs: dict) -> MixedHMCState:
        """Compute potential and gradient anew; see `MCMCKernel.refresh`."""
        joint = joint_of(self.target, model_args, model_kwargs)
        given = joint.given_others(state.z, _continuous(joint))
        return state._replace(hmc_state=self._inner().refresh(state.hmc_state, given, {}))

    def check_start(self, state: MixedHMCState, model_args: tuple, model_kwargs: dict) -> None:
        """Raise if potential or gradient is not finite at the start."""
        fixed = {name: value for name, value in state.z.items() if name not in state.hmc_state.z}
        self._inner().check_start(state.hmc_state, Given(fixed, model_args, model_kwargs), {})

    def postprocess_fn(self, model_args: tuple, model_kwargs: dict) -> Callable[[Any], Any]:
        """Return the map to constrained values, deterministic sites added."""
        joint = joint_of(self.target, model_args, model_kwargs)
        return lambda z: joint.reported(z, _continuous(joint))

    def get_diagnostics_str(self, state: MixedHMCState) -> str:
        """What HMC says."""
        return self.inner_kernel.get_diagnostics_str(state.hmc_state)

    def _inner(self) -> HMC:
        """HMC on the model with its discrete sites fixed."""
        return self.inner_kernel.with_target(conditional_target(self.target))


def _continuous(joint: Joint) -> frozenset[str]:
    return frozenset(n for n, site in joint.latents.sites.items() if not site.is_discrete)
