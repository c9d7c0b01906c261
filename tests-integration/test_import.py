"""Importing a package, and every module in it, starts no backend."""

import os
import subprocess
import sys

import pytest

PACKAGES = [
    "sojourn",
    "sojourn_distributions",
    "sojourn_gibbs",
    "sojourn_hmc",
    "sojourn_infer",
    "sojourn_parallel",
    "sojourn_primitives",
]

IMPORT_ALL = """
import importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    try:
        importlib.import_module(module.name)
    except ImportError as error:  # a wrapper of another package, which an extra brings
        if "pip install 'sojourn[" not in str(error):
            raise
"""


def run_without_platform(code, *arguments):
    """Run code where starting a backend, as making an array does, is an error."""
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "JAX_PLATFORMS": "no_such_platform"},
        capture_output=True,
        text=True,
    )


def test_an_array_cannot_be_made_without_platform():
    result = run_without_platform("import jax.numpy as jnp; jnp.zeros(2)")
    assert "no_such_platform" in result.stderr
    assert result.returncode != 0


@pytest.mark.parametrize("package", PACKAGES)
def test_importing_makes_no_array(package):
    result = run_without_platform(IMPORT_ALL, package)
    assert result.returncode == 0, result.stderr
