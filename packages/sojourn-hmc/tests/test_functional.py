"""`hmc`: two pure functions without a state of their own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sojourn_hmc import HMC, MCMC, NUTS, hmc


def potential(z):
    return 0.5 * jnp.sum((z["x"] - 3.0) ** 2)


START = {"x": jnp.zeros(2)}


@pytest.mark.parametrize(
    ("algo", "settings"),
    [
        ("NUTS", {"max_tree_depth": (5, 4), "target_accept_prob": 0.9}),
        ("HMC", {"trajectory_length": 2.0}),
        ("HMC", {"num_steps": 5, "dense_mass": True}),
    ],
)
def test_they_do_what_the_kernel_does(algo, settings):
    init_kernel, sample_kernel = hmc(potential, algo=algo)
    key = jax.random.key(0)
    state = init_kernel(START, 50, rng_key=jax.random.fold_in(key, 0), **settings)

    @jax.jit
    def run(state):
        def step(state, _):
            state = sample_kernel(state)
            return state, state.z["x"]

        return jax.lax.scan(step, state, length=80)[1]

    mcmc = MCMC(
        {"NUTS": NUTS, "HMC": HMC}[algo](potential_fn=potential, **settings),
        num_warmup=50,
        num_samples=30,
        progress_bar=False,
    )
    mcmc.run(key, init_params=START)
    np.testing.assert_allclose(run(state)[50:], mcmc.get_samples()["x"], rtol=1e-3, atol=1e-3)


def test_states_of_different_settings_do_not_meet():
    """Nothing is remembered between calls: each state brings its own settings."""
    init_kernel, sample_kernel = hmc(potential)
    key = jax.random.key(1)
    shallow = init_kernel(START, 0, step_size=0.01, max_tree_depth=2, rng_key=key)
    deep = init_kernel(START, 0, step_size=0.01, max_tree_depth=6, rng_key=key)
    sample = jax.jit(sample_kernel)
    assert int(sample(shallow).num_steps) == 3
    assert int(sample(deep).num_steps) == 63
    assert int(sample(shallow).num_steps) == 3
    # States with equal settings share a program.
    again = init_kernel(START, 0, step_size=0.02, max_tree_depth=6, rng_key=key)
    before = sample._cache_size()
    sample(again)
    assert sample._cache_size() == before


def test_a_potential_from_arguments():
    init_kernel, sample_kernel = hmc(
        potential_fn_gen=lambda mean, scale=1.0: lambda z: 0.5 * jnp.sum(((z - mean) / scale) ** 2)
    )
    start = jnp.zeros(1)
    state = init_kernel(start, 100, model_args=(5.0,), model_kwargs={"scale": 0.1})

    @jax.jit
    def run(state, mean):
        def step(state, _):
            state = sample_kernel(state, (mean,), {"scale": 0.1})
            return state, state.z

        return jax.lax.scan(step, state, length=300)[1]

    assert abs(float(run(state, 5.0)[150:].mean()) - 5.0) < 0.1
    # New data of the same shapes: the same program.
    other = init_kernel(start, 100, model_args=(-2.0,), model_kwargs={"scale": 0.1})
    assert abs(float(run(other, -2.0)[150:].mean()) + 2.0) < 0.1
    assert run._cache_size() == 1


def test_refusals():
    for given in ({}, {"potential_fn": potential, "potential_fn_gen": lambda: potential}):
        with pytest.raises(ValueError, match="exactly one"):
            hmc(**given)
    with pytest.raises(ValueError, match="algo must be one of"):
        hmc(potential, algo="RWM")
    init_kernel, sample_kernel = hmc(potential)
    state = NUTS(potential_fn=potential).init(jax.random.key(0), 0, START)
    with pytest.raises(ValueError, match="a state that init_kernel"):
        sample_kernel(state)
    with pytest.raises(TypeError, match="unexpected keyword"):
        init_kernel(START, 10, step=0.1)
