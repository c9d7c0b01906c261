"""Run a sampler on every shard of the data through an executor, and combine the draws.

Scheduling is the executor's business: processes or threads of this machine, or the workers of a
cluster whose client offers the interface of `concurrent.futures.Executor`. What a shard draws
depends on the seed and its index alone: one that is run again elsewhere draws the same.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import pickle
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import (
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    as_completed,
)
from contextlib import ExitStack
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sojourn_parallel.consensus import consensus

PyTree = Any
RunShard = Callable[[Any, PyTree, int], PyTree]
Combine = Callable[[list[PyTree]], PyTree]


class Merged(NamedTuple):
    """What a run over shards gives.

    Attributes
    ----------
    draws : pytree
        The combined draws.
    subposteriors : list of pytree
        The draws of every shard, to be combined in other ways as well.
    """

    draws: PyTree
    subposteriors: list[PyTree]


class ShardError(RuntimeError):
    """A shard failed; the draws of those that did not are kept.

    Attributes
    ----------
    completed : dict of int to pytree
        Draws by shard. Give them to `shards` again, as ``completed``, to run only the others.
    """

    def __init__(self, message: str, completed: dict[int, PyTree]):
        super().__init__(message, completed)
        self.message = message
        self.completed = completed

    def __str__(self) -> str:
        return self.message


def split(data: PyTree, num_shards: int) -> list[PyTree]:
    """Cut arrays into shards by rows, the first of which have a row more if it does not come out.

    Parameters
    ----------
    data : pytree
        Arrays with the same number of rows.
    num_shards : int
        How many shards.

    Returns
    -------
    list of pytree
        The shards, of NumPy arrays that share memory with those of ``data``.

    Raises
    ------
    ValueError
        If numbers of rows differ or there are fewer rows than shards.

    Examples
    --------
    >>> import numpy as np
    >>> from sojourn_parallel import split
    >>> [shard["y"].tolist() for shard in split({"y": np.arange(5)}, 2)]
    [[0, 1, 2], [3, 4]]
    """
    if num_shards < 1:
        raise ValueError(f"num_shards must be a positive integer, got {num_shards!r}")
    leaves = jax.tree_util.tree_leaves_with_path(data)
    rows = {
        jax.tree_util.keystr(path) or "data": np.shape(leaf)[0] if np.ndim(leaf) else 0
        for path, leaf in leaves
    }
    if len(set(rows.values())) != 1:
        raise ValueError(
            f"data must be arrays with the same number of rows, got {rows}. What all shards need "
            "whole belongs into run_shard, by functools.partial"
        )
    num_rows = next(iter(rows.values()))
    if num_rows < num_shards:
        raise ValueError(f"there are {num_rows} rows for {num_shards} shards: take fewer shards")
    size, rest = divmod(num_rows, num_shards)
    bounds = [k * size + min(k, rest) for k in range(num_shards + 1)]
    arrays = jax.tree.map(np.asarray, data)
    return [
        jax.tree.map(lambda leaf, a=a, b=b: leaf[a:b], arrays)
        for a, b in itertools.pairwise(bounds)
    ]


def shards(
    run_shard: RunShard,
    data: PyTree,
    num_shards: int,
    rng_key: Any,
    *,
    combine: Combine = consensus,
    executor: Executor | str = "processes",
    completed: Mapping[int, PyTree] | None = None,
    progress_bar: bool = True,
) -> Merged:
    """Sample the subposterior of every shard, and combine the draws.

    Parameters
    ----------
    run_shard : Callable
        ``run_shard(key, shard, num_shards)`` returns the draws of one shard, a pytree of arrays
        with a leading axis of draws. It must temper the prior to the power ``1 / num_shards``, so
        that the product of all subposteriors is the posterior. For processes it must be a function
        of a module (or a `functools.partial` of one), which they can import.
    data : pytree
        Arrays with the same number of rows, cut into shards by `split`; shuffle them before if
        their order means something.
    num_shards : int
        How many shards.
    rng_key : Array
        A key, typed or legacy; shard ``k`` gets ``fold_in(rng_key, k)`` of the same kind.
    combine : Callable
        Maps the list of subposterior draws to those of the posterior: `consensus`,
        `parametric_draws`, `semiparametric`, with their arguments given by `functools.partial`.
    executor : Executor or str
        ``"processes"`` (fresh ones on this machine, as many as it has cores), ``"threads"``, or any
        `concurrent.futures.Executor`, such as that of a Dask client, ``client.get_executor()``;
        one that is given is not shut down.
    completed : dict of int to pytree, optional
        Draws of shards that need not run again, from a `ShardError`.
    progress_bar : bool
        Whether to write a line for every shard that is done.

    Returns
    -------
    Merged
        The combined draws, and those of every shard.

    Raises
    ------
    ShardError
        If a shard fails; the others are run to their end, and the error holds their draws.
    ValueError
        If data cannot be cut.

    Examples
    --------
    >>> import jax, numpy as np
    >>> from sojourn_parallel import shards
    >>> def run_shard(key, shard, num_shards):  # y ~ Normal(mean, 1), flat prior: closed form
    ...     noise = jax.random.normal(key, (2000,)) / len(shard) ** 0.5
    ...     return {"mean": shard.mean() + noise}
    >>> y = np.random.default_rng(0).normal(5.0, 1.0, size=90)
    >>> merged = shards(run_shard, y, 3, jax.random.key(0), executor="threads", progress_bar=False)
    >>> bool(abs(merged.draws["mean"].mean() - y.mean()) < 0.01)
    True
    """
    pieces = split(data, num_shards)
    done = dict(completed or {})
    unknown = sorted(set(done) - set(range(num_shards)))
    if unknown:
        raise ValueError(f"completed names the shards {unknown}, but there are {num_shards}")
    todo = [k for k in range(num_shards) if k not in done]
    report = _Report(num_shards, len(done), progress_bar)
    failed: dict[int, BaseException] = {}
    with ExitStack() as stack:
        pool = _executor(executor, run_shard, len(todo), stack)
        key = _KeyData.of(rng_key)
        futures: dict[Future, int] = {
            pool.submit(_run, run_shard, key, k, pieces[k], num_shards): k for k in todo
        }
        try:
            for future in as_completed(futures):
                shard = futures[future]
                error = future.exception()
                if error is None:
                    done[shard] = future.result()
                else:
                    failed[shard] = error
                report.shard(shard, error)
        except KeyboardInterrupt as interrupt:
            for future in futures:
                future.cancel()
            raise ShardError(
                f"interrupted with {len(done)} of {num_shards} shards done: continue with "
                "completed=error.completed",
                done,
            ) from interrupt
    if failed:
        first = min(failed)
        raise ShardError(_describe(failed, num_shards, done), done) from failed[first]
    subposteriors = [done[k] for k in range(num_shards)]
    return Merged(combine(subposteriors), subposteriors)


class _KeyData(NamedTuple):
    """A key as plain numbers, which any process can receive."""

    data: np.ndarray
    implementation: str | None  # of a typed key

    @classmethod
    def of(cls, key: Any) -> _KeyData:
        typed = isinstance(key, jax.Array) and jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
        if typed and key.ndim == 0:
            return cls(np.asarray(jax.random.key_data(key)), str(jax.random.key_impl(key)))
        if typed or np.shape(key) not in ((2,), (4,)):
            raise TypeError(f"rng_key must be one key such as jax.random.key(0), got {key!r}")
        return cls(np.asarray(key), None)

    def of_shard(self, shard: int) -> jax.Array:
        if self.implementation is None:
            return jax.random.fold_in(jnp.asarray(self.data), shard)
        key = jax.random.wrap_key_data(jnp.asarray(self.data), impl=self.implementation)
        return jax.random.fold_in(key, shard)


def _run(run_shard: RunShard, key: _KeyData, shard: int, data: PyTree, num_shards: int) -> PyTree:
    """Sample one shard, where the executor runs it; the draws come back as NumPy arrays."""
    return jax.tree.map(np.asarray, run_shard(key.of_shard(shard), data, num_shards))


def _describe(failed: dict[int, BaseException], num_shards: int, done: dict[int, PyTree]) -> str:
    first = min(failed)
    error = failed[first]
    if isinstance(error, BrokenExecutor):
        what = (
            "was lost, since a process ended. If it was killed, run it again; if all are lost, the "
            "processes could not begin: they import run_shard from its module, and a script must "
            "call shards() under if __name__ == '__main__'"
        )
    else:
        what = f"failed with {type(error).__name__}: {error}"
    others = f" (and {len(failed) - 1} others)" if len(failed) > 1 else ""
    return (
        f"shard {first} of {num_shards}{others} {what}; {len(done)} are done: continue with "
        "completed=error.completed"
    )


def _executor(
    executor: Executor | str, run_shard: RunShard, num_tasks: int, stack: ExitStack
) -> Executor:
    if not isinstance(executor, str):
        return executor
    workers = max(1, min(num_tasks, os.cpu_count() or 1))
    if executor == "threads":
        return stack.enter_context(ThreadPoolExecutor(workers))
    if executor == "processes":
        try:
            pickle.dumps(run_shard)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise TypeError(
                f"run_shard cannot be sent to other processes ({error}): make it a function of a "
                "module, or a functools.partial of one, or use executor='threads'"
            ) from error
        # Spawned: JAX does not survive a fork.
        context = multiprocessing.get_context("spawn")
        return stack.enter_context(ProcessPoolExecutor(workers, mp_context=context))
    raise ValueError(
        f"executor must be 'processes', 'threads' or a concurrent.futures.Executor, got "
        f"{executor!r}"
    )


class _Report:
    """Lines that say which shards are done."""

    def __init__(self, num_shards: int, num_done: int, enabled: bool):
        self.num_shards = num_shards
        self.num_done = num_done
        self.enabled = enabled
        self.begin = time.perf_counter()

    def shard(self, shard: int, error: BaseException | None) -> None:
        self.num_done += 1
        if self.enabled:
            seconds = time.perf_counter() - self.begin
            state = "done" if error is None else f"failed ({type(error).__name__})"
            text = f"{self.num_done}/{self.num_shards} [{seconds:.1f} s] shard {shard} {state}"
            print(text, file=sys.stderr, flush=True)
