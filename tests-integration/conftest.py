"""Fixtures of the integration tests."""

import threading

import jax
import pytest


class Compilations(list):
    """Names of the programs that XLA has compiled since the last `clear`."""

    def settle(self):
        """Wait for compilers that still work in the background, and return the list."""
        for thread in threading.enumerate():
            if thread.name.startswith("compile"):
                thread.join()
        return self


@pytest.fixture(scope="session")
def _compilations():
    names = Compilations()

    def listen(event, duration, **details):
        if event == "/jax/core/compile/backend_compile_duration":
            names.append(details.get("fun_name", "a program"))

    jax.monitoring.register_event_duration_secs_listener(listen)
    return names


@pytest.fixture
def compilations(_compilations):
    """What has been compiled since the test began."""
    _compilations.settle().clear()
    return _compilations
