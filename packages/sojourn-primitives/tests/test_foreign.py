"""Distributions of other libraries, in an environment without `sojourn_distributions`."""

import importlib.util
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sojourn_primitives import handlers, param, plate, sample
from sojourn_primitives.adapted import Adapted
from sojourn_primitives.control_flow import cond, scan


def library(name):
    if importlib.util.find_spec(name.partition(".")[0]) is None:
        pytest.skip(f"{name} is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # their own deprecations are not ours
        return importlib.import_module(name)


@pytest.fixture(params=["tensorflow_probability.substrates.jax.distributions", "distrax"])
def lib(request):
    return library(request.param)


@pytest.mark.filterwarnings("ignore")
def test_a_model_of_foreign_distributions(lib):
    def model():
        m = sample("m", lib.Normal(0.0, 1.0))
        mask = np.array([True, False, True, True])
        with plate("N", 4), handlers.mask(mask=mask), handlers.scale(scale=2.0):
            sample("y", lib.Normal(m, 2.0), obs=np.ones(4, np.float32))
            sample("v", lib.MultivariateNormalDiag(jnp.zeros(2), jnp.ones(2)))
        param("p", 1.0)

        def step(x, _):
            x = sample("x", lib.Normal(x, 1.0))
            return x, None

        scan(step, m, None, 3)
        cond(
            m > 0,
            lambda m: sample("w", lib.Normal(m, 1.0)),
            lambda m: sample("w", lib.Normal(m, 2.0)),
            m,
        )

    lifted = handlers.lift(model, prior={"p": lib.Normal(3.0, 1.0)})
    trace = handlers.trace(handlers.seed(lifted, 0)).get_trace()
    shapes = {"m": (), "y": (4,), "v": (4, 2), "p": (), "x": (3,), "w": ()}
    for name, shape in shapes.items():
        site = trace[name]
        assert np.shape(site["value"]) == shape
        assert site["fn"].log_prob(site["value"]).shape == site["fn"].batch_shape
    assert trace["y"]["fn"].log_prob(np.ones(4))[1] == 0.0
    x, m = np.asarray(trace["x"]["value"]), trace["m"]["value"]
    means = np.concatenate([[m], x[:-1]])
    expected = -0.5 * (x - means) ** 2 - 0.5 * np.log(2 * np.pi)
    np.testing.assert_allclose(trace["x"]["fn"].log_prob(x), expected, rtol=1e-5)

    def density(m):
        trace = handlers.trace(
            handlers.substitute(lambda: sample("m", lib.Normal(0.0, 2.0)), data={"m": m})
        ).get_trace()
        return trace["m"]["fn"].log_prob(trace["m"]["value"])

    np.testing.assert_allclose(jax.grad(density)(1.0), -0.25, rtol=1e-6)


class ByInterface:
    """The least that is asked of a foreign distribution."""

    event_shape = ()

    def __init__(self, loc):
        self.loc = loc
        self.batch_shape = np.shape(loc)

    def sample(self, sample_shape=(), seed=None):
        return self.loc + jax.random.normal(seed, tuple(sample_shape) + self.batch_shape)

    def log_prob(self, value):
        return -0.5 * (value - self.loc) ** 2


def test_expanded_draws_are_independent_and_in_their_places():
    loc = np.array([0.0, 100.0]).reshape(2, 1, 1)
    fn = Adapted(ByInterface(loc)).expand((5, 2, 3, 4))
    draws = np.asarray(fn(rng_key=jax.random.key(0), sample_shape=(6,)))
    assert draws.shape == (6, 5, 2, 3, 4)
    assert len(np.unique(draws)) == draws.size
    assert np.all(abs(draws[:, :, 0]) < 50.0)
    assert np.all(draws[:, :, 1] > 50.0)
    assert fn.log_prob(draws).shape == draws.shape
    assert fn.log_prob(0.0).shape == (5, 2, 3, 4)
    assert fn.loc is loc
    assert fn.mask(True) is fn
    both = fn.mask(np.array([True, False, True, True])).mask(np.array(True))
    assert np.all(both.log_prob(1.0)[..., 1] == 0.0)
    with pytest.raises(ValueError, match=r"cannot expand batch shape \(2, 1, 1\) to \(3, 1, 1\)"):
        Adapted(ByInterface(loc)).expand((3, 1, 1))
    site = handlers.trace(lambda: sample("x", ByInterface(0.0), obs=1.0)).get_trace()["x"]
    assert isinstance(site["fn"], Adapted)
    assert site["fn"].kind == "ByInterface"
