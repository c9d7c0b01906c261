"""Sample Adaptive MCMC: the weights of an exchange, the law of the set, and what may go wrong."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from arviz_stats.base import array_stats
from scipy import special, stats

from sojourn_hmc import MCMC, SA, SAState
from sojourn_hmc.sa import choose_removed, fit, left_out_log_densities, spread, standardize

# What a short run warns of is tested elsewhere.
pytestmark = pytest.mark.filterwarnings("ignore::sojourn_hmc.SamplingWarning")


def potential(z):
    return 0.5 * jnp.sum((z["x"] - 1.0) ** 2)


def run_many(kernel, starts, num_transitions, seed=0):
    """The last states of one chain for each start."""

    @jax.jit
    @jax.vmap
    def run(key, start):
        state = kernel.init(key, 0, start)
        return jax.lax.fori_loop(0, num_transitions, lambda _, s: kernel.sample(s), state)

    return run(jax.random.split(jax.random.key(seed), len(jax.tree.leaves(starts)[0])), starts)


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("dense", [True, False])
def test_every_point_is_judged_by_a_normal_fitted_to_the_others(dense, size):
    rng = np.random.default_rng(size)
    num_points = size + 3
    points = rng.normal(size=(num_points, size)) @ rng.normal(size=(size, size)) + 5
    noise = rng.normal(size=size)
    with jax.enable_x64(True):
        loc, factor = fit(jnp.asarray(points), dense)
        standard = standardize(factor, points - loc[None])
        standard = jnp.concatenate([standard, noise[None]])
        log_densities = np.asarray(left_out_log_densities(standard, dense))
    loc, factor = np.asarray(loc), np.asarray(factor)
    proposal = loc + (factor @ noise if dense else factor * noise)
    everything = np.concatenate([points, [proposal]])
    expected = []
    for n in range(num_points + 1):
        others = np.delete(everything, n, 0)
        covariance = np.atleast_2d(np.cov(others.T, ddof=0))
        if not dense:
            covariance = np.diag(np.diag(covariance))
        normal = stats.multivariate_normal(others.mean(0), covariance)
        expected.append(normal.logpdf(everything[n]))
    difference = log_densities - expected
    np.testing.assert_allclose(difference, difference[0], atol=1e-9)


def test_two_points_on_the_line_are_two_independent_draws():
    """The smallest set there is; its law is that of the target, twice."""
    kernel = SA(potential_fn=lambda x: jnp.exp(x) - 0.7 * x, adapt_state_size=2)  # log Gamma(0.7)
    count = 8192
    state = run_many(kernel, jnp.full(count, 2.0), 1500)
    pair = np.asarray(state.adapt_state.zs, float)[..., 0]
    normal = special.ndtri(special.gammainc(0.7, np.exp(pair)))
    first, second = normal.T
    rotated = ((first + second) / np.sqrt(2), (first - second) / np.sqrt(2))
    for standard_normal in (first, second, *rotated):
        assert stats.kstest(standard_normal, "norm").pvalue > 1e-4
    radius = first**2 + second**2
    assert stats.kstest(radius, stats.chi2(2).cdf).pvalue > 1e-4
    assert abs(np.mean(first * second)) * np.sqrt(count) < 4.5


@pytest.mark.parametrize("dense", [True, False])
def test_moments_of_all_points(dense):
    """Means, variances and correlations in five dimensions, from all N points."""
    size = 5
    mean = np.array([1.0, -2.0, 0.0, 10.0, 0.1])
    scale = np.array([0.1, 1.0, 3.0, 1.0, 0.5])
    distance = np.abs(np.subtract.outer(np.arange(size), np.arange(size)))
    covariance = np.outer(scale, scale) * 0.6**distance
    precision = jnp.asarray(np.linalg.inv(covariance), jnp.float32)
    center = jnp.asarray(mean, jnp.float32)
    mcmc = MCMC(
        SA(potential_fn=lambda x: 0.5 * (x - center) @ precision @ (x - center), dense_mass=dense),
        num_warmup=5000,
        num_samples=8000,
        thinning=8,
        num_chains=4,
        progress_bar=False,
    )
    start = np.zeros((4, size), np.float32)
    mcmc.run(jax.random.key(2), init_params=start, extra_fields=("adapt_state.zs",))
    points = np.asarray(mcmc.get_extra_fields(group_by_chain=True)["adapt_state.zs"], float) - mean
    assert points.shape == (4, 1000, 2 * size, size)

    def z_score(values, expected):
        """Of a function of every point; the mean over a set is one draw."""
        series = values.mean(-1)
        error = series.std() / np.sqrt(array_stats.ess(series, method="mean"))
        return (series.mean() - expected) / error

    for i in range(size):
        assert abs(z_score(points[..., i], 0)) < 4.5
        for j in range(i + 1):
            assert abs(z_score(points[..., i] * points[..., j], covariance[i, j])) < 4.5
    # The reported position is a fair pick.
    draws = np.asarray(mcmc.get_samples(group_by_chain=True), float) - mean
    assert abs(z_score(draws[..., 4][..., None] ** 2, covariance[4, 4])) < 4.5


@pytest.mark.parametrize("dense", [True, False])
def test_a_state_agrees_with_its_points(dense):
    kernel = SA(potential_fn=potential, dense_mass=dense, adapt_state_size=7)
    state = kernel.init(jax.random.key(0), 20, {"x": jnp.zeros(3)})
    assert isinstance(state, SAState)
    assert state.adapt_state.zs.shape == (7, 3)
    accepted, exchanged = [], []
    sample = jax.jit(kernel.sample)
    for _ in range(30):
        before = np.asarray(state.adapt_state.zs)
        state = sample(state)
        accepted.append(float(state.accept_prob))
        points = state.adapt_state
        exchanged.append(int((np.asarray(points.zs) != before).any(1).sum()))
        energies = [float(potential({"x": z})) for z in points.zs]
        np.testing.assert_allclose(points.pes, energies, rtol=1e-5)
        assert (np.asarray(points.zs) == np.asarray(state.z["x"])).all(1).any()
        assert float(state.potential_energy) == pytest.approx(float(potential(state.z)), rel=1e-5)
        np.testing.assert_allclose(points.loc, np.mean(points.zs, 0), atol=1e-5)
        factor = np.asarray(points.inv_mass_matrix_sqrt)
        covariance = np.cov(np.asarray(points.zs).T, ddof=0)
        if dense:
            np.testing.assert_allclose(factor @ factor.T, covariance, atol=1e-5)
        else:
            np.testing.assert_allclose(factor**2, np.diag(covariance), rtol=1e-4)
    assert set(exchanged) == {0, 1}
    assert int(state.i) == 30
    # The mean is begun anew after the 20 transitions of the warmup.
    assert float(state.mean_accept_prob) == pytest.approx(np.mean(accepted[20:]), rel=1e-4)
    assert kernel.get_diagnostics_str(state) == f"acc. prob={float(state.mean_accept_prob):.2f}"


def test_no_gradient_is_asked_for():
    @jax.custom_jvp
    def stairs(x):
        return jnp.sum(jnp.floor(jnp.abs(x)))

    @stairs.defjvp
    def refuse(primals, tangents):
        raise AssertionError("differentiated")

    mcmc = MCMC(SA(potential_fn=stairs), num_warmup=500, num_samples=500, progress_bar=False)
    mcmc.run(jax.random.key(0), init_params=np.zeros(2, np.float32))
    draws = np.asarray(mcmc.get_samples())
    # Each stair is by a factor e less likely than the one below: |x| < 1 has probability 1 - 1/e.
    assert 0.45 < np.mean(np.abs(draws) < 1) < 0.8


def test_placement_does_not_change_the_draws():
    kernel = SA(potential_fn=potential)

    def draws(chain_method):
        mcmc = MCMC(
            kernel,
            num_warmup=20,
            num_samples=30,
            num_chains=2,
            chain_method=chain_method,
            progress_bar=False,
        )
        mcmc.run(jax.random.key(1), init_params={"x": np.zeros((2, 2), np.float32)})
        return np.asarray(mcmc.get_samples(group_by_chain=True)["x"])

    reference = draws("parallel")
    np.testing.assert_array_equal(draws("sequential"), reference)
    np.testing.assert_allclose(draws("vectorized"), reference, rtol=1e-4, atol=1e-4)


def test_nothing_is_ever_accepted_where_the_energy_is_not_finite():
    def halves(x):
        """Beyond the line through the origin NaN, infinity and minus infinity take turns."""
        stripe = jnp.floor(8 * x[0]).astype(jnp.int32) % 3
        beyond = jnp.where(stripe == 0, jnp.nan, jnp.where(stripe == 1, jnp.inf, -jnp.inf))
        return jnp.where(jnp.sum(x) > 0, 0.5 * jnp.sum(x**2), beyond)

    state = run_many(SA(potential_fn=halves), jnp.full((500, 2), 0.3), 400)
    assert np.isfinite(state.adapt_state.pes).all()
    assert (np.sum(state.adapt_state.zs, -1) > 0).all()
    # Half a normal: the mean of the sum is that of the absolute value of a normal of variance 2.
    sums = np.sum(np.asarray(state.z, float), -1)
    assert abs(sums.mean() - 2 / np.sqrt(np.pi)) < 4.5 * sums.std() / np.sqrt(500)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_points_without_a_finite_energy_leave_first(bad):
    log_densities = jnp.zeros(4)
    for u in (0.0, 0.4, 0.999):
        removed, accept_prob = choose_removed(
            log_densities, jnp.array([9.0, bad, 0.0, 50.0]), jnp.float32(u)
        )
        assert (int(removed), float(accept_prob)) == (1, 1.0)
        removed, accept_prob = choose_removed(
            log_densities, jnp.array([9.0, bad, 0.0, bad]), jnp.float32(u)
        )
        assert (int(removed), float(accept_prob)) == (3, 0.0)


@pytest.mark.parametrize("bad", [np.nan, -np.inf])
def test_without_any_weight_the_set_stays(bad):
    removed, accept_prob = choose_removed(jnp.full(4, bad), jnp.zeros(4), jnp.float32(0.1))
    assert (int(removed), float(accept_prob)) == (3, 0.0)


def test_removal_follows_the_weights():
    log_densities = jnp.array([0.0, 1.0, -jnp.inf, -1.0, 0.5]) + 400  # exp overflows
    energies = jnp.array([1.0, -1.0, 3.0, 2.0, 0.0])
    weights = np.exp([1.0, 0.0, -np.inf, 1.0, 0.5])
    us = (jnp.arange(10_000, dtype=jnp.float32) + 0.5) / 10_000
    removed, accept_prob = jax.vmap(lambda u: choose_removed(log_densities, energies, u))(us)
    shares = np.bincount(removed, minlength=5) / 10_000
    np.testing.assert_allclose(shares, weights / weights.sum(), atol=2e-4)
    np.testing.assert_allclose(accept_prob, 1 - shares[-1], atol=2e-4)


def test_a_singular_set_keeps_the_last_factor():
    points = jnp.ones((4, 2))
    previous = jnp.diag(jnp.array([2.0, 3.0]))
    np.testing.assert_array_equal(fit(points, True, previous)[1], previous)
    np.testing.assert_array_equal(fit(points, False, jnp.diagonal(previous))[1], [2.0, 3.0])


def test_first_points_are_spread_as_far_as_asked_and_as_possible():
    noise = jax.random.normal(jax.random.key(0), (50, 2))
    points, energies = spread(lambda x: 0.5 * jnp.sum(x**2), jnp.ones(2), noise)
    np.testing.assert_allclose(points, 1 + noise, rtol=1e-6)
    np.testing.assert_allclose(energies, 0.5 * np.sum(np.square(points), -1), rtol=1e-5)
    # A box of 1e-3: the points move towards the start until they are inside.
    box = lambda x: jnp.where(jnp.all(jnp.abs(x) < 1e-3), 0.0, jnp.nan)  # noqa: E731
    points, energies = spread(box, jnp.zeros(2), noise)
    assert (np.abs(points) < 1e-3).all() and np.isfinite(energies).all()
    start = {"x": jnp.full(3, 2.0)}
    scale = np.array([0.1, 10.0, 1000.0])
    kernel = SA(potential_fn=potential, adapt_state_size=200, initial_scale=scale)
    points = kernel.init(jax.random.key(1), 10, start).adapt_state.zs
    np.testing.assert_allclose(np.std(points, 0) / scale, 1.0, atol=0.25)


@pytest.mark.parametrize("dense", [True, False])
def test_scales_far_apart_in_single_precision(dense):
    scale = jnp.array([1e-3, 1.0, 1e3])
    kernel = SA(
        potential_fn=lambda x: 0.5 * jnp.sum((x / scale) ** 2),
        dense_mass=dense,
        initial_scale=scale,
    )
    state = run_many(kernel, scale[None] * jnp.ones((500, 1)), 300)
    draws = np.asarray(state.z / scale[None])
    # A standard deviation of 500 draws has a standard error of 1 / sqrt(1000).
    np.testing.assert_allclose(draws.std(0), 1.0, atol=4.5 / np.sqrt(1000))


def test_double_precision():
    with jax.enable_x64(True):
        mcmc = MCMC(SA(potential_fn=potential), num_warmup=5, num_samples=5, progress_bar=False)
        mcmc.run(jax.random.key(0), init_params={"x": jnp.zeros(2, jnp.float64)})
        state = mcmc.last_state
        for leaf in (mcmc.get_samples()["x"], *state.adapt_state[:4], state.accept_prob):
            assert leaf.dtype == jnp.float64


def test_an_empty_position():
    mcmc = MCMC(SA(potential_fn=lambda z: jnp.float32(0.0)), num_warmup=3, num_samples=4)
    mcmc.run(jax.random.key(0), init_params={"x": np.zeros((0,), np.float32)})
    assert mcmc.get_samples()["x"].shape == (4, 0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "exactly one of target"),
        ({"potential_fn": potential, "target": 3}, "exactly one of target"),
        ({"target": 3}, "not a target"),
        ({"potential_fn": 3}, "must be a function"),
        ({"potential_fn": potential, "adapt_state_size": 1}, "at least 2, got 1"),
        ({"potential_fn": potential, "adapt_state_size": 2.5}, "must be an integer"),
        ({"potential_fn": potential, "dense_mass": [("x",)]}, "True or False"),
        ({"potential_fn": potential, "initial_scale": 0.0}, "must be a positive number"),
        ({"potential_fn": potential, "initial_scale": np.nan}, "must be a positive number"),
    ],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises((ValueError, TypeError), match=message):
        SA(**settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"adapt_state_size": 3}, "give at least 4"),
        ({"initial_scale": np.ones(2)}, "3 unconstrained components"),
        ({"potential_fn": lambda z: z["x"]}, "must return a scalar"),
        ({"potential_fn": lambda z: jnp.sum(jnp.log(-1 - z["x"]))}, "potential energy: nan"),
        ({"initial_scale": 1e-12}, "another initial_scale"),
    ],
)
def test_what_cannot_be_sampled_is_refused(settings, message):
    kernel = SA(**{"potential_fn": potential} | settings)
    mcmc = MCMC(kernel, num_warmup=5, num_samples=5, progress_bar=False)
    with pytest.raises(ValueError, match=message):
        mcmc.run(jax.random.key(0), init_params={"x": np.ones(3, np.float32)})
