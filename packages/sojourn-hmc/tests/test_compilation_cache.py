"""Programs of one process serve the next."""

import subprocess
import sys

SCRIPT = """
import sys
import jax, numpy as np
import jax.numpy as jnp
from sojourn_hmc import MCMC, NUTS, enable_compilation_cache

hits, misses = [], []
jax.monitoring.register_event_listener(
    lambda event, **rest: hits.append(event) if event.endswith("/cache_hits") else None)
jax.monitoring.register_event_listener(
    lambda event, **rest: misses.append(event) if event.endswith("/cache_misses") else None)
key = jax.random.key(0)  # compiled before there is a cache
enable_compilation_cache(sys.argv[1])
mcmc = MCMC(NUTS(potential_fn=lambda x: jnp.exp(x) - x), num_warmup=10, num_samples=10,
            progress_bar=False)
mcmc.run(key, init_params=np.float32(0))
print(len(hits), len(misses))
"""


def test_a_second_process_compiles_nothing(tmp_path):
    def run():
        command = [sys.executable, "-c", SCRIPT, str(tmp_path / "programs")]
        result = subprocess.run(command, capture_output=True, text=True, check=True)
        return result.stdout.split()

    assert run() == ["0", "3"]
    assert run() == ["3", "0"]
