"""The package can be imported without a device, and offers nothing that it does not have."""

import os
import subprocess
import sys

import sojourn_gibbs


def test_importing_starts_no_backend():
    # Under a platform that does not exist, starting a backend is an error.
    environ = {**os.environ, "JAX_PLATFORMS": "no_such_platform"}
    subprocess.run([sys.executable, "-c", "import sojourn_gibbs"], env=environ, check=True)


def test_every_public_name_exists():
    assert sojourn_gibbs.__all__
    for name in sojourn_gibbs.__all__:
        assert getattr(sojourn_gibbs, name) is not None
