"""HMC and NUTS leave their target invariant: closed forms, and exact draws that stay exact."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from arviz_stats.base import array_stats
from scipy import special, stats

from sojourn_hmc import HMC, MCMC, NUTS

COVARIANCE = np.array([[1.0, 1.8, 0.0], [1.8, 4.0, -0.03], [0.0, -0.03, 0.01]])
PRECISION = np.linalg.inv(COVARIANCE)

# Densities on the real line, skewed, bounded (through a logit) and heavy-tailed, each with its
# distribution function; the correlated one has its own test.
TARGETS = {
    # log of a Gamma(0.7): a long tail to the left.
    "log-gamma": (
        lambda x: jnp.exp(x) - 0.7 * x,
        lambda x: special.gammainc(0.7, np.exp(x)),
        lambda u: np.log(special.gammaincinv(0.7, u)),
    ),
    # logit of a Beta(2, 5).
    "logit-beta": (
        lambda x: 2.0 * jax.nn.softplus(-x) + 5.0 * jax.nn.softplus(x),
        lambda x: special.betainc(2, 5, special.expit(x)),
        lambda u: special.logit(special.betaincinv(2, 5, u)),
    ),
    # Student's t with 5 degrees of freedom around 10.
    "student-t": (
        lambda x: 3.0 * jnp.log1p((x - 10.0) ** 2 / 5),
        lambda x: stats.t.cdf(x - 10, 5),
        lambda u: 10 + stats.t.ppf(u, 5),
    ),
}

KERNELS = {
    "nuts": lambda potential: NUTS(potential_fn=potential),
    "nuts-dense": lambda potential: NUTS(potential_fn=potential, dense_mass=True),
    "nuts-shallow": lambda potential: NUTS(potential_fn=potential, max_tree_depth=(5, 2)),
    "hmc": lambda potential: HMC(potential_fn=potential, trajectory_length=2.0),
    "hmc-steps": lambda potential: HMC(potential_fn=potential, num_steps=3),
    "hmc-forward": lambda potential: HMC(
        potential_fn=potential, num_steps=4, forward_mode_differentiation=True
    ),
}


def total(potential):
    return lambda z: jnp.sum(potential(z["x"]))


def z_score(draws, expected):
    """Distance of the mean of ``(chains, draws)`` from ``expected`` in standard errors."""
    draws = np.asarray(draws, float)
    error = draws.std() / np.sqrt(array_stats.ess(draws, method="mean"))
    return (draws.mean() - expected) / error


@pytest.mark.filterwarnings("ignore:.*trajectories reached the largest tree")
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("target", TARGETS)
def test_closed_forms(target, kernel):
    potential, cdf, _ = TARGETS[target]
    mcmc = MCMC(
        KERNELS[kernel](total(potential)),
        num_warmup=500,
        num_samples=2500,
        num_chains=2,
        progress_bar=False,
    )
    mcmc.run(jax.random.key(1), init_params={"x": np.full((2, 3), 0.5, np.float32)})
    draws = np.asarray(mcmc.get_samples(group_by_chain=True)["x"])
    # The distribution function makes the draws uniform: mean 1/2, mean square 1/3.
    u = cdf(draws)
    for component in range(3):
        assert abs(z_score(u[..., component], 1 / 2)) < 4.5
        assert abs(z_score(u[..., component] ** 2, 1 / 3)) < 4.5
        assert abs(z_score(u[..., component] < 0.05, 0.05)) < 4.5


@pytest.mark.parametrize("kernel", ["nuts", "nuts-dense", "hmc"])
def test_variances_and_correlations(kernel):
    precision = jnp.asarray(PRECISION, jnp.float32)
    mcmc = MCMC(
        KERNELS[kernel](lambda z: 0.5 * (z - 2.0) @ precision @ (z - 2.0)),
        num_warmup=600,
        num_samples=2500,
        num_chains=2,
        progress_bar=False,
    )
    mcmc.run(jax.random.key(2), init_params=np.zeros((2, 3), np.float32))
    draws = np.asarray(mcmc.get_samples(group_by_chain=True), float) - 2.0
    for i in range(3):
        assert abs(z_score(draws[..., i], 0.0)) < 4.5
        for j in range(i + 1):
            assert abs(z_score(draws[..., i] * draws[..., j], COVARIANCE[i, j])) < 4.5


@pytest.mark.parametrize("kernel", ["nuts", "nuts-dense", "nuts-shallow", "hmc", "hmc-steps"])
@pytest.mark.parametrize("target", TARGETS)
def test_exact_draws_stay_exact(target, kernel):
    """At a step size so coarse that many proposals are rejected or diverge."""
    potential, cdf, quantile = TARGETS[target]
    settings = KERNELS[kernel](total(potential))
    settings.step_size = 1.4
    count = 10_000
    u = np.random.default_rng(3).uniform(size=(count, 1))
    exact = {"x": jnp.asarray(quantile(u), jnp.float32)}

    @jax.jit
    @jax.vmap
    def few_transitions(key, start):
        state = settings.init(key, 0, start)
        for _ in range(3):
            state = settings.sample(state)
        return state.z["x"][0], state.accept_prob

    moved, accept_prob = few_transitions(jax.random.split(jax.random.key(4), count), exact)
    assert float(accept_prob.mean()) < 0.97, "the step is too fine to test the accept rule"
    assert stats.kstest(cdf(np.asarray(moved, float)), "uniform").pvalue > 1e-4


def test_every_scale_is_learned():
    scale = jnp.array([1e-3, 1.0, 1e3])
    mcmc = MCMC(
        NUTS(potential_fn=lambda z: 0.5 * jnp.sum((z / scale) ** 2)),
        num_warmup=1000,
        num_samples=10,
        num_chains=4,
        progress_bar=False,
    )
    mcmc.run(jax.random.key(5), init_params=np.zeros((4, 3), np.float32))
    learned = np.sqrt(np.asarray(mcmc.last_state.adapt_state.inverse_mass_matrix)).mean(0)
    # 500 nearly independent draws per chain in the last window: about 2% for the mean of four.
    np.testing.assert_allclose(learned[1:], scale[1:], rtol=0.15)
    # The regularisation, 1e-3 * 5 / 505, adds to a variance of 1e-6.
    assert learned[0] == pytest.approx(np.sqrt(1e-6 + 1e-3 * 5 / 505), rel=0.15)


def test_state_fields_are_consistent():
    kernel = NUTS(potential_fn=total(TARGETS["log-gamma"][0]))
    state = kernel.init(jax.random.key(0), 50, {"x": jnp.zeros(2)})
    accepted = []
    sample = jax.jit(kernel.sample)
    for _ in range(60):
        state = sample(state)
        accepted.append(float(state.accept_prob))
        energy, gradient = jax.value_and_grad(total(TARGETS["log-gamma"][0]))(state.z)
        assert float(state.potential_energy) == pytest.approx(float(energy), rel=1e-4, abs=1e-4)
        np.testing.assert_allclose(state.z_grad["x"], gradient["x"], rtol=1e-3, atol=1e-4)
        assert float(state.energy) >= float(state.potential_energy)
    assert int(state.i) == 60
    # The mean is begun anew after the 50 transitions of the warmup.
    assert float(state.mean_accept_prob) == pytest.approx(np.mean(accepted[50:]), rel=1e-4)


def test_double_precision():
    with jax.enable_x64(True):
        mcmc = MCMC(
            NUTS(potential_fn=lambda z: 0.5 * jnp.sum(z**2)),
            num_warmup=100,
            num_samples=100,
            progress_bar=False,
        )
        mcmc.run(jax.random.key(0), init_params=jnp.zeros(2, jnp.float64))
        assert mcmc.get_samples().dtype == jnp.float64
        assert mcmc.last_state.adapt_state.step_size.dtype == jnp.float64


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "exactly one of target"),
        ({"potential_fn": total, "target": 3}, "exactly one of target"),
        ({"target": 3}, "not a target"),
        ({"potential_fn": total, "step_size": -1.0}, "step_size must be positive"),
        ({"potential_fn": total, "target_accept_prob": 1.0}, "between 0 and 1"),
        ({"potential_fn": total, "max_tree_depth": 0}, "max_tree_depth"),
        ({"potential_fn": total, "max_tree_depth": (3, 0)}, "max_tree_depth"),
    ],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises((ValueError, TypeError), match=message):
        NUTS(**settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_steps": None, "trajectory_length": None}, "both are None"),
        ({"num_steps": 0}, "num_steps"),
        ({"trajectory_length": 0.0}, "trajectory_length"),
    ],
)
def test_trajectory_settings_out_of_range(settings, message):
    with pytest.raises(ValueError, match=message):
        HMC(potential_fn=total, **settings)
