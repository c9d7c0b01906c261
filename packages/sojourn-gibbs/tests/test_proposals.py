"""Proposals are reversible; schedules are as likely as their mirror image."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sojourn_gibbs.codes import WINDOW, Coding
from sojourn_gibbs.discrete_proposals import choose_proposal
from sojourn_gibbs.event_schedule import draw_schedule
from sojourn_gibbs.latents import Latent

LOG_WEIGHTS = jnp.log(jnp.array([0.1, 0.25, 0.0, 0.6, 0.05, 9.0]))
ALLOWED = jnp.array([True, True, True, True, True, False])
NUMBER = 20_000

four_moves = pytest.mark.parametrize(
    "random_walk, modified", list(itertools.product((False, True), repeat=2))
)


@four_moves
def test_flows_between_two_values_balance(random_walk, modified):
    propose = choose_proposal(random_walk, modified)

    def step(key, current):
        key_move, key_accept = jax.random.split(key)
        move = propose(key_move, LOG_WEIGHTS, ALLOWED, current)
        log_ratio = 0.0 if move.log_ratio is None else move.log_ratio
        taken = jnp.log(jax.random.uniform(key_accept)) < log_ratio
        return jnp.where(taken, move.choice, current), move.choice

    steps = jax.jit(jax.vmap(step, (0, None)))
    keys = jax.random.split(jax.random.key(0), NUMBER)
    flow = np.zeros((6, 6))
    weights = np.where(ALLOWED, np.exp(LOG_WEIGHTS), 0.0)
    for current in (0, 1, 3, 4):
        new, proposed = steps(keys, jnp.int32(current))
        flow[current] = weights[current] * np.bincount(new, minlength=6) / NUMBER
        if modified:
            assert not np.any(proposed == current)
    assert flow[:, 2].sum() == flow[:, 5].sum() == 0  # no weight; no value at all
    error = np.sqrt((weights[:, None] * flow + weights[None] * flow.T) / NUMBER)
    assert np.all(np.abs(flow - flow.T) <= 4 * error)


@four_moves
def test_a_single_value_stays(random_walk, modified):
    propose = choose_proposal(random_walk, modified)
    only = jnp.array([True, False])
    move = propose(jax.random.key(0), jnp.zeros(2), only, jnp.int32(0))
    assert move.choice == 0


def test_every_candidate_of_a_window_offers_the_same_window():
    coding = Coding((Latent("n", (1,), jnp.int32, True, None, ()),))
    doublings = jnp.array([2])
    keys = jax.random.split(jax.random.key(0), NUMBER)

    def window(key, code):
        offered = coding.candidates(key, jnp.array([code]), doublings, 0)
        assert offered.codes.shape == (WINDOW,)
        return offered.codes[0], offered.codes[1] - offered.codes[0], offered.codes[offered.current]

    first, stride, present = jax.jit(jax.vmap(window, (0, None)))(keys, 50)
    assert np.all(present == 50)
    pairs, counts = np.unique(np.stack([first, stride]), axis=1, return_counts=True)
    assert pairs.shape[1] == WINDOW * 3 and set(pairs[1]) == {1, 2, 4}
    expected = NUMBER / (WINDOW * 3)
    assert np.all(np.abs(counts - expected) < 4.5 * np.sqrt(expected))


@pytest.mark.parametrize("num_elements, num_events", [(3, 2), (2, 5)])
def test_schedules_look_the_same_backwards(num_elements, num_events):
    keys = jax.random.split(jax.random.key(0), 10_000)
    draw = jax.jit(
        jax.vmap(lambda key: draw_schedule(key, num_elements, num_events, jnp.dtype("float32")))
    )
    times, elements = draw(keys)
    assert np.all(np.diff(times, axis=1) >= 0) and np.all((times >= 0) & (times <= 1))
    counts = np.stack([(elements == n).sum(1) for n in range(num_elements)], 1)
    assert counts.min() >= num_events // num_elements
    assert counts.max() <= -(-num_events // num_elements)
    forward, backward = np.asarray(times), 1 - np.asarray(times)[:, ::-1]
    # Moments of each time, and of times with the elements that they belong to.
    for statistic in (lambda t, e: t, lambda t, e: t**2, lambda t, e: t * (e == 0)):
        here = statistic(forward, np.asarray(elements))
        there = statistic(backward, np.asarray(elements)[:, ::-1])
        error = np.sqrt((here - there).var(0) / len(here)) + 1e-12
        assert np.all(np.abs((here - there).mean(0)) < 4.5 * error)
