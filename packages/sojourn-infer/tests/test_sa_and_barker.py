"""`SA` and `BarkerMH` sample models, with NumPyro's arguments in NumPyro's order."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from arviz_stats.base import array_stats

import sojourn_distributions as dist
import sojourn_hmc
from sojourn_infer import MCMC, SA, BarkerMH, ModelTarget, init_to_value
from sojourn_primitives import deterministic, factor, sample

# What a short run warns of is tested elsewhere.
pytestmark = pytest.mark.filterwarnings("ignore::sojourn_hmc.SamplingWarning")


def model(y=None):
    rate = sample("rate", dist.Gamma(3.0, 2.0))
    share = deterministic("share", sample("odds", dist.Beta(2.0, 5.0)) * 2)
    sample("y", dist.Exponential(rate), obs=y)
    return share


SIGNATURES = {
    SA: ["model", "potential_fn", "adapt_state_size", "dense_mass", "init_strategy"],
    BarkerMH: [
        "model",
        "potential_fn",
        "step_size",
        "adapt_step_size",
        "adapt_mass_matrix",
        "dense_mass",
        "target_accept_prob",
        "init_strategy",
    ],
}


@pytest.mark.parametrize("kernel_type", SIGNATURES)
def test_arguments_by_position_and_the_defaults_of_the_core(kernel_type):
    own = inspect.signature(kernel_type).parameters
    core = inspect.signature(getattr(sojourn_hmc, kernel_type.__name__)).parameters
    positional = [name for name, value in own.items() if value.kind is value.POSITIONAL_OR_KEYWORD]
    assert positional == SIGNATURES[kernel_type]
    assert own.keys() - core.keys() == {"model", "init_strategy"}
    assert core.keys() - own.keys() == {"target"}
    for name in own.keys() & core.keys():
        assert own[name].default == core[name].default, name


@pytest.mark.parametrize("kernel_type", SIGNATURES)
def test_the_target_is_chosen_by_what_is_given(kernel_type):
    kernel = kernel_type(model)
    assert isinstance(kernel.target, ModelTarget)
    assert kernel.model is model
    assert kernel_type(kernel.target).target is kernel.target
    with pytest.raises(ValueError, match="exactly one"):
        kernel_type(model, lambda z: 0.0)
    with pytest.raises(TypeError, match="must be a function or a target"):
        kernel_type(3)


@pytest.mark.parametrize(
    "kernel",
    [SA(model), BarkerMH(model), BarkerMH(model, dense_mass=True, noise="bimodal")],
    ids=["sa", "barker", "barker-bimodal"],
)
def test_bounded_sites_have_their_posterior(kernel):
    """Conjugate, on bounded supports: a Jacobian left out would show."""
    y = jnp.array([0.5, 1.5, 2.0, 0.2])
    mcmc = MCMC(kernel, num_warmup=1500, num_samples=8000, num_chains=2, progress_bar=False)
    mcmc.run(jax.random.key(0), y)
    draws = mcmc.get_samples(group_by_chain=True)
    assert set(draws) == {"rate", "odds", "share"}
    np.testing.assert_allclose(draws["share"], 2 * draws["odds"], rtol=1e-5)
    rate, odds = (np.asarray(draws[name], float) for name in ("rate", "odds"))
    shape, inverse_scale = 3 + len(y), 2 + float(y.sum())
    moments = [
        (rate, shape / inverse_scale),
        (rate**2, shape * (shape + 1) / inverse_scale**2),
        (odds, 2 / 7),
        (odds**2, 2 * 3 / (7 * 8)),
        (rate * odds, shape / inverse_scale * 2 / 7),
    ]
    for values, expected in moments:
        error = values.std() / np.sqrt(array_stats.ess(values, method="mean"))
        assert abs(values.mean() - expected) < 4.5 * error


@pytest.mark.parametrize("kernel_type", SIGNATURES)
def test_the_init_strategy_is_where_a_chain_starts(kernel_type):
    strategy = init_to_value(values={"rate": 2.5, "odds": 0.3})
    kernel = kernel_type(model, init_strategy=strategy)
    y = jnp.ones(3)
    start = jax.jit(lambda key: kernel.init(key, 3, None, (y,), {}))(jax.random.key(0))
    assert float(start.z["rate"]) == pytest.approx(np.log(2.5), rel=1e-5)
    values = kernel.postprocess_fn((y,), {})(start.z)
    assert float(values["odds"]) == pytest.approx(0.3, rel=1e-5)


@pytest.mark.parametrize("kernel_type", SIGNATURES)
def test_a_model_without_latent_sites(kernel_type):
    def constant():
        deterministic("a", jnp.float32(2.0))

    mcmc = MCMC(kernel_type(constant), num_warmup=3, num_samples=4, progress_bar=False)
    mcmc.run(jax.random.key(0))
    np.testing.assert_array_equal(mcmc.get_samples()["a"], [2.0] * 4)


@pytest.mark.parametrize("kernel_type", SIGNATURES)
def test_a_start_without_density_is_explained(kernel_type):
    def impossible():
        x = sample("x", dist.Normal(0.0, 1.0))
        factor("impossible", jnp.log(-jnp.abs(x)))

    mcmc = MCMC(kernel_type(impossible), num_warmup=3, num_samples=4, progress_bar=False)
    with pytest.raises(ValueError, match=r"cannot start a chain(.|\n)*site 'impossible'"):
        mcmc.run(jax.random.key(0))
