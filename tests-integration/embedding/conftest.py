"""Fixtures of the tests that put `sojourn_hmc` into other libraries' models."""

import importlib
import importlib.util
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import sojourn

EXAMPLES = Path(__file__).parent / "examples"
REQUIRE = "SOJOURN_REQUIRE_FOREIGN"
"""Environment variable: where it is set, a missing library is a failure, no reason to skip."""

sojourn.native_loops.enable()

RUN_EXAMPLE = """
import json, runpy, sys
import numpy as np

path, blocked, *expressions = json.loads(sys.argv[1])
sys.modules.update(dict.fromkeys(blocked))  # importing what is None there is an ImportError
names = runpy.run_path(path)
results = [np.asarray(eval(text, names), float).tolist() for text in expressions]
print("RESULTS", json.dumps(results))
"""


def require(library):
    """Skip, or fail where everything must be there, unless a library can be imported."""
    if importlib.util.find_spec(library) is None:
        reason = f"{library} is not installed: `nox -s embedding` runs this with it"
        if os.environ.get(REQUIRE):
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture(scope="session")
def foreign():
    """Import a module of another library, or skip; what it warns of on import is its own affair."""

    def import_module(name):
        require(name.partition(".")[0])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module(name)

    return import_module


@pytest.fixture(scope="session")
def run_example():
    """Run an example as a program of its own, as a reader would; give what expressions say of it.

    Libraries change settings of the process on import (PyMC asks for double precision and a hundred
    devices), so each example has its own. Modules among ``blocked`` cannot be imported there.
    """

    def run(name, *expressions, libraries=(), blocked=()):
        for library in libraries:
            require(library)
        arguments = json.dumps([str(EXAMPLES / f"{name}.py"), list(blocked), *expressions])
        result = subprocess.run(
            [sys.executable, "-c", RUN_EXAMPLE, arguments], capture_output=True, text=True
        )
        assert result.returncode == 0, result.stderr
        assert "SamplingWarning" not in result.stderr
        printed, _, results = result.stdout.rpartition("RESULTS")
        return printed, [np.array(values) for values in json.loads(results)]

    return run


def closed_form():
    """Means, variances and kurtoses of intercept, slope and noise variance.

    The normal-inverse-gamma posterior (Gelman et al. 2013, section 14.2 with a proper prior): the
    noise variance is inverse-gamma, the coefficients are Student's t.
    """
    x = np.linspace(-1.0, 1.0, 20)
    y = 1 + 2 * x + 0.5 * np.sin(20 * x)
    design = np.stack([np.ones_like(x), x], axis=1)
    precision = design.T @ design + np.eye(2) / 100
    mean = np.linalg.solve(precision, design.T @ y)
    shape = 3 + len(y) / 2
    scale = 1 + 0.5 * (y @ y - mean @ precision @ mean)
    noise = scale / (shape - 1)
    means = np.array([*mean, noise])
    variances = np.array([*np.diag(np.linalg.inv(precision)) * noise, noise**2 / (shape - 2)])
    t_kurtosis = 3 + 6 / (2 * shape - 4)
    inverse_gamma_kurtosis = 3 + 6 * (5 * shape - 11) / ((shape - 3) * (shape - 4))
    return means, variances, np.array([t_kurtosis, t_kurtosis, inverse_gamma_kurtosis])


@pytest.fixture(scope="session")
def require_known_posterior():
    """Compare 4000 draws of intercept, slope and noise variance with the closed form."""

    def compare(*quantities):
        draws = np.stack([np.asarray(values, float) for values in quantities])
        assert draws.shape == (3, 4000)
        means, variances, kurtoses = closed_form()
        # Effective draws: the summaries of these runs show from 2000 to 4000.
        effective = 1500
        assert (abs(draws.mean(1) - means) < 4.5 * np.sqrt(variances / effective)).all()
        relative_errors = np.sqrt((kurtoses - 1) / effective)
        assert (abs(draws.var(1) / variances - 1) < 4.5 * relative_errors).all()
        assert abs(np.corrcoef(draws)[0, 1]) < 0.12  # the design is orthogonal

    return compare
