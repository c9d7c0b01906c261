"""What wraps a package says in one line how to install it where it is missing."""

import json
import subprocess
import sys

import pytest

# Importing what is None in sys.modules is an ImportError.
TRY = """
import json, sys, warnings
packages = json.loads(sys.argv[1])
sys.modules.update(dict.fromkeys(packages))
import jax, jax.numpy as jnp, sojourn
from sojourn_hmc import HMC, MCMC
mcmc = MCMC(HMC(potential_fn=lambda z: z**2), num_warmup=1, num_samples=4, progress_bar=False)
mcmc.run(jax.random.key(0), init_params=1.0)
errors = {}
for package, attempt in packages.items():
    try:
        exec(attempt)
    except ImportError as error:
        errors[package] = str(error)
print("ERRORS", json.dumps(errors))
"""
ATTEMPTS = {
    "tensorflow_probability": "import sojourn.contrib.tfp.mcmc",
    "jaxns": "import sojourn.contrib.nested_sampling",
    "arviz_base": "mcmc.to_datatree()",
}
EXTRAS = {"tensorflow_probability": "tfp", "jaxns": "jaxns", "arviz_base": "arviz"}


@pytest.fixture(scope="module")
def errors():
    result = subprocess.run(
        [sys.executable, "-c", TRY, json.dumps(ATTEMPTS)], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.rpartition("ERRORS")[2])


@pytest.mark.parametrize("package", ATTEMPTS)
def test_a_missing_package_is_named_with_its_remedy(errors, package):
    remedy = f"pip install 'sojourn[{EXTRAS[package]}]'"
    assert errors[package] == f"{package} is not installed: {remedy}"
