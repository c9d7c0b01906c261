"""Fixtures of the tests of this package."""

import threading

import jax
import numpy as np
import pytest

from sojourn_hmc import native_loops
from sojourn_infer.compile_once import compile_once

native_loops.enable()


class Compilations(list):
    """Names of the programs that XLA has compiled since the test began."""

    def settle(self):
        """Wait for compilers that still work in the background, and return the list."""
        for thread in threading.enumerate():
            if thread.name.startswith("compile"):
                thread.join()
        return self


@pytest.fixture(scope="session")
def _options_of_the_compiler_known():
    """Tell those that this XLA lacks: the attempt that finds it out is counted as a compilation."""
    assert compile_once(lambda x: x, np.float32(0), quickly=True) is not None


@pytest.fixture
def compilations(_options_of_the_compiler_known):
    names = Compilations()
    names.settle()  # those of the test before

    def listen(event, duration, **details):
        if event == "/jax/core/compile/backend_compile_duration":
            names.append(details.get("fun_name", "a program"))

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield names
    jax.monitoring.unregister_event_duration_listener(listen)
