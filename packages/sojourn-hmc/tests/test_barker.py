"""Barker's Metropolis-Hastings: detailed balance, the walk without a force, bad energies."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats

from sojourn_hmc import MCMC, BarkerMH, BarkerMHState
from sojourn_hmc.barker import acceptance_probability, leaning_step

# What a short run warns of is tested elsewhere.
pytestmark = pytest.mark.filterwarnings("ignore::sojourn_hmc.SamplingWarning")


def potential(z):
    return jnp.sum(jnp.exp(z["x"]) - 0.7 * z["x"])


def skew(x):
    """Potential and slope of the logarithm of a Gamma(0.7)."""
    return np.exp(x) - 0.7 * x, np.exp(x) - 0.7


def probability_forward(length, slope):
    """Share of uniforms that make a step of this length go forward, by counting."""
    uniforms = (jnp.arange(4000, dtype=jnp.float32) + 0.5) / 4000
    steps = leaning_step(jnp.full(4000, length), jnp.full(4000, slope), uniforms)
    return float(np.mean(np.asarray(steps) == length))


def test_detailed_balance_on_a_grid():
    """pi(x) q(y | x) a(x, y) is symmetric in x and y, with q and a measured from the kernel."""
    scale = 1.3  # a preconditioner; the step size is inside of mu
    grid = np.linspace(-6.0, 2.0, 7)
    energy, slope = (np.asarray(value, np.float32) for value in skew(grid))
    slope = scale * slope

    @jax.jit
    def accept(x, y):
        step = jnp.reshape((grid32[y] - grid32[x]) / scale, 1)
        here, there = ((energy32[k], jnp.reshape(slope32[k], 1)) for k in (x, y))
        return acceptance_probability(step, here, there)

    grid32, energy32, slope32 = (jnp.asarray(v, jnp.float32) for v in (grid, energy, slope))
    flow = np.zeros((len(grid), len(grid)))
    for i in range(len(grid)):
        for j in range(len(grid)):
            step = float(grid[j] - grid[i]) / scale
            # A step d comes from the length d going forward and from -d going back.
            leaning = probability_forward(step, float(slope[i])) + (
                1 - probability_forward(-step, float(slope[i]))
            )
            proposed = stats.norm.pdf(step / 2.0) * leaning
            flow[i, j] = np.exp(-energy[i]) * proposed * float(accept(i, j))
    assert np.ptp(flow) > 1e-3
    # Counting resolves probabilities to 1/4000.
    np.testing.assert_allclose(flow, flow.T, rtol=2e-2, atol=2e-5)


def test_transition_law_integrates_to_detailed_balance():
    """One transition from each of two places: the flows between two intervals are equal."""
    kernel = BarkerMH(potential_fn=potential, step_size=1.5, inverse_mass_matrix=np.array([2.0]))
    count = 200_000
    intervals = (-2.0, -1.0), (0.3, 1.0)

    def density(x):
        return np.exp(-skew(x)[0])

    @jax.jit
    @jax.vmap
    def once(key, start):
        return kernel.sample(kernel.init(key, 0, {"x": start[None]})).z["x"][0]

    rng = np.random.default_rng(0)
    flows = []
    for (low, high), (to_low, to_high) in (intervals, intervals[::-1]):
        # Exact draws inside of the interval, by inversion on a fine grid.
        fine = np.linspace(low, high, 2001)
        mass = np.concatenate([[0], integrate.cumulative_trapezoid(density(fine), fine)])
        starts = np.interp(rng.uniform(size=count) * mass[-1], mass, fine)
        ends = once(jax.random.split(jax.random.key(len(flows)), count), starts.astype(np.float32))
        share = float(np.mean((ends > to_low) & (ends < to_high)))
        flows.append((mass[-1] * share, mass[-1] * np.sqrt(share / count)))
    (there, error_there), (back, error_back) = flows
    assert there > 20 * error_there
    assert abs(there - back) < 4.5 * np.hypot(error_there, error_back)


def test_without_a_force_it_is_a_random_walk():
    """Where the gradient vanishes every step is accepted and normal, whatever its signs."""
    covariance = np.array([[1.0, 1.2], [1.2, 4.0]])
    kernel = BarkerMH(
        potential_fn=lambda x: 0.0 * jnp.sum(x),
        step_size=0.5,
        dense_mass=True,
        inverse_mass_matrix=covariance,
    )
    count = 20_000

    @jax.jit
    @jax.vmap
    def once(key):
        state = kernel.sample(kernel.init(key, 0, jnp.zeros(2)))
        return state.z, state.accept_prob

    moved, accept_prob = once(jax.random.split(jax.random.key(0), count))
    assert (accept_prob == 1).all()
    standard = np.linalg.solve(0.5 * np.linalg.cholesky(covariance), np.asarray(moved, float).T)
    for values in (*standard, standard.sum(0) / np.sqrt(2)):
        assert stats.kstest(values, "norm").pvalue > 1e-4
    assert abs(np.mean(standard[0] * standard[1])) * np.sqrt(count) < 4.5


def test_acceptance_is_metropolis_where_the_gradient_vanishes():
    """A piecewise constant potential: the ratio of the densities alone decides."""
    flat = jnp.zeros(1)
    for difference in (-2.0, 0.0, 0.5, 3.0):
        here, there = (jnp.float32(1.0), flat), (jnp.float32(1.0 + difference), flat)
        accept_prob = acceptance_probability(jnp.ones(1), here, there)
        assert float(accept_prob) == pytest.approx(min(1, np.exp(-difference)), rel=1e-6)


def test_bimodal_steps_have_nearly_one_length():
    kernel = BarkerMH(potential_fn=lambda x: 0.0 * jnp.sum(x), step_size=0.5, noise="bimodal")

    @jax.jit
    @jax.vmap
    def once(key):
        return kernel.sample(kernel.init(key, 0, jnp.zeros(1))).z[0]

    moved = np.asarray(once(jax.random.split(jax.random.key(0), 20_000)), float) / 0.5
    assert stats.kstest((np.abs(moved) - np.sqrt(0.99)) / 0.1, "norm").pvalue > 1e-4
    assert np.std(moved) == pytest.approx(1, abs=0.01)
    assert stats.binomtest(int((moved > 0).sum()), len(moved)).pvalue > 1e-4


@pytest.mark.parametrize("slope", [1e30, -1e30])
def test_steep_slopes_overflow_nowhere(slope):
    slope = jnp.full(2, slope)
    step = leaning_step(jnp.ones(2), slope, jnp.full(2, 0.5))
    np.testing.assert_array_equal(step, -np.sign(slope))
    here, there = (jnp.float32(1e30), slope), (jnp.float32(0), jnp.zeros(2))
    assert float(acceptance_probability(step, here, there)) == 1.0
    # Back up the slope: as good as never.
    assert float(acceptance_probability(-step, there, here)) == 0.0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_never_accepted(bad):
    flat, fine = jnp.zeros(2), jnp.float32(0)
    step = jnp.ones(2)
    assert float(acceptance_probability(step, (fine, flat), (jnp.float32(bad), flat))) == 0
    slope = jnp.array([0.0, bad])
    assert float(acceptance_probability(step, (fine, flat), (fine, slope))) == 0


def test_a_wall_of_nan_leaves_the_chain_moving():
    def half(x):
        return jnp.where(x > 0, 0.5 * x**2, jnp.nan)

    mcmc = MCMC(BarkerMH(potential_fn=half), num_warmup=500, num_samples=2000, progress_bar=False)
    mcmc.run(jax.random.key(0), init_params=jnp.float32(0.5))
    draws = np.asarray(mcmc.get_samples())
    assert (draws > 0).all() and len(np.unique(draws)) > 200
    step_size = float(mcmc.last_state.adapt_state.step_size)
    assert 0.1 < step_size < 20
    assert 0.05 < float(mcmc.last_state.mean_accept_prob) < 0.6


def test_state_fields_are_consistent():
    kernel = BarkerMH(potential_fn=potential)
    state = kernel.init(jax.random.key(0), 50, {"x": jnp.zeros(2)})
    assert isinstance(state, BarkerMHState)
    accepted = []
    sample = jax.jit(kernel.sample)
    for _ in range(60):
        state = sample(state)
        accepted.append(float(state.accept_prob))
        energy, gradient = jax.value_and_grad(potential)(state.z)
        assert float(state.potential_energy) == pytest.approx(float(energy), rel=1e-4, abs=1e-4)
        np.testing.assert_allclose(state.z_grad["x"], gradient["x"], rtol=1e-3, atol=1e-4)
    assert int(state.i) == 60
    # The mean is begun anew after the 50 transitions of the warmup.
    assert float(state.mean_accept_prob) == pytest.approx(np.mean(accepted[50:]), rel=1e-4)
    step_size, mean = float(state.adapt_state.step_size), float(state.mean_accept_prob)
    assert kernel.get_diagnostics_str(state) == f"step size {step_size:.2e}. acc. prob={mean:.2f}"


@pytest.mark.parametrize(("noise", "target"), [("normal", 0.4), ("bimodal", 0.57)])
def test_warmup_finds_step_size_and_scales(noise, target):
    scale = jnp.array([0.1, 1.0, 10.0])
    kernel = BarkerMH(
        potential_fn=lambda x: 0.5 * jnp.sum((x / scale) ** 2),
        noise=noise,
        target_accept_prob=target,
    )
    mcmc = MCMC(kernel, num_warmup=3000, num_samples=3000, num_chains=4, progress_bar=False)
    mcmc.run(jax.random.key(0), init_params=np.zeros((4, 3), np.float32))
    state = mcmc.last_state
    learned = np.sqrt(np.asarray(state.adapt_state.inverse_mass_matrix)).mean(0)
    np.testing.assert_allclose(learned / scale, 1.0, rtol=0.3)
    # Only the last 50 transitions tell which step size belongs to the last matrix: over chains
    # the acceptance varies by 0.09, and lies 0.1 below the target because they begin high.
    assert np.mean(state.mean_accept_prob) == pytest.approx(target - 0.1, abs=0.2)


def test_placement_does_not_change_the_draws():
    kernel = BarkerMH(potential_fn=potential, dense_mass=True)

    def draws(chain_method):
        mcmc = MCMC(
            kernel,
            num_warmup=30,
            num_samples=30,
            num_chains=2,
            chain_method=chain_method,
            progress_bar=False,
        )
        mcmc.run(jax.random.key(1), init_params={"x": np.zeros((2, 2), np.float32)})
        return np.asarray(mcmc.get_samples(group_by_chain=True)["x"])

    reference = draws("parallel")
    np.testing.assert_array_equal(draws("sequential"), reference)
    np.testing.assert_allclose(draws("vectorized"), reference, rtol=1e-3, atol=1e-3)


def test_double_precision():
    with jax.enable_x64(True):
        kernel = BarkerMH(potential_fn=potential, noise="bimodal")
        mcmc = MCMC(kernel, num_warmup=25, num_samples=5, progress_bar=False)
        mcmc.run(jax.random.key(0), init_params={"x": jnp.zeros(2, jnp.float64)})
        state = mcmc.last_state
        for leaf in (mcmc.get_samples()["x"], state.accept_prob, state.adapt_state.step_size):
            assert leaf.dtype == jnp.float64


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "exactly one of target"),
        ({"potential_fn": potential, "target": 3}, "exactly one of target"),
        ({"target": 3}, "not a target"),
        ({"potential_fn": potential, "step_size": 0.0}, "step_size must be positive"),
        ({"potential_fn": potential, "target_accept_prob": 0.0}, "between 0 and 1"),
        ({"potential_fn": potential, "target_accept_prob": 1.0}, "between 0 and 1"),
        ({"potential_fn": potential, "dense_mass": [("x",)]}, "True or False"),
        ({"potential_fn": potential, "noise": "uniform"}, "noise must be one of"),
        ({"potential_fn": potential, "inverse_mass_matrix": -np.ones(2)}, "must be positive"),
        ({"potential_fn": potential, "inverse_mass_matrix": {("x",): np.ones(2)}}, "not blocks"),
    ],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises((ValueError, TypeError), match=message):
        BarkerMH(**settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"inverse_mass_matrix": np.ones(2)}, "give shape"),
        ({"potential_fn": lambda z: z["x"]}, "must return a scalar"),
        ({"potential_fn": lambda z: jnp.sum(jnp.sqrt(z["x"] - 1))}, "3 of 3 entries"),
    ],
)
def test_what_cannot_be_sampled_is_refused(settings, message):
    kernel = BarkerMH(**{"potential_fn": potential} | settings)
    mcmc = MCMC(kernel, num_warmup=5, num_samples=5, progress_bar=False)
    with pytest.raises(ValueError, match=message):
        mcmc.run(jax.random.key(0), init_params={"x": np.ones(3, np.float32)})
