"""Importing the package and tracing with NumPy values start no backend and need no sibling."""

import os
import subprocess
import sys

IMPORT = """
import sys
import sojourn_primitives as sp
from sojourn_primitives import handlers

roots = {module.partition(".")[0] for module in sys.modules}
assert not any(r.startswith("sojourn") for r in roots - {"sojourn_primitives"}), sorted(roots)
assert set(sp.__all__) <= set(dir(sp)) and set(handlers.__all__) <= set(dir(handlers))
"""

TRACE = """
import numpy as np

class Flat:
    event_shape = ()
    def __init__(self, batch_shape=()): self.batch_shape = batch_shape
    def __call__(self, rng_key, sample_shape=()): raise AssertionError("drawn")
    def expand(self, batch_shape): return Flat(batch_shape)
    def mask(self, mask): return self

def model():
    sp.sample("a", Flat())
    with sp.plate("N", 5, subsample_size=5), handlers.mask(mask=np.ones(5, bool)):
        sp.sample("b", Flat(), obs=np.zeros(5))
        sp.factor("f", np.zeros(5))
        sp.subsample(np.zeros(5), 0)
    with sp.plate("M", 5, subsample_size=2) as i:
        sp.sample("c", Flat(), obs=np.zeros(5)[i])
        sp.subsample(np.zeros(5), 0)
    sp.param("p", 1.0)
    sp.deterministic("d", 2.0)

conditioned = handlers.condition(model, data={"a": 1.0})
given = handlers.seed(handlers.substitute(conditioned, data={"M": np.array([1, 2])}), 0)
handlers.trace(handlers.scale(handlers.scope(given, prefix="s"), scale=2.0)).get_trace()
"""

BACKEND = """
import jax
try:
    jax.numpy.zeros(3)
except RuntimeError:
    pass
else:
    raise AssertionError("a backend can start, so this test could not fail")
"""


def test_no_backend_is_started():
    """Under a platform that does not exist, whatever starts a backend fails."""
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", IMPORT + TRACE + BACKEND],
        env={**os.environ, "JAX_PLATFORMS": "no_such_platform"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
