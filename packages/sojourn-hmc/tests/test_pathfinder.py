"""Pathfinder: the secant equation, exactness on Gaussians, starts inside the bulk elsewhere."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from sojourn_hmc import MCMC, NUTS, PotentialTarget, SamplingWarning, pathfinder
from sojourn_hmc.differentiate import value_and_gradient
from sojourn_hmc.pathfinding.inverse_hessian import (
    InverseHessian,
    add_pair,
    inverse_hessian,
    no_pairs,
)
from sojourn_hmc.pathfinding.line_search import CURVATURE, SUFFICIENT_DECREASE, search_line
from sojourn_hmc.pathfinding.paths import smoothed_weights
from sojourn_hmc.pathfinding.single import PathSettings, follow, normal_at
from sojourn_hmc.start import StartPoint

SETTINGS = PathSettings(history=6, max_iterations=100, num_elbo_draws=50)


def random_precision(size, seed=0):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(size, size)) + 2 * np.eye(size)
    return (root @ root.T).astype(np.float32)


def dense(matrix):
    return np.asarray(jax.vmap(matrix.times)(jnp.eye(matrix.diagonal.shape[0])), float)


def pairs_of(precision, steps, history):
    pairs = no_pairs(jnp.zeros(len(precision)), history)
    for step in steps:
        pairs = add_pair(pairs, step, precision @ step)
    return pairs


@pytest.mark.parametrize("history, count", [(4, 1), (4, 3), (4, 9), (1, 5)])
def test_the_secant_equation_and_definiteness(history, count):
    """Whether the history is not yet full, or has forgotten steps."""
    precision = random_precision(6)
    steps = np.random.default_rng(1).normal(size=(count, 6)).astype(np.float32)
    matrix = jax.jit(lambda steps: inverse_hessian(pairs_of(precision, steps, history)))(steps)
    np.testing.assert_allclose(matrix.times(precision @ steps[-1]), steps[-1], rtol=2e-3, atol=1e-3)
    whole = dense(matrix)
    np.testing.assert_allclose(whole, whole.T, atol=1e-3 * np.abs(whole).max())
    assert np.linalg.eigvalsh((whole + whole.T) / 2).min() > 0
    np.testing.assert_allclose(matrix.variances(), np.diag(whole), rtol=1e-3)


def test_conjugate_steps_give_the_inverse_exactly():
    """What exact line searches on a Gaussian would do, with a history as long as the dimension."""
    precision = random_precision(5)
    _, vectors = np.linalg.eigh(precision.astype(float))
    matrix = inverse_hessian(pairs_of(precision, vectors.T.astype(np.float32), 5))
    inverse = np.linalg.inv(precision.astype(float))
    np.testing.assert_allclose(dense(matrix), inverse, atol=1e-4 * np.abs(inverse).max())


@pytest.mark.parametrize("size, history", [(5, 2), (3, 4)])
def test_a_root_draws_with_the_covariance(size, history):
    """Also where the factors have more columns than the matrix has rows."""
    precision = random_precision(size)
    steps = np.random.default_rng(1).normal(size=(6, size)).astype(np.float32)
    matrix = jax.jit(lambda steps: inverse_hessian(pairs_of(precision, steps, history)))(steps)
    root = matrix.root()
    factor = np.asarray(jax.vmap(root.times)(jnp.eye(size)), float).T
    whole = dense(matrix)
    np.testing.assert_allclose(factor @ factor.T, whole, atol=2e-3 * np.abs(whole).max())
    _, log_determinant = np.linalg.slogdet(whole)
    assert float(root.log_determinant()) == pytest.approx(log_determinant / 2, abs=2e-3)


def test_a_pair_of_negative_curvature_is_left_out():
    pairs = no_pairs(jnp.zeros(3), 2)
    step = jnp.array([1.0, 2.0, 3.0])
    after = add_pair(pairs, step, -step)
    for old, new in zip(pairs, after, strict=True):
        np.testing.assert_array_equal(old, new)


def test_the_mean_lies_downhill():
    """One Newton step on from any point of a quadratic is its minimum, when H is its inverse."""
    precision = random_precision(4)
    mode = np.array([1.0, -2.0, 3.0, 0.5], np.float32)
    _, vectors = np.linalg.eigh(precision.astype(float))
    pairs = pairs_of(precision, vectors.T.astype(np.float32), 4)
    far = mode + 5
    point = StartPoint(jnp.asarray(far), jnp.float32(0), jnp.asarray(precision @ (far - mode)))
    np.testing.assert_allclose(normal_at(point, pairs).mean, mode, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("first", [1e-3, 1.0, 1e4])
def test_a_line_search_meets_both_conditions(first):
    def potential(x):
        return jnp.sum(jnp.where(x > 0, x - jnp.log(x), jnp.nan))

    gradient = value_and_gradient(potential)
    start = StartPoint(jnp.array([4.0, 0.2]), *gradient(jnp.array([4.0, 0.2])))
    direction = -start.potential_gradient
    point, found = jax.jit(lambda length: search_line(gradient, start, direction, length))(first)
    assert found
    slope = float(start.potential_gradient @ direction)
    length = float((point.position - start.position)[0] / direction[0])
    decrease = float(point.potential_energy - start.potential_energy)
    assert decrease <= SUFFICIENT_DECREASE * length * slope + 1e-6
    assert float(point.potential_gradient @ direction) >= CURVATURE * slope


def test_a_gaussian_is_found_exactly():
    precision = random_precision(5)
    mode = np.array([10.0, -3.0, 0.0, 4.0, 1.0], np.float32)

    def potential(x):
        return 0.5 * (x - mode) @ precision @ (x - mode)

    found = pathfinder(
        PotentialTarget(potential), jax.random.key(0), init_params=jnp.zeros(5), num_paths=2
    )
    assert found.pareto_k < 0.7
    weights = np.exp(found.log_weights)
    assert weights.sum() == pytest.approx(1)
    covariance = np.linalg.inv(precision.astype(float))
    # 200 weighted draws: errors of about 1 / sqrt(200) of the scales.
    scale = np.sqrt(np.diag(covariance))
    mean = weights @ found.draws
    assert np.all(np.abs(mean - mode) < 4 * scale / np.sqrt(200) * 1.5)
    np.testing.assert_allclose(found.adaptation.inverse_mass_matrix, np.diag(covariance), rtol=0.5)
    assert found.init_params.shape == (4, 5)
    assert np.all(np.abs((found.init_params - mode) / scale) < 5)
    # With the evidence of a normalized density known, the bound cannot be above it.
    evidence = 2.5 * np.log(2 * np.pi) - 0.5 * np.linalg.slogdet(precision.astype(float))[1]
    assert np.all(found.elbo < evidence + 0.5)
    assert np.max(found.elbo) == pytest.approx(evidence, abs=0.5)


def skewed(x):
    """Gammas of shape 3 and unlike rates, on the log scale: their left tails are no normal ones."""
    rates = jnp.array([0.01, 1.0, 100.0])
    return jnp.sum(rates * jnp.exp(x["log"]) - 3 * x["log"]) + 0.5 * (x["b"] - 50) ** 2


@pytest.mark.filterwarnings("ignore:.*Pareto k")
def test_starts_lie_in_the_bulk_of_a_skewed_target():
    start = {"b": jnp.float32(0), "log": jnp.zeros(3)}
    found = pathfinder(PotentialTarget(skewed), jax.random.key(1), init_params=start, num_chains=8)
    assert found.init_params["log"].shape == (8, 3)
    for column, rate in zip(found.init_params["log"].T, (0.01, 1.0, 100.0), strict=True):
        quantile = stats.gamma(3, scale=1 / rate).cdf(np.exp(column))
        assert np.all((quantile > 1e-4) & (quantile < 1 - 1e-4))
        assert len(np.unique(column)) == 8
    assert np.all(np.abs(found.init_params["b"] - 50) < 5)
    # Order of the flat position: b, then the logs, whose variance is trigamma(3) = 0.395.
    np.testing.assert_allclose(
        found.adaptation.inverse_mass_matrix, [1.0, 0.395, 0.395, 0.395], rtol=0.5
    )


@pytest.mark.filterwarnings("ignore:.*Pareto k")
def test_a_warmup_goes_on_from_there():
    """The mass matrix is where adaptation begins, not one that stays."""
    start = {"b": jnp.float32(0), "log": jnp.zeros(3)}
    found = pathfinder(
        PotentialTarget(skewed), jax.random.key(1), init_params=start, num_chains=2, num_paths=2
    )
    kernel = NUTS(potential_fn=skewed, adaptation=found.adaptation)
    mcmc = MCMC(kernel, num_warmup=200, num_samples=300, num_chains=2, progress_bar=False)
    mcmc.run(jax.random.key(2), init_params=found.init_params)
    learned = np.asarray(mcmc.last_state.adapt_state.inverse_mass_matrix)
    assert not np.any(learned == found.adaptation.inverse_mass_matrix)
    log = np.asarray(mcmc.get_samples()["log"])
    expected = stats.loggamma(3).mean() - np.log([0.01, 1.0, 100.0])
    assert np.all(np.abs(log.mean(0) - expected) < 4 * np.sqrt(0.395 / 200))


def funnel(x):
    return 0.5 * (x[0] / 3) ** 2 + 0.5 * jnp.sum(x[1:] ** 2) * jnp.exp(-x[0]) + 4.5 * x[0]


def test_weights_of_a_funnel_are_not_trusted():
    with pytest.warns(SamplingWarning, match="Pareto k"):
        found = pathfinder(
            PotentialTarget(funnel), jax.random.key(0), init_params=jnp.ones(10), num_paths=4
        )
    assert np.all(np.isfinite(found.init_params))


def test_weights_rise_with_the_ratio_of_densities():
    ratios = np.log(np.random.default_rng(0).pareto(3.0, 1000) + 1)  # a tail of shape 1 / 3
    log_weights, pareto_k = smoothed_weights(ratios)
    assert np.all(np.diff(log_weights[np.argsort(ratios)]) >= 0)
    assert np.exp(log_weights).sum() == pytest.approx(1)
    assert pareto_k == pytest.approx(1 / 3, abs=0.2)


def test_a_start_at_the_mode_and_one_chain():
    found = pathfinder(
        PotentialTarget(lambda x: 0.5 * jnp.sum(x**2)),
        jax.random.key(0),
        init_params=jnp.zeros(2),
        num_chains=1,
    )
    assert found.init_params.shape == (2,)
    assert np.all(np.abs(found.init_params) < 5)


def test_paths_end_where_the_potential_does():
    """A bounded iteration count, and a potential without a minimum."""

    def potential(x):
        return jnp.sum(x)

    gradient = value_and_gradient(potential)
    start = StartPoint(jnp.zeros(2), *gradient(jnp.zeros(2)))
    path = jax.jit(lambda key: follow(potential, gradient, start, key, SETTINGS))(jax.random.key(0))
    assert int(path.iteration) <= SETTINGS.max_iterations
    assert isinstance(path.best.covariance, InverseHessian)


def test_one_program(compilations):
    key = jax.random.key(0)
    start = jnp.zeros(2)
    compilations.clear()
    pathfinder(
        PotentialTarget(lambda x: 0.5 * jnp.sum((x - 1) ** 2)), key, init_params=start, num_paths=2
    )
    assert len(compilations) == 1


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"num_paths": 0}, "num_paths must be positive"),
        ({"num_chains": 50, "num_paths": 1, "num_draws": 10}, "num_chains=50"),
        ({"init_params": None}, "init_params"),
    ],
)
def test_bad_input(settings, words):
    options = {"init_params": jnp.zeros(2), **settings}
    with pytest.raises(ValueError, match=words):
        pathfinder(PotentialTarget(lambda x: 0.5 * jnp.sum(x**2)), jax.random.key(0), **options)


def test_nowhere_to_start():
    target = PotentialTarget(lambda x: jnp.where(jnp.abs(x) < 9e9, jnp.nan, 0.0))
    with pytest.raises(ValueError, match="no region to start in"):
        pathfinder(target, jax.random.key(0), init_params=jnp.float32(0), num_paths=2)
