"""Chains of a batch at their own pace draw what they would by themselves, and count their steps."""

import pickle
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from invariance import ANY_LAW, LAWS, as_flat, p_values
from jax import lax

from sojourn_hmc import HMC, MCMC, NUTS, MCMCKernel, PotentialTarget, Warmup, two_stage
from sojourn_hmc.adaptation.warmup import initial_state
from sojourn_hmc.chunk import Plan, advance
from sojourn_hmc.fields import choose_fields
from sojourn_hmc.flat import advance_flat
from sojourn_hmc.only_where import only_where
from sojourn_hmc.pace import choose_pace, offers_steps
from sojourn_hmc.stepwise import Steps

CHAINS = 5
FIELDS = ("num_steps", "diverging", "accept_prob", "adapt_state.step_size")


def skewed(z):
    """Log-gamma variables of different scales, and one whose scale hangs on another."""
    a, b = z["x"]
    log_density = 0.7 * a / 2 - jnp.exp(a / 2) + 2 * b - jnp.exp(b)
    return -(log_density - 0.5 * (z["y"] * jnp.exp(-a / 8)) ** 2 - a / 8)


class Halving(Warmup):
    """A user's warmup: the step size halves with each transition that accepts too little."""

    def init(self, start, step_size, inverse_mass_matrix, is_given, num_warmup):
        class Length(NamedTuple):
            num_warmup: jax.Array

        return initial_state(step_size, inverse_mass_matrix, None, None, Length(num_warmup))

    def learn(self, state, step, observation, blocks, search):
        too_little = observation.accept_prob < self.settings.target_accept_prob
        return state._replace(step_size=jnp.where(too_little, 0.5, 1.2) * state.step_size)


KERNELS = {
    "stan, search, depths": (NUTS, {"find_heuristic_step_size": True, "max_tree_depth": (2, 4)}),
    "fisher, two stages": (NUTS, {"warmup": "fisher", "integrator": two_stage}),
    "low rank": (NUTS, {"warmup": "low_rank"}),
    "own warmup, blocks, kinetic energy": (
        NUTS,
        {
            "warmup": Halving,
            "dense_mass": [("x",)],
            "kinetic_fn": lambda inverse, r: jnp.log(jnp.cosh(r["x"])).sum() + r["y"] ** 2,
        },
    ),
    "fixed length": (HMC, {"trajectory_length": 2.0, "dense_mass": True}),
}


def first_states(kernel, num_warmup, num_chains=CHAINS):
    def first(key):
        position = {"x": jax.random.normal(key, (2,)), "y": jnp.zeros(())}
        return kernel.init(key, num_warmup, position, (), {})

    return jax.vmap(first)(jax.random.split(jax.random.key(1), num_chains))


@pytest.mark.parametrize(("make", "settings"), KERNELS.values(), ids=KERNELS)
def test_every_chain_draws_what_it_would_by_itself(make, settings):
    """In double precision, so that rounding does not grow to what decides a step."""
    with jax.enable_x64(True):
        kernel = make(potential_fn=skewed, **settings)
        fields = choose_fields(kernel, FIELDS)
        plan, num_rows = Plan(35, 0, 1).as_arrays(), 35

        @jax.jit
        def by_itself(state):
            return advance(
                lambda state: kernel.sample(state, (), {}), fields.select, num_rows, state, plan
            )

        @jax.jit
        def at_own_pace(states):
            own = jnp.ones(CHAINS, bool)
            return advance_flat(kernel.steps((), {}), None, fields, num_rows, states, plan, own)

        states = jax.jit(lambda: first_states(kernel, jnp.int32(25)))()
        last, rows, effort = at_own_pace(states)
        num_steps = rows[fields.names.index("num_steps")]
        assert int(effort.useful) == num_steps.sum()
        assert CHAINS * num_steps.sum(0).max() <= int(effort.executed) <= CHAINS * num_steps.sum()
        assert len(np.unique(num_steps)) > 2 or make is HMC
        for chain in range(CHAINS):
            alone, expected = by_itself(jax.tree.map(lambda leaf, at=chain: leaf[at], states))
            own = jax.tree.map(lambda leaf, at=chain: leaf[:, at], rows)
            jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-7), own, expected)
            np.testing.assert_array_equal(last.i[chain], alone.i)
            learned = jax.tree.map(lambda leaf, at=chain: leaf[at], last.adapt_state)
            jax.tree.map(
                lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9),
                learned,
                alone.adapt_state,
            )


def test_divergences_and_saturated_trees_in_company():
    """A cliff at which some trajectories diverge, and a step size that others cannot turn at."""

    def potential(z):
        return 0.5 * z**2 + jnp.where(z > 1.0, 1e6 * (z - 1.0), 0.0)

    kernel = NUTS(potential_fn=potential, max_tree_depth=5, adapt_step_size=False)
    fields = choose_fields(kernel, FIELDS)
    plan = Plan(30, 0, 1).as_arrays()

    @jax.jit
    def run():
        states = jax.vmap(
            lambda key, step_size: NUTS(
                potential_fn=potential, max_tree_depth=5, step_size=step_size
            ).init(key, 0, jnp.float32(-0.5), (), {})
        )(jax.random.split(jax.random.key(0), 4), jnp.array([0.9, 0.5, 0.3, 1e-3]))
        own = advance_flat(kernel.steps((), {}), None, fields, 30, states, plan, jnp.ones(4, bool))
        step = jax.vmap(lambda state: kernel.sample(state, (), {}))
        return own[1], advance(step, fields.select, 30, states, plan)[1]

    own, together = (dict(zip(fields.names, rows, strict=True)) for rows in run())
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), own, together)
    assert own["diverging"][:, :3].any(0).all() and not own["diverging"].all()
    assert (own["num_steps"][:, 3] == 2**5 - 1).all()
    assert np.isfinite(own["z"]).all()


@pytest.mark.parametrize("law", LAWS)
def test_exact_draws_stay_exact(law):
    """As in test_invariance, where chains make their transitions together."""
    count, steps_each = 4096, 3
    fields = choose_fields(INVARIANT, ())
    draws = LAWS[law].draw((count,), seed=2)
    last = move(fields, steps_each, draws, np.int32(list(LAWS).index(law)))
    found = p_values(LAWS[law], as_flat(last))
    assert min(1.0, len(found) * min(found.values())) > 1e-4
    assert np.mean(as_flat(last) != as_flat(draws)) > 0.9


INVARIANT = NUTS(ANY_LAW, step_size=0.4, inverse_mass_matrix=np.array([0.5, 1.0, 2.0]))


@jax.jit(static_argnums=(0, 1))
def move(fields, num_transitions, draws, law):
    def first(key, draw):
        return INVARIANT.init(key, 0, draw, (law,), {})

    keys = jax.random.split(jax.random.key(5), jax.tree.leaves(draws)[0].shape[0])
    plan = Plan(jnp.int32(num_transitions), jnp.int32(num_transitions), jnp.int32(1))
    steps = INVARIANT.steps((law,), {})
    begin, own = jax.vmap(first)(keys, draws), jnp.ones(len(keys), bool)
    states, _, _ = advance_flat(steps, None, fields, 1, begin, plan, own)
    return states.z


class Counting(MCMCKernel):
    """A user's kernel whose transition ``i`` of chain ``c`` takes ``lengths[c, i]`` steps."""

    class State(NamedTuple):
        i: jax.Array
        total: jax.Array
        length: jax.Array
        chain: jax.Array

    sample_field = "total"

    def __init__(self, lengths):
        self.lengths = np.asarray(lengths, np.int32)

    def init(self, rng_key, num_warmup, init_params, model_args, model_kwargs):
        zero = jnp.int32(0)
        return self.State(zero, zero, zero, init_params)

    def sample(self, state, model_args, model_kwargs):
        length = jnp.asarray(self.lengths)[state.chain, state.i]
        return self.State(state.i + 1, state.total + length, length, state.chain)

    def steps(self, model_args, model_kwargs):
        def finish(state, taken, here):
            after = state._replace(i=state.i + 1, total=state.total + taken, length=taken)
            return jax.tree.map(lambda a, b: jnp.where(here, a, b), after, state)

        def length(state):
            return jnp.asarray(self.lengths)[state.chain, state.i]

        return Steps(
            begin=lambda state, last: jnp.int32(0),
            step=lambda state, taken: jnp.minimum(taken + 1, length(state)),
            is_complete=lambda state, taken: taken == length(state),
            finish=finish,
            num_steps=lambda state: state.length,
        )


def count(lock_step, lengths, **settings):
    mcmc = MCMC(
        Counting(lengths),
        num_warmup=0,
        num_samples=len(lengths[0]),
        num_chains=len(lengths),
        chain_method="vectorized",
        lock_step=lock_step,
        progress_bar=False,
        report=False,
        **settings,
    )
    mcmc.run(jax.random.key(0), init_params=np.arange(len(lengths), dtype=np.int32))
    return mcmc


@pytest.mark.parametrize(("lock_step", "executed"), [(True, 5 + 5 + 1 + 2), (False, 9)])
def test_utilisation_is_counted_exactly(lock_step, executed):
    """Both chains take 9 and 8 steps; together they take the longer of each transition."""
    lengths = [[1, 5, 1, 2], [5, 1, 1, 1]]
    mcmc = count(lock_step, lengths)
    assert mcmc.utilisation == 17 / (2 * executed)
    np.testing.assert_array_equal(mcmc.get_samples(True), np.cumsum(lengths, 1))


def test_utilisation_counts_what_a_run_goes_on_from():
    mcmc = MCMC(
        Counting([[1, 5, 1, 2], [5, 1, 1, 1]]),
        num_warmup=2,
        num_samples=1,
        num_chains=2,
        chain_method="vectorized",
        lock_step=True,
        progress_bar=False,
        report=False,
    )
    mcmc.warmup(jax.random.key(0), init_params=np.arange(2, dtype=np.int32))
    assert mcmc.utilisation == 12 / (2 * 10) and mcmc.is_complete
    for _ in range(2):  # the second run goes on from the warmup as the first did
        mcmc.run(jax.random.key(1))
        assert mcmc.utilisation == 14 / (2 * 11)
    mcmc.post_warmup_state = mcmc.last_state
    mcmc.run(jax.random.key(1))
    assert mcmc.utilisation == 17 / (2 * 13)
    # States from elsewhere come without their cost.
    mcmc.post_warmup_state = jax.tree.map(
        lambda leaf: jnp.where(leaf == 4, jnp.int32(3), leaf), mcmc.last_state
    )
    mcmc.run(jax.random.key(1))
    assert mcmc.utilisation == 3 / (2 * 2)
    assert pickle.loads(pickle.dumps(mcmc)).utilisation == 3 / (2 * 2)


def test_a_chunk_ends_when_every_chain_has_made_its_transitions():
    lengths = [[1, 5, 1, 2], [5, 1, 1, 1]]
    mcmc = count(False, lengths, progress_rate=2)
    # Transitions 0 and 1 take 6 steps in both chains; then 3 and 2.
    assert mcmc.utilisation == 17 / (2 * (6 + 3))
    thinned = count(False, lengths, thinning=2)
    np.testing.assert_array_equal(thinned.get_samples(True), np.cumsum(lengths, 1)[:, 1::2])


def test_many_waiting_chains_are_finished_together_and_none_is_lost():
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 20, (40, 30))
    own, together = (count(lock_step, lengths) for lock_step in (False, True))
    for mcmc in (own, together):
        np.testing.assert_array_equal(mcmc.get_samples(True), np.cumsum(lengths, 1))
    assert together.utilisation == lengths.sum() / (40 * lengths.max(0).sum())
    assert 1.2 * together.utilisation < own.utilisation <= 1


def test_who_is_asked_for_steps():
    class Another(NUTS):
        def sample(self, state, model_args=(), model_kwargs=None):
            return super().sample(state, model_args, model_kwargs)

    class Silent(Counting):
        def sample(self, state, model_args, model_kwargs):
            return super().sample(state, model_args, model_kwargs)

    assert offers_steps(NUTS(potential_fn=skewed))
    assert offers_steps(Counting([[1]]))
    assert not offers_steps(Another(potential_fn=skewed))
    settings = {"num_warmup": 0, "num_samples": 1, "num_chains": 2, "progress_bar": False}
    settings |= {"chain_method": "vectorized", "report": False}
    start = np.arange(2, dtype=np.int32)
    mcmc = MCMC(Silent([[1], [1]]), **settings)
    mcmc.run(jax.random.key(0), init_params=start)
    assert "together (Silent makes transitions as a whole only)" in mcmc.placement.description
    assert mcmc.utilisation is None
    with pytest.raises(ValueError, match="lock_step=False asks for chains at their own pace"):
        MCMC(Silent([[1], [1]]), lock_step=False, **settings).run(
            jax.random.key(0), init_params=start
        )


def test_costly_steps_go_at_their_own_pace_and_a_second_run_compiles_nothing(compilations):
    rows = np.random.default_rng(0).normal(size=(10_000, 3)).astype(np.float32)

    class Regression(PotentialTarget):
        def setup(self, model_args, model_kwargs, init_params):
            (x,) = model_args
            setup = super().setup((), {}, init_params)
            return setup._replace(
                potential=lambda z: jnp.sum(jax.nn.softplus(x @ z)) + 0.5 * jnp.sum(z**2)
            )

    kernel = NUTS(Regression(lambda z: jnp.sum(z)))

    def run(rows, num_samples, **settings):
        mcmc = MCMC(
            kernel,
            num_warmup=20,
            num_samples=num_samples,
            num_chains=15,
            chain_method="vectorized",
            progress_bar=False,
            report=False,
            **settings,
        )
        mcmc.run(jax.random.key(0), rows, init_params=np.zeros((15, 3), np.float32))
        return mcmc

    first = run(rows, 30)
    assert "at its own pace (a step of all is" in first.placement.description
    assert 0 < first.utilisation <= 1
    before = len(compilations)
    again = run(rows, 30, progress_rate=7)
    run(2 * rows, 45)
    assert len(compilations) == before
    # Wherever a chunk ends, the draws are the same.
    np.testing.assert_array_equal(first.get_samples(), again.get_samples())
    few = choose_pace(kernel, first.last_state, lambda data: ((data,), {}), rows[:4], None)
    assert str(few).startswith("each transition together (a step of all is")


@pytest.mark.parametrize(
    ("kernel", "num_chains", "own"), [(NUTS, 16, True), (NUTS, 15, False), (HMC, 64, False)]
)
def test_many_chains_of_varying_length_go_at_their_own_pace(kernel, num_chains, own):
    """Where steps cost next to nothing."""
    mcmc = MCMC(
        kernel(potential_fn=skewed),
        num_warmup=5,
        num_samples=5,
        num_chains=num_chains,
        chain_method="vectorized",
        progress_bar=False,
        report=False,
    )
    start = {"x": jnp.zeros((num_chains, 2)), "y": jnp.zeros(num_chains)}
    mcmc.run(jax.random.key(0), init_params=start)
    assert ("at its own pace" in mcmc.placement.description) == own


def test_what_no_chain_asks_for_is_not_computed():
    called = []

    def rare(x):
        jax.debug.callback(called.append, x)
        return jnp.sin(x)

    def step(condition, x):
        return only_where(condition, lambda: {"y": rare(x)}, {"y": x})["y"]

    x = jnp.array([1.0, 2.0])
    batch = jax.jit(jax.vmap(step))
    np.testing.assert_array_equal(batch(jnp.array([False, False]), x), x)
    jax.effects_barrier()
    assert called == []
    some = batch(jnp.array([False, True]), x)
    jax.effects_barrier()
    assert len(called) == 2  # for all, as it is one batch
    np.testing.assert_allclose(some, [1.0, np.sin(2.0)], rtol=1e-6)
    np.testing.assert_allclose(jax.jit(step)(True, x[0]), np.sin(1.0), rtol=1e-6)
    # A condition that all members share, of values that some do not have.
    shared = jax.vmap(lambda x: only_where(x[0] < 9, lambda: lax.cos(x), jnp.zeros(2)))
    np.testing.assert_allclose(shared(x[None]), np.cos(x)[None], rtol=1e-6)
