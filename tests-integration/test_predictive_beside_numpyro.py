"""Shapes of predictions beside those of NumPyro, if installed, for what batch dims may mean."""

import importlib

import jax
import numpy as np
import pytest

pytest.importorskip("numpyro")

pytestmark = pytest.mark.filterwarnings("ignore")

X = np.arange(3.0, dtype=np.float32)
SETS = {"low": np.arange(1.0, 6.0, dtype=np.float32), "high": np.full(5, 30.0, np.float32)}
DRAWS = np.ones((2, 3), np.float32)


def predict(library, *, guided=False, sets=None, **options):
    ppl = importlib.import_module(library)
    dist = importlib.import_module(f"{library}.distributions")
    infer = importlib.import_module(f"{library}.infer")

    def model(x):
        slope = ppl.sample("slope", dist.Exponential(0.5))
        mean = ppl.deterministic("mean", slope * x)
        with ppl.plate("N", len(x)):
            ppl.sample("y", dist.Normal(mean, 0.3))

    def guide(x):
        ppl.sample("slope", dist.Uniform(ppl.param("low", 0.0), ppl.param("high", 20.0)))

    predictive = infer.Predictive(model, guide=guide if guided else None, params=sets, **options)
    draws = predictive(jax.random.PRNGKey(0), X)
    return {name: value.shape for name, value in draws.items()}


CASES = {
    "prior": {"num_samples": 4},
    "prior, no dim": {"num_samples": 4, "batch_ndims": 0},
    "prior, two dims": {"num_samples": 4, "batch_ndims": 2},
    "posterior": {"posterior_samples": {"slope": DRAWS[0]}},
    "posterior by chain": {"posterior_samples": {"slope": DRAWS}, "batch_ndims": 2},
    "posterior, one draw": {"posterior_samples": {"slope": DRAWS[0, 0]}, "batch_ndims": 0},
    "guide": {"guided": True, "num_samples": 4},
    "guide, one set": {"guided": True, "num_samples": 4, "sets": {"low": 2.0}},
    "guide, no set, two dims": {"guided": True, "num_samples": 4, "batch_ndims": 2},
    "guide, sets": {"guided": True, "num_samples": 4, "sets": SETS, "batch_ndims": 1},
    "guide, sets, one draw": {"guided": True, "num_samples": 1, "sets": SETS, "batch_ndims": 1},
    "guide, sets, names": {
        "guided": True,
        "num_samples": 4,
        "sets": SETS,
        "batch_ndims": 1,
        "return_sites": ["slope", "y"],
        "parallel": True,
    },
}


@pytest.mark.parametrize("name", CASES)
def test_shapes_agree(name):
    assert predict("sojourn", **CASES[name]) == predict("numpyro", **CASES[name])
