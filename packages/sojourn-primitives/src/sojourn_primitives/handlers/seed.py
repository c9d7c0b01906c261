"""Handler that gives each random statement a key of its own."""

from __future__ import annotations

import copy
import numbers
from collections.abc import Callable, Iterable
from typing import Any, Self

import jax
import jax.numpy as jnp

from sojourn_primitives.message import Message
from sojourn_primitives.messenger import Messenger

_RANDOM = frozenset({"sample", "plate", "param", "prng_key", "control_flow"})

# One program for all counters: outside of a transformation a compiled call is several times faster.
_fold_in = jax.jit(jax.random.fold_in)


class seed(Messenger):
    """Give every statement that has to draw a key that is derived from one seed.

    The n-th statement that needs a key gets ``jax.random.fold_in(key, n)``. Nothing but a Python
    counter changes from site to site, so a seed that is entered outside of `jax.jit` can be used
    inside of it. Statements that have a value or a key already take none; a plate that is stated
    again under its name takes the same key, hence the same subsample, again.

    Parameters
    ----------
    fn : callable, optional
        The model.
    rng_seed : int or key
        An integer, a typed key (``jax.random.key``) or a legacy one (``jax.random.PRNGKey``). An
        integer becomes a key when the first statement needs one.
    hide_types : iterable of str, optional
        Types of messages that get no key from this handler.

    Raises
    ------
    ValueError
        No seed is given.
    TypeError
        The seed is no integer and no single key.

    Examples
    --------
    >>> from sojourn_primitives import handlers, prng_key
    >>> draw = handlers.seed(prng_key, rng_seed=0)
    >>> bool(draw() == draw())
    True
    """

    def __init__(
        self,
        fn: Callable[..., Any] | None = None,
        rng_seed: Any = None,
        hide_types: Iterable[str] | None = None,
    ) -> None:
        super().__init__(fn)
        self.rng_seed = rng_seed
        self.hide_types = frozenset() if hide_types is None else frozenset(hide_types)
        self._key: Any = None if _is_integer(rng_seed) else _checked_key(rng_seed)
        self._count = 0
        self._plates: dict[str | None, int] = {}

    def _for_call(self) -> Self:
        fresh = copy.copy(self)
        fresh._count = 0
        return fresh

    def __enter__(self) -> Self:
        self._plates = {}
        super().__enter__()
        return self

    def process_message(self, msg: Message) -> None:
        kind = msg["type"]
        if kind not in _RANDOM or msg["value"] is not None or kind in self.hide_types:
            return
        kwargs = msg["kwargs"]
        if kwargs.get("rng_key", self) is not None:
            return
        if kind == "plate":
            size, subsample_size = msg["args"]
            if subsample_size == size:
                return
            name = msg["name"]
            if name not in self._plates:
                # The number, not the key: a key made inside a transformation dies with it.
                self._plates[name] = self._next_count()
            kwargs["rng_key"] = self._key_number(self._plates[name])
        else:
            kwargs["rng_key"] = self._key_number(self._next_count())

    def _next_count(self) -> int:
        count = self._count
        self._count = count + 1
        return count

    def _key_number(self, count: int) -> Any:
        key = self._key
        if key is None:
            key = jax.random.key(self.rng_seed)
            # A key that was made inside a transformation dies with it; only a concrete one may be
            # kept.
            if not isinstance(key, jax.core.Tracer):
                self._key = key
        return _fold_in(key, count)


def _is_integer(rng_seed: Any) -> bool:
    if isinstance(rng_seed, numbers.Integral):
        return not isinstance(rng_seed, bool)
    dtype = getattr(rng_seed, "dtype", None)
    return dtype is not None and jnp.issubdtype(dtype, jnp.integer) and rng_seed.shape == ()


def _checked_key(rng_seed: Any) -> Any:
    if rng_seed is None:
        raise ValueError(
            "handlers.seed needs rng_seed: an integer or a random key, e.g. handlers.seed(model, "
            "rng_seed=0)."
        )
    dtype = getattr(rng_seed, "dtype", None)
    if dtype is not None:
        if jnp.issubdtype(dtype, jax.dtypes.prng_key):
            dims = rng_seed.ndim
        elif dtype == jnp.uint32 and rng_seed.ndim >= 1:
            dims = rng_seed.ndim - 1  # a legacy key is a vector of uint32
        else:
            dims = None
        if dims == 0:
            return rng_seed
        if dims is not None:
            raise TypeError(
                f"handlers.seed: rng_seed is a batch of keys of shape {rng_seed.shape[:dims]}, but "
                "one key is needed. Pass one of them, or map over them with jax.vmap."
            )
    raise TypeError(
        "handlers.seed: rng_seed must be an integer, a typed key or a legacy uint32 key, got "
        f"{rng_seed!r} ({type(rng_seed).__name__})."
    )
