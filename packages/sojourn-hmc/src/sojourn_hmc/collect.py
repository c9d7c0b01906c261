"""A loop that collects values: for who drives a chain, or anything else, without `MCMC`."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from numbers import Integral
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from sojourn_hmc.chain import require_same_types, strong
from sojourn_hmc.progress import display

CHUNK_SECONDS = 0.1
FIRST_CHUNK = 10
SAME_TYPES = "body_fun must return a value with the structure, shapes and dtypes of its argument"


def identity(value: Any) -> Any:
    """Return what is given."""
    return value


def fori_collect(
    lower: int,
    upper: int,
    body_fun: Callable[[Any], Any],
    init_val: Any,
    transform: Callable[[Any], Any] = identity,
    progbar: bool = True,
    progress_rate: int | None = None,
    return_last_val: bool = False,
    collection_size: int | None = None,
    thinning: int = 1,
    **progbar_opts: Any,
) -> Any:
    """Apply a function ``upper`` times, and collect the values after the first ``lower`` times.

    Parameters
    ----------
    lower : int
        How many values to pass over first.
    upper : int
        How many times to apply ``body_fun``.
    body_fun : Callable
        A pure function that maps a value, a pytree of arrays, to the next one.
    init_val : pytree
        The first value; it is not collected.
    transform : Callable
        A pure function that makes of a value what is collected.
    progbar : bool
        Whether to show progress; nothing is shown where the loop is traced by an outer function.
    progress_rate : int, optional
        Applications between two looks at the progress; about a tenth of a second if None.
    return_last_val : bool
        Whether to return the last value too.
    collection_size : int, optional
        Length of what is returned, ``(upper - lower) // thinning`` if None; rows beyond these are
        zero.
    thinning : int
        Collect every ``thinning``-th value, counted back from the last one.
    **progbar_opts
        ``progbar_desc``, the label of the display (or a function of the number of applications),
        and ``diagnostics_fn``, which describes a concrete value in a few words.

    Returns
    -------
    pytree
        What was collected, stacked along a leading axis; with ``return_last_val`` a pair of this
        and the last value.

    Raises
    ------
    ValueError
        If a number is out of range.
    TypeError
        If a display option is unknown.

    Examples
    --------
    >>> doubled = fori_collect(2, 6, lambda x: 2 * x, 1.0, progbar=False)
    >>> doubled.tolist()
    [8.0, 16.0, 32.0, 64.0]
    """
    label = progbar_opts.pop("progbar_desc", "collect")
    describe = progbar_opts.pop("diagnostics_fn", None)
    progbar_opts.pop("num_chains", None)
    if progbar_opts:
        raise TypeError(
            f"fori_collect has no display options {sorted(progbar_opts)}; there are "
            "'progbar_desc' and 'diagnostics_fn'"
        )
    num_kept = _check(lower, upper, thinning, progress_rate)
    size = num_kept if collection_size is None else collection_size
    if size < num_kept:
        raise ValueError(
            f"collection_size={size} is less than the {num_kept} values that are collected"
        )
    value = strong(jax.tree.map(jnp.asarray, init_val))
    shape = jax.eval_shape(lambda value: transform(body_fun(value)), value)
    collection = jax.tree.map(lambda leaf: jnp.zeros((size, *leaf.shape), leaf.dtype), shape)
    first = np.int32(upper - num_kept * thinning)
    every = np.int32(thinning)
    if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves((value, collection))):
        value, collection = _loop(body_fun, transform, 0, upper, first, every, value, collection)
        return (collection, value) if return_last_val else collection
    shown = display(upper, progbar, each_time=progress_rate is not None)
    done, length = 0, progress_rate or FIRST_CHUNK
    try:
        while done < upper:
            begin = time.perf_counter()
            last = min(upper, done + length)
            value, collection = jax.block_until_ready(
                _chunk(
                    body_fun,
                    transform,
                    np.int32(done),
                    np.int32(last),
                    first,
                    every,
                    value,
                    collection,
                )
            )
            done = last
            shown.show(
                done,
                label(done) if callable(label) else label,
                partial(describe, value) if describe is not None else str,
            )
            if progress_rate is None:
                seconds = time.perf_counter() - begin
                length = max(1, int(length * np.clip(CHUNK_SECONDS / seconds, 0.1, 10)))
    finally:
        shown.close()
    return (collection, value) if return_last_val else collection


def _check(lower: Any, upper: Any, thinning: Any, progress_rate: Any) -> int:
    """Return how many values are collected; raise a ValueError on numbers out of range."""
    limits = {"lower": (lower, 0), "upper": (upper, lower), "thinning": (thinning, 1)}
    if progress_rate is not None:
        limits["progress_rate"] = (progress_rate, 1)
    for name, (number, least) in limits.items():
        if isinstance(number, bool) or not isinstance(number, Integral) or number < least:
            raise ValueError(f"{name} must be an integer of at least {least}, got {number!r}")
    return (upper - lower) // thinning


def _loop(
    body_fun: Callable[[Any], Any],
    transform: Callable[[Any], Any],
    begin: Any,
    end: Any,
    first: Any,
    thinning: Any,
    value: Any,
    collection: Any,
) -> tuple[Any, Any]:
    """Applications from ``begin`` to ``end``; those from ``first`` on are collected."""

    def step(n: jax.Array, carry: tuple) -> tuple:
        value, collection = carry
        before, value = value, strong(body_fun(value))
        require_same_types(before, value, SAME_TYPES)
        # Each value of a group is written over the one before; the last one stays.
        row = jnp.maximum(n - first, 0) // thinning
        collection = jax.tree.map(
            lambda rows, leaf: (
                lax.dynamic_update_index_in_dim(rows, leaf, row, 0) if rows.shape[0] else rows
            ),
            collection,
            transform(value),
        )
        return value, collection

    return lax.fori_loop(begin, end, step, (value, collection))


_chunk = partial(jax.jit, static_argnums=(0, 1), donate_argnums=(7,))(_loop)
