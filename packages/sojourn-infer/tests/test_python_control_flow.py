"""A model whose Python code reads its data gets constants, whatever kind of array they are."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import sojourn_distributions as dist
from sojourn_hmc import MCMC
from sojourn_infer import (
    HMC,
    NUTS,
    Predictive,
    init_to_value,
    initialize_model,
    log_likelihood,
    pathfinder,
)
from sojourn_primitives import sample

Y = np.array([0.5, 1.5], np.float32)
KEY = jax.random.key(0)


def model(switch, count, y=None):
    """Indexes an array, counts to a scalar, and takes a branch, in Python."""
    scale = 1.0 if switch[0] > 0 else 10.0
    x = sample("x", dist.Normal(0.0, scale))
    for _ in range(count):
        x = x + 1.0
    sample("y", dist.Normal(x, 1.0).expand([2]).to_event(1), obs=y)


ARRAYS = pytest.mark.parametrize("array", [np.asarray, jnp.asarray])


@ARRAYS
def test_initialize_model(array):
    strategy = init_to_value(values={"x": 0.25})
    for switch, scale in ((1.0, 1.0), (-1.0, 10.0)):
        arguments = (array([switch]), array(2), array(Y))
        info = initialize_model(KEY, model, init_strategy=strategy, model_args=arguments)
        expected = -stats.norm(0, scale).logpdf(0.25) - stats.norm(2.25, 1).logpdf(Y).sum()
        assert float(info.param_info.potential_energy) == pytest.approx(expected, rel=1e-5)
        z = info.param_info.z
        assert float(jax.jit(info.potential_fn)(z)) == pytest.approx(expected, rel=1e-5)
        assert float(jax.jit(info.postprocess_fn)(z)["x"]) == 0.25


@ARRAYS
def test_initialize_model_with_traced_data(array):
    """What Python reads is concrete, while the observations belong to an outer program."""
    strategy = init_to_value(values={"x": 0.25})
    switch, count = array([1.0]), array(2)

    def energy(y):
        arguments = (switch, count, y)
        info = initialize_model(KEY, model, init_strategy=strategy, model_args=arguments)
        return info.param_info.potential_energy

    expected = -stats.norm(0, 1).logpdf(0.25) - stats.norm(2.25, 1).logpdf(Y).sum()
    assert float(jax.jit(energy)(Y)) == pytest.approx(expected, rel=1e-5)


@ARRAYS
def test_log_likelihood(array):
    x = np.linspace(-1, 1, 5, dtype=np.float32)
    found = log_likelihood(model, {"x": x}, array([1.0]), array(3), y=array(Y))["y"]
    expected = stats.norm(x[:, None] + 3, 1).logpdf(Y).sum(1)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@ARRAYS
def test_predictive(array):
    predictive = Predictive(model, num_samples=400)
    for switch, scale in ((1.0, 1.0), (-1.0, 10.0)):
        draws = predictive(KEY, array([switch]), array(3))
        assert stats.kstest(draws["x"], stats.norm(0, scale).cdf).pvalue > 1e-3
        noise = np.asarray(draws["y"] - draws["x"][:, None])
        assert stats.kstest(noise.ravel(), stats.norm(3, 1).cdf).pvalue > 1e-3


@ARRAYS
def test_a_run(array):
    mcmc = MCMC(NUTS(model), num_warmup=200, num_samples=1000, progress_bar=False)
    mcmc.run(KEY, array([-1.0]), array(3), array(Y))
    # Precision 1/100 + 2 about the mean of Y - 3; 1000 draws of an effective size of 250 or more.
    precision = 2.01
    mean, scale = (Y - 3).sum() / precision, precision**-0.5
    x = mcmc.get_samples()["x"]
    assert abs(x.mean() - mean) < 4 * scale / np.sqrt(250)


@ARRAYS
def test_a_run_inside_of_a_transformation(array):
    arguments = (array([-1.0]), array(3), array(Y))

    def run(key):
        mcmc = MCMC(HMC(model, num_steps=2), num_warmup=5, num_samples=5, progress_bar=False)
        mcmc.run(key, *arguments)
        return mcmc.get_samples()["x"]

    assert np.all(np.isfinite(jax.jit(run)(KEY)))


def test_pathfinder():
    arguments = (jnp.asarray([-1.0]), jnp.asarray(3), jnp.asarray(Y))
    found = pathfinder(KEY, model, model_args=arguments, num_chains=2, num_paths=2)
    assert found.init_params["x"].shape == (2,)


def test_a_latent_value_has_none_to_read():
    def asks():
        sample(
            "x", dist.Normal(0.0, 1.0) if sample("z", dist.Normal(0, 1)) > 0 else dist.Beta(1, 1)
        )

    with pytest.raises(jax.errors.TracerBoolConversionError):
        initialize_model(KEY, asks)
