"""A warmup that chains share: sums add up as one sample, and all chains go on alike."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sojourn_hmc import MCMC, NUTS, Meeting, Pooled, Warmup, hmc
from sojourn_hmc.adaptation import dual_averaging, welford
from sojourn_hmc.adaptation.pooled import EAGER_MEETINGS, EVERY
from sojourn_hmc.adaptation.warmup import Observation, WarmupSettings
from sojourn_hmc.low_rank import LowRank
from sojourn_hmc.start import StartPoint
from sojourn_hmc.warmups import choose_warmup

CHAINS = 16
SCALE = np.array([0.1, 1.0, 10.0], np.float32)


def potential(z):
    """Log-gamma variables of three scales, whose standard deviations are known."""
    x = z / SCALE
    return jnp.sum(jnp.exp(x) - 2.0 * x)


SD = SCALE * np.sqrt(np.pi**2 / 6 - 1)  # of the logarithm of a Gamma(2) variable
KERNELS = {
    warmup: NUTS(potential_fn=potential, warmup=Pooled(warmup), step_size=0.1)
    for warmup in ("stan", "fisher", "low_rank")
}


def run(warmup, num_warmup, num_samples, lock_step, **settings):
    mcmc = MCMC(
        KERNELS[warmup],
        num_warmup=num_warmup,
        num_samples=num_samples,
        num_chains=CHAINS,
        chain_method="vectorized",
        lock_step=lock_step,
        progress_bar=False,
        report=False,
        **settings,
    )
    start = np.random.default_rng(0).normal(size=(CHAINS, 3)).astype(np.float32) * SCALE
    mcmc.run(jax.random.key(2), init_params=start, extra_fields=("adapt_state.step_size",))
    return mcmc


def variances(inverse_mass_matrix):
    """The diagonal that all chains have in common."""
    one = jax.tree.map(lambda leaf: leaf[0], inverse_mass_matrix)
    return np.asarray(jnp.diagonal(one.dense()) if isinstance(one, LowRank) else one)


@pytest.mark.parametrize("shape", [(3,), (3, 3)], ids=["diagonal", "dense"])
def test_accumulators_add_up(shape):
    """Of unequal numbers of positions, none among them."""
    rng = np.random.default_rng(1)
    positions = rng.normal(size=(9, 3)).astype(np.float32) + np.array([5, 0, -7], np.float32)
    states, first = [], 0
    for count in (4, 0, 5):
        state = welford.init(jnp.ones(shape))
        for x in positions[first : first + count]:
            state = welford.update(state, jnp.asarray(x))
        states.append(state)
        first += count
    together = welford.pool(jax.tree.map(lambda *leaves: jnp.stack(leaves), *states))
    covariance = np.cov(positions.T)
    expected = covariance if len(shape) == 2 else np.diag(covariance)
    np.testing.assert_allclose(welford.covariance(together, False), expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(together.mean, positions.mean(0), rtol=1e-5)
    assert int(together.num_positions) == 9


@pytest.mark.parametrize("warmup", KERNELS)
@pytest.mark.parametrize("lock_step", [True, False])
def test_all_chains_learn_the_scales_and_go_on_alike(warmup, lock_step):
    mcmc = run(warmup, 120, 60, lock_step)
    learned = mcmc.last_state.adapt_state
    for leaf in jax.tree.leaves((learned.step_size, learned.inverse_mass_matrix)):
        np.testing.assert_array_equal(leaf, np.broadcast_to(leaf[:1], leaf.shape))
    # Fisher's scale is not the standard deviation, but the same multiple of it on every scale.
    ratio = np.sqrt(variances(learned.inverse_mass_matrix)) / SD
    np.testing.assert_allclose(ratio / ratio.mean(), 1, rtol=0.2)
    step_size = mcmc.get_extra_fields(True)["adapt_state.step_size"]
    assert (step_size == step_size[0, 0]).all(), "nothing may change after the warmup"
    accepted = mcmc.last_state.mean_accept_prob
    assert abs(accepted.mean() - 0.8) < 0.1
    draws = np.asarray(mcmc.get_samples()) / SCALE
    # The mean of the logarithm of a Gamma(2) variable is 1 minus Euler's constant.
    error = draws.mean(0) - (1 - np.euler_gamma)
    assert (abs(error) < 5 * 0.8 / np.sqrt(CHAINS * 60 / 3)).all()


def test_where_a_chunk_ends_changes_nothing():
    """Meetings are after set transitions, wherever chunks end: between two of them, at one."""
    plain = run("stan", 120, 60, False)
    chunks = run("stan", 120, 60, False, progress_rate=7)
    np.testing.assert_array_equal(plain.get_samples(), chunks.get_samples())


@pytest.mark.parametrize("num_made", [20, 40])
def test_a_meeting_is_one_update_with_the_mean_of_all_chains(num_made):
    """The harmonic mean in the first 15% of the warmup, here up to 30, then the arithmetic one."""
    warmup = choose_warmup(Pooled("stan"), WarmupSettings(adapt_mass_matrix=False))
    step_size = jnp.float32(0.5)
    start = jax.vmap(lambda _: warmup.init(None, step_size, jnp.ones(2), False, jnp.int32(200)))(
        jnp.arange(2)
    )
    accepted = np.array([[0.9, 0.5], [0.3, 0.2]], np.float32)
    states = start
    for transition in range(2):
        found = states.mm_state._replace(
            sum_accept_prob=states.mm_state.sum_accept_prob + accepted[:, transition],
            num_transitions=states.mm_state.num_transitions + 1,
        )
        states = states._replace(mm_state=found)
    after = warmup.hold(states, jnp.ones(2, bool), jnp.int32(num_made), None, None)
    mean = {20: 2 / (1 / 0.7 + 1 / 0.25), 40: (0.7 + 0.25) / 2}[num_made]
    expected = dual_averaging.update(dual_averaging.init(step_size), jnp.float32(0.8 - mean))
    np.testing.assert_allclose(after.step_size, jnp.exp(expected.log_step_size), rtol=1e-5)
    assert int(after.mm_state.num_transitions) == 0


@pytest.mark.parametrize("warmup", KERNELS)
def test_a_chain_far_out_is_not_left_behind(warmup):
    """Two of 16 chains start where steps must be a thousand times shorter than elsewhere."""
    start = np.random.default_rng(0).normal(size=(CHAINS, 3)).astype(np.float32)
    start[:2, 0] = 12.0
    mcmc = MCMC(
        KERNELS[warmup],
        num_warmup=120,
        num_samples=60,
        num_chains=CHAINS,
        chain_method="vectorized",
        progress_bar=False,
        report=False,
    )
    mcmc.run(jax.random.key(2), init_params=start * SCALE)
    means = np.asarray(mcmc.get_samples(True)).mean(1) / SCALE
    # An error of 60 draws, a third of them effective, of what has a standard deviation of 0.8.
    assert (abs(means - (1 - np.euler_gamma)) < 5 * 0.8 / np.sqrt(60 / 3)).all()


def test_low_rank_learns_a_direction_from_all_chains():
    """A normal that is ten times as wide along one direction, from few transitions of 16 chains."""
    direction = np.array([0.6, 0.8, 0.0], np.float32)
    precision = np.eye(3, dtype=np.float32) - np.float32(0.99) * np.outer(direction, direction)
    mcmc = MCMC(
        NUTS(
            potential_fn=lambda z: 0.5 * z @ jnp.asarray(precision) @ z, warmup=Pooled("low_rank")
        ),
        num_warmup=60,
        num_samples=1,
        num_chains=CHAINS,
        chain_method="vectorized",
        progress_bar=False,
    )
    start = np.random.default_rng(0).normal(size=(CHAINS, 3)).astype(np.float32)
    mcmc.run(jax.random.key(5), init_params=start)
    learned = mcmc.last_state.adapt_state
    inverse = jax.tree.map(lambda leaf: leaf[0], learned.inverse_mass_matrix)
    # On a normal the estimate is exact but for the ridge, whatever the draws are.
    np.testing.assert_allclose(inverse.dense() @ precision, np.eye(3), atol=0.1)
    # 16 chains filled the buffers in 16 transitions; the last 15 % of the warmup left them alone.
    assert learned.mm_state.common.num_foreground.tolist() == [256] * CHAINS


@pytest.mark.parametrize("name", ["stan", "fisher", "low_rank"])
def test_a_chain_that_fills_a_device_up_does_not_count(name):
    """Three places with two chains, the last one twice, learn what the two learn."""
    warmup = choose_warmup(Pooled(name), WarmupSettings(target_accept_prob=0.7))
    rng = np.random.default_rng(4)

    @jax.jit
    def learn(state, step, seen):
        return warmup.learn(state, step, seen, None, None)

    def found_by(chain, num_transitions=5):
        draws = rng.normal(size=(2, num_transitions, 3)).astype(np.float32)
        start = StartPoint(jnp.ones(3), jnp.float32(0.0), jnp.ones(3))
        step_size = jnp.float32(0.5 + chain)
        state = warmup.init(start, step_size, jnp.ones(3), False, jnp.int32(100))
        for step, (position, gradient) in enumerate(zip(*draws, strict=True)):
            seen = Observation(position, gradient, jnp.float32(0.3 + 0.4 * chain), jnp.array(True))
            state = learn(state, jnp.int32(20 + step), seen)
        return state

    first, second = found_by(0), found_by(1)
    made = jnp.int32(25)

    def meet(chains, counts):
        states = jax.tree.map(lambda *leaves: jnp.stack(leaves), *chains)
        meeting = Meeting(
            None, lambda states, counts: warmup.hold(states, counts, made, None, None)
        )
        return jax.jit(meeting.of)(states, jnp.array(counts))

    expected = meet([first, second], [True, True])
    filled = meet([first, second, second], [True, True, False])
    if name == "low_rank":  # columns have no sign
        filled, expected = (
            state.with_inverse_mass_matrix(state.inverse_mass_matrix.dense())
            for state in (filled, expected)
        )
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), filled, expected
    )
    twice = meet([first, second, second], [True, True, True])
    assert abs(twice.step_size / expected.step_size - 1) > 0.01
    # A device that has no chain of its own goes on with numbers.
    alone = meet([second, second], [False, False])
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(alone))


def test_when_chains_meet():
    warmup = choose_warmup(Pooled("stan"), WarmupSettings())
    state = warmup.init(None, jnp.float32(1.0), jnp.ones(2), False, jnp.int32(100))

    def due(num_updates):
        averaging = state.ss_state._replace(num_updates=jnp.int32(num_updates))
        made = jnp.arange(1, 120, dtype=jnp.int32)
        called = jax.vmap(lambda n: warmup.is_due(state._replace(ss_state=averaging), n))(made)
        return set(np.asarray(made)[np.asarray(called)].tolist())

    assert due(EAGER_MEETINGS - 1) == set(range(1, 101))
    # A warmup of 100 has one window, up to transition 89; made of 90 it is closed.
    assert due(EAGER_MEETINGS) == set(range(EVERY, 101, EVERY)) | {90, 100}


def test_what_cannot_be_shared():
    settings = {"num_warmup": 5, "num_samples": 5, "progress_bar": False}
    kernel = KERNELS["stan"]
    for method, num_chains in (("sequential", 2), ("parallel", 2), ("vectorized", 1)):
        mcmc = MCMC(kernel, num_chains=num_chains, chain_method=method, **settings)
        start = np.ones((2, 3) if num_chains == 2 else 3, np.float32)
        with pytest.raises(ValueError, match="there is no batch in this run"):
            mcmc.run(jax.random.key(0), init_params=start)
    inner = MCMC(kernel, num_chains=2, chain_method="sequential", **settings)
    with pytest.raises(ValueError, match="shares its warmup among the chains of a batch"):
        jax.jit(lambda key: inner.run(key, init_params=np.ones((2, 3), np.float32)))(
            jax.random.key(0)
        )

    class Own(Warmup):
        def init(self, *args):
            raise NotImplementedError

        def learn(self, *args):
            raise NotImplementedError

    with pytest.raises(ValueError, match="Pooled cannot share Own"):
        NUTS(potential_fn=potential, warmup=Pooled(Own))
    init_kernel, _ = hmc(potential)
    with pytest.raises(ValueError, match="which hmc\\(\\) knows nothing of"):
        init_kernel(jnp.ones(3), num_warmup=5, warmup=Pooled("stan"))


def test_a_traced_run_shares_too():
    mcmc = MCMC(
        KERNELS["stan"],
        num_warmup=30,
        num_samples=5,
        num_chains=4,
        chain_method="vectorized",
        progress_bar=False,
    )

    def outer(key):
        mcmc.run(key, init_params=jnp.ones((4, 3)), extra_fields=("adapt_state.step_size",))
        return mcmc.get_extra_fields(True)["adapt_state.step_size"]

    step_size = jax.jit(outer)(jax.random.key(0))
    assert (step_size == step_size[0, 0]).all() and step_size[0, 0] != 0.1
