"""Settings take effect before JAX starts, and importing sets native loops and nothing else."""

import os
import subprocess
import sys

import pytest


def run(code, **environment):
    """Run code in a fresh process with JAX's variables unset; return what it prints."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("XLA_", "JAX_", "SOJOURN_"))
    }
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**inherited, "JAX_PLATFORMS": "cpu", **environment},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.split()


FLAGS = "import os; print(os.environ.get('XLA_FLAGS', 'none'), sojourn.native_loops.is_enabled())"


@pytest.mark.parametrize(
    "code, environment, flags, enabled",
    [
        pytest.param(
            "import sojourn",
            {},
            "--xla_backend_extra_options=xla_cpu_small_while_loop_byte_threshold=1000000",
            "True",
            id="asked-for",
        ),
        pytest.param("import sojourn", {"SOJOURN_NATIVE_LOOPS": "0"}, "none", "False", id="off"),
        pytest.param(
            "import sojourn",
            {"XLA_FLAGS": "--xla_backend_extra_options=xla_cpu_use_fusion_emitters=true"},
            "--xla_backend_extra_options=xla_cpu_use_fusion_emitters=true",
            "False",
            id="the-user-has-chosen",
        ),
        pytest.param(
            "import jax; jax.devices(); import sojourn", {}, "none", "False", id="too-late"
        ),
    ],
)
def test_native_loops(code, environment, flags, enabled):
    assert run(f"{code}; {FLAGS}", **environment) == [flags, enabled]


def test_platform_and_device_count():
    code = """
import sojourn
sojourn.set_platform("cpu")
sojourn.set_host_device_count(3)
import jax
print(jax.default_backend(), jax.device_count())
"""
    assert run(code, JAX_PLATFORMS="") == ["cpu", "3"]


def test_the_device_count_is_refused_when_jax_runs():
    code = """
import jax, sojourn
jax.devices()
try:
    sojourn.set_host_device_count(2)
except RuntimeError:
    print("refused")
"""
    assert run(code) == ["refused"]


def test_double_precision_and_back():
    code = """
import sojourn, jax, jax.numpy as jnp
for use_x64 in (True, False):
    sojourn.enable_x64(use_x64)
    print(jnp.ones(()).dtype)
"""
    assert run(code) == ["float64", "float32"]


def test_draws_in_double_precision():
    code = """
import sojourn
sojourn.enable_x64()
import jax, sojourn.distributions as dist
from sojourn.infer import MCMC, NUTS
def model():
    sojourn.deterministic("double", 2 * sojourn.sample("x", dist.Gamma(2, 3)))
mcmc = MCMC(NUTS(model), num_warmup=20, num_samples=20, progress_bar=False)
mcmc.run(jax.random.key(0))
print(*(mcmc.get_samples()[site].dtype for site in ("x", "double")))
print(mcmc.last_state.adapt_state.step_size.dtype)
"""
    assert run(code) == ["float64", "float64", "float64"]
