"""Warmup: windows, dual averaging and covariance against hand-computed values."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sojourn_hmc.adaptation import dual_averaging, welford
from sojourn_hmc.adaptation.schedule import closes_window, in_window, schedule
from sojourn_hmc.adaptation.stan import StanWarmup
from sojourn_hmc.adaptation.warmup import Observation, WarmupSettings
from sojourn_hmc.start import StartPoint


def stan_windows(length):
    """Stan's rule as a loop: (first, last) of the start buffer, the windows, the end buffer."""
    start, end, size = 75, 50, 25
    if start + end + size > length:
        start, end = int(0.15 * length), int(0.1 * length)
        size = length - start - end
    windows, begin = [(0, start - 1)], start
    while begin < length - end:
        last = begin + size - 1 if 3 * size <= length - end - begin else length - end - 1
        windows.append((begin, last))
        begin, size = last + 1, 2 * size
    return [*windows, (length - end, length - 1)]


@pytest.mark.parametrize(
    ("length", "windows"),
    [
        (1000, [(0, 74), (75, 99), (100, 149), (150, 249), (250, 449), (450, 949), (950, 999)]),
        (150, [(0, 74), (75, 99), (100, 149)]),
        (100, [(0, 14), (15, 89), (90, 99)]),
        (20, [(0, 2), (3, 17), (18, 19)]),
    ],
)
def test_windows_of_the_manual(length, windows):
    assert stan_windows(length) == windows


@pytest.mark.parametrize("length", [20, 21, 57, 99, 149, 151, 300, 777, 1000, 5000, 123_456])
def test_schedule_is_stans(length):
    plan = schedule(length)
    (_, before), *middle, (after, _) = stan_windows(length)
    assert int(plan.start) == before + 1 and int(plan.end) == after
    assert np.unique(plan.window_ends).tolist() == [last for _, last in middle]


def test_short_warmups_leave_the_mass_matrix_alone():
    for length in (0, 1, 19):
        plan = schedule(length)
        assert not any(bool(in_window(plan, step)) for step in range(length + 1))
        assert not any(bool(closes_window(plan, step)) for step in range(length + 1))


def test_dual_averaging_against_three_steps_by_hand():
    state = dual_averaging.init(jnp.float32(0.5))
    mu, error_average, average = math.log(10 * 0.5), 0.0, 0.0
    for t, error in enumerate((0.3, -0.2, 0.1), start=1):
        state = dual_averaging.update(state, jnp.float32(error))
        error_average = (1 - 1 / (t + 10)) * error_average + error / (t + 10)
        x = mu - math.sqrt(t) / 0.05 * error_average
        average = (1 - t**-0.75) * average + t**-0.75 * x
        assert float(state.log_step_size) == pytest.approx(x, rel=1e-5)
        assert float(state.log_step_size_average) == pytest.approx(average, rel=1e-5)


def test_a_huge_step_size_does_not_overflow():
    state = dual_averaging.init(jnp.float32(3e38))
    assert np.isfinite(state.shrinkage_point)
    assert np.isfinite(dual_averaging.clipped_exp(state.shrinkage_point))


@pytest.mark.parametrize("dense", [False, True])
def test_welford_is_the_sample_covariance(dense):
    draws = np.random.default_rng(0).normal([100.0, -3.0], [1.0, 5.0], (50, 2)).astype(np.float32)
    draws[:, 1] += 2 * draws[:, 0]
    state = welford.init(jnp.eye(2) if dense else jnp.ones(2))
    for draw in draws:
        state = welford.update(state, jnp.asarray(draw))
    expected = np.cov(draws.T.astype(float))
    expected = expected if dense else np.diag(expected)
    np.testing.assert_allclose(welford.covariance(state, False), expected, rtol=1e-3)
    shrunk = 50 / 55 * expected + 1e-3 * 5 / 55 * (np.eye(2) if dense else 1)
    np.testing.assert_allclose(welford.covariance(state, True), shrunk, rtol=1e-3)


def no_search(metric, step_size):
    raise AssertionError("no search was asked for")


def observe(position, accept_prob):
    return Observation(position, position, accept_prob, jnp.asarray(True))


def run_warmup(warmup, inverse, positions, accept_probs):
    start = StartPoint(positions[0], jnp.float32(0.0), positions[0])
    state = warmup.init(start, jnp.float32(1.0), inverse, True, len(positions))

    def learn(state, given):
        step, position, accept_prob = given
        state = warmup.update(state, step, observe(position, accept_prob), None, no_search)
        return state, (state.step_size, state.inverse_mass_matrix, state.window_idx)

    steps = jnp.arange(len(positions))
    return jax.lax.scan(learn, state, (steps, positions, accept_probs))


def test_the_mass_matrix_is_renewed_at_window_ends_from_that_window_alone():
    rng = np.random.default_rng(1)
    positions = rng.normal(0, [1e-3, 1.0, 1e3], (1000, 3)).astype(np.float32)
    warmup = StanWarmup(WarmupSettings(regularize_mass_matrix=False))
    _, (_, inverse, window) = run_warmup(
        warmup, jnp.ones(3), jnp.asarray(positions), jnp.full(1000, 0.8, jnp.float32)
    )
    inverse = np.asarray(inverse)
    changes = np.flatnonzero((inverse[1:] != inverse[:-1]).any(1)) + 1
    assert changes.tolist() == [99, 149, 249, 449, 949]
    assert np.asarray(window)[[98, 99, 949, 999]].tolist() == [0, 1, 5, 5]
    np.testing.assert_allclose(inverse[999], positions[450:950].var(0, ddof=1), rtol=1e-3)


def test_the_last_warmup_step_takes_the_average_and_nothing_changes_after():
    warmup = StanWarmup(WarmupSettings())
    accept = jnp.asarray(np.random.default_rng(2).uniform(size=60), jnp.float32)
    positions = jnp.zeros((60, 2))
    final, (step_size, _, _) = run_warmup(warmup, jnp.ones(2), positions, accept)
    assert float(final.step_size) == pytest.approx(
        float(jnp.exp(final.ss_state.log_step_size_average)), rel=1e-6
    )
    assert float(step_size[-2]) != float(step_size[-1])
    observation = observe(jnp.ones(2), jnp.float32(0.1))
    later = warmup.update(final, jnp.int32(60), observation, None, no_search)
    jax.tree.map(np.testing.assert_array_equal, later, final)


@pytest.mark.parametrize(
    ("adapt_step_size", "adapt_mass_matrix"), [(False, True), (True, False), (False, False)]
)
def test_what_is_not_adapted_stays(adapt_step_size, adapt_mass_matrix):
    warmup = StanWarmup(WarmupSettings(0.8, adapt_step_size, adapt_mass_matrix))
    positions = jnp.asarray(np.random.default_rng(3).normal(size=(200, 2)), jnp.float32)
    final, _ = run_warmup(warmup, jnp.full(2, 3.0), positions, jnp.full(200, 0.3, jnp.float32))
    assert (float(final.step_size) == 1.0) == (not adapt_step_size)
    assert bool((final.inverse_mass_matrix == 3.0).all()) == (not adapt_mass_matrix)
