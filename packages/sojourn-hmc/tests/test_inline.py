"""Runs inside an outer trace draw what ordinary runs with the same keys draw."""

import subprocess
import sys
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sojourn_hmc import MCMC, NUTS, MCMCKernel

KEY = jax.random.key(3)
METHODS = ["sequential", "vectorized"]
CLOSE = {"rtol": 1e-3, "atol": 1e-3}


class WalkState(NamedTuple):
    i: jax.Array
    x: dict
    rng_key: jax.Array


class Walk(MCMCKernel):
    """A walk that shrinks by an argument and grows by a start's length: quick to compile."""

    sample_field = "x"
    default_fields = ("x", "i")

    def __init__(self, step_size=1.0):
        self.step_size = step_size

    def init(self, rng_key, num_warmup, init_params, model_args, model_kwargs):
        return WalkState(-jnp.asarray(num_warmup, jnp.int32), init_params, rng_key)

    def sample(self, state, model_args, model_kwargs):
        rng_key, for_step = jax.random.split(state.rng_key)
        step = self.step_size * jax.random.normal(for_step, (2,)) + model_kwargs["shift"]
        return WalkState(state.i + 1, {"a": model_args[0] * state.x["a"] + step}, rng_key)

    def postprocess_fn(self, model_args, model_kwargs):
        return lambda x: {"a": x["a"], "scaled": x["a"][0] * model_args[0]}


# One kernel for all ordinary runs, so that they share what it compiles.
WALK = Walk()
HALF = np.float32(0.5)


def starts(num_chains):
    value = np.arange(2.0 * num_chains, dtype=np.float32).reshape(num_chains, 2)
    return {"a": value if num_chains > 1 else value[0]}


def walk(key, factor=HALF, start=None, num_chains=3, kernel=None, run=None, **settings):
    settings = {"num_warmup": 20, "num_samples": 50, "thinning": 3} | settings
    mcmc = MCMC(kernel or WALK, num_chains=num_chains, progress_bar=False, report=False, **settings)
    start = starts(num_chains) if start is None else start
    mcmc.run(key, factor, shift=np.float32(0.1), init_params=start, **(run or {}))
    samples = mcmc.get_samples(group_by_chain=True), mcmc.get_samples()
    return samples, mcmc.get_extra_fields(), mcmc.last_state


def assert_same(found, expected):
    assert jax.tree.structure(found) == jax.tree.structure(expected)

    def compare(left, right):
        assert left.dtype == right.dtype and left.shape == right.shape
        if jnp.issubdtype(left.dtype, jax.dtypes.prng_key):
            left, right = jax.random.key_data(left), jax.random.key_data(right)
        np.testing.assert_allclose(left, right, rtol=1e-5, atol=1e-5)

    jax.tree.map(compare, found, expected)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("num_chains", [1, 3])
def test_under_jit(method, num_chains):
    def run(key, factor, start):
        return walk(key, factor, start, num_chains, chain_method=method)

    arguments = (KEY, np.float32(0.5), starts(num_chains))
    expected = run(*arguments)
    with jax.checking_leaks():
        assert_same(jax.jit(run)(*arguments), expected)
    assert expected[0][0]["a"].shape == (num_chains, 16, 2)
    assert expected[0][1]["scaled"].shape == (16 * num_chains,)
    assert expected[1]["i"].tolist() == [*range(5, 51, 3)] * num_chains


def test_any_input_may_be_the_traced_one():
    expected = walk(KEY)
    assert_same(jax.jit(walk)(KEY), expected)
    assert_same(jax.jit(lambda factor: walk(KEY, factor))(np.float32(0.5)), expected)
    assert_same(jax.jit(lambda start: walk(KEY, start=start))(starts(3)), expected)
    assert_same(jax.jit(lambda: walk(KEY))(), expected)


@pytest.mark.parametrize("method", METHODS)
def test_under_vmap(method):
    keys = jax.random.split(KEY, 3)
    factors = np.linspace(0, 1, 3, dtype=np.float32)
    many = jax.vmap(lambda key, factor: walk(key, factor, chain_method=method))(keys, factors)
    for n in range(3):
        one = walk(keys[n], factors[n], chain_method=method)
        assert_same(jax.tree.map(lambda leaf, n=n: leaf[n], many), one)
    # Only a setting of the kernel is mapped over.
    sizes = np.array([1.0, 0.0], np.float32)
    many = jax.vmap(lambda size: walk(KEY, kernel=Walk(size)))(sizes)
    assert_same(jax.tree.map(lambda leaf: leaf[0], many), walk(KEY))


@pytest.mark.parametrize("make_key", [jax.random.key, jax.random.PRNGKey])
def test_keys_of_both_kinds_and_batches_of_them(make_key):
    for key in (make_key(7), jax.random.split(make_key(7), 3)):
        assert_same(jax.jit(walk)(key), walk(key))


def test_fields_and_sites_left_out():
    run = {"extra_fields": ("x.a", "~x.scaled")}
    expected = walk(KEY, run=run)
    assert_same(jax.jit(lambda key: walk(key, run=run))(KEY), expected)
    assert set(expected[0][0]) == {"a"} and set(expected[1]) == {"i", "x.a"}
    with pytest.raises(ValueError, match=r"leaves out a site that is not among \['a', 'scaled'\]"):
        jax.jit(lambda key: walk(key, run={"extra_fields": ("~x.b",)}))(KEY)


@pytest.mark.parametrize("num_chains", [1, 3])
def test_warmup_alone_and_a_run_from_it(num_chains):
    settings = {"num_warmup": 20, "num_samples": 50, "num_chains": num_chains}

    def in_parts(key, other):
        mcmc = MCMC(WALK, progress_bar=False, report=False, **settings)
        arguments = (np.float32(0.5),)
        start = starts(num_chains)
        shift = np.float32(0.1)
        mcmc.warmup(key, *arguments, shift=shift, init_params=start, collect_warmup=True)
        parts = [mcmc.get_samples()]
        for next_key in (key, other, jax.random.split(other, num_chains)):
            mcmc.run(next_key, *arguments, shift=shift)
            parts.append(mcmc.get_samples())
        mcmc.post_warmup_state = mcmc.last_state
        mcmc.run(mcmc.post_warmup_state.rng_key, *arguments, shift=shift)
        return [*parts, mcmc.get_samples(), mcmc.last_state]

    other = jax.random.key(4)
    found = jax.jit(in_parts)(KEY, other)
    assert_same(found, in_parts(KEY, other))
    assert not np.allclose(found[1]["a"], found[2]["a"])


def test_a_state_from_outside_goes_on_inside():
    mcmc = MCMC(Walk(), num_warmup=20, num_samples=30, progress_bar=False, report=False)
    arguments, shift = (np.float32(0.5),), np.float32(0.1)
    mcmc.warmup(KEY, *arguments, shift=shift, init_params=starts(1))

    def go_on(state, key):
        inner = MCMC(Walk(), num_warmup=20, num_samples=30, progress_bar=False)
        inner.post_warmup_state = state
        inner.run(key, *arguments, shift=shift)
        return inner.get_samples()

    found = jax.jit(go_on)(mcmc.post_warmup_state, KEY)
    mcmc.run(KEY, *arguments, shift=shift)
    assert_same(found, mcmc.get_samples())


class NeedsNumbers(Walk):
    """Python control flow on an argument and on the warmup's length."""

    def init(self, rng_key, num_warmup, init_params, model_args, model_kwargs):
        grown = {"a": init_params["a"] + (1.0 if num_warmup > 5 else 0.0)}
        return super().init(rng_key, num_warmup, grown, model_args, model_kwargs)

    def sample(self, state, model_args, model_kwargs):
        if model_args[0] > 0.75:
            return state
        return super().sample(state, model_args, model_kwargs)


def test_concrete_inputs_keep_values_that_are_needed():
    for factor in (np.float32(0.5), np.float32(1.0)):
        expected = walk(KEY, factor, kernel=NeedsNumbers())
        assert_same(
            jax.jit(lambda key, f=factor: walk(key, f, kernel=NeedsNumbers()))(KEY), expected
        )
    with pytest.raises(jax.errors.ConcretizationTypeError):
        jax.jit(lambda factor: walk(KEY, factor, kernel=NeedsNumbers()))(np.float32(0.5))


@pytest.mark.parametrize("position", [(), {}, {"x": np.zeros((0,), np.float32)}])
def test_empty_positions(position):
    def run(key):
        kernel = NUTS(potential_fn=lambda z: jnp.zeros(()))
        mcmc = MCMC(kernel, num_warmup=3, num_samples=4, progress_bar=False)
        mcmc.run(key, init_params=position)
        return mcmc.get_samples()

    assert jax.tree.structure(jax.jit(run)(KEY)) == jax.tree.structure(position)


@pytest.fixture(scope="module")
def nuts_run():
    def potential(z):
        return jnp.sum(jnp.exp(z["x"]) - z["x"])

    def run(key):
        mcmc = MCMC(
            NUTS(potential_fn=potential),
            num_warmup=50,
            num_samples=30,
            num_chains=2,
            chain_method="vectorized",
            progress_bar=False,
            report=False,
        )
        mcmc.run(key, init_params={"x": np.zeros((2, 2), np.float32)}, extra_fields=("energy",))
        return {**mcmc.get_samples(group_by_chain=True), **mcmc.get_extra_fields(True)}

    return run


def test_nuts_under_jit(nuts_run):
    found, expected = jax.jit(nuts_run)(KEY), nuts_run(KEY)
    assert set(found) == {"x", "diverging", "energy"}
    for name in found:
        np.testing.assert_allclose(found[name][:, :10], expected[name][:, :10], **CLOSE)


def test_a_start_that_is_not_finite_shows_in_the_state():
    def run(key):
        mcmc = MCMC(
            NUTS(potential_fn=lambda z: jnp.log(z - 1)),
            num_warmup=5,
            num_samples=10,
            progress_bar=False,
        )
        mcmc.run(key, init_params=np.float32(0), extra_fields=("potential_energy",))
        return mcmc.get_samples(), mcmc.get_extra_fields()

    samples, fields = jax.jit(run)(KEY)
    assert np.all(np.isnan(fields["potential_energy"])) and np.all(samples == 0)


def test_what_cannot_be_done_inside_a_trace():
    def with_progress(key):
        MCMC(Walk(), num_warmup=1, num_samples=1).run(key, init_params=starts(1))

    with pytest.raises(ValueError, match="progress_bar=False"):
        jax.jit(with_progress)(KEY)

    def with_summary(key):
        mcmc = MCMC(Walk(), num_warmup=1, num_samples=1, progress_bar=False)
        mcmc.run(key, np.float32(0.5), shift=np.float32(0), init_params=starts(1))
        mcmc.print_summary()

    with pytest.raises(RuntimeError, match="return get_samples"):
        jax.jit(with_summary)(KEY)

    def with_a_missing_axis(start):
        walk(KEY, start=start)

    with pytest.raises(ValueError, match=r"init_params\['a'\] has shape \(2,\).*num_chains=3"):
        jax.jit(with_a_missing_axis)(starts(1))


def test_a_traced_run_leaves_nothing_behind():
    kernel = Walk()
    expected = walk(KEY)
    jax.jit(lambda key: walk(key, kernel=kernel))(KEY)
    assert kernel.programs == {}
    assert_same(walk(KEY, kernel=kernel), expected)


def test_vectorized_chains_on_each_of_several_devices():
    """The specification's example of mixing parallel and vectorized chains."""
    code = """if True:
        import jax, jax.numpy as jnp, numpy as np
        from jax.sharding import Mesh, PartitionSpec
        from sojourn_hmc import MCMC, NUTS, native_loops

        jax.config.update("jax_num_cpu_devices", 2)
        native_loops.enable()
        assert jax.local_device_count() == 2

        def do_mcmc(rng_key, n_vectorized=3):
            kernel = NUTS(potential_fn=lambda z: jnp.sum(jnp.exp(z["x"]) - z["x"]))
            mcmc = MCMC(kernel, num_warmup=20, num_samples=10, num_chains=n_vectorized,
                        chain_method="vectorized", progress_bar=False, report=False)
            mcmc.run(rng_key, init_params={"x": np.zeros((n_vectorized, 2), np.float32)},
                     extra_fields=("potential_energy",))
            return {**mcmc.get_samples(), **mcmc.get_extra_fields()}

        keys = jax.random.split(jax.random.key(0), 2)
        mesh = Mesh(jax.devices(), ("chains",))
        across = PartitionSpec("chains")
        traces = jax.jit(jax.shard_map(
            lambda keys: do_mcmc(keys[0]),
            mesh=mesh, in_specs=across, out_specs=across, check_vma=False,
        ))(keys)
        assert len(traces["x"].sharding.device_set) == 2
        assert {k: v.shape for k, v in traces.items()} == {
            "x": (60, 2), "potential_energy": (60,), "diverging": (60,)}
        one = do_mcmc(keys[1])
        for name, values in traces.items():
            np.testing.assert_allclose(values[30:][:5], one[name][:5], rtol=1e-3, atol=1e-3)
    """
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
