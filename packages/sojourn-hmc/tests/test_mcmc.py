"""The driver's promises, on bare potentials: chains, phases, programs, and what is never lost."""

import collections
import os
import pickle
import subprocess
import sys
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sojourn_hmc import HMC, MCMC, NUTS, MCMCKernel, SamplingWarning

METHODS = ["parallel", "sequential", "vectorized"]
KEY = jax.random.key(3)


def potential(z):
    return jnp.sum(jnp.exp(z["x"]) - z["x"])


def starts(num_chains):
    shape = (num_chains, 2) if num_chains > 1 else (2,)
    return {"x": np.zeros(shape, np.float32)}


# One kernel for all tests that do not count programs, so that they share what it compiles.
SHARED = NUTS(potential_fn=potential)


def make(num_chains=3, kernel=SHARED, **settings):
    settings = {"num_warmup": 100, "num_samples": 150, "progress_bar": False} | settings
    return MCMC(kernel, num_chains=num_chains, **settings)


def draws(mcmc, **run):
    mcmc.run(KEY, init_params=starts(mcmc.num_chains), **run)
    return np.asarray(mcmc.get_samples(group_by_chain=True)["x"])


@pytest.fixture(scope="module")
def reference():
    """Three chains by the default method."""
    return draws(make())


def test_placement_does_not_change_the_draws(reference):
    np.testing.assert_array_equal(draws(make(chain_method="sequential")), reference)
    vectorized = draws(make(chain_method="vectorized"))
    np.testing.assert_allclose(vectorized[:, :20], reference[:, :20], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("num_chains", [1, 2])
def test_chain_i_is_chain_i_whatever_their_number(reference, num_chains):
    np.testing.assert_array_equal(draws(make(num_chains)), reference[:num_chains])


def test_the_length_of_a_run_does_not_change_its_beginning(reference):
    np.testing.assert_array_equal(draws(make(num_samples=40)), reference[:, :40])


def test_progress_does_not_change_the_draws(reference, capsys):
    np.testing.assert_array_equal(draws(make(progress_bar=True)), reference)
    lines = capsys.readouterr().err
    assert "100% 750/750" in lines and "sample: " in lines and "\r" not in lines


@pytest.mark.parametrize("thinning", [1, 2, 7, 150])
def test_thinning_counts_back_from_the_last_draw(reference, thinning):
    kept = draws(make(thinning=thinning))
    assert kept.shape[1] == 150 // thinning
    np.testing.assert_array_equal(
        kept[:, ::-1], reference[:, ::-1][:, ::thinning][:, : kept.shape[1]]
    )


@pytest.mark.parametrize("method", METHODS)
def test_warmup_and_then_run_is_one_run(method):
    mcmc = make(chain_method=method)
    at_once = draws(mcmc)
    mcmc.warmup(KEY, init_params=starts(3))
    assert mcmc.post_warmup_state.z["x"].shape == (3, 2)
    assert mcmc.post_warmup_state.i.tolist() == [100] * 3
    mcmc.run(jax.random.key(99))
    different = mcmc.get_samples(group_by_chain=True)["x"]
    mcmc.run(KEY)
    np.testing.assert_array_equal(mcmc.get_samples(group_by_chain=True)["x"], at_once)
    assert not np.array_equal(different, at_once)


@pytest.mark.parametrize("num_chains", [1, 3])
def test_continuing_from_the_last_state_is_one_longer_run(reference, num_chains):
    mcmc = make(num_chains, num_samples=50)
    parts = [draws(mcmc)]
    for _ in range(2):
        mcmc.post_warmup_state = mcmc.last_state
        mcmc.run(mcmc.post_warmup_state.rng_key)
        parts.append(np.asarray(mcmc.get_samples(group_by_chain=True)["x"]))
    np.testing.assert_array_equal(np.concatenate(parts, 1), reference[:num_chains])


def test_the_warmup_can_be_collected():
    mcmc = make()
    mcmc.warmup(KEY, init_params=starts(3), collect_warmup=True, extra_fields=("num_steps",))
    assert mcmc.get_samples(group_by_chain=True)["x"].shape == (3, 100, 2)
    assert mcmc.get_extra_fields()["num_steps"].shape == (300,)
    mcmc.warmup(KEY, init_params=starts(3))
    with pytest.raises(RuntimeError, match="call run"):
        mcmc.get_samples()


def test_extra_fields_by_dotted_names():
    mcmc = make(2)
    mcmc.run(
        KEY,
        init_params=starts(2),
        extra_fields=("energy", "adapt_state.step_size", "z.x"),
    )
    grouped = mcmc.get_extra_fields(group_by_chain=True)
    assert set(grouped) == {"diverging", "energy", "adapt_state.step_size", "z.x"}
    assert grouped["energy"].shape == (2, 150)
    np.testing.assert_array_equal(grouped["z.x"], mcmc.get_samples(group_by_chain=True)["x"])
    flat = mcmc.get_extra_fields()
    np.testing.assert_array_equal(flat["z.x"][150:], grouped["z.x"][1])


def test_a_site_can_be_left_out():
    mcmc = MCMC(
        NUTS(potential_fn=lambda z: 0.5 * (z["a"] ** 2 + z["b"] ** 2)),
        num_warmup=10,
        num_samples=10,
        progress_bar=False,
    )
    start = {"a": jnp.float32(0), "b": jnp.float32(0)}
    mcmc.run(KEY, init_params=start, extra_fields=("~z.a",))
    assert set(mcmc.get_samples()) == {"b"}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("make_key", [jax.random.key, jax.random.PRNGKey])
def test_typed_and_legacy_keys_and_batches_of_them(method, make_key):
    mcmc = make(2, chain_method=method)
    one = draws(mcmc)
    mcmc.run(make_key(3), init_params=starts(2))
    np.testing.assert_array_equal(mcmc.get_samples(group_by_chain=True)["x"], one)
    mcmc.run(jax.random.split(make_key(3), 2), init_params=starts(2))
    batch = np.asarray(mcmc.get_samples(group_by_chain=True)["x"])
    assert not np.array_equal(batch[0], batch[1])


@pytest.mark.parametrize("method", METHODS)
def test_a_run_compiles_three_programs_and_the_next_ones_none(method, compilations):
    kernel = NUTS(potential_fn=potential)
    start = starts(2)
    before = len(compilations)
    make(2, kernel, chain_method=method).run(KEY, init_params=start)
    assert len(compilations) - before == 3
    other = jax.random.key(8)
    before = len(compilations)
    for settings in (
        {},
        {"num_warmup": 0},
        {"num_warmup": 333, "num_samples": 1234},
        {"thinning": 5},
        {"progress_bar": True},
    ):
        mcmc = make(2, kernel, chain_method=method, **settings)
        mcmc.run(other, init_params=start)
        mcmc.get_samples(), mcmc.get_extra_fields()
    assert len(compilations) == before


@pytest.mark.parametrize("method", METHODS)
def test_a_warmup_and_runs_from_its_state_compile_one_program_more(method, compilations):
    kernel, start = NUTS(potential_fn=potential), starts(2)
    key = jax.random.key(1)
    before = len(compilations)
    mcmc = make(2, kernel, chain_method=method)
    mcmc.warmup(key, init_params=start)
    mcmc.run(key)
    mcmc.post_warmup_state = mcmc.last_state
    mcmc.run(mcmc.post_warmup_state.rng_key)
    mcmc.transfer_states_to_host()
    assert isinstance(mcmc.last_state.z["x"], np.ndarray)
    assert len(compilations) - before <= 4  # the one more makes the chains' keys of a seed


class Metropolis(MCMCKernel):
    """A user's kernel, as short as it can be."""

    State = collections.namedtuple("State", ["u", "rng_key"])
    sample_field = "u"

    def __init__(self, potential_fn, step_size):
        self.potential_fn = potential_fn
        self.step_size = step_size

    def init(self, rng_key, num_warmup, init_params, model_args, model_kwargs):
        return self.State(init_params, rng_key)

    def sample(self, state, model_args, model_kwargs):
        rng_key, for_proposal, for_accept = jax.random.split(state.rng_key, 3)
        proposal = state.u + self.step_size * jax.random.normal(for_proposal)
        log_ratio = self.potential_fn(state.u) - self.potential_fn(proposal)
        accepted = jnp.log(jax.random.uniform(for_accept)) < log_ratio
        return self.State(jnp.where(accepted, proposal, state.u), rng_key)


@pytest.mark.parametrize("method", METHODS)
def test_a_users_own_kernel(method):
    kernel = Metropolis(lambda x: jnp.exp(x) - x, 2.0)
    mcmc = MCMC(
        kernel,
        num_warmup=100,
        num_samples=8000,
        num_chains=2,
        chain_method=method,
        progress_bar=False,
    )
    mcmc.run(KEY, init_params=np.zeros(2, np.float32))
    samples = np.asarray(mcmc.get_samples(group_by_chain=True), float)
    assert samples.shape == (2, 8000)
    # Mean of the log of an Exponential(1); 16000 draws with an autocorrelation time of about 5.
    error = samples.std() / np.sqrt(samples.size / 6)
    assert abs(samples.mean() + np.euler_gamma) < 4.5 * error
    assert mcmc.last_state.u.shape == (2,)
    mcmc.print_summary()


class NeedsNumbers(Metropolis):
    """A kernel with Python control flow on the warmup's length and on a model argument."""

    def init(self, rng_key, num_warmup, init_params, model_args, model_kwargs):
        return self.State(init_params + (1.0 if num_warmup > 5 else 0.0), rng_key)

    def sample(self, state, model_args, model_kwargs):
        (scale,) = model_args
        if scale[0] > 2:
            return self.State(state.u + scale[0], state.rng_key)
        return state


def test_inputs_whose_values_are_needed_become_constants():
    kernel = NeedsNumbers(None, None)
    for scale, expected in ((3.0, 1 + 3 * 14), (1.0, 1.0), (4.0, 1 + 4 * 14)):
        mcmc = MCMC(kernel, num_warmup=10, num_samples=4, progress_bar=False)
        mcmc.run(KEY, np.array([scale], np.float32), init_params=np.float32(0.0))
        assert float(mcmc.get_samples()[-1]) == expected


def test_postprocess_fn_replaces_the_kernels():
    mcmc = make(2, postprocess_fn=lambda z: {"exp": jnp.exp(z["x"])})
    samples = draws_of(mcmc)
    np.testing.assert_allclose(samples["exp"], np.exp(draws(make(2))), rtol=1e-5)


def draws_of(mcmc):
    mcmc.run(KEY, init_params=starts(mcmc.num_chains))
    return mcmc.get_samples(group_by_chain=True)


@pytest.mark.parametrize("position", [(), [], {}, {"x": np.zeros((0,), np.float32)}])
@pytest.mark.parametrize("method", METHODS)
def test_empty_positions(position, method, capsys):
    mcmc = MCMC(
        NUTS(potential_fn=lambda z: jnp.zeros(())),
        num_warmup=5,
        num_samples=7,
        chain_method=method,
        progress_bar=False,
    )
    mcmc.run(KEY, init_params=position)
    assert jax.tree.structure(mcmc.get_samples()) == jax.tree.structure(position)
    mcmc.print_summary()
    assert "divergences" in capsys.readouterr().out


def breaking(error, chunks=3):
    """A callback that fails in the middle of the sampling phase."""
    left = iter(range(chunks))

    def callback(view):
        if view.phase == "sample" and next(left, None) is None:
            raise error

    return callback


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_a_broken_run_keeps_the_draws_that_every_chain_has_made(method, error):
    num_samples = 60_000
    whole = draws(make(2, num_samples=num_samples, chain_method=method))
    mcmc = make(2, num_samples=num_samples, chain_method=method)
    with pytest.warns(SamplingWarning, match="broken off by"), pytest.raises(error):
        mcmc.run(KEY, init_params=starts(2), callback=breaking(error))
    kept = np.asarray(mcmc.get_samples(group_by_chain=True)["x"])
    assert 0 < kept.shape[1] < num_samples
    assert mcmc.ended_by == error.__name__ and not mcmc.is_complete
    np.testing.assert_array_equal(kept, whole[:, : kept.shape[1]])
    mcmc.resume()
    assert mcmc.ended_by is None and mcmc.is_complete
    np.testing.assert_array_equal(mcmc.get_samples(group_by_chain=True)["x"], whole)


def test_a_view_of_a_run_can_be_read_only():
    seen = []

    def look(view):
        assert view.num_chains == 3 and view.num_transitions in (100, 150)
        assert view.transitions.max() <= view.num_transitions
        if view.num_draws:
            with pytest.raises(ValueError, match="read-only"):
                view.draws()["x"][:] = 0
            assert view.extra_fields()["diverging"].shape == (3, view.num_draws)
            samples = view.samples()["x"]
            assert view.states().i.shape == (3,) and view.states().i.min() >= 100
            seen.append(np.array(samples))

    whole = draws(make(progress_rate=25), callback=look)
    assert len(seen) > 3
    for samples in seen:
        np.testing.assert_array_equal(samples, whole[:, : samples.shape[1]])


def test_pickling_leaves_programs_behind():
    mcmc = make(2)
    expected = draws(mcmc)
    copy = pickle.loads(pickle.dumps(mcmc))
    assert copy.is_complete and copy.last_state.i.tolist() == [250, 250]
    with pytest.raises(RuntimeError, match="no run to go on with"):
        copy.resume()
    with pytest.raises(RuntimeError, match="the run is complete"):
        mcmc.resume()
    assert pickle.loads(pickle.dumps(make(2))).last_state is None  # before a run
    np.testing.assert_array_equal(copy.get_samples(group_by_chain=True)["x"], expected)
    assert mcmc.sampler.programs and not copy.sampler.programs
    np.testing.assert_array_equal(draws(copy), expected)


def test_divergences_are_reported(capsys):
    mcmc = MCMC(
        HMC(
            potential_fn=lambda z: 0.5 * jnp.sum(z["x"] ** 2) * 1e4,
            step_size=1.0,
            adapt_step_size=False,
            num_steps=3,
        ),
        num_warmup=0,
        num_samples=20,
        progress_bar=False,
    )
    with pytest.warns(SamplingWarning, match="20 of 20 transitions diverged"):
        mcmc.run(KEY, init_params={"x": np.ones(2, np.float32)})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mcmc.print_summary()
    assert "Number of divergences: 20" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_samples": 0}, "num_samples must be an integer of at least 1, got 0"),
        ({"num_samples": 2.5}, "num_samples"),
        ({"num_warmup": -1}, "num_warmup"),
        ({"num_chains": 0}, "num_chains"),
        ({"thinning": 0}, "thinning"),
        ({"thinning": 151}, "keeps none"),
        ({"chain_method": "fast"}, "chain_method"),
    ],
)
def test_numbers_out_of_range(settings, message):
    with pytest.raises(ValueError, match=message):
        make(**settings)


@pytest.mark.parametrize(
    ("key", "run", "message"),
    [
        (KEY, {}, "init_params"),
        (KEY, {"init_params": {"x": np.zeros(2, np.int32)}}, "floating-point"),
        (KEY, {"init_params": starts(1), "extra_fields": ("enrgy",)}, "'enrgy'.*is not among"),
        (KEY, {"init_params": starts(1), "extra_fields": ("z.y",)}, "'y' is not among"),
        (0, {"init_params": starts(1)}, "rng_key must be a JAX key"),
        (jax.random.split(KEY, 3), {"init_params": starts(1)}, "batch of 3 keys"),
    ],
)
def test_bad_input_is_found_before_anything_compiles(key, run, message, compilations):
    before = len(compilations)
    with pytest.raises((ValueError, TypeError), match=message):
        make(1).run(key, **run)
    assert len(compilations) == before


def test_a_missing_axis_of_chains():
    with pytest.raises(ValueError, match=r"init_params\['x'\] has shape \(2,\).*num_chains=3"):
        make(3).run(KEY, init_params=starts(1))


def test_a_potential_that_is_no_scalar():
    mcmc = make(1, NUTS(potential_fn=lambda z: z["x"]))
    with pytest.raises(ValueError, match=r"must return a scalar.*shape \(2,\)"):
        mcmc.run(KEY, init_params=starts(1))


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (lambda z: jnp.sum(jnp.log(z["x"] - 1)), "potential energy: nan"),
        (lambda z: jnp.sum(jnp.sqrt(jnp.abs(z["x"]))), r"gradient at \['x'\]: 2 of 2"),
    ],
)
def test_a_start_that_is_not_finite(bad, message):
    with pytest.raises(ValueError, match=message):
        make(1, NUTS(potential_fn=bad)).run(KEY, init_params=starts(1))


def test_importing_starts_no_backend():
    """With a platform that does not exist, starting a backend would fail."""
    environment = {**os.environ, "JAX_PLATFORMS": "no-such-platform"}
    subprocess.run([sys.executable, "-c", "import sojourn_hmc"], check=True, env=environment)
