"""Settings of JAX that programs make before they sample, a collecting loop, tables of shapes."""

import jax

from sojourn_hmc import enable_compilation_cache, fori_collect
from sojourn_primitives import format_shapes

__all__ = [
    "enable_compilation_cache",
    "enable_x64",
    "fori_collect",
    "format_shapes",
    "set_host_device_count",
    "set_platform",
]


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

    Chains run on threads without it; it serves code that maps over devices.

    Raises
    ------
    RuntimeError
        If JAX has started a backend already.
    """
    jax.config.update("jax_num_cpu_devices", n)
