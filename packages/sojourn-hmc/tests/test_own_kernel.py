"""A user's own kernel under the driver: every chain method, and whatever a run may ask for."""

import dataclasses
from collections import namedtuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sojourn_hmc import MCMC, MCMCKernel

# Runs are as short as what they show needs; whether their draws are many is not the question.
pytestmark = pytest.mark.filterwarnings("ignore::sojourn_hmc.SamplingWarning")

METHODS = ["parallel", "sequential", "vectorized"]
KEY = jax.random.key(11)

MHState = namedtuple("MHState", ["u", "rng_key"])


class MetropolisHastings(MCMCKernel):
    """The reference manual's example of a kernel: two functions of one chain."""

    sample_field = "u"

    def __init__(self, potential_fn, step_size=0.1):
        self.potential_fn = potential_fn
        self.step_size = step_size

    def init(self, rng_key, num_warmup, init_params, model_args, model_kwargs):
        return MHState(init_params, rng_key)

    def sample(self, state, model_args, model_kwargs):
        u, rng_key = state
        rng_key, key_proposal, key_accept = jax.random.split(rng_key, 3)
        noise = jax.random.normal(key_proposal, u.shape, u.dtype)
        proposal = u + self.step_size * noise
        accept_prob = jnp.exp(self.potential_fn(u) - self.potential_fn(proposal))
        accepted = jax.random.uniform(key_accept, (), u.dtype) < accept_prob
        return MHState(jnp.where(accepted, proposal, u), rng_key)


def potential(x):
    """Two independent components, each Normal(2, sqrt(1/2))."""
    return jnp.sum((x - 2) ** 2)


def starts(num_chains):
    """One start a chain; chain i starts at the same place whatever their number."""
    each = np.array([[1.0, 2.0]], np.float32) + np.arange(num_chains, dtype=np.float32)[:, None]
    return each if num_chains > 1 else each[0]


SHARED = MetropolisHastings(potential, 1.2)


def make(num_chains=3, kernel=SHARED, **settings):
    settings = {"num_warmup": 50, "num_samples": 200, "progress_bar": False} | settings
    return MCMC(kernel, num_chains=num_chains, **settings)


def draws(mcmc, key=KEY, **run):
    mcmc.run(key, init_params=starts(mcmc.num_chains), **run)
    return np.asarray(mcmc.get_samples(group_by_chain=True))


@pytest.fixture(scope="module")
def reference():
    """Three chains by the default method."""
    return draws(make())


@pytest.mark.parametrize("method", METHODS)
def test_every_chain_method_makes_the_same_draws(method, reference):
    drawn = draws(make(chain_method=method))
    assert drawn.shape == (3, 200, 2)
    np.testing.assert_array_equal(drawn, reference)
    assert not np.array_equal(drawn[0], drawn[1])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("num_chains", [1, 2])
def test_chain_i_does_not_depend_on_how_many_there_are(method, num_chains, reference):
    drawn = draws(make(num_chains, chain_method=method))
    np.testing.assert_array_equal(drawn, reference[:num_chains])


@pytest.mark.parametrize("method", METHODS)
def test_a_batch_of_keys_gives_each_chain_its_own(method, reference):
    keys = jnp.stack([jax.random.fold_in(KEY, chain) for chain in range(3)])
    np.testing.assert_array_equal(draws(make(chain_method=method), keys), reference)


@pytest.mark.parametrize("method", METHODS)
def test_thinning_keeps_the_last_draw(method, reference):
    thinned = draws(make(chain_method=method, thinning=7))
    assert thinned.shape == (3, 200 // 7, 2)
    np.testing.assert_array_equal(thinned[:, ::-1], reference[:, ::-1][:, ::7][:, : 200 // 7])


@pytest.mark.parametrize("method", METHODS)
def test_progress_does_not_change_the_draws(method, reference, capsys):
    np.testing.assert_array_equal(draws(make(chain_method=method, progress_bar=True)), reference)
    assert "750/750" in capsys.readouterr().err


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("num_chains", [1, 3])
def test_going_on_from_the_last_state_is_one_longer_run(method, num_chains, reference):
    mcmc = make(num_chains, chain_method=method, num_samples=80)
    first = draws(mcmc)
    mcmc.post_warmup_state = mcmc.last_state
    mcmc.num_samples = 120
    mcmc.run(mcmc.post_warmup_state.rng_key)
    second = np.asarray(mcmc.get_samples(group_by_chain=True))
    np.testing.assert_array_equal(np.concatenate([first, second], 1), reference[:num_chains])


@pytest.mark.parametrize("method", METHODS)
def test_a_warmup_alone_can_be_gone_on_from(method):
    mcmc = make(chain_method=method)
    mcmc.warmup(KEY, init_params=starts(3), collect_warmup=True)
    warmup = np.asarray(mcmc.get_samples(group_by_chain=True))
    np.testing.assert_array_equal(warmup[:, -1], mcmc.post_warmup_state.u)
    mcmc.run(mcmc.post_warmup_state.rng_key)
    whole = draws(make(chain_method=method, num_warmup=0, num_samples=250))
    parts = np.concatenate([warmup, mcmc.get_samples(group_by_chain=True)], 1)
    np.testing.assert_array_equal(parts, whole)


def test_a_second_run_compiles_nothing(compilations):
    kernel = MetropolisHastings(potential)
    draws(make(kernel=kernel))
    other = jax.random.key(5)
    before = len(compilations)
    for settings in ({}, {"num_samples": 999, "thinning": 3}, {"num_warmup": 0}):
        draws(make(kernel=kernel, **settings), other)
    assert len(compilations) == before


def test_the_draws_are_of_the_target():
    drawn = draws(make(4, num_samples=8000)).astype(float)
    # A random walk with this scale in two dimensions: an autocorrelation time of about 8.
    error = np.sqrt(0.5 / (drawn.size / 2 / 8))
    assert abs(drawn.mean((0, 1)) - 2).max() < 4.5 * error
    variances = drawn.reshape(-1, 2).var(0)
    assert abs(variances - 0.5).max() < 4.5 * 0.5 * np.sqrt(2 / (drawn.size / 2 / 8))


@jax.tree_util.register_dataclass
@dataclasses.dataclass
class WalkState:
    """A state need not be a tuple: any class that JAX knows as a pytree will do."""

    position: dict
    info: dict
    rng_key: jax.Array


class Walk(MetropolisHastings):
    """A kernel on a dict of sites that uses all that a kernel may offer, and its model's data."""

    sample_field = "position"
    default_fields = ("position", "info.accepted")

    def init(self, rng_key, num_warmup, init_params, model_args, model_kwargs):
        nothing = {"accepted": False, "num_accepted": jnp.int32(0), "num_warmup": num_warmup}
        return WalkState(init_params, nothing, rng_key)

    def sample(self, state, model_args, model_kwargs):
        (center,) = model_args
        scale = model_kwargs["scale"]

        def energy(position):
            return 0.5 * ((position["log_scale"] - center) / scale) ** 2

        rng_key, for_proposal, for_accept = jax.random.split(state.rng_key, 3)
        proposal = jax.tree.map(
            lambda x: x + self.step_size * jax.random.normal(for_proposal, x.shape, x.dtype),
            state.position,
        )
        log_ratio = energy(state.position) - energy(proposal)
        accepted = jnp.log(jax.random.uniform(for_accept, (), log_ratio.dtype)) < log_ratio
        info = {
            "accepted": accepted,
            "num_accepted": state.info["num_accepted"] + accepted.astype(jnp.int32),
            "num_warmup": state.info["num_warmup"],
        }
        position = jax.tree.map(
            lambda new, old: jnp.where(accepted, new, old), proposal, state.position
        )
        return WalkState(position, info, rng_key)

    def postprocess_fn(self, model_args, model_kwargs):
        return lambda position: {"scale": jnp.exp(position["log_scale"])}

    def get_diagnostics_str(self, state):
        return f"{int(state.info['num_accepted'])} accepted"


@pytest.fixture(scope="module")
def walk():
    """One kernel, so that its tests share what it compiles."""
    return Walk(None, 2.0)


def walk_draws(mcmc, **run):
    start = {"log_scale": np.zeros(mcmc.num_chains if mcmc.num_chains > 1 else (), np.float32)}
    mcmc.run(KEY, np.float32(1.0), scale=np.float32(0.5), init_params=start, **run)
    return np.asarray(mcmc.get_samples(group_by_chain=True)["scale"])


def test_fields_of_a_state_of_ones_own(walk):
    drawn = {}
    for method in METHODS:
        mcmc = make(2, walk, chain_method=method)
        drawn[method] = walk_draws(mcmc, extra_fields=("info.num_accepted", "position.log_scale"))
        fields = mcmc.get_extra_fields(group_by_chain=True)
        assert set(fields) == {"info.accepted", "info.num_accepted", "position.log_scale"}
        moved = np.diff(fields["position.log_scale"], axis=1) != 0
        np.testing.assert_array_equal(moved, fields["info.accepted"][:, 1:])
        np.testing.assert_array_equal(np.diff(fields["info.num_accepted"], axis=1), moved)
        assert set(mcmc.get_samples()) == {"scale"}
        np.testing.assert_allclose(drawn[method], np.exp(fields["position.log_scale"]), rtol=1e-5)
        assert mcmc.last_state.info["num_warmup"].tolist() == [50, 50]
    np.testing.assert_array_equal(drawn["parallel"], drawn["sequential"])
    np.testing.assert_allclose(drawn["parallel"], drawn["vectorized"], rtol=1e-4)


def test_diagnostics_of_ones_own_are_shown(walk, capsys):
    walk_draws(make(1, walk, progress_bar=True))
    assert " accepted" in capsys.readouterr().err


@pytest.mark.parametrize("method", METHODS)
def test_a_state_that_is_no_tuple_can_be_gone_on_from(method, walk):
    whole = walk_draws(make(2, walk, chain_method=method))
    mcmc = make(2, walk, chain_method=method, num_samples=120)
    first = walk_draws(mcmc)
    mcmc.post_warmup_state = mcmc.last_state
    mcmc.num_samples = 80
    mcmc.run(mcmc.post_warmup_state.rng_key, np.float32(1.0), scale=np.float32(0.5))
    second = np.asarray(mcmc.get_samples(group_by_chain=True)["scale"])
    np.testing.assert_array_equal(np.concatenate([first, second], 1), whole)


def test_a_warmup_and_a_run_with_one_key_are_one_run(walk):
    whole = walk_draws(make(2, walk))
    mcmc = make(2, walk)
    arguments = (np.float32(1.0),), {"scale": np.float32(0.5)}
    mcmc.warmup(
        KEY, *arguments[0], init_params={"log_scale": np.zeros(2, np.float32)}, **arguments[1]
    )
    mcmc.run(mcmc.post_warmup_state.rng_key, *arguments[0], **arguments[1])
    np.testing.assert_array_equal(mcmc.get_samples(group_by_chain=True)["scale"], whole)


class Changing(MetropolisHastings):
    """A kernel that does not keep the state as it was."""

    def __init__(self, change):
        self.change = change

    def sample(self, state, model_args, model_kwargs):
        return self.change(state)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda state: state._replace(u=jnp.concatenate([state.u, state.u])),
            r"\.u was float32\[(1, )?2\] and becomes float32\[(1, )?4\]: .*sample\(\) must return",
        ),
        (
            lambda state: state._replace(u=state.u > 0),
            r"\.u was float32\[(1, )?2\] and becomes bool\[(1, )?2\]",
        ),
        (lambda state: (state.u, state.rng_key), "the state was .*MHState.* and becomes"),
    ],
)
@pytest.mark.parametrize("method", METHODS)
def test_a_state_that_changes_its_types_is_refused(method, change, message):
    with pytest.raises(TypeError, match=message):
        draws(make(1, Changing(change), chain_method=method))


def test_a_kernel_without_a_method_says_which():
    class Half(MCMCKernel):
        sample_field = "u"

        def init(self, rng_key, num_warmup, init_params, model_args, model_kwargs):
            return MHState(init_params, rng_key)

    with pytest.raises(TypeError, match="sample"):
        Half()
