"""HMC with energy conserving subsampling as a kernel.

Sources: Dang, Quiroz, Kohn, Tran and Villani 2019, "Hamiltonian Monte Carlo with energy conserving
subsampling", Algorithm 1; Tran, Kohn, Quiroz and Villani 2017 for the blocks.

Invariant: subsample and position are one Markov chain on the density of `perturbed_target`. A
Metropolis step moves the subsample at a fixed position, with that whole density in its ratio; then
HMC or NUTS moves the position at a fixed subsample, along trajectories that conserve the energy
because every step of them sees the same data. Each leaves the joint density unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_gibbs.conditional_target import Given, conditional_target
from sojourn_gibbs.ecs.blocks import first_subsamples, redraw_block
from sojourn_gibbs.ecs.estimator import estimate_sum
from sojourn_gibbs.ecs.likelihood import Indices, Layout, LogLikelihood, Plates, examine
from sojourn_gibbs.ecs.perturbed_target import Conditions, PerturbedTarget, Subsample
from sojourn_gibbs.ecs.problems import imprecise_likelihood, stuck_subsamples
from sojourn_gibbs.ecs.requirements import require_subsamples
from sojourn_gibbs.ecs.taylor import TaylorProxy, taylor_proxy
from sojourn_hmc import HMC, NUTS, MCMCKernel
from sojourn_primitives import Trace

# Inner kernels derive their keys from the counters 0 upwards, and from a few at the upper end.
SUBSAMPLES = np.uint32(0xFFFF0000)
FIRST = np.uint32(0xFFFFFFFF)


class HMCECSState(NamedTuple):
    """State of an `HMCECS` chain.

    Attributes
    ----------
    z : dict
        Unconstrained values of the latent sites.
    hmc_state : HMCState
        State of the inner kernel.
    rng_key : Array
        The chain's key; transition ``i`` derives its own from it.
    gibbs_state : Subsample
        The indices of each subsampled plate, and what the proxy knows of them.
    accept_prob : Array
        Acceptance probability of the last proposed subsample.
    log_likelihood_variance : Array
        Estimated variance of the estimate of the log likelihood from the last proposed subsample,
        summed over plates. NaN before the first one, and where data have no terms of their own, as
        beside sites that are summed over.
    """

    z: dict[str, jax.Array]
    hmc_state: Any
    rng_key: jax.Array
    gibbs_state: Subsample
    accept_prob: jax.Array
    log_likelihood_variance: jax.Array


class HMCECS(MCMCKernel):
    """HMC or NUTS on a subsample of the data, with energy conserving subsampling.

    A model says with ``plate(name, size, subsample_size)`` which data are subsampled. A transition
    first proposes new indices for one block of the subsample and accepts or refuses them, then the
    inner kernel moves the latent sites given the subsample. Indices are drawn with replacement.

    With `taylor_proxy` the likelihood of all data is estimated from the subsample, with control
    variates and a correction for the variance of the estimate: the draws are those of the
    posterior, up to a perturbation that is small if that variance is (around 1). Without a proxy
    the log likelihood of the subsample times ``size / subsample_size`` stands for that of the data:
    such draws follow **another distribution than the posterior**, centred near it and as a rule
    much too narrow or too wide. The run's report says how large the variance is.

    Deterministic sites inside of a subsampled plate belong to a subsample that is not reported;
    they are left out of the samples. `Predictive` computes them for all data.

    Parameters
    ----------
    inner_kernel : HMC or NUTS
        Kernel on a model, with any mass matrix.
    num_blocks : int
        Blocks into which subsamples are divided; one of them is proposed anew in each transition.
        More blocks, smaller changes: more of them are accepted.
    proxy : TaylorProxy or None
        From `taylor_proxy`.

    Raises
    ------
    TypeError
        If ``inner_kernel`` is neither HMC nor NUTS, or the proxy does not come from `taylor_proxy`.
    ValueError
        If the inner kernel has no model, or ``num_blocks`` is not a positive integer. Whether the
        model fits (subsampled plates, the reference, blocks) is checked when a run starts.

    Examples
    --------
    >>> import jax
    >>> import sojourn_distributions as dist
    >>> from sojourn_gibbs import HMCECS
    >>> from sojourn_infer import MCMC, NUTS
    >>> from sojourn_primitives import plate, sample, subsample
    >>> def model(data):
    ...     x = sample("x", dist.Normal(0, 1))
    ...     with plate("N", data.shape[0], subsample_size=100):
    ...         batch = subsample(data, event_dim=0)
    ...         sample("obs", dist.Normal(x, 1), obs=batch)
    >>> data = 1 + jax.random.normal(jax.random.key(0), (10000,))
    >>> proxy = HMCECS.taylor_proxy({"x": data.mean()})
    >>> kernel = HMCECS(NUTS(model), num_blocks=10, proxy=proxy)
    >>> mcmc = MCMC(kernel, num_warmup=200, num_samples=400, progress_bar=False)
    >>> mcmc.run(jax.random.key(1), data)
    >>> bool(abs(mcmc.get_samples()["x"].mean() - data.mean()) < 0.002)
    True
    """

    def __init__(
        self, inner_kernel: HMC | NUTS, *, num_blocks: int = 1, proxy: TaylorProxy | None = None
    ):
        if not isinstance(inner_kernel, (HMC, NUTS)):
            raise TypeError(
                f"HMCECS: inner_kernel must be HMC or NUTS on a model, got {inner_kernel!r}"
            )
        if inner_kernel.model is None:
            raise ValueError(
                "HMCECS: the inner kernel has no model, so there is no plate whose data could be "
                "subsampled. Make it from a model function: HMCECS(NUTS(model))"
            )
        if isinstance(num_blocks, bool) or not isinstance(num_blocks, (int, np.integer)):
            raise ValueError(f"HMCECS: num_blocks must be an integer, got {num_blocks!r}")
        if num_blocks < 1:
            raise ValueError(f"HMCECS: num_blocks must be at least 1, got {num_blocks}")
        if proxy is not None and not isinstance(proxy, TaylorProxy):
            raise TypeError(
                f"HMCECS: proxy must come from HMCECS.taylor_proxy(...) or be None, got {proxy!r}"
            )
        self.inner_kernel = inner_kernel
        self.num_blocks = int(num_blocks)
        self.proxy = proxy
        self.conditional_kernel = inner_kernel.with_target(self._target())

    @staticmethod
    def taylor_proxy(
        reference_params: Mapping[str, Any], degree: int = 2, *, keep: bool = False
    ) -> TaylorProxy:
        """Make control variates from a Taylor expansion; the function `taylor_proxy`."""
        return taylor_proxy(reference_params, degree, keep=keep)

    @property
    def model(self) -> Callable:
        """The model of the inner kernel."""
        model = self.inner_kernel.model
        assert model is not None
        return model

    @property
    def sample_field(self) -> str:
        """The unconstrained position; the indices are ``gibbs_state.indices``."""
        return "z"

    @property
    def watched_fields(self) -> tuple[str, ...]:
        """What the inner kernel watches, and how well the likelihood is estimated."""
        inner = (f"hmc_state.{name}" for name in self.inner_kernel.watched_fields)
        return (*inner, "accept_prob", "log_likelihood_variance")

    def find_problems(self, fields: dict[str, np.ndarray]) -> list[str]:
        """Look at the estimates of the likelihood too; see `MCMCKernel.find_problems`."""
        inner = {
            name: fields[f"hmc_state.{name}"]
            for name in self.inner_kernel.watched_fields
            if f"hmc_state.{name}" in fields
        }
        return [
            *self.inner_kernel.find_problems(inner),
            *imprecise_likelihood(fields["log_likelihood_variance"], self.proxy is not None),
            *stuck_subsamples(fields["accept_prob"]),
        ]

    def check(self, model_args: tuple, model_kwargs: dict, init_params: Any) -> None:
        """Ask the inner kernel about the model, then look at its subsampled plates.

        Raises
        ------
        ValueError
            If no plate subsamples, there are more blocks than indices, or the model or the
            reference do not fit the proxy.
        """

        def judge(trace: Trace, plates: Plates) -> None:
            require_subsamples(trace, plates, self.num_blocks)
            if self.proxy is not None:
                self.proxy.check(trace, plates)

        examine(self.model, model_args, model_kwargs, judge)
        self.inner_kernel.check(model_args, model_kwargs, init_params)

    def init(
        self,
        rng_key: jax.Array,
        num_warmup: Any,
        init_params: Any = None,
        model_args: tuple = (),
        model_kwargs: dict | None = None,
    ) -> HMCECSState:
        """Draw a subsample and start the inner kernel on it; see `MCMCKernel.init`."""
        kwargs = model_kwargs or {}
        layout = examine(self.model, model_args, kwargs)
        indices = first_subsamples(layout.plates, _subsample_key(rng_key, FIRST))
        subsample = self._subsample(indices, layout, model_args, kwargs)
        conditions = Conditions(subsample, model_args, kwargs)
        hmc_state = self.conditional_kernel.init(
            rng_key, num_warmup, init_params, self._inner_args(conditions), {}
        )
        return HMCECSState(
            z=hmc_state.z,
            hmc_state=hmc_state,
            rng_key=rng_key,
            gibbs_state=subsample,
            accept_prob=jnp.zeros_like(hmc_state.potential_energy),
            log_likelihood_variance=jnp.full_like(hmc_state.potential_energy, jnp.nan),
        )

    def sample(
        self, state: HMCECSState, model_args: tuple = (), model_kwargs: dict | None = None
    ) -> HMCECSState:
        """Propose a block of new indices, then move the latent sites; see `MCMCKernel.sample`."""
        kwargs = model_kwargs or {}
        layout = examine(self.model, model_args, kwargs)
        # The chain's key rules: whoever continues with another one changes it in one place.
        here = state.hmc_state._replace(rng_key=state.rng_key)
        key_indices, key_accept = jax.random.split(_subsample_key(state.rng_key, here.i))
        old = state.gibbs_state
        indices = redraw_block(layout.plates, self.num_blocks, key_indices, old.indices)
        new = self._with_indices(old, indices, model_args, kwargs)
        proposed = Conditions(new, model_args, kwargs)
        there = self.conditional_kernel.refresh(here, self._inner_args(proposed), {})
        log_ratio = here.potential_energy - there.potential_energy
        accept_prob = jnp.where(jnp.isnan(log_ratio), 0, jnp.exp(jnp.minimum(log_ratio, 0)))
        accepted = jax.random.uniform(key_accept, dtype=accept_prob.dtype) < accept_prob
        subsample, start = _choose(accepted, (new, there), (old, here))
        conditions = Conditions(subsample, model_args, kwargs)
        hmc_state = self.conditional_kernel.sample(start, self._inner_args(conditions), {})
        variance = self._variance(proposed, layout, here.z)
        return HMCECSState(
            z=hmc_state.z,
            hmc_state=hmc_state,
            rng_key=state.rng_key,
            gibbs_state=subsample,
            accept_prob=accept_prob,
            log_likelihood_variance=variance.astype(accept_prob.dtype),
        )

    def refresh(self, state: HMCECSState, model_args: tuple, model_kwargs: dict) -> HMCECSState:
        """Compute densities and the proxy's sums anew; see `MCMCKernel.refresh`."""
        layout = examine(self.model, model_args, model_kwargs)
        subsample = self._subsample(state.gibbs_state.indices, layout, model_args, model_kwargs)
        conditions = Conditions(subsample, model_args, model_kwargs)
        hmc_state = self.conditional_kernel.refresh(
            state.hmc_state, self._inner_args(conditions), {}
        )
        return state._replace(hmc_state=hmc_state, gibbs_state=subsample)

    def check_start(self, state: HMCECSState, model_args: tuple, model_kwargs: dict) -> None:
        """Raise if potential or gradient is not finite at the start."""
        conditions = Conditions(state.gibbs_state, model_args, model_kwargs)
        self.conditional_kernel.check_start(state.hmc_state, self._inner_args(conditions), {})

    def postprocess_fn(self, model_args: tuple, model_kwargs: dict) -> Callable[[Any], Any]:
        """Return the map to constrained values, without what belongs to a subsample."""
        layout = examine(self.model, model_args, model_kwargs)
        some: Indices = {
            name: jnp.arange(plate.subsample_size, dtype=jnp.int32)
            for name, plate in layout.plates.items()
        }
        conditions = Conditions(Subsample(some), model_args, model_kwargs)
        constrain = self.conditional_kernel.postprocess_fn(self._inner_args(conditions), {})

        def values(position: Any) -> dict[str, jax.Array]:
            every = constrain(position)
            return {name: every[name] for name in every if name not in layout.deterministic}

        return values

    def wrap_model(self, wrapper: Callable[[Callable], Callable]) -> HMCECS:
        """Return this kernel on the model ``wrapper(model)``; see `MCMCKernel.wrap_model`."""
        inner = self.inner_kernel.wrap_model(wrapper)
        return HMCECS(inner, num_blocks=self.num_blocks, proxy=self.proxy)

    def get_diagnostics_str(self, state: HMCECSState) -> str:
        """What the inner kernel says, and the acceptance probability of subsamples."""
        inner = self.inner_kernel.get_diagnostics_str(state.hmc_state)
        return f"{inner}, of subsamples={float(state.accept_prob):.2f}"

    def _target(self) -> Any:
        conditional = conditional_target(self.inner_kernel.target)
        if self.proxy is None:
            return conditional
        return PerturbedTarget(conditional, self.model, self.proxy)

    def _inner_args(self, conditions: Conditions) -> tuple:
        """What the conditional kernel takes for the arguments of a model."""
        if self.proxy is None:
            return Given(conditions.subsample.indices, conditions.args, conditions.kwargs)
        return conditions

    def _subsample(self, indices: Indices, layout: Layout, args: tuple, kwargs: dict) -> Subsample:
        """Make a subsample of indices, with the proxy's sums over all data."""
        if self.proxy is None:
            return Subsample(indices)
        likelihood = LogLikelihood(self.model, args, kwargs)
        reference = self.proxy.reference(likelihood, layout.plates)
        return self._with_indices(Subsample(indices, reference), indices, args, kwargs)

    def _with_indices(
        self, subsample: Subsample, indices: Indices, args: tuple, kwargs: dict
    ) -> Subsample:
        """Put other indices into a subsample, with the proxy's expansion of them."""
        if self.proxy is None or subsample.reference is None:
            return subsample._replace(indices=indices)
        likelihood = LogLikelihood(self.model, args, kwargs)
        expansion = self.proxy.expand(likelihood, subsample.reference, indices)
        return subsample._replace(indices=indices, expansion=expansion)

    def _variance(
        self, conditions: Conditions, layout: Layout, position: dict[str, jax.Array]
    ) -> jax.Array:
        """Estimate the variance of the estimated log likelihood."""
        target = self.conditional_kernel.target
        if isinstance(target, PerturbedTarget):
            return target.estimate(conditions, position)[1].variance
        if not layout.has_terms:
            return jnp.full((), jnp.nan)
        subsample, args, kwargs = conditions
        terms = LogLikelihood(self.model, args, kwargs).terms(subsample.indices, position)
        variances = [
            estimate_sum(terms[name], plate.size).variance for name, plate in layout.plates.items()
        ]
        return sum(variances, start=jnp.zeros(()))


def _subsample_key(key: jax.Array, number: Any) -> jax.Array:
    return jax.random.fold_in(jax.random.fold_in(key, SUBSAMPLES), number)


def _choose(condition: jax.Array, first: Any, second: Any) -> Any:
    """Select between two states; what they share is passed on as it is."""
    return jax.tree.map(lambda a, b: a if a is b else jnp.where(condition, a, b), first, second)
