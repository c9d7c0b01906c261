"""Importing leaves JAX asleep, and what is listed is there."""

import subprocess
import sys

import sojourn_distributions as dist


def run(program):
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False
    )


def test_import_starts_no_backend():
    # An unknown platform is an error as soon as a backend is asked for: no array can be made.
    program = """
import os
os.environ["JAX_PLATFORMS"] = "no_such_platform"
import numpy as np
import sojourn_distributions as dist
d = dist.Normal(np.zeros(3), 1.0).expand((2, 3)).to_event(1)
d.validate_sample(np.zeros((2, 3)))
import jax
try:
    jax.numpy.zeros(())
except RuntimeError:
    print("asleep")
"""
    result = run(program)
    assert (result.stdout.strip(), result.stderr) == ("asleep", "")


def test_everything_listed_exists():
    assert len(set(dist.__all__)) == len(dist.__all__)
    for module in (dist, dist.constraints, dist.transforms):
        for name in module.__all__:
            assert getattr(module, name) is not None
