"""Fixtures of the tests of what wraps packages that only an extra of `sojourn` installs."""

import importlib
import importlib.util
import os
import warnings

import pytest

REQUIRE = "SOJOURN_REQUIRE_FOREIGN"
"""Environment variable: where it is set, a missing package is a failure, no reason to skip."""


@pytest.fixture(scope="session")
def wrapped():
    """Import a module of ours that needs a package, or skip where that is not installed."""

    def import_module(name, needs):
        if importlib.util.find_spec(needs) is None:
            reason = f"{needs} is not installed: `nox -s extras` runs this with it"
            if os.environ.get(REQUIRE):
                pytest.fail(reason)
            pytest.skip(reason)
        return importlib.import_module(name)

    return import_module


@pytest.fixture(scope="session")
def foreign(wrapped):
    """Import a module of another package, or skip; what it warns of on import is its own affair."""

    def import_module(name):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return wrapped(name, needs=name.partition(".")[0])

    return import_module
