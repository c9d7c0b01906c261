"""One switch that keeps compiled programs on disk, for the next process."""

from __future__ import annotations

import os
import sys
from os import PathLike
from pathlib import Path

import jax
from jax.experimental.compilation_cache import compilation_cache


def enable_compilation_cache(directory: str | PathLike[str] | None = None) -> Path:
    """Keep every program that JAX compiles in a directory, and look there before compiling.

    The first run of the same model in another process then spends no time on compiling, only on
    tracing. JAX finds a program again by what it computes, by its own version and by the device, so
    that nothing goes stale; files may be removed at any time. Calling this at any moment has effect
    from then on, on all programs of the process.

    Parameters
    ----------
    directory : path, optional
        Where to keep them; by default ``sojourn/programs`` in the user's directory for caches.

    Returns
    -------
    Path
        The directory.

    Examples
    --------
    >>> import sojourn_hmc
    >>> sojourn_hmc.enable_compilation_cache()  # doctest: +SKIP
    PosixPath('/home/me/.cache/sojourn/programs')
    """
    path = Path(directory) if directory is not None else _user_cache() / "sojourn" / "programs"
    path.mkdir(parents=True, exist_ok=True)
    jax.config.update("jax_compilation_cache_dir", str(path))
    # Small programs too: a model is a handful of them, and each counts.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    # JAX decides once whether there is a cache, at the first compilation.
    compilation_cache.reset_cache()
    return path


def _user_cache() -> Path:
    """The user's directory for caches, where each system has it."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
