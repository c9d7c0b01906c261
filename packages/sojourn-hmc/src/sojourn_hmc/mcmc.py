"""`MCMC`: run a kernel's chains and hold what they drew."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from numbers import Integral
from typing import Any

import jax
import numpy as np

from sojourn_hmc.arguments import Arguments
from sojourn_hmc.chain import chain_key, is_key, is_key_batch, same_key, with_keys
from sojourn_hmc.diagnostics import SamplingWarning, print_summary
from sojourn_hmc.draws import Store, constrain, present
from sojourn_hmc.driver import Lane, Phase, drive
from sojourn_hmc.engine import Engine, Job, with_fallback
from sojourn_hmc.fields import Fields, choose_fields
from sojourn_hmc.inline import Recipe, is_traced, run_inline
from sojourn_hmc.kernel import MCMCKernel
from sojourn_hmc.placement import METHODS, Placement, place
from sojourn_hmc.progress import display
from sojourn_hmc.report import report

PyTree = Any


class MCMC:
    """Draw from a distribution with a Markov chain kernel.

    Parameters
    ----------
    sampler : MCMCKernel
        The kernel, such as `NUTS`.
    num_warmup : int
        Warmup transitions of each chain; they are not kept.
    num_samples : int
        Transitions of each chain after the warmup.
    num_chains : int
        Number of chains. Chain ``i`` draws the same whatever this number is.
    thinning : int
        Keep every ``thinning``-th transition after the warmup; the last one is always kept.
    postprocess_fn : Callable, optional
        Maps one collected sample to what `get_samples` gives, in place of the kernel's own map.
    chain_method : str
        ``"parallel"`` (threads on a CPU), ``"sequential"``, or ``"vectorized"`` (one batch).
    progress_bar : bool
        Whether to show progress; the draws are the same.
    jit_model_args : bool
        For compatibility, without effect: arrays among the model's arguments are always arguments
        of the compiled programs, so that new data of the same shapes compile nothing.
    report : bool
        Whether a run with problems ends with a `SamplingWarning` that says what is wrong, where,
        and what to do: divergences, saturated trees, low E-BFMI, chains that never move, high
        R-hat, low effective sample sizes. A run without problems says nothing.

    Raises
    ------
    ValueError
        If a number or a method is out of range.

    Notes
    -----
    A run may be part of a function under `jax.jit`, `jax.vmap` or `jax.shard_map`, with
    ``progress_bar=False``; its draws are those of an ordinary run with the same key. What needs
    concrete values does not happen there: no report, and no error if a chain finds no start with a
    finite density. Such a chain stays where it is, with a ``potential_energy`` that is not finite,
    which ``extra_fields`` and `last_state` show.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> from sojourn_hmc import MCMC, NUTS
    >>> kernel = NUTS(potential_fn=lambda z: jnp.exp(z["x"]) - z["x"])  # log of an Exponential(1)
    >>> mcmc = MCMC(kernel, num_warmup=300, num_samples=700, num_chains=2, progress_bar=False)
    >>> mcmc.run(jax.random.key(0), init_params={"x": jnp.zeros(2)})  # one start for each chain
    >>> mcmc.get_samples(group_by_chain=True)["x"].shape
    (2, 700)
    """

    def __init__(
        self,
        sampler: MCMCKernel,
        *,
        num_warmup: int,
        num_samples: int,
        num_chains: int = 1,
        thinning: int = 1,
        postprocess_fn: Callable[[PyTree], PyTree] | None = None,
        chain_method: str = "parallel",
        progress_bar: bool = True,
        jit_model_args: bool = False,
        report: bool = True,
    ):
        if not isinstance(sampler, MCMCKernel):
            raise TypeError(
                f"sampler must be a kernel such as NUTS(model), got {sampler!r}; a kernel of your "
                "own derives from MCMCKernel"
            )
        limits: dict[str, tuple[Any, int]] = {
            "num_warmup": (num_warmup, 0),
            "num_samples": (num_samples, 1),
            "num_chains": (num_chains, 1),
            "thinning": (thinning, 1),
        }
        for name, (value, least) in limits.items():
            if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
                raise ValueError(f"{name} must be an integer of at least {least}, got {value!r}")
        if thinning > num_samples:
            raise ValueError(
                f"thinning={thinning} keeps none of num_samples={num_samples} draws: "
                "num_samples counts the transitions, of which every thinning-th is kept"
            )
        if chain_method not in METHODS:
            raise ValueError(f"chain_method must be one of {METHODS}, got {chain_method!r}")
        self.sampler = sampler
        self.num_warmup = int(num_warmup)
        self.num_samples = int(num_samples)
        self.num_chains = int(num_chains)
        self.thinning = int(thinning)
        self.postprocess_fn = postprocess_fn
        self.chain_method = chain_method
        self.progress_bar = progress_bar
        self.report = report
        self.placement: Placement | None = None
        self._post_warmup_state: PyTree = None
        self._lanes: list[Lane] = []
        self._samples: PyTree = None
        self._extra_fields: dict[str, Any] = {}
        self._sites: tuple[str, ...] | None = None

    def run(
        self,
        rng_key: jax.Array,
        *args: Any,
        extra_fields: Iterable[str] = (),
        init_params: PyTree = None,
        **kwargs: Any,
    ) -> None:
        """Run the warmup, unless `post_warmup_state` is set, and collect samples.

        Parameters
        ----------
        rng_key : Array
            A key, typed or legacy; chain ``i`` uses ``fold_in(rng_key, i)``. Or a batch of
            ``num_chains`` keys, one for each chain.
        *args, **kwargs
            Arguments of the model. Arrays and floats among them may change in the next run
            without another compilation.
        extra_fields : iterable of str
            Fields of the kernel's state to collect beside its default fields, with dots for fields
            of fields (``"adapt_state.step_size"``); ``"~z.site"`` leaves a site out.
        init_params : pytree, optional
            Where to start, on the unconstrained space; with a leading axis of chains if there are
            several.

        Raises
        ------
        ValueError
            If the input cannot be sampled: before anything compiles where it can be known then.
        """
        # num_samples // thinning draws are kept, counted back from the last one.
        first_kept = self.num_samples % self.thinning + self.thinning - 1
        sampling = Phase("sample", self.num_samples, first_kept, self.thinning)
        phases = [sampling]
        if self._post_warmup_state is None and self.num_warmup > 0:
            phases = [Phase("warmup", self.num_warmup, self.num_warmup, 1), sampling]
        self._run(rng_key, phases, args, kwargs, extra_fields, init_params)

    def warmup(
        self,
        rng_key: jax.Array,
        *args: Any,
        extra_fields: Iterable[str] = (),
        collect_warmup: bool = False,
        init_params: PyTree = None,
        **kwargs: Any,
    ) -> None:
        """Run the warmup alone; `run` then goes on from `post_warmup_state`.

        Parameters
        ----------
        rng_key, *args, extra_fields, init_params, **kwargs
            As for `run`.
        collect_warmup : bool
            Whether `get_samples` gives the draws of the warmup.
        """
        self._post_warmup_state = None
        first_kept = 0 if collect_warmup else self.num_warmup
        phase = Phase("warmup", self.num_warmup, first_kept, 1)
        self._run(rng_key, [phase], args, kwargs, extra_fields, init_params)
        self._post_warmup_state = self.last_state

    @property
    def post_warmup_state(self) -> PyTree:
        """The state that `run` starts sampling from, with no warmup; None for a warmup first.

        Several chains have a leading axis of chains.
        """
        return self._post_warmup_state

    @post_warmup_state.setter
    def post_warmup_state(self, state: PyTree) -> None:
        self._post_warmup_state = state

    @property
    def last_state(self) -> PyTree:
        """The state at the end of the last run; several chains have a leading axis of chains."""
        if not self._lanes:
            return None
        states = [lane.state for lane in self._lanes]
        if self.num_chains == 1 and self.placement is not None and self.placement.batched:
            return jax.tree.map(lambda leaf: leaf[0], states[0])
        if len(states) == 1:
            return states[0]
        return jax.tree.map(lambda *leaves: jax.numpy.stack(leaves), *states)

    def get_samples(self, group_by_chain: bool = False) -> PyTree:
        """Samples in the model's own (constrained) space.

        Parameters
        ----------
        group_by_chain : bool
            Whether arrays are shaped ``(num_chains, num_draws, ...)``; otherwise chain after chain
            in one leading axis.
        """
        self._require_run()
        return present(self._samples, group_by_chain)

    def get_extra_fields(self, group_by_chain: bool = False) -> dict[str, jax.Array]:
        """Collected fields of the kernel's state other than the samples, by their dotted names."""
        self._require_run()
        return present(self._extra_fields, group_by_chain)

    def print_summary(self, prob: float = 0.9, exclude_deterministic: bool = True) -> None:
        """Print moments, quantile interval, effective sample size and R-hat of every site.

        Parameters
        ----------
        prob : float
            Mass of the interval.
        exclude_deterministic : bool
            Whether to leave deterministic sites out.
        """
        self._require_run()
        if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(self._samples)):
            raise RuntimeError(
                "there are no numbers to summarise while the run is traced: return get_samples() "
                "from the traced function and give its result to sojourn_hmc.print_summary"
            )
        samples = self._samples
        if exclude_deterministic and self._sites is not None and isinstance(samples, dict):
            samples = {site: samples[site] for site in samples if site in self._sites}
        print_summary(samples, prob=prob, group_by_chain=True)
        if "diverging" in self._extra_fields:
            print(f"Number of divergences: {int(np.sum(self._extra_fields['diverging']))}")

    def _run(
        self,
        rng_key: jax.Array,
        phases: list[Phase],
        args: tuple,
        kwargs: dict,
        extra_fields: Iterable[str],
        init_params: PyTree,
    ) -> None:
        kernel = self.sampler
        keys = self._check_keys(rng_key)
        inputs = (keys, args, kwargs, init_params, self._post_warmup_state)
        if is_traced(kernel, inputs):
            self._trace(keys, phases, args, kwargs, extra_fields, init_params)
            return
        fields = choose_fields(kernel, extra_fields, watch=self.report)
        kernel.check(args, kwargs, self._one_start(init_params))
        placement = place(self.chain_method, self.num_chains)

        def begin(arguments: Arguments) -> tuple[Job, list[Any], Engine]:
            job = Job(kernel, arguments, fields, placement, self.postprocess_fn)
            if self._post_warmup_state is None:
                num_warmup = np.asarray(self.num_warmup, np.int32)
                several = init_params is not None and self.num_chains > 1
                start = job.start(keys, num_warmup, init_params, several)
                # The engine is traced and compiled while the start compiles.
                engine = job.engine(start.program.out_shape)
                return job, start.states(), engine
            states = self._states_to_continue(keys, placement)
            return job, states, job.engine(states[0])

        job, states, engine = with_fallback((args, kwargs), begin)
        lanes = [Lane(chains, state) for chains, state in zip(placement.lanes, states, strict=True)]
        for lane in lanes:
            for state in lane.chain_states(placement.batched):
                kernel.check_start(state, args, kwargs)
        self.placement, self._lanes = placement, lanes

        data = job.arguments.data
        progress = display(
            self.num_chains * sum(phase.num_transitions for phase in phases), self.progress_bar
        )
        for phase in phases:
            store = Store(self.num_chains, phase.num_kept(), engine.sample_shape, placement.batched)
            try:
                drive(
                    engine,
                    data,
                    placement,
                    lanes,
                    phase,
                    store,
                    progress,
                    kernel.get_diagnostics_str,
                )
            except BaseException:
                progress.close()
                self._keep_completed(engine, data, fields, store)
                raise
        progress.close()
        self._collect(engine, data, fields, store)
        if self.report and phases[-1].name == "sample":
            self._warn_of_problems(fields, store)

    def _trace(
        self,
        keys: jax.Array,
        phases: list[Phase],
        args: tuple,
        kwargs: dict,
        extra_fields: Iterable[str],
        init_params: PyTree,
    ) -> None:
        """Run inside the trace of an outer function; see `sojourn_hmc.inline`."""
        if self.progress_bar:
            raise ValueError(
                "MCMC.run is being traced, by an outer jax.jit, vmap or shard_map, where no "
                "progress can be shown: make MCMC(..., progress_bar=False)"
            )
        fields = choose_fields(self.sampler, extra_fields)
        # A check reads shapes and types of a start: any numbers will do for traced ones.
        start = jax.tree.map(
            lambda leaf: (
                np.zeros(leaf.shape, leaf.dtype) if isinstance(leaf, jax.core.Tracer) else leaf
            ),
            self._one_start(init_params),
        )
        self.sampler.check(args, kwargs, start)
        states = self._post_warmup_state
        if states is not None and self.num_chains == 1:
            states = jax.tree.map(lambda leaf: leaf[None], states)
        recipe = Recipe(
            self.sampler,
            fields,
            self.postprocess_fn,
            self.num_chains,
            self.chain_method == "vectorized",
            self.num_warmup,
            phases,
        )
        outcome = run_inline(recipe, keys, args, kwargs, init_params, states)
        chains = tuple(range(self.num_chains))
        self.placement = Placement((chains,), 1, True, f"{self.num_chains} chains inside a trace")
        self._lanes = [Lane(chains, outcome.states)]
        self._keep(fields, outcome.unconstrained, outcome.samples, outcome.others)

    def _collect(self, engine: Engine, data: tuple, fields: Fields, store: Store) -> None:
        if store.num_draws == 0:
            self._keep(fields, None, None, ())
            return
        unconstrained, *others = store.fields
        samples = constrain(
            engine.constrain, engine.block, data, unconstrained, store.num_chains, store.num_draws
        )
        self._keep(fields, unconstrained, samples, others)

    def _keep(
        self, fields: Fields, unconstrained: PyTree, samples: PyTree, others: Sequence[Any]
    ) -> None:
        """Keep what a user can ask for."""
        # Sites are told from what is deterministic by their names, unless these change on the way
        # to what a user reads.
        keeps_names = (
            isinstance(unconstrained, dict)
            and isinstance(samples, dict)
            and unconstrained.keys() <= samples.keys()
        )
        self._sites = tuple(unconstrained) if keeps_names else None
        if samples is not None and fields.excluded:
            fields.check_excluded(samples)
            samples = {site: samples[site] for site in samples if site not in fields.excluded}
        self._samples = samples
        named = zip(fields.names[1:], others, strict=False)
        self._extra_fields = {name: leaf for name, leaf in named if name not in fields.hidden}

    def _keep_completed(self, engine: Engine, data: tuple, fields: Fields, store: Store) -> None:
        """Keep the draws that every chain has made when a run is broken off."""
        completed = min(lane.kept for lane in self._lanes)
        if completed > 0:
            store.cut(completed)
            self._collect(engine, data, fields, store)
            warnings.warn(
                f"the run was broken off; get_samples() gives the {completed} draws that every "
                "chain has completed",
                SamplingWarning,
                stacklevel=4,
            )

    def _check_keys(self, rng_key: jax.Array) -> jax.Array:
        if not is_key(rng_key):
            raise TypeError(
                "rng_key must be a JAX key such as jax.random.key(0), or a batch of them, "
                f"got {rng_key!r}"
            )
        if is_key_batch(rng_key) and rng_key.shape[0] != self.num_chains:
            raise ValueError(
                f"rng_key is a batch of {rng_key.shape[0]} keys for num_chains={self.num_chains}: "
                "give one key, or one for each chain"
            )
        return rng_key

    def _one_start(self, init_params: PyTree) -> PyTree:
        """The initial parameters of one chain, after a check of their axis of chains."""
        if self._post_warmup_state is not None:
            sample_field = Fields((self.sampler.sample_field,), ())
            (init_params,) = sample_field.select(self._post_warmup_state)
        if init_params is None or self.num_chains == 1:
            return init_params
        for path, leaf in jax.tree_util.tree_leaves_with_path(init_params):
            if np.shape(leaf)[:1] != (self.num_chains,):
                raise ValueError(
                    f"init_params{jax.tree_util.keystr(path)} has shape {np.shape(leaf)}: for "
                    f"num_chains={self.num_chains} its first axis must have that length, "
                    "one start for each chain"
                )
        return jax.tree.map(
            lambda leaf: leaf[0] if isinstance(leaf, jax.core.Tracer) else np.asarray(leaf)[0],
            init_params,
        )

    def _states_to_continue(self, keys: jax.Array, placement: Placement) -> list[Any]:
        """States of the lanes in `post_warmup_state`, with new keys if its kernel has a key.

        The key of `run` gives chains the keys that a first run would give them, so that a warmup
        and a run with one key are one run; a chain's own key is kept as it is.
        """
        states = self._post_warmup_state
        if self.num_chains == 1:
            states = jax.tree.map(lambda leaf: leaf[None], states)
        if hasattr(states, "rng_key"):
            if is_key_batch(keys):
                states = with_keys(states, keys)
            elif not same_key(keys, states.rng_key[0]):
                chain_keys = [chain_key(keys, chain) for chain in range(self.num_chains)]
                states = with_keys(states, jax.numpy.stack(chain_keys))
        return [placement.part(lane, states) for lane in placement.lanes]

    def _warn_of_problems(self, fields: Fields, store: Store) -> None:
        """Warn of what the kernel and the draws of the sampled sites show to be wrong."""
        kernel, samples = self.sampler, self._samples
        collected = dict(zip(fields.names, store.fields, strict=True))
        problems = kernel.find_problems({name: collected[name] for name in kernel.watched_fields})
        if self._sites is not None and isinstance(samples, dict):
            # Deterministic sites may be constant or discrete for good reasons.
            sampled = {site: samples[site] for site in samples if site in self._sites}
            samples = sampled or samples
        text = report(samples, store.fields[0], problems)
        if text:
            warnings.warn(text, SamplingWarning, stacklevel=4)

    def _require_run(self) -> None:
        if self._samples is None:
            raise RuntimeError("there are no samples yet: call run() first")
