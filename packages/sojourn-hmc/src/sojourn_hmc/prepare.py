"""From what a user asks to a run that is ready to go: checked, traced, and with its first states.

Also where a run goes on from a checkpoint instead.
"""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh

from sojourn_hmc import checkpoint
from sojourn_hmc.arguments import Arguments, with_data
from sojourn_hmc.checkpoint import Checkpoint, fingerprint
from sojourn_hmc.chunk import Effort
from sojourn_hmc.driver import Phase
from sojourn_hmc.engine import Job, Start
from sojourn_hmc.fields import Fields
from sojourn_hmc.given import states_to_continue
from sojourn_hmc.kernel import MCMCKernel
from sojourn_hmc.lane import Reached, part
from sojourn_hmc.placement import Transform, place
from sojourn_hmc.run import Run
from sojourn_hmc.stores import DrawStore


class Request(NamedTuple):
    """What a user asks for, after a check.

    Attributes
    ----------
    kernel : MCMCKernel
        The kernel.
    fields : Fields
        What is collected.
    postprocess_fn : Callable or None
        The user's map of a collected sample, in place of the kernel's.
    num_chains : int
        Number of chains.
    chain_method : str, Callable or Mesh
        How they are laid out.
    lock_step : bool or None
        Whether chains of a batch make each transition together; None chooses.
    phases : tuple of Phase
        What is done, one after the other.
    num_warmup : int
        For the kernel's `init`.
    longest_chunk : int or None
        Transitions between two looks at the run.
    keys : Array
        A seed, or a batch with a key for each chain.
    args, kwargs
        Arguments of the model.
    init_params : pytree or None
        Where to start, with a leading axis of chains if there are several.
    states : pytree or None
        States to go on from, in place of new ones; likewise.
    effort : Effort
        What these have cost.
    """

    kernel: MCMCKernel
    fields: Fields
    postprocess_fn: Callable[[Any], Any] | None
    num_chains: int
    chain_method: str | Transform | Mesh
    lock_step: bool | None
    phases: tuple[Phase, ...]
    num_warmup: int
    longest_chunk: int | None
    keys: jax.Array
    args: tuple
    kwargs: dict
    init_params: Any
    states: Any
    effort: Effort


class Ready(NamedTuple):
    """A run that is ready to go.

    Attributes
    ----------
    run : Run
        The run.
    keeper : Checkpoint or None
        What keeps it on disk.
    """

    run: Run
    keeper: Checkpoint | None


def prepare(
    request: Request, path: Any = None, every: float = 0.0, store: DrawStore | None = None
) -> Ready:
    """Trace and begin to compile what a run needs, and put its chains where they go on from.

    Parameters
    ----------
    request : Request
        What to run.
    path : path, optional
        Of a checkpoint: the run goes on from it if there is one.
    every : float
        Seconds between two checkpoints.
    store : DrawStore, optional
        Where draws go instead of memory.
    """
    if isinstance(every, bool) or not isinstance(every, Real) or not every >= 0:
        raise ValueError(f"checkpoint_every must be a number of seconds from 0 on, got {every!r}")
    placement = place(request.chain_method, request.num_chains, (request.args, request.kwargs))
    goes_on = path is not None and checkpoint.exists(path)
    given = request.states
    if given is not None:
        given = states_to_continue(given, request.keys, request.num_chains)

    def begin(arguments: Arguments) -> tuple[Run, Start | None, list[Any]]:
        # Data go to the device or devices once, here: the threads that run chunks neither copy them
        # again nor see this thread's settings of JAX, such as its precision.
        placed = arguments._replace(data=placement.put(arguments.data))
        job = Job(
            request.kernel,
            placed,
            request.fields,
            placement,
            request.postprocess_fn,
            request.lock_step,
        )
        if given is not None:
            states = part(given, placement)
            engine = job.engine(states[0])
            run = Run(job, engine, states[0], request.phases, request.longest_chunk)
            return run, None, states
        num_warmup = np.asarray(request.num_warmup, np.int32)
        several = request.init_params is not None and request.num_chains > 1
        start = job.start(request.keys, num_warmup, request.init_params, several)
        if not goes_on:
            # The engine is traced and compiled while the start compiles.
            start.program.start_compiling()
        shape = start.program.out_shape
        run = Run(job, job.engine(shape), shape, request.phases, request.longest_chunk)
        return run, start, []

    run, start, states = with_data((request.args, request.kwargs), begin)
    run.effort_before = request.effort
    if store is not None:
        (store.extend if goes_on else store.create)(run.stream_to(store).layout)
    keeper = None
    if path is not None:
        identity = fingerprint(run.job, run.engine, request.keys, start, given, request.phases)
        keeper = Checkpoint(path, every, identity)
    if goes_on:
        assert keeper is not None
        keeper.restore(run)
        return Ready(run, keeper)
    if start is not None:
        states = start.states()
    run.stand_at(0, [Reached(state, 0, 0) for state in states])
    for lane in run.lanes:
        for state in lane.chain_states(placement.batched):
            request.kernel.check_start(state, request.args, request.kwargs)
    return Ready(run, keeper)
