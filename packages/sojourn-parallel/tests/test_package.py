"""The package can be imported without a device, and offers nothing that it does not have."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import sojourn_parallel

README = Path(__file__).parent.parent / "README.md"


def test_importing_starts_no_backend():
    # Under a platform that does not exist, starting a backend is an error.
    environ = {**os.environ, "JAX_PLATFORMS": "no_such_platform"}
    subprocess.run([sys.executable, "-c", "import sojourn_parallel"], env=environ, check=True)


def test_every_public_name_exists():
    assert sojourn_parallel.__all__
    for name in sojourn_parallel.__all__:
        assert getattr(sojourn_parallel, name) is not None


@pytest.mark.checkout
def test_the_example_of_the_readme_runs(capsys):
    for example in re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL):
        exec(example, {})
    assert float(capsys.readouterr().out) == pytest.approx(5.0, abs=0.05)
