"""Tests share chains that run at once, and native loops, which halve the time to compile."""

import sys
import threading
from pathlib import Path

import jax
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # `chains` lies beside the tests

from sojourn_hmc import native_loops

native_loops.enable()


class Compilations(list):
    """Names of the programs that XLA has compiled since the test began."""

    def settle(self):
        """Wait for compilers that still work in the background, and return the list."""
        for thread in threading.enumerate():
            if thread.name.startswith("compile"):
                thread.join()
        return self


@pytest.fixture
def compilations():
    names = Compilations()
    names.settle()  # those of the test before

    def listen(event, duration, **details):
        if event == "/jax/core/compile/backend_compile_duration":
            names.append(details.get("fun_name", "a program"))

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield names
    jax.monitoring.unregister_event_duration_listener(listen)
