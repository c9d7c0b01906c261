"""Settings that programs make before they sample, loops, tables of shapes, and small questions."""

import random
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

import jax
import numpy as np

from sojourn.loops import (
    cond,
    control_flow_prims_disabled,
    fori_loop,
    maybe_jit,
    soft_vmap,
    while_loop,
)
from sojourn_hmc import enable_compilation_cache, fori_collect
from sojourn_hmc.chain import is_key, is_key_batch
from sojourn_primitives import format_shapes

__all__ = [
    "cond",
    "control_flow_prims_disabled",
    "enable_compilation_cache",
    "enable_x64",
    "fori_collect",
    "fori_loop",
    "format_shapes",
    "identity",
    "is_prng_key",
    "maybe_jit",
    "not_jax_tracer",
    "optional",
    "set_host_device_count",
    "set_platform",
    "set_rng_seed",
    "soft_vmap",
    "while_loop",
]

T = TypeVar("T")


def enable_x64(use_x64: bool = True) -> None:
    """Compute in double precision, or in single again.

    Examples
    --------
    >>> import sojourn
    >>> sojourn.enable_x64(False)  # JAX's default
    """
    jax.config.update("jax_enable_x64", bool(use_x64))


def set_platform(platform: str | None = None) -> None:
    """Choose where computations run: ``"cpu"``, ``"gpu"``, ``"tpu"``; None leaves it to JAX.

    Takes effect only before JAX starts a backend.
    """
    jax.config.update("jax_platforms", {"gpu": "cuda"}.get(platform or "", platform))


def set_host_device_count(n: int) -> None:
    """Split the CPU into ``n`` JAX devices.

    Chains run on threads without it; it serves code that maps over devices. Where there are as many
    devices as chains, and no more than cores, each chain gets one.

    Raises
    ------
    RuntimeError
        If JAX has started a backend already.
    """
    jax.config.update("jax_num_cpu_devices", n)


def set_rng_seed(rng_seed: int | None = None) -> None:
    """Seed the global generators of Python and NumPy; JAX has none, and takes keys.

    Examples
    --------
    >>> set_rng_seed(3)
    """
    random.seed(rng_seed)
    np.random.seed(rng_seed)  # noqa: NPY002


def is_prng_key(key: Any) -> bool:
    """Whether something is a single key of JAX, typed or legacy.

    Examples
    --------
    >>> is_prng_key(jax.random.key(0)), is_prng_key(jax.random.PRNGKey(0)), is_prng_key(0)
    (True, True, False)
    """
    return is_key(key) and not is_key_batch(key)


def not_jax_tracer(x: Any) -> bool:
    """Whether something has a concrete value, as nothing has that JAX traces."""
    return not isinstance(x, jax.core.Tracer)


def identity(x: T, *args: Any, **kwargs: Any) -> T:
    """Return the first argument."""
    return x


def optional(condition: bool, context_manager: AbstractContextManager) -> AbstractContextManager:
    """A context manager that does something only if ``condition`` is true."""
    return context_manager if condition else nullcontext()
