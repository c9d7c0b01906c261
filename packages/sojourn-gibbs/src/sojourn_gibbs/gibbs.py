"""A composition of kernels, each of which moves some sites of one model given all others.

Source: Geman and Geman 1984; Gelfand and Smith 1990. Invariant: a block leaves the conditional law
of its sites unchanged, hence the joint law; so does doing one block after the other.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_gibbs.block_plan import Plan, check_supports, make_plan
from sojourn_gibbs.block_sites import Selection, check_selections, share_out
from sojourn_gibbs.conditional_target import Given, conditioned
from sojourn_gibbs.custom_gibbs import CustomGibbs
from sojourn_gibbs.joint import Joint, checked_joint, require_model
from sojourn_gibbs.latents import find_latents
from sojourn_gibbs.starting_values import check_given, starting_values, unconstrained_shapes
from sojourn_hmc import MCMCKernel, TargetKernel
from sojourn_hmc.chain import with_keys
from sojourn_primitives import Trace

START = np.uint32(0xFFFFFFFF)  # transitions derive their keys from the counters 0 upwards


class GibbsState(NamedTuple):
    """State of a composition.

    Attributes
    ----------
    i : Array
        Number of transitions made, warmup included.
    z : dict
        Present values of all sites that are moved, each as its block keeps it: unconstrained where
        a gradient kernel moves it, constrained elsewhere.
    values : dict
        The same, all constrained: what blocks are conditioned on.
    block_states : tuple
        The state of each block.
    outside : dict
        Of each site that a function of the user moves, how many elements are outside its support.
    rng_key : Array
        The chain's key; transition ``i`` derives those of the blocks from it.
    """

    i: jax.Array
    z: dict[str, jax.Array]
    values: dict[str, jax.Array]
    block_states: tuple
    outside: dict[str, jax.Array]
    rng_key: jax.Array

    @property
    def hmc_state(self) -> Any:
        """State of the last block: that of HMC or NUTS in `HMCGibbs` and `DiscreteHMCGibbs`."""
        return self.block_states[-1]

    @property
    def diverging(self) -> jax.Array:
        """Whether the last transition of some block diverged."""
        # States may have an axis of chains, so nothing is summed over an axis here.
        flags = [s.diverging for s in self.block_states if hasattr(s, "diverging")]
        return functools.reduce(jnp.logical_or, flags, jnp.zeros_like(self.i, bool))

    @property
    def num_outside(self) -> jax.Array:
        """How many elements lie outside of their support."""
        return sum(self.outside.values(), start=jnp.zeros_like(self.i))


class Gibbs(MCMCKernel):
    """Moves the sites of a model block by block, each block with a kernel of its own.

    Parameters
    ----------
    blocks : sequence of (kernel, sites)
        Visited in order in each transition. ``kernel`` is `DiscreteGibbs`, `CustomGibbs`,
        `MixedHMC`, HMC, NUTS, BarkerMH or any that has ``refresh`` and ``wrap_model`` of
        `MCMCKernel`; those on a model are all on the same one. ``sites`` is a list of names, or
        a function of a trace that returns one (`discrete_latent_sites`); None, for one block at
        most, takes all sites that no other block has.

    Raises
    ------
    TypeError, ValueError
        If a kernel cannot be a block, or the blocks are not on one model.

    Notes
    -----
    Each gradient block adapts its step size and mass matrix to its own conditional law, so sites
    that are strongly correlated belong into one block. Sites marked ``infer={"enumerate":
    "parallel"}`` are summed out in every block and belong to none.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> import sojourn_distributions as dist
    >>> from sojourn_gibbs import CustomGibbs, DiscreteGibbs, Gibbs, discrete_latent_sites
    >>> from sojourn_infer import MCMC, NUTS
    >>> from sojourn_primitives import sample
    >>> def model(locs):
    ...     c = sample("c", dist.Categorical(jnp.array([0.2, 0.3, 0.5])))
    ...     x = sample("x", dist.Normal(locs[c], 0.5))
    ...     y = sample("y", dist.Normal(0.0, 2.0))
    ...     sample("obs", dist.Normal(x + y, 1.0), obs=1.0)
    >>> def draw_y(rng_key, gibbs_sites, hmc_sites):
    ...     noise = jnp.sqrt(0.8) * jax.random.normal(rng_key)
    ...     return {"y": 0.8 * (1.0 - hmc_sites["x"]) + noise}
    >>> kernel = Gibbs([
    ...     (DiscreteGibbs(model), discrete_latent_sites),
    ...     (CustomGibbs(draw_y), ["y"]),
    ...     (NUTS(model), None),
    ... ])
    >>> mcmc = MCMC(kernel, num_warmup=200, num_samples=300, progress_bar=False)
    >>> mcmc.run(jax.random.key(0), jnp.array([-2.0, 0.0, 2.0]))
    >>> sorted(mcmc.get_samples())
    ['c', 'x', 'y']
    """

    def __init__(self, blocks: Sequence[tuple[MCMCKernel, Selection]]):
        self._blocks = tuple((kernel, sites) for kernel, sites in blocks)
        check_selections([sites for _, sites in self.blocks])
        for kernel, _ in self.blocks:
            _check_block(kernel)
        based = [kernel for kernel, _ in self.blocks if isinstance(kernel, TargetKernel)]
        if not based:
            raise ValueError("a composition needs at least one block whose kernel has a model")
        for kernel in based:
            require_model(type(kernel).__name__, kernel.target)
        self.target: Any = based[0].target
        if any(kernel.model is not self.model for kernel in based):
            raise ValueError(
                "the blocks of a composition must have one model, the same function: got "
                f"{[kernel.model for kernel in based]}"
            )
        self.conditional = tuple(kernel.wrap_model(conditioned) for kernel, _ in self.blocks)

    @property
    def blocks(self) -> tuple[tuple[MCMCKernel, Selection], ...]:
        """The blocks, as they were given."""
        return self._blocks

    @property
    def model(self) -> Callable:
        """The model whose sites are moved."""
        return self.target.model

    @property
    def sample_field(self) -> str:
        """Values of all sites, as their blocks keep them."""
        return "z"

    @property
    def default_fields(self) -> tuple[str, ...]:
        """The values, and whether a block diverged."""
        return ("z", "diverging")

    @property
    def watched_fields(self) -> tuple[str, ...]:
        """What the blocks watch, and values outside of their support."""
        of_blocks = [
            f"block_states.{n}.{field}"
            for n, (kernel, _) in enumerate(self.blocks)
            for field in kernel.watched_fields
        ]
        return ("num_outside", *of_blocks)

    def find_problems(self, fields: dict[str, np.ndarray]) -> list[str]:
        """Say what each block finds; see `MCMCKernel.find_problems`."""
        problems = []
        outside = fields["num_outside"] > 0
        if outside.any():
            problems.append(
                f"{int(outside.sum())} of {outside.size} transitions put a site outside of its "
                "support: the draws are not from the posterior. Correct what gibbs_fn returns"
            )
        for n, (kernel, _) in enumerate(self.blocks):
            prefix = f"block_states.{n}."
            own = {field: fields[prefix + field] for field in kernel.watched_fields}
            for problem in kernel.find_problems(own):
                if problem not in problems:
                    problems.append(problem)
        return problems

    def check(self, model_args: tuple, model_kwargs: dict, init_params: Any) -> None:
        """Raise on sites, updates and values that do not fit the model; see `MCMCKernel.check`."""
        joint, plan = self._joint(model_args, model_kwargs)
        check_supports(self.conditional, plan, joint.latents)

        def judge(trace: Trace) -> None:
            values = {name: trace[name]["value"] for names in plan.shares for name in names}
            for kernel, names in zip(self.conditional, plan.shares, strict=True):
                others = {name: v for name, v in values.items() if name not in names}
                kernel.check(Given(others, model_args, model_kwargs), {}, None)
                if isinstance(kernel, CustomGibbs):
                    own = {name: values[name] for name in names}
                    kernel.updated(jax.random.key(0), own, others)
            shapes.update(unconstrained_shapes(trace, values))

        shapes: dict[str, tuple[int, ...]] = {}
        checked_joint(self.target, model_args, model_kwargs, judge)
        if init_params is not None:
            check_given(init_params, joint.latents, {n: shapes[n] for n in plan.unconstrained})

    def init(
        self,
        rng_key: jax.Array,
        num_warmup: Any,
        init_params: Any = None,
        model_args: tuple = (),
        model_kwargs: dict | None = None,
    ) -> GibbsState:
        """Find values of positive density and start every block there; see `MCMCKernel.init`."""
        joint, plan = self._joint(model_args, model_kwargs or {})
        key = jax.random.fold_in(rng_key, START)
        values = starting_values(joint, key, init_params or {}, plan.unconstrained)
        native = values | joint.unconstrained(values, plan.unconstrained)
        states, tried = [], dict(values)
        for n, (kernel, names) in enumerate(zip(self.conditional, plan.shares, strict=True)):
            own, given = {name: native[name] for name in names}, joint.given_others(values, names)
            states.append(kernel.init(jax.random.fold_in(key, n), num_warmup, own, given, {}))
            if isinstance(kernel, CustomGibbs):
                # A first call, of no consequence, shows whether it keeps to the supports.
                tried |= kernel.updated(key, own, given.fixed)
        outside = joint.outside(tried, plan.custom)
        return GibbsState(jnp.zeros((), jnp.int32), native, values, tuple(states), outside, rng_key)

    def sample(
        self, state: GibbsState, model_args: tuple = (), model_kwargs: dict | None = None
    ) -> GibbsState:
        """Move one block after the other; see `MCMCKernel.sample`."""
        joint, plan = self._joint(model_args, model_kwargs or {})
        key = jax.random.fold_in(state.rng_key, state.i)
        values, native, states = dict(state.values), dict(state.z), []
        for n, (kernel, names) in enumerate(zip(self.conditional, plan.shares, strict=True)):
            given = joint.given_others(values, names)
            block = _with_key(state.block_states[n], jax.random.fold_in(key, n))
            carried = plan.carried.intersection(names)
            if carried:
                block = block._replace(z=block.z | joint.unconstrained(values, carried))
            block = kernel.sample(kernel.refresh(block, given, {}), given, {})
            kept = getattr(block, kernel.sample_field)
            own = kernel.get_constrain_fn(given, {})(kept)
            values |= {name: own[name] for name in names}
            native |= {name: kept[name] for name in names}
            states.append(block)
        if plan.carried:
            native |= joint.unconstrained(values, plan.carried)
        return GibbsState(
            state.i + 1,
            native,
            values,
            tuple(states),
            joint.outside(values, plan.custom),
            state.rng_key,
        )

    def check_start(self, state: GibbsState, model_args: tuple, model_kwargs: dict) -> None:
        """Raise if a block cannot start, or a function does not keep to the supports."""
        for name, count in state.outside.items():
            if count:
                raise ValueError(
                    f"gibbs_fn returns a value for site {name!r} that lies outside of the site's "
                    f"support, in {int(count)} of its elements: draw it from its law given the "
                    "other sites, in the site's own (constrained) space"
                )
        joint, plan = self._joint(model_args, model_kwargs)
        for kernel, names, block in zip(
            self.conditional, plan.shares, state.block_states, strict=True
        ):
            kernel.check_start(block, joint.given_others(state.values, names), {})

    def postprocess_fn(self, model_args: tuple, model_kwargs: dict) -> Callable[[Any], Any]:
        """Return the map to constrained values, deterministic sites added."""
        joint, plan = self._joint(model_args, model_kwargs)
        return lambda z: joint.reported(z, plan.unconstrained)

    def get_diagnostics_str(self, state: GibbsState) -> str:
        """What the last block says."""
        return self.blocks[-1][0].get_diagnostics_str(state.block_states[-1])

    def _joint(self, args: tuple, kwargs: dict) -> tuple[Joint, Plan]:
        plans: list[tuple[tuple[str, ...], ...]] = []
        latents = find_latents(
            self.model,
            args,
            kwargs,
            judge=lambda trace: plans.append(share_out([sites for _, sites in self.blocks], trace)),
        )
        plan = make_plan(self.conditional, plans[0], latents)
        return Joint(self.target, latents, args, kwargs), plan


def _check_block(kernel: Any) -> None:
    if not isinstance(kernel, MCMCKernel):
        raise TypeError(f"a block is a kernel and its sites, but {kernel!r} is no kernel")
    if isinstance(kernel, Gibbs):
        raise TypeError(
            "a composition is no block of another one: list its blocks in the outer one"
        )
    for method in ("refresh", "wrap_model"):
        if getattr(type(kernel), method) is getattr(MCMCKernel, method):
            raise TypeError(
                f"{type(kernel).__name__} cannot be a block of a composition: it lacks {method}, "
                "see MCMCKernel"
            )


def _with_key(state: Any, key: jax.Array) -> Any:
    """Give a block randomness of its own for one transition, whatever it does with its key."""
    return with_keys(state, key) if hasattr(state, "rng_key") else state
