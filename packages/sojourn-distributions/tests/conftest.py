"""What every test of distributions may use: the table of cases, a precision, compiled functions."""

from __future__ import annotations

import functools
import sys
from pathlib import Path

import jax
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the table is a package beside the tests

from distribution_cases import CASES


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", CASES, ids=str)


@pytest.fixture(params=[False, True], ids=["float32", "float64"])
def precision(request):
    """Run the test in each precision; the value is the number of digits to expect, as a factor."""
    with jax.enable_x64(request.param):
        yield 1e-12 if request.param else 5e-5


@pytest.fixture
def x64():
    with jax.enable_x64(True):
        yield


@pytest.fixture
def log_density():
    """scipy's name of the log density or mass."""
    return lambda reference: getattr(reference, "logpdf", None) or reference.logpmf


@pytest.fixture(scope="session")
def jit():
    """`jax.jit` that compiles in half the time: most programs here run once."""
    return functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


@pytest.fixture(scope="session")
def log_prob(jit):
    """`log_prob` as one compiled program per kind of distribution and shape of value."""
    return jit(lambda d, x: d.log_prob(x))


@pytest.fixture
def cases():
    """The whole table."""
    return CASES
