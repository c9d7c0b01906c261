"""`NUTS` and `HMC` choose the target and leave the rest to the core."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sojourn_distributions as dist
import sojourn_hmc
from sojourn_hmc import PotentialTarget
from sojourn_infer import HMC, MCMC, NUTS, ModelTarget, init_to_value
from sojourn_primitives import sample


def model(scale=1.0):
    sample("x", dist.Normal(0.0, scale))


def potential(z):
    return 0.5 * z["x"] ** 2


@pytest.mark.parametrize("kernel_type", [NUTS, HMC])
def test_the_target_is_chosen_by_what_is_given(kernel_type):
    kernel = kernel_type(model)
    assert isinstance(kernel.target, ModelTarget)
    assert kernel.model is model
    assert kernel.target.model is model
    target = PotentialTarget(potential)
    assert kernel_type(target).target is target
    assert isinstance(kernel_type(potential_fn=potential).target, PotentialTarget)


@pytest.mark.parametrize("kernel_type", [NUTS, HMC])
def test_a_kernel_of_the_core_differs_in_what_it_samples_alone(kernel_type):
    """Whatever the core's kernel can be told, the model's kernel can be told, with its defaults."""
    own = inspect.signature(kernel_type).parameters
    core = inspect.signature(getattr(sojourn_hmc, kernel_type.__name__)).parameters
    assert list(own)[:2] == ["model", "potential_fn"]
    assert own.keys() - core.keys() == {"model", "init_strategy"}
    assert core.keys() - own.keys() == {"target"}
    for name in own.keys() & core.keys():
        assert own[name].default == core[name].default, name


@pytest.mark.parametrize("kernel_type", [NUTS, HMC])
def test_settings_reach_the_core(kernel_type):
    settings = {
        "step_size": 0.3,
        "inverse_mass_matrix": np.array([2.0]),
        "adapt_step_size": False,
        "adapt_mass_matrix": False,
        "init_strategy": init_to_value(values={"x": 1.5}),
    }
    kernel = kernel_type(model, **settings)
    mcmc = MCMC(kernel, num_warmup=3, num_samples=2, progress_bar=False)
    mcmc.run(jax.random.key(0))
    state = mcmc.last_state
    assert state.adapt_state.step_size == np.float32(0.3)
    np.testing.assert_array_equal(state.adapt_state.inverse_mass_matrix, [2.0])
    start = jax.jit(lambda key: kernel.init(key, 3, None, (), {}))(jax.random.key(0))
    assert start.z["x"] == 1.5


def test_a_model_and_its_potential_are_one_chain():
    """By the same seed and from the same start, a bare potential draws what the model draws."""
    settings = {"num_warmup": 30, "num_samples": 40, "progress_bar": False}
    of_model = MCMC(NUTS(model), **settings)
    of_model.run(jax.random.key(1), init_params={"x": 0.5})
    bare = MCMC(NUTS(potential_fn=potential), **settings)
    bare.run(jax.random.key(1), init_params={"x": jnp.float32(0.5)})
    np.testing.assert_allclose(
        of_model.get_samples()["x"][:3], bare.get_samples()["x"][:3], rtol=1e-3, atol=1e-4
    )


def test_states_are_named_by_sites():
    state = jax.eval_shape(
        lambda key: NUTS(model).init(key, 10, None, (), {"scale": 2.0}), jax.random.key(0)
    )
    assert state.z.keys() == state.z_grad.keys() == {"x"}
