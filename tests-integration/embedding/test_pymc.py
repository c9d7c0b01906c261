"""PyMC's JAX densities under our kernels, by the calls that PyMC makes to its external sampler."""

import os
import sys

import jax
import numpy as np
import pytest

import sojourn
from sojourn_hmc import HMC, MCMC, NUTS

pytestmark = [
    pytest.mark.filterwarnings("default"),  # PyMC and ArviZ announce their own changes
    pytest.mark.filterwarnings("error::sojourn_hmc.SamplingWarning"),
]

METHODS = ["parallel", "sequential", "vectorized"]
FIELDS = (
    "num_steps",
    "potential_energy",
    "energy",
    "adapt_state.step_size",
    "accept_prob",
    "diverging",
)
SUCCESSES, TRIALS = 14, 20
COUNTS = np.array([3, 1, 4, 1, 5, 9, 2, 6])


@pytest.fixture(scope="module")
def pymc_jax(foreign):
    """`pymc.sampling.jax`; what its import changes in the process is undone afterwards."""
    precision, flags = jax.config.jax_enable_x64, os.environ.get("XLA_FLAGS")
    foreign("pymc")
    yield foreign("pymc.sampling.jax")
    jax.config.update("jax_enable_x64", precision)
    if flags is None:
        os.environ.pop("XLA_FLAGS", None)
    else:
        os.environ["XLA_FLAGS"] = flags


@pytest.fixture(scope="module")
def model(foreign, pymc_jax):
    """A bounded, a positive and a simplex-valued variable, each with a conjugate prior."""
    pm = foreign("pymc")
    with pm.Model() as model:
        chance = pm.Beta("chance", 2, 3)
        pm.Binomial("successes", TRIALS, chance, observed=SUCCESSES)
        rate = pm.Gamma("rate", 2, 1)
        pm.Poisson("counts", rate, observed=COUNTS)
        pm.Dirichlet("shares", np.array([2.0, 3.0, 5.0]))
        pm.Deterministic("odds", chance / (1 - chance))
    return model


def require_conjugate_posterior(samples):
    """Means of what was drawn, at least 1000 effective draws."""
    a, b = 2 + SUCCESSES, 3 + TRIALS - SUCCESSES
    shape, rate = 2 + COUNTS.sum(), 1 + COUNTS.size
    shares = np.array([0.2, 0.3, 0.5])
    expected = {
        "chance": (a / (a + b), a * b / ((a + b) ** 2 * (a + b + 1))),
        "rate": (shape / rate, shape / rate**2),
        "shares": (shares, shares * (1 - shares) / 11),
    }
    for name, (mean, variance) in expected.items():
        draws = np.asarray(samples[name], float)
        draws = draws.reshape(-1, *np.shape(mean))
        assert (abs(draws.mean(0) - mean) < 4.5 * np.sqrt(variance / 1000)).all(), name
        assert (abs(draws.var(0) / variance - 1) < 0.3).all(), name


def starts(model, num_chains):
    values = list(model.initial_point().values())
    if num_chains == 1:
        return values
    return [np.stack([value + 0.1 * chain for chain in range(num_chains)]) for value in values]


@pytest.fixture(scope="module")
def kernel(model, pymc_jax):
    """The kernel as PyMC makes it: a potential of a list of values."""
    return NUTS(
        potential_fn=pymc_jax.get_jaxified_logp(model, negative_logp=False),
        target_accept_prob=0.8,
        adapt_step_size=True,
        adapt_mass_matrix=True,
        dense_mass=False,
    )


def run(kernel, model, num_chains, chain_method="parallel", key=None, **settings):
    settings = {"num_warmup": 300, "num_samples": 500, "progress_bar": False} | settings
    mcmc = MCMC(
        kernel, num_chains=num_chains, postprocess_fn=None, chain_method=chain_method, **settings
    )
    keys = jax.random.PRNGKey(4)
    if num_chains > 1:
        keys = jax.random.split(keys, num_chains)
    mcmc.run(keys, init_params=starts(model, num_chains), extra_fields=FIELDS)
    return mcmc


def constrained(model, pymc_jax, mcmc):
    """Map samples back by PyMC's own graph, as its sampling function does."""
    outputs = [var for var in model.unobserved_value_vars if not var.name.endswith("__")]
    graph = pymc_jax.get_jaxified_graph(inputs=model.value_vars, outputs=outputs)
    values = jax.jit(jax.vmap(jax.vmap(graph)))(*mcmc.get_samples(group_by_chain=True))
    return {var.name: value for var, value in zip(outputs, values, strict=True)}


@pytest.mark.parametrize("method", METHODS)
def test_the_calls_of_pymc_by_hand(method, kernel, model, pymc_jax):
    mcmc = run(kernel, model, 4, method)
    raw = mcmc.get_samples(group_by_chain=True)
    assert isinstance(raw, list)
    assert [values.shape for values in raw] == [(4, 500), (4, 500), (4, 500, 2)]
    assert all(values.dtype == np.float64 for values in raw)
    fields = mcmc.get_extra_fields(group_by_chain=True)
    assert set(fields) == set(FIELDS)
    assert all(values.shape == (4, 500) for values in fields.values())
    samples = constrained(model, pymc_jax, mcmc)
    require_conjugate_posterior(samples)
    np.testing.assert_allclose(samples["odds"], samples["chance"] / (1 - samples["chance"]))
    # The potential energy that is reported belongs to the sample beside it.
    density = pymc_jax.get_jaxified_logp(model)
    last = [values[2, -1] for values in raw]
    np.testing.assert_allclose(-fields["potential_energy"][2, -1], density(last), rtol=1e-10)


def test_a_batch_of_keys_is_a_key_for_each_chain(kernel, model):
    short = {"num_warmup": 50, "num_samples": 50, "report": False}
    parallel = run(kernel, model, 3, **short).get_samples(group_by_chain=True)
    one_by_one = run(kernel, model, 3, "sequential", **short).get_samples(group_by_chain=True)
    for both in zip(parallel, one_by_one, strict=True):
        np.testing.assert_array_equal(*both)
    assert not np.array_equal(parallel[0][0], parallel[0][1])


def test_one_chain_and_going_on(kernel, model):
    short = {"num_warmup": 50, "report": False}
    whole = run(kernel, model, 1, num_samples=60, **short).get_samples()
    mcmc = run(kernel, model, 1, num_samples=30, **short)
    first = mcmc.get_samples()
    mcmc.post_warmup_state = mcmc.last_state
    mcmc.run(mcmc.post_warmup_state.rng_key)
    for parts in zip(whole, first, mcmc.get_samples(), strict=True):
        np.testing.assert_array_equal(parts[0], np.concatenate(parts[1:]))


def test_hmc_takes_the_same_density(model, pymc_jax):
    density = pymc_jax.get_jaxified_logp(model, negative_logp=False)
    # A quarter of the period of a normal: the default, a whole one, ends where it began.
    kernel = HMC(potential_fn=density, trajectory_length=np.pi / 2)
    require_conjugate_posterior(constrained(model, pymc_jax, run(kernel, model, 4)))


@pytest.mark.parametrize("method", ["parallel", "vectorized"])
def test_pymcs_own_sampling_function(method, model, pymc_jax, monkeypatch):
    monkeypatch.setitem(sys.modules, "numpyro", sojourn)
    monkeypatch.setitem(sys.modules, "numpyro.infer", sojourn.infer)
    with model:
        idata = pymc_jax.sample_numpyro_nuts(
            draws=500,
            tune=300,
            chains=4,
            chain_method=method,
            random_seed=1,
            progressbar=False,
            nuts_kwargs={"max_tree_depth": 8},
        )
    assert idata.posterior.attrs["inference_library"] == "sojourn"
    require_conjugate_posterior(idata.posterior)
    stats = idata.sample_stats
    assert {"acceptance_rate", "energy", "lp", "n_steps", "step_size", "tree_depth"} <= set(stats)
    assert not stats["diverging"].any()
    np.testing.assert_array_equal(
        stats["tree_depth"], np.floor(np.log2(stats["n_steps"])).astype(int) + 1
    )
    assert abs(float(stats["acceptance_rate"].mean()) - 0.8) < 0.15
