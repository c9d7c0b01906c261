"""Densities with discrete sites summed out beside those of NumPyro and funsor, if installed."""

import importlib

import jax.numpy as jnp
import numpy as np
import pytest

pytest.importorskip("funsor")
pytest.importorskip("numpyro")

pytestmark = pytest.mark.filterwarnings("ignore")

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 3, (4, 2))
SERIES = RNG.normal(size=(6, 2)).astype("float32")


def mace(ppl, dist, scan):
    """Discrete sites inside and outside of an inner plate."""
    habit = ppl.sample("habit", dist.Dirichlet(jnp.ones(3)))
    guessing = ppl.sample("guessing", dist.Beta(1.0, 2.0))
    with ppl.plate("item", 4, dim=-2):
        truth = ppl.sample("truth", dist.Categorical(jnp.ones(3) / 3), infer=mark())
        with ppl.plate("annotator", 2, dim=-1):
            guesses = ppl.sample("guesses", dist.Bernoulli(guessing), infer=mark())
            known = jnp.where(truth[..., None] == jnp.arange(3), 0.98, 0.01)
            probs = jnp.where(guesses[..., None] == 0, known, habit)
            ppl.sample("label", dist.Categorical(probs), obs=LABELS)


def hmm(ppl, dist, scan):
    """Two sequences with a state of their own, the first one given."""
    transition = ppl.sample("transition", dist.Dirichlet(jnp.ones(3)).expand([3]).to_event(1))
    loc = ppl.sample("loc", dist.Normal(0.0, 1.0).expand([3]).to_event(1))

    def step(z, y):
        with ppl.plate("sequence", 2, dim=-1):
            z = ppl.sample("z", dist.Categorical(transition[z]), infer=mark())
            ppl.sample("y", dist.Normal(loc[z], 1.0), obs=y)
        return z, None

    scan(step, jnp.zeros(2, int), jnp.asarray(SERIES))


def mark():
    """Return a mark of its own: NumPyro writes into it."""
    return {"enumerate": "parallel"}


CASES = {
    "mace": (mace, -3, {"habit": RNG.dirichlet(np.ones(3)), "guessing": np.array(0.3)}),
    "hmm": (hmm, -2, {"transition": RNG.dirichlet(np.ones(3), 3), "loc": RNG.normal(size=3)}),
}


@pytest.mark.parametrize("name", CASES)
def test_log_densities_agree(name):
    model, dim, values = CASES[name]
    values = {site: jnp.asarray(value, "float32") for site, value in values.items()}
    densities = []
    for library in ("sojourn", "numpyro"):
        names = [library, f"{library}.distributions", f"{library}.contrib.control_flow"]
        ppl, dist, flow = map(importlib.import_module, names)
        funsor = importlib.import_module(f"{library}.contrib.funsor")
        marked = funsor.enum(lambda: model(ppl, dist, flow.scan), dim)  # noqa: B023
        densities.append(funsor.log_density(marked, (), {}, values)[0])
    np.testing.assert_allclose(*densities, rtol=1e-5)
