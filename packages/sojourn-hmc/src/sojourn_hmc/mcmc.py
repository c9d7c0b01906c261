"""`MCMC`: run a kernel's chains and hold what they drew."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from os import PathLike
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from sojourn_hmc.checkpoint import Checkpoint
from sojourn_hmc.chunk import NO_EFFORT, Effort
from sojourn_hmc.conduct import Audience, Watcher, conduct
from sojourn_hmc.datatree import Drawn, to_datatree
from sojourn_hmc.diagnostics import SamplingWarning, print_summary
from sojourn_hmc.draws import present
from sojourn_hmc.driver import Phase
from sojourn_hmc.fields import Fields, choose_fields
from sojourn_hmc.given import (
    check_integers,
    check_kernel,
    check_keys,
    check_method,
    one_start,
    position_of,
)
from sojourn_hmc.inline import is_traced
from sojourn_hmc.kernel import MCMCKernel
from sojourn_hmc.lane import map_on_host
from sojourn_hmc.placement import Placement, Transform
from sojourn_hmc.prepare import Request, prepare
from sojourn_hmc.results import Results, collect, problems
from sojourn_hmc.run import Run
from sojourn_hmc.stores import DrawStore
from sojourn_hmc.traced import trace

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
    chain_method : str, Callable or jax.sharding.Mesh
        ``"parallel"``: threads on a CPU, a batch of chains on each of several devices.
        ``"sequential"``: one chain after the other. ``"vectorized"``: all chains as one batch. A
        transform such as `jax.vmap` is applied to the program of one chain, and is called with
        chains along the leading axis. A mesh says which devices to spread the chains over.
        `placement` says what was done.
    progress_bar : bool
        Whether to show progress; the draws are the same.
    progress_rate : int, optional
        Transitions of a chain between two looks at the run, by progress, ``callback`` and
        ``stop_when``; None looks about ten times a second.
    jit_model_args : bool
        For compatibility, without effect: arrays among the model's arguments are always arguments
        of the compiled programs, so that new data of the same shapes compile nothing.
    report : bool
        Whether a run with problems ends with a `SamplingWarning` that says what is wrong, where,
        and what to do: divergences, saturated trees, low E-BFMI, chains that never move, high
        R-hat, low effective sample sizes. A run without problems says nothing.
    lock_step : bool, optional
        Whether the chains of a batch make each transition together, or each advances at its own
        pace. The draws are the same. By default what is expected to be faster; `placement` says
        which, and why.

    Attributes
    ----------
    ended_by : str or None
        What ended the last run before all its draws were made: the name of an exception, or a rule.
    placement : Placement or None
        How the chains of the last run were laid out.

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
        chain_method: str | Transform | Mesh = "parallel",
        progress_bar: bool = True,
        progress_rate: int | None = None,
        jit_model_args: bool = False,
        report: bool = True,
        lock_step: bool | None = None,
    ):
        check_kernel(sampler)
        check_integers(
            num_warmup=(num_warmup, 0),
            num_samples=(num_samples, 1),
            num_chains=(num_chains, 1),
            thinning=(thinning, 1),
            progress_rate=(1 if progress_rate is None else progress_rate, 1),
        )
        if thinning > num_samples:
            raise ValueError(
                f"thinning={thinning} keeps none of num_samples={num_samples} draws: "
                "num_samples counts the transitions, of which every thinning-th is kept"
            )
        check_method(chain_method)
        self.sampler = sampler
        self.num_warmup = int(num_warmup)
        self.num_samples = int(num_samples)
        self.num_chains = int(num_chains)
        self.thinning = int(thinning)
        self.postprocess_fn = postprocess_fn
        self.chain_method = chain_method
        self.progress_bar = progress_bar
        self.progress_rate = progress_rate
        self.report = report
        self.lock_step = lock_step
        self.placement: Placement | None = None
        self.ended_by: str | None = None
        self._post_warmup_state: PyTree = None
        self._post_warmup_effort = NO_EFFORT
        self._effort_elsewhere = NO_EFFORT
        self._last_state: PyTree = None
        self._run: Run | None = None
        self._keeper: Checkpoint | None = None
        self._results = Results()
        self._warmup_results = Results()
        self._args: tuple = ()
        self._kwargs: dict[str, Any] = {}

    def run(
        self,
        rng_key: jax.Array,
        *args: Any,
        extra_fields: Iterable[str] = (),
        init_params: PyTree = None,
        callback: Watcher | None = None,
        stop_when: Watcher | None = None,
        checkpoint: str | PathLike[str] | None = None,
        checkpoint_every: float = 60.0,
        store: DrawStore | None = None,
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
        callback : Callable, optional
            Called with a `RunView` after each chunk of the run, about ten times a second.
        stop_when : Callable, optional
            Called as ``callback`` is: the run ends once it gives something true. Rules such as
            `EffectiveSampleSize` and `WallTime` can be combined with ``&`` and ``|``.
        checkpoint : path, optional
            A directory that keeps the run. If it holds one already, the run goes on from there:
            the same call in a new process, after whatever ended the old one, gives the draws of a
            run that was never broken off. A larger ``num_samples`` makes a finished run longer.
        checkpoint_every : float
            Seconds between two checkpoints; there is one at the end of a run, too. With 0 there is
            one after each chunk.

        store : DrawStore, optional
            Where draws go as they arrive, instead of memory: `NumpyStore` or `ZarrStore`. What is
            read of it after the run is mapped, not loaded, until `get_samples` is called.

        Raises
        ------
        ValueError
            If the input cannot be sampled: before anything compiles where it can be known then.
        FileExistsError
            If the store holds draws, unless the run goes on from a checkpoint.
        CheckpointError
            If the checkpoint is of another run, of an unknown format, or damaged.

        Notes
        -----
        Whatever breaks a run off, Ctrl-C or an exception, goes on its way to the caller, after the
        draws that every chain has made were put where `get_samples` finds them; `ended_by` names
        it, and `resume` goes on.

        A model's own arguments that have the name of one of these are given by position.
        """
        # num_samples // thinning draws are kept, counted back from the last one.
        first_kept = self.num_samples % self.thinning + self.thinning - 1
        sampling = Phase("sample", self.num_samples, first_kept, self.thinning)
        phases: tuple[Phase, ...] = (sampling,)
        if self._post_warmup_state is None:
            self._warmup_results = Results()
            if self.num_warmup > 0:
                phases = (Phase("warmup", self.num_warmup, self.num_warmup, 1), sampling)
        request = self._request(rng_key, phases, args, kwargs, extra_fields, init_params)
        if self._start(request, checkpoint, checkpoint_every, store):
            self._draw(callback, stop_when)

    def resume(self, *, callback: Watcher | None = None, stop_when: Watcher | None = None) -> None:
        """Go on with a run that was broken off or stopped, up to its ``num_samples``.

        The draws are those of a run that was never broken off.

        Parameters
        ----------
        callback, stop_when : Callable, optional
            As for `run`.

        Raises
        ------
        RuntimeError
            If there is no such run: none was begun, it is complete, or it was begun in another
            process.
        """
        if self._run is None:
            raise RuntimeError(
                "there is no run to go on with: call run() first. A run of another process goes "
                "on from its checkpoint only"
            )
        if self._run.is_complete and self.ended_by is None:
            raise RuntimeError(
                "the run is complete: for more draws set post_warmup_state = last_state and call "
                "run() again"
            )
        self._draw(callback, stop_when)

    def warmup(
        self,
        rng_key: jax.Array,
        *args: Any,
        extra_fields: Iterable[str] = (),
        collect_warmup: bool = False,
        init_params: PyTree = None,
        callback: Watcher | None = None,
        checkpoint: str | PathLike[str] | None = None,
        checkpoint_every: float = 60.0,
        store: DrawStore | None = None,
        **kwargs: Any,
    ) -> None:
        """Run the warmup alone; `run` then goes on from `post_warmup_state`.

        A warmup that was broken off is completed by `resume`.

        Parameters
        ----------
        rng_key, *args, extra_fields, init_params, callback, checkpoint_every, **kwargs
            As for `run`.
        collect_warmup : bool
            Whether `get_samples` gives the draws of the warmup.
        checkpoint : path, optional
            A directory that keeps the warmup, in a directory ``warmup`` of its own there: `run` may
            be given the same path.
        store : DrawStore, optional
            As for `run`, with ``collect_warmup=True``.

        Raises
        ------
        ValueError
            If there is a store, but no draw for it.
        CheckpointError
            As for `run`.
        """
        if store is not None and not collect_warmup:
            raise ValueError(
                "store= is for the draws of the warmup, which are not kept: say "
                "collect_warmup=True, or leave the store to run()"
            )
        self.post_warmup_state = None
        first_kept = 0 if collect_warmup else self.num_warmup
        phase = Phase("warmup", self.num_warmup, first_kept, 1)
        request = self._request(rng_key, (phase,), args, kwargs, extra_fields, init_params)
        path = None if checkpoint is None else Path(checkpoint) / "warmup"
        if self._start(request, path, checkpoint_every, store):
            self._draw(callback, None)
        else:
            self._end_warmup()

    @property
    def post_warmup_state(self) -> PyTree:
        """The state that `run` starts sampling from, with no warmup; None for a warmup first.

        Several chains have a leading axis of chains.
        """
        return self._post_warmup_state

    @post_warmup_state.setter
    def post_warmup_state(self, state: PyTree) -> None:
        own = state is not None and state is self._last_state
        self._post_warmup_state = state
        self._post_warmup_effort = self._effort if own else NO_EFFORT

    @property
    def last_state(self) -> PyTree:
        """The state at the end of the last run; several chains have a leading axis of chains."""
        if self._last_state is None and self._run is not None:
            self._last_state = self._run.last_state()
        return self._last_state

    @property
    def utilisation(self) -> float | None:
        """Share of the leapfrog steps computed that transitions were made of, warmup included.

        Below 1 where chains of a batch wait for each other. None where that is not counted: chains
        by themselves, which wait for nobody, and kernels that do not count steps. A run that goes
        on from a checkpoint, from `warmup` or from `last_state` counts what came before, too.
        """
        useful, executed = self._effort
        return useful / executed if executed else None

    @property
    def _effort(self) -> Effort:
        return self._effort_elsewhere if self._run is None else self._run.effort

    @property
    def is_complete(self) -> bool:
        """Whether the last run made all its draws; if not, `ended_by` says why."""
        has_run = self._run is not None or self._last_state is not None
        return self.ended_by is None and has_run

    def transfer_states_to_host(self) -> None:
        """Move `last_state` and `post_warmup_state` from the device to host memory.

        Draws are there already.
        """
        self._last_state = map_on_host(lambda leaf: leaf, self.last_state)
        self._post_warmup_state = map_on_host(lambda leaf: leaf, self._post_warmup_state)

    def get_samples(self, group_by_chain: bool = False) -> PyTree:
        """Samples in the model's own (constrained) space.

        Parameters
        ----------
        group_by_chain : bool
            Whether arrays are shaped ``(num_chains, num_draws, ...)``; otherwise chain after chain
            in one leading axis.
        """
        self._require_run()
        return present(self._results.samples, group_by_chain)

    def get_extra_fields(self, group_by_chain: bool = False) -> dict[str, jax.Array]:
        """Collected fields of the kernel's state other than the samples, by their dotted names."""
        self._require_run()
        return present(self._results.extra_fields, group_by_chain)

    def to_datatree(self, *, log_likelihood: bool = False, **groups: Any) -> Any:
        """Draws, statistics and data as a DataTree, which ArviZ summarises, compares and plots.

        Axes have the names of the model's plates; statistics those of ArviZ: ``lp`` is the negative
        ``potential_energy``, ``n_steps`` is ``num_steps``, ``acceptance_rate`` is ``accept_prob``.
        A warmup of `warmup` with ``collect_warmup=True`` has groups of its own.

        Parameters
        ----------
        log_likelihood : bool
            Whether to compute the log density of every observation, which ``loo`` needs.
        **groups
            ``posterior_predictive``, ``predictions``, ``prior`` (with prior predictive draws),
            ``constant_data``, ``predictions_constant_data``: arrays by name. ``coords``: labels
            along an axis, by its name. ``dims``: names of the axes of a variable, in place of the
            plates. ``pred_coords``, ``pred_dims``: the same for predictions.

        Raises
        ------
        ImportError
            Without ArviZ: ``pip install 'sojourn[arviz]'``.
        ValueError
            If shapes do not fit to the draws, or names of axes and labels to a variable.
        """
        self._require_run()
        results, warmup = self._results, self._warmup_results
        drawn = Drawn(
            self.sampler,
            self._args,
            self._kwargs,
            Results() if results is warmup else results,
            warmup,
        )
        return to_datatree(drawn, log_likelihood=log_likelihood, **groups)

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
        outcome = self._results
        if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(outcome.samples)):
            raise RuntimeError(
                "there are no numbers to summarise while the run is traced: return get_samples() "
                "from the traced function and give its result to sojourn_hmc.print_summary"
            )
        samples = outcome.sampled() if exclude_deterministic else outcome.samples
        print_summary(samples, prob=prob, group_by_chain=True)
        if "diverging" in outcome.extra_fields:
            print(f"Number of divergences: {int(np.sum(outcome.extra_fields['diverging']))}")

    def __getstate__(self) -> dict:
        """Pickle states and results; a run that is not complete cannot be resumed elsewhere."""
        return {
            **vars(self),
            "_run": None,
            "_keeper": None,
            "_last_state": self.last_state,
            "_effort_elsewhere": self._effort,
        }

    def _request(
        self,
        rng_key: jax.Array,
        phases: tuple[Phase, ...],
        args: tuple,
        kwargs: dict,
        extra_fields: Iterable[str],
        init_params: PyTree,
    ) -> Request:
        """Check what is asked for, as far as that needs no trace."""
        self._args, self._kwargs = args, kwargs
        return Request(
            self.sampler,
            choose_fields(self.sampler, extra_fields, watch=self.report),
            self.postprocess_fn,
            self.num_chains,
            self.chain_method,
            self.lock_step,
            phases,
            self.num_warmup,
            self.progress_rate,
            check_keys(rng_key, self.num_chains),
            args,
            kwargs,
            position_of(init_params),
            self._post_warmup_state,
            self._post_warmup_effort,
        )

    def _start(
        self,
        request: Request,
        path: Any = None,
        every: float = 0.0,
        store: DrawStore | None = None,
    ) -> bool:
        """Make ready for a run; False if it was traced into an outer function and is over."""
        inputs = (request.keys, request.args, request.kwargs, request.init_params, request.states)
        if is_traced(self.sampler, inputs):
            self._trace(request)
            return False
        self.sampler.check(request.args, request.kwargs, self._one_start(request.init_params))
        self._run, self._keeper = prepare(request, path, every, store)
        self.placement, self._last_state = self._run.placement, None
        self._results, self.ended_by = Results(), "nothing yet"
        return True

    def _draw(self, callback: Watcher | None, stop_when: Watcher | None) -> None:
        """Go on with the run until it is complete, or something ends it."""
        run, keeper = self._run, self._keeper
        assert run is not None
        audience = Audience(
            callback, stop_when, self.progress_bar, each_time=self.progress_rate is not None
        )
        try:
            self.ended_by = conduct(run, keeper, audience)
            collected = self._collect(run, everywhere=True)
            if keeper is not None:
                keeper.save(run)
        except BaseException as error:
            self.ended_by = type(error).__name__
            try:
                self._collect_after(error, run)
                warnings.warn(
                    f"the run was broken off by {self.ended_by}; {self._what_there_is(run)}, and "
                    "resume() goes on",
                    SamplingWarning,
                    stacklevel=3,
                )
            finally:
                if keeper is not None:
                    keeper.save_after(error, run)
            raise
        if self.report and run.phase.name == "sample" and collected:
            text = problems(self.sampler, run.job.fields, collected, self._results)
            if text:
                warnings.warn(text, SamplingWarning, stacklevel=3)
        if run.is_complete:
            run.release()
            if run.phase.name == "warmup":
                self._end_warmup()

    def _end_warmup(self) -> None:
        """Keep what a complete warmup leaves for the run after it."""
        self._warmup_results = self._results
        self.post_warmup_state = self.last_state

    def _collect(self, run: Run, everywhere: bool = False) -> tuple:
        """Put the draws that every chain has made where a user finds them; give their fields."""
        self._last_state, self._results = None, Results()
        fields, self._results, self._last_state = collect(run, everywhere)
        return fields

    def _collect_after(self, error: BaseException, run: Run) -> None:
        """Collect when a run breaks off; what a full disk keeps back is noted."""
        try:
            self._collect(run)
        except OSError as failure:
            error.add_note(f"get_samples() gives nothing before resume() finds room: {failure}")

    def _what_there_is(self, run: Run) -> str:
        if run.num_draws == 0:
            return f"there are no draws after {run.num_done} of {run.num_planned} transitions"
        return f"get_samples() gives the {run.num_draws} draws that every chain has completed"

    def _trace(self, request: Request) -> None:
        """Run inside the trace of an outer function; see `sojourn_hmc.traced`."""
        if self.progress_bar:
            raise ValueError(
                "MCMC.run is being traced, by an outer jax.jit, vmap or shard_map, where no "
                "progress can be shown: make MCMC(..., progress_bar=False)"
            )
        traced = trace(request, self._one_start(request.init_params))
        self._run = self._keeper = self.ended_by = None
        self._effort_elsewhere = NO_EFFORT
        self.placement, self._last_state, self._results = traced

    def _one_start(self, init_params: PyTree) -> PyTree:
        """Where one chain starts, in its unconstrained position."""
        if self._post_warmup_state is not None:
            sample_field = Fields((self.sampler.sample_field,), ())
            (init_params,) = sample_field.select(self._post_warmup_state)
        return one_start(init_params, self.num_chains)

    def _require_run(self) -> None:
        if self._results.samples is not None:
            return
        if self._run is not None and not self._run.is_complete:
            raise RuntimeError(
                f"the run was ended by {self.ended_by} before every chain had made a draw: "
                "resume() goes on"
            )
        raise RuntimeError("there are no samples yet: call run() first")
