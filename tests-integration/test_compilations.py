"""A first run compiles three programs and runs nothing else; further runs compile nothing."""

import json
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sojourn
import sojourn.distributions as dist
from sojourn.infer import HMC, MCMC, NUTS, init_to_median, init_to_value

# Runs are too short to adapt well, which is not what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore:.*transitions diverged")

X = np.linspace(-1, 1, 12)
Y = np.cos(X)


def regression(x, degree, noise, y=None):
    with sojourn.plate("degree", degree):
        weight = sojourn.sample("weight", dist.Normal(0, 1))
    scale = sojourn.sample("scale", dist.HalfNormal(noise))
    with sojourn.plate("observation", len(x)):
        mean = sojourn.deterministic("mean", sum(weight[n] * x**n for n in range(degree)))
        sojourn.sample("y", dist.Normal(mean, scale), obs=y)


def run(kernel, *arguments, seed=0, extra_fields=(), init_params=None, **settings):
    # Runs this short are full of problems, of which nothing is to be said here.
    short = {"num_warmup": 20, "num_samples": 30, "progress_bar": False, "report": False}
    settings = {**short, **settings}
    mcmc = MCMC(kernel, **settings)
    key = jax.random.key(seed)
    mcmc.run(key, *arguments, y=Y, extra_fields=extra_fields, init_params=init_params)
    return mcmc


@pytest.fixture(scope="module", autouse=True)
def _key_is_made_before():
    """Making a key compiles programs that are not the run's."""
    jax.random.key(0)


FRESH = """
import json, sys, threading
import jax
import numpy as np
import sojourn
import sojourn.distributions as dist
from sojourn.infer import MCMC, NUTS

names = []
jax.monitoring.register_event_duration_secs_listener(
    lambda event, seconds, **details: names.append(details.get("fun_name", "a program"))
    if event == "/jax/core/compile/backend_compile_duration" else None
)
key = jax.random.key(0)

def model(sigma, y):
    shares = sojourn.sample("shares", dist.Dirichlet(np.ones(3)))
    mu = sojourn.sample("mu", dist.TruncatedNormal(0, 5, low=-1))
    tau = sojourn.sample("tau", dist.HalfCauchy(5))
    rho = sojourn.sample("rho", dist.Beta(2, 2))
    field = sojourn.sample("field", dist.MultivariateNormal(np.zeros(2), np.eye(2)))
    with sojourn.plate("school", len(sigma)):
        z = sojourn.sample("z", dist.Normal(0, 1))
        theta = sojourn.deterministic("theta", mu + tau * z)
        sojourn.sample("y", dist.Normal(theta, sigma), obs=y)

method, bar = sys.argv[1:]
mcmc = MCMC(
    NUTS(model), num_warmup=30, num_samples=30, num_chains=2,
    chain_method=method, progress_bar=bar == "bar",
)
before = list(names)
mcmc.run(key, np.array([15.0, 10.0, 16.0]), y=np.array([28.0, 8.0, -3.0]))
print(json.dumps(names[len(before):]))
"""


@pytest.mark.parametrize("method, bar", [("parallel", "bar"), ("vectorized", "silent")])
def test_a_fresh_process_compiles_three_programs(method, bar):
    command = [sys.executable, "-W", "ignore", "-c", FRESH, method, bar]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    names = json.loads(result.stdout.splitlines()[-1])
    assert len(names) == 3, names


@pytest.fixture(scope="module")
def kernel():
    """A kernel that has run once; its programs serve all tests of this module."""
    kernel = NUTS(regression)
    run(kernel, X, 3, 1.0)
    return kernel


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"seed": 5}, id="seed"),
        pytest.param({"num_warmup": 0}, id="no-warmup"),
        pytest.param({"num_warmup": 77}, id="num_warmup"),
        pytest.param({"num_samples": 2500}, id="num_samples"),
        pytest.param({"thinning": 7}, id="thinning"),
        pytest.param({"num_chains": 3}, id="num_chains"),
        pytest.param({"num_chains": 2, "chain_method": "sequential"}, id="sequential"),
        pytest.param({"progress_bar": True}, id="progress_bar"),
        pytest.param({"arguments": (X[::-1], 3, 1.0)}, id="data-of-the-same-shape"),
        pytest.param({"arguments": (X, 3, 2.5)}, id="another-float"),
    ],
)
def test_a_further_run_compiles_nothing(kernel, compilations, change):
    arguments = change.pop("arguments", (X, 3, 1.0))
    run(kernel, *arguments, **change)
    assert compilations.settle() == []


def test_new_shapes_and_integers_are_new_programs(kernel, compilations):
    shorter = MCMC(kernel, num_warmup=20, num_samples=30, progress_bar=False)
    shorter.run(jax.random.key(0), X[1:], 3, 1.0, y=Y[1:])
    assert len(compilations.settle()) == 3
    mcmc = run(kernel, X, 2, 1.0)  # an integer may decide shapes, as it does here
    assert len(compilations.settle()) == 6
    assert mcmc.get_samples()["weight"].shape == (30, 2)


def test_new_data_are_used(kernel):
    """The other side of compiling nothing: the data are not frozen into a program."""
    means = [
        np.asarray(run(kernel, x, 3, 1.0).get_samples()["mean"])[:, 0] for x in (X, X[::-1] + 5)
    ]
    weights = np.asarray(run(kernel, X[::-1] + 5, 3, 1.0).get_samples()["weight"])
    expected = weights @ np.array([6.0, 6.0, 6.0]) ** np.arange(3)
    assert np.allclose(means[1], expected, rtol=1e-4)
    assert not np.allclose(means[0], means[1])


def test_jax_arrays_serve_as_numpy_arrays_do(kernel):
    from_numpy = run(kernel, X.astype(np.float32), 3, 1.0).get_samples()["weight"]
    from_jax = run(kernel, jnp.asarray(X, np.float32), 3, 1.0).get_samples()["weight"]
    assert np.array_equal(from_numpy, from_jax)


def fit_or_mean(x, degree, noise, y=None):
    """Python asks for the value of its data."""
    if np.sum(x) > 1 and x[0] > 0:
        return regression(x, degree, noise, y)
    sojourn.sample("mean", dist.Normal(0, noise))
    return None


def test_control_flow_on_data_makes_them_constants(compilations):
    kernel = NUTS(fit_or_mean)
    first = {"num_warmup": 0, "num_samples": 1}
    fitted = run(kernel, X + 2, 3, 1.0, **first).get_samples()
    usual = run(NUTS(regression), X + 2, 3, 1.0, **first).get_samples()
    assert fitted.keys() == usual.keys() == {"weight", "scale", "mean"}
    for site in usual:
        assert np.allclose(fitted[site], usual[site], rtol=1e-3, atol=1e-4), site
    # Other values may take the other way, and are other programs.
    assert set(run(kernel, X - 2, 3, 1.0, **first).get_samples()) == {"mean"}
    compilations.settle().clear()
    for data in (X + 2, X - 2):
        run(kernel, data, 3, 1.0, **first)
        run(kernel, data, 3, 1.0, num_warmup=9, num_samples=5, seed=1)
    assert compilations.settle() == []


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: HMC(regression, num_steps=4), id="hmc"),
        pytest.param(lambda: NUTS(regression, dense_mass=True), id="dense"),
        pytest.param(lambda: NUTS(regression, init_strategy=init_to_median), id="median"),
        pytest.param(
            lambda: NUTS(regression, init_strategy=init_to_value(values={"scale": 1.0})), id="value"
        ),
    ],
)
def test_other_kernels_compile_three_programs_too(make, compilations):
    kernel = make()
    run(kernel, X, 3, 1.0)
    assert len(compilations.settle()) == 3
    run(kernel, X, 3, 1.0, seed=1, num_samples=40)
    assert len(compilations) == 3
