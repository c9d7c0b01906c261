"""Whether an argument is a random key, typed or legacy, or a batch of keys."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp


def key_batch_shape(keys: jax.Array) -> tuple[int, ...]:
    """Shape of a batch of keys; ``()`` for a single one.

    Examples
    --------
    >>> key_batch_shape(jax.random.split(jax.random.key(0), 3))
    (3,)
    """
    return keys.shape if _is_typed(keys) else keys.shape[:-1]


def check_key(who: str, key: Any, batch: bool = False) -> None:
    """Raise a TypeError if an argument is no key.

    Parameters
    ----------
    who : str
        Who was called and with what, for the message.
    key : Array
        The argument.
    batch : bool
        Whether it may be a batch of keys.

    Examples
    --------
    >>> check_key("pathfinder: rng_key", jax.random.key(0))
    """
    is_key = hasattr(key, "dtype") and (_is_typed(key) or (key.dtype == jnp.uint32 and key.ndim))
    if is_key and (key.size > 0 if batch else key_batch_shape(key) == ()):
        return
    what = f"an array {key.shape} of {key.dtype}" if hasattr(key, "dtype") else repr(key)
    kind = "a random key or a batch of them" if batch else "one random key"
    raise TypeError(f"{who} is {kind}, such as jax.random.key(0), got {what}")


def _is_typed(key: Any) -> bool:
    return bool(jax.dtypes.issubdtype(key.dtype, jax.dtypes.prng_key))
