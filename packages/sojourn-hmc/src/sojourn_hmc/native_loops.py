"""Ask XLA to compile small loops on the CPU natively, which makes small models many times faster.

On a CPU, XLA dispatches the body of a loop operation by operation, unless the loop touches little
memory: then it becomes one native function. Raising that limit takes a leapfrog step of a
ten-dimensional model from microseconds to a few tenths of one, and halves the time to compile. The
limit is a flag of the process that is read once, when JAX starts its first backend, so nothing here
happens on import: a program (or a package that is one) calls `enable` before it uses JAX.
"""

import os

import jax

OPTION = "xla_cpu_small_while_loop_byte_threshold"
THRESHOLD_BYTES = 1_000_000
SWITCH = "SOJOURN_NATIVE_LOOPS"
"""Environment variable; ``0`` keeps `enable` from doing anything."""


def enable() -> bool:
    """Raise the limit, unless JAX is running already or the user has chosen otherwise.

    Nothing happens if a backend is up, if the environment variable ``SOJOURN_NATIVE_LOOPS`` is
    ``0``, or if ``XLA_FLAGS`` sets backend options of its own.

    Returns
    -------
    bool
        Whether loops will be native: set now, or before.

    Examples
    --------
    >>> from sojourn_hmc import native_loops
    >>> isinstance(native_loops.enable(), bool)
    True
    """
    flags = os.environ.get("XLA_FLAGS", "")
    undecided = os.environ.get(SWITCH) != "0" and "xla_backend_extra_options" not in flags
    if undecided and not backend_is_running():
        option = f"--xla_backend_extra_options={OPTION}={THRESHOLD_BYTES}"
        os.environ["XLA_FLAGS"] = f"{flags} {option}".strip()
    return is_enabled()


def is_enabled() -> bool:
    """Whether ``XLA_FLAGS`` asks for native loops; a backend heeds what it said at its start."""
    return OPTION in os.environ.get("XLA_FLAGS", "")


def backend_is_running() -> bool:
    """Whether JAX has started a backend, after which flags are not read any more.

    JAX refuses to change the number of CPU devices from then on; it is changed back at once.
    """
    devices: int = jax.config.values["jax_num_cpu_devices"]
    try:
        jax.config.update("jax_num_cpu_devices", devices + 1 if devices > 0 else 1)
    except RuntimeError:
        return True
    jax.config.update("jax_num_cpu_devices", devices)
    return False
