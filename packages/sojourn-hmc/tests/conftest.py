"""Every test runs under JAX's strictest rules for dtypes and ranks.

Loops are native, which halves the time to compile; ``SOJOURN_NATIVE_LOOPS=0`` tests without.
"""

import sys
import threading
from pathlib import Path

import jax
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # `invariance` lies beside the tests

from sojourn_hmc import native_loops

native_loops.enable()


@pytest.fixture(autouse=True)
def strict_promotion():
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        yield


@pytest.fixture
def compilations():
    """A list that grows by one with each program that XLA compiles."""
    # A test before, which did not wait for its programs, must not be counted here.
    for thread in threading.enumerate():
        if thread.name.startswith("compile"):
            thread.join()
    events: list[str] = []

    def listen(event: str, duration: float, **attributes: object) -> None:
        if event == "/jax/core/compile/backend_compile_duration":
            events.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield events
    jax.monitoring.unregister_event_duration_listener(listen)
