"""Cheap counter-based uniforms for the many small decisions inside one trajectory.

A threefry draw per leaf would cost more than the leapfrog step of a small model. One trajectory
makes at most a few thousand decisions, so it takes a 64-bit seed from the chain's key and hashes a
counter with it. The hash is the bijection ``triple32`` of C. Wellons (hash-prospector, public
domain; avalanche bias 0.021), applied twice with one half of the seed before each.
"""

import jax
import jax.numpy as jnp
import numpy as np


def _triple32(x: jax.Array) -> jax.Array:
    x = x ^ (x >> 17)
    x = x * np.uint32(0xED5AD4BB)
    x = x ^ (x >> 11)
    x = x * np.uint32(0xAC4C1B51)
    x = x ^ (x >> 15)
    x = x * np.uint32(0x31848BAB)
    return x ^ (x >> 14)


def seed_from_words(key: jax.Array) -> jax.Array:
    """Take the first two words of a key, typed or legacy, as a seed: ``uint32`` of shape ``(2,)``.

    The key must be fresh and is not to be used for anything else.
    """
    return jax.random.key_data(key).ravel()[:2]


def uniform(seed: jax.Array, counter: jax.Array, dtype: jnp.dtype = jnp.float32) -> jax.Array:
    """Uniform in ``[0, 1)`` with 24 random bits, a pure function of ``seed`` and ``counter``.

    Parameters
    ----------
    seed : Array
        From `seed_from_words`.
    counter : Array
        Integers of any shape; equal counters give equal numbers.
    dtype : dtype
        Floating type of the result.

    Examples
    --------
    >>> import jax, jax.numpy as jnp
    >>> seed = seed_from_words(jax.random.key(0))
    >>> u = uniform(seed, jnp.arange(10_000))
    >>> bool((u >= 0).all() & (u < 1).all()), round(float(u.mean()), 1)
    (True, 0.5)
    """
    bits = _triple32(_triple32(jnp.asarray(counter).astype(jnp.uint32) ^ seed[0]) + seed[1])
    return (bits >> 8).astype(dtype) * np.asarray(2.0**-24, dtype)
