"""Scan, cond and reparam with the project's own distributions, densities and sampler."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sojourn
import sojourn.distributions as dist
from sojourn.contrib.control_flow import cond, scan
from sojourn.handlers import mask, reparam, scale, seed, substitute, trace
from sojourn.infer import MCMC, NUTS, log_density
from sojourn.infer.inspect import get_model_relations

LENGTH = 5


def local_level(y):
    """A random walk seen through noise; its posterior is Gaussian and known in closed form."""

    def step(level, y):
        level = sojourn.sample("level", dist.Normal(level, 1.0))
        sojourn.sample("y", dist.Normal(level, 0.5), obs=y)
        return level, None

    scan(step, 0.0, y)


def test_nuts_samples_scanned_sites():
    y = np.array([0.5, 1.5, 1.0, 2.5, 3.5], np.float32)
    mcmc = MCMC(
        NUTS(local_level), num_warmup=500, num_samples=2000, num_chains=2, progress_bar=False
    )
    mcmc.run(jax.random.key(0), y)
    draws = mcmc.get_samples()["level"]
    assert draws.shape == (4000, LENGTH)
    differences = np.eye(LENGTH) - np.eye(LENGTH, k=-1)
    precision = differences.T @ differences + np.eye(LENGTH) / 0.25
    mean = np.linalg.solve(precision, y / 0.25)
    sd = np.sqrt(np.diag(np.linalg.inv(precision)))
    # at least 1000 effective draws: 5 standard errors
    np.testing.assert_allclose(draws.mean(0), mean, atol=5 * sd.max() / np.sqrt(1000))
    np.testing.assert_allclose(draws.std(0), sd, rtol=5 / np.sqrt(2 * 1000))


def test_supports_and_scales_of_scanned_sites():
    """Bounds that differ by step, a subsampled plate, a mask and a scale, against a loop."""
    data = np.array([0.2, 0.4, 0.1], np.float32)

    def model():
        def step(top, y):
            top = sojourn.sample("top", dist.Gamma(2.0 + top, 1.0))
            with sojourn.plate("N", 4, subsample_size=2), mask(mask=np.array([True, False])):
                sojourn.sample("u", dist.Uniform(0.0, top))
            with scale(scale=y):
                sojourn.sample("n", dist.MultivariateNormal(jnp.full(2, y), jnp.eye(2)))
            return top, None

        scan(step, 1.0, data)

    sites = trace(seed(model, 0)).get_trace()
    assert sites["u"]["fn"].support.upper_bound.shape == (3, 1)
    assert sites["n"]["fn"].event_shape == (2,)
    values = {name: site["value"] for name, site in sites.items()}
    top = np.asarray(values["top"])
    before = np.concatenate([[1.0], top[:-1]])
    expected = dist.Gamma(2.0 + before, 1.0).log_prob(top).sum()
    expected += -2.0 * np.log(top).sum()  # one unmasked element of two, which stand for four
    for y, n in zip(data, values["n"], strict=True):
        expected += y * dist.MultivariateNormal(np.full(2, y), np.eye(2)).log_prob(n)
    density, _ = log_density(model, (), {}, values)
    np.testing.assert_allclose(density, expected, rtol=1e-5)


@pytest.mark.parametrize("x", [-1.0, 1.0])
def test_density_of_cond(x):
    def model():
        x = sojourn.sample("x", dist.Normal(0.0, 1.0))
        cond(
            x > 0,
            lambda x: sojourn.sample("y", dist.Normal(x, 1.0)),
            lambda x: sojourn.sample("y", dist.Normal(3 * x, 2.0)),
            x,
        )

    density, sites = log_density(model, (), {}, {"x": x, "y": 0.5})
    y = dist.Normal(x, 1.0) if x > 0 else dist.Normal(3 * x, 2.0)
    expected = dist.Normal(0.0, 1.0).log_prob(x) + y.log_prob(0.5)
    np.testing.assert_allclose(density, expected, rtol=1e-6)
    assert type(sites["y"]["fn"]) is dist.Normal


def test_a_model_without_its_centre_has_the_same_predictions():
    def model():
        tau = sojourn.sample("tau", dist.HalfNormal(1.0))
        with sojourn.plate("N", 3):
            return sojourn.sample("x", dist.Normal(2.0, tau))

    def noncentred(name, fn, obs):
        noise = sojourn.sample(f"{name}_base", dist.Normal(0.0, 1.0).expand(fn.batch_shape))
        return None, 2.0 + noise * values["tau"]

    values = {"tau": 0.7, "x_base": np.array([1.0, -1.0, 0.0])}
    moved = substitute(reparam(model, config={"x": noncentred}), data=values)
    np.testing.assert_allclose(moved(), 2.0 + 0.7 * values["x_base"], rtol=1e-6)
    density, _ = log_density(reparam(model, config={"x": noncentred}), (), {}, values)
    expected = dist.HalfNormal(1.0).log_prob(0.7)
    expected += dist.Normal(0.0, 1.0).log_prob(values["x_base"]).sum()
    np.testing.assert_allclose(density, expected, rtol=1e-6)


def test_relations_name_distributions_not_their_wrappers():
    def model(data):
        m = sojourn.sample("m", dist.Normal(0, 1))
        sd = sojourn.sample("sd", dist.LogNormal(m, 1))
        with sojourn.plate("N", len(data)):
            sojourn.sample("obs", dist.Normal(0, 1).mask(True), obs=data)
            sojourn.sample("vector", dist.Normal(np.zeros(2), sd).to_event(1))

    relations = get_model_relations(model, (np.zeros(3),))
    assert relations["sample_dist"] == {
        "m": "Normal",
        "sd": "LogNormal",
        "obs": "Normal",
        "vector": "Normal",
    }
    assert relations["sample_sample"] == {"m": [], "sd": ["m"], "obs": [], "vector": ["sd"]}
