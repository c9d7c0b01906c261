"""The log likelihood at draws is the density of each observation, by SciPy."""

import jax
import numpy as np
import pytest
from scipy import stats

import sojourn_distributions as dist
from sojourn_infer import log_likelihood
from sojourn_primitives import deterministic, handlers, plate, sample

Y = np.array([0.2, 1.5, 4.0], np.float32)
Z = np.array([[1.0, 2.0], [0.5, 0.1]], np.float32)


def model(y, z, observed=(True, True, True)):
    rate = sample("rate", dist.Gamma(2.0, 1.0))
    deterministic("twice", 2 * rate)
    with plate("N", 3), handlers.mask(mask=np.array(observed)), handlers.scale(scale=10.0):
        sample("y", dist.Exponential(rate), obs=y)
    sample("z", dist.Normal(rate, 1.0).expand([2, 2]).to_event(1), obs=z)


def draws(*shape):
    return {"rate": np.random.default_rng(0).gamma(2, 1, shape).astype(np.float32)}


@pytest.mark.parametrize(
    "shape, options",
    [
        ((), {"batch_ndims": 0}),
        ((7,), {}),
        ((7,), {"parallel": True}),
        ((7,), {"batch_size": 3}),
        ((2, 4), {"batch_ndims": 2}),
    ],
    ids=str,
)
def test_it_is_the_density_of_each_observation(shape, options):
    samples = draws(*shape)
    found = log_likelihood(model, samples, Y, z=Z, **options)
    assert {name: value.shape for name, value in found.items()} == {
        "y": (*shape, 3),
        "z": (*shape, 2),
    }
    rate = samples["rate"][..., None]
    np.testing.assert_allclose(found["y"], stats.expon(scale=1 / rate).logpdf(Y), rtol=2e-5)
    expected = stats.norm(rate[..., None], 1).logpdf(Z).sum(-1)
    np.testing.assert_allclose(found["z"], expected, rtol=2e-5)


def test_masked_observations_do_not_count():
    found = log_likelihood(model, draws(7), Y, Z, (True, False, True))["y"]
    assert np.all(found[:, 1] == 0)
    assert np.all(found[:, [0, 2]] != 0)


def test_inside_of_a_transformation():
    samples = draws(7)
    inside = jax.jit(lambda rate, y: log_likelihood(model, {"rate": rate}, y, Z))(
        samples["rate"], Y
    )
    np.testing.assert_allclose(inside["y"], log_likelihood(model, samples, Y, Z)["y"], rtol=1e-6)


def test_a_model_may_have_an_argument_batch_size():
    def scaled(y, batch_size=1):
        rate = sample("rate", dist.Gamma(2.0, 1.0))
        sample("y", dist.Exponential(rate * batch_size), obs=y)

    rate = draws(4)["rate"][:, None]
    expected = stats.expon(scale=1 / (3 * rate)).logpdf(Y)
    for wrapped in (scaled, handlers.scale(scaled, scale=2.0)):
        found = log_likelihood(wrapped, draws(4), Y, batch_size=3)["y"]
        np.testing.assert_allclose(found, expected, rtol=2e-5)


def test_draws_that_do_not_fit():
    def small(y):
        rate = sample("rate", dist.Gamma(2.0, 1.0))
        sample("y", dist.Exponential(rate), obs=y)

    with pytest.raises(ValueError, match=r"'rate' has shape \(3,\), .*\(\).*batch_ndims"):
        log_likelihood(small, draws(4, 3), Y)
    with pytest.raises(ValueError) as raised:
        log_likelihood(model, draws(4, 3), Y, Z)
    assert "log likelihood of the model model" in raised.value.__notes__[0]
    assert "'rate': (3,)" in raised.value.__notes__[0]


@pytest.mark.parametrize(
    "samples, options, words",
    [
        ({"twice": np.ones(3)}, {}, ("'rate'", "no draws", "'twice'")),
        ({"rate": np.ones(3), "b": np.ones(4)}, {}, ("'b'", "(4,)", "'rate'")),
        ({}, {}, ("posterior_samples",)),
        ({"rate": np.ones(3)}, {"batch_size": -1}, ("batch_size", "-1")),
    ],
)
def test_what_has_no_likelihood(samples, options, words, compilations):
    compilations.settle().clear()
    with pytest.raises(ValueError, match="log_likelihood") as raised:
        log_likelihood(model, samples, Y, Z, **options)
    for word in words:
        assert word in str(raised.value)
    assert compilations.settle() == []
