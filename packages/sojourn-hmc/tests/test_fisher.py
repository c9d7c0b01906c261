"""Fisher adaptation: exact on Gaussians, robust elsewhere, in windows that overlap."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sojourn_hmc import MCMC, NUTS
from sojourn_hmc.adaptation.fisher import (
    Moments,
    diagonal,
    start_scale,
)
from sojourn_hmc.adaptation.fisher_low_rank import (
    geometric_mean,
    leading_directions,
    low_rank_estimate,
)
from sojourn_hmc.adaptation.overlap import overlap_schedule, switch
from sojourn_hmc.adaptation.welford import init, update

RNG = np.random.default_rng(0)


def moments(positions, gradients):
    state = Moments(init(positions[0]), init(gradients[0]))
    for position, gradient in zip(positions, gradients, strict=True):
        state = Moments(update(state.positions, position), update(state.gradients, gradient))
    return state


def test_three_draws_of_a_gaussian_give_its_variances():
    variance = jnp.array([1e-4, 1.0, 1e4], jnp.float32)
    draws = jnp.asarray(RNG.normal(3.0, 1.0, (3, 3)), jnp.float32) * jnp.sqrt(variance)[None]
    estimate = diagonal(moments(draws, draws / variance[None]), jnp.ones(3))
    np.testing.assert_allclose(estimate, variance, rtol=1e-3)


def test_a_component_without_variation_keeps_its_last_value():
    draws = jnp.asarray(RNG.normal(size=(5, 3)), jnp.float32)
    still = draws.at[:, 1].set(2.0)
    estimate = diagonal(moments(still, draws), jnp.full(3, 7.0))
    assert float(estimate[1]) == 7.0
    assert float(estimate[0]) != 7.0
    flat = diagonal(moments(draws, still), jnp.full(3, 7.0))
    assert float(flat[1]) == 7.0
    two = diagonal(moments(draws[:2], draws[:2]), jnp.full(3, 7.0))
    assert two.tolist() == [7.0] * 3


def test_the_first_guess_is_one_over_the_gradient():
    guess = start_scale(jnp.array([4.0, -0.5, 0.0, 1e-12, jnp.inf]))
    np.testing.assert_allclose(guess[:4], [0.25, 2.0, 1.0, 1.0])
    assert np.isfinite(guess).all() and (guess > 0).all()


def test_geometric_mean_solves_its_equation():
    with jax.enable_x64(True):
        a, b = (x @ x.T for x in RNG.normal(size=(2, 4, 6)))
        mean = geometric_mean(jnp.asarray(a), jnp.asarray(b))
        np.testing.assert_allclose(mean @ b @ mean, a, rtol=1e-7, atol=1e-7)
        np.testing.assert_allclose(mean, mean.T, rtol=1e-7)


@pytest.mark.parametrize("shape", [(40, 6), (5, 12)])
def test_leading_directions_are_those_of_the_singular_values(shape):
    with jax.enable_x64(True):
        rows = RNG.normal(size=shape) * np.geomspace(1, 20, shape[1])
        found = np.asarray(leading_directions(jnp.asarray(rows), 3))
        expected = np.linalg.svd(rows, full_matrices=False)[2][:3].T
        np.testing.assert_allclose(abs(np.sum(found * expected, 0)), 1.0, rtol=1e-6)


def correlated(size, rank=2):
    """Covariance and precision: unequal scales, and a few directions of large variance."""
    scale = np.geomspace(0.1, 10, size)
    vectors = np.linalg.qr(RNG.normal(size=(size, rank)))[0]
    inner = np.eye(size) + vectors @ np.diag([50.0, 200.0][:rank]) @ vectors.T
    covariance = scale[:, None] * inner * scale
    return covariance, np.linalg.inv(covariance)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_low_rank_is_exact_on_a_gaussian_of_low_rank(dtype):
    with jax.enable_x64(dtype == np.float64):
        covariance, precision = correlated(20)
        draws = RNG.multivariate_normal(np.full(20, 3.0), covariance, 200)
        padding = np.zeros((56, 20))  # rows that do not count, whatever is in them
        positions = np.concatenate([draws, padding + 1e3])
        gradients = np.concatenate([(draws - 3.0) @ precision, padding - 1e3])
        weights = np.concatenate([np.ones(200), np.zeros(56)])
        found = low_rank_estimate(
            *(jnp.asarray(x, dtype) for x in (positions, gradients, weights)), 20
        )
        # What the cutoff leaves out is within a factor of 2 of the diagonal.
        relative = np.linalg.eigvals(found.dense() @ precision).real
        assert relative.min() > 0.3 and relative.max() < 3.0
        diagonal_only = np.linalg.eigvals(np.diag(np.diag(covariance)) @ precision).real
        assert diagonal_only.max() / diagonal_only.min() > 30


def test_few_draws_change_few_directions():
    """Ten draws in thirty dimensions say nothing about most of them."""
    draws = RNG.normal(size=(10, 30)).astype(np.float32)
    buffer = np.zeros((256, 30), np.float32)
    buffer[:10] = draws
    weights = (np.arange(256) < 10).astype(np.float32)
    found = low_rank_estimate(jnp.asarray(buffer), jnp.asarray(buffer), jnp.asarray(weights), 30)
    assert np.isfinite(found.dense()).all()
    values = np.linalg.eigvalsh(found.dense())
    assert values.min() > 0.2 and values.max() < 5


def windows(length):
    """Transitions after which the estimates switch, when every draw is good."""
    plan = overlap_schedule(length)
    background, window, switched = 0, jnp.int32(80), []
    for step in range(int(plan.final_start)):
        background += 1
        switches, window = switch(plan, jnp.int32(step), jnp.int32(background), window)
        if switches:
            switched.append(step)
            background = 0
    return switched


def test_windows_are_short_at_first_and_then_grow():
    switched = windows(1000)
    early = [step for step in switched if step < 300]
    assert early == list(range(9, 300, 10))
    assert np.diff([299, *(step for step in switched if step >= 300)]).tolist() == [80, 120]
    # The window that opens there, of 180, fits before the final phase; the next would not.
    assert windows(1000)[-1] + 180 <= 850


def test_a_short_warmup_leaves_the_last_window_open():
    assert windows(50) == [9]
    assert windows(5) == []


@pytest.mark.parametrize("warmup", ["fisher", "low_rank"])
def test_the_last_phase_adapts_the_step_size_alone(warmup):
    kernel = NUTS(potential_fn=lambda z: 0.5 * jnp.sum((z / 3) ** 2), warmup=warmup)
    mcmc = MCMC(kernel, num_warmup=100, num_samples=1, progress_bar=False)
    fields = ("adapt_state.mass_matrix_sqrt", "adapt_state.step_size")
    mcmc.warmup(
        jax.random.key(1), init_params=jnp.ones(2), collect_warmup=True, extra_fields=fields
    )
    matrix, step_size = (mcmc.get_extra_fields()[name] for name in fields)
    changed = np.zeros(99, bool)
    for leaf in jax.tree.leaves(matrix):
        leaf = np.asarray(leaf).reshape(100, -1)
        changed |= (leaf[1:] != leaf[:-1]).any(1)
    assert changed[:84].any() and not changed[84:].any()
    assert len(np.unique(step_size[85:])) == 15
    mcmc.run(jax.random.key(2))
    final = mcmc.last_state.adapt_state
    assert float(final.step_size) == pytest.approx(
        float(jnp.exp(final.ss_state.log_step_size_average)), rel=1e-6
    )


@pytest.mark.parametrize("warmup", ["fisher", "low_rank"])
def test_scales_and_correlations_are_learned_from_few_draws(warmup):
    _, precision = correlated(10)
    matrix = jnp.asarray(precision, jnp.float32)
    kernel = NUTS(potential_fn=lambda z: 0.5 * z @ matrix @ z, warmup=warmup)
    mcmc = MCMC(kernel, num_warmup=400, num_samples=500, progress_bar=False, report=False)
    mcmc.run(jax.random.key(3), init_params=jnp.ones(10), extra_fields=("num_steps",))
    steps = float(np.mean(mcmc.get_extra_fields()["num_steps"]))
    # The condition number of what is left decides how long trajectories are.
    assert steps < (8 if warmup == "low_rank" else 64)


def test_what_fisher_cannot_adapt_is_refused():
    potential = jnp.sum
    for settings in ({"dense_mass": True}, {"dense_mass": [("x",)]}):
        for warmup in ("fisher", "low_rank"):
            kernel = NUTS(potential_fn=lambda z: potential(z["x"]), warmup=warmup, **settings)
            with pytest.raises(ValueError, match=f"warmup='{warmup}' learns"):
                kernel.init(jax.random.key(0), 10, {"x": jnp.ones(2)})
    with pytest.raises(ValueError, match="must be one of"):
        NUTS(potential_fn=potential, warmup="welford")
