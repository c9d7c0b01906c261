"""Chains and data on several devices: draws are those of one device, and data stay where they are.

These tests need four devices. `test_placement.py` runs them on four that a CPU is divided into,
and `nox -s accelerator` on those that there are.
"""

import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from sojourn_hmc import HMC, MCMC, NUTS, SA, BarkerMH, CheckpointError, Pooled, PotentialTarget
from sojourn_hmc.target import Setup

pytestmark = pytest.mark.filterwarnings("ignore::sojourn_hmc.SamplingWarning")

KEY = jax.random.key(8)
ROUNDING = {"rtol": 1e-3, "atol": 1e-3}
FEW = 8  # draws before rounding errors have grown


@pytest.fixture(scope="module", autouse=True)
def _four_devices():
    if jax.local_device_count() < 4:
        pytest.skip(f"needs four devices, not {jax.local_device_count()}")


@pytest.fixture(autouse=True)
def _as_many_cores_as_devices(monkeypatch):
    monkeypatch.setattr("sojourn_hmc.placement.available_cores", lambda: 4)


def mesh(*shape, names=("chains", "rows")):
    devices = np.array(jax.local_devices()[: np.prod(shape)])
    return Mesh(devices.reshape(shape), names[: len(shape)])


class Regression(PotentialTarget):
    """Coefficients and a log scale, given rows of data as arguments."""

    def __init__(self):
        super().__init__(lambda z: jnp.sum(z["w"]) + z["s"])

    def setup(self, model_args, model_kwargs, init_params):
        x, y = model_args

        def potential(z):
            misfit = jnp.sum((y - x @ z["w"]) ** 2)
            rows = jnp.asarray(len(y), misfit.dtype)
            prior = 0.5 * jnp.sum(z["w"] ** 2) + jnp.exp(z["s"]) - z["s"]
            return 0.5 * misfit * jnp.exp(-2 * z["s"]) + rows * z["s"] + prior

        return Setup(lambda key: init_params, potential, lambda z: z)


RNG = np.random.default_rng(5)
X = RNG.normal(size=(16, 2)).astype(np.float32)
Y = (X @ np.float32([1, -2]) + RNG.gamma(1.0, size=16)).astype(np.float32)


def fresh():
    """A kernel without programs, quick to compile."""
    return HMC(Regression(), step_size=0.2, num_steps=2)


KERNEL = fresh()


def make(num_chains, chain_method, kernel=KERNEL, **settings):
    settings = {"num_warmup": 10, "num_samples": 20, "progress_bar": False} | settings
    return MCMC(kernel, num_chains=num_chains, chain_method=chain_method, **settings)


def starts(num_chains):
    s = np.linspace(0, 1, 6, dtype=np.float32)
    start = {"w": np.stack([s, -s], 1), "s": s}
    return jax.tree.map(lambda leaf: leaf[:num_chains] if num_chains > 1 else leaf[0], start)


def run(num_chains, chain_method, data=(X, Y), key=KEY, **settings):
    mcmc = make(num_chains, chain_method, **settings)
    mcmc.run(key, *data, init_params=starts(num_chains), extra_fields=("num_steps",))
    return mcmc


def draws(mcmc):
    return {name: np.asarray(leaf) for name, leaf in mcmc.get_samples(group_by_chain=True).items()}


def assert_same(found, expected, **tolerance):
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        values = values[: len(found[name])]
        if not tolerance:
            np.testing.assert_array_equal(found[name], values, err_msg=name)
        else:
            np.testing.assert_allclose(found[name][:, :FEW], values[:, :FEW], **tolerance)


@pytest.fixture(scope="module")
def reference():
    """Six chains, one after the other on one device."""
    return draws(run(6, "sequential"))


def test_a_device_for_each_chain(reference):
    mcmc = run(3, "parallel")
    platform = jax.default_backend()
    assert mcmc.placement.description == f"3 chains on a mesh of 3 {platform} devices, 1 on each"
    assert len(mcmc.last_state.potential_energy.sharding.device_set) == 3
    assert_same(draws(mcmc), reference)


@pytest.mark.parametrize("num_chains, devices", [(6, 2), (5, 2), (5, 4), (3, 4)])
def test_a_batch_of_chains_on_each_device(reference, num_chains, devices):
    mcmc = run(num_chains, mesh(devices))
    assert f"{num_chains} chains on a mesh of {devices} " in mcmc.placement.description
    samples = draws(mcmc)
    assert {name: leaf.shape[:2] for name, leaf in samples.items()} == {
        "w": (num_chains, 20),
        "s": (num_chains, 20),
    }
    assert mcmc.get_extra_fields()["num_steps"].shape == (num_chains * 20,)
    assert mcmc.last_state.potential_energy.shape == (num_chains,)
    assert_same(samples, reference, **ROUNDING)
    # Filling up repeats a chain, of which nothing is to be seen.
    assert len({chain.tobytes() for chain in samples["s"]}) == num_chains


cpu_only = pytest.mark.skipif("jax.default_backend() != 'cpu'", reason="about devices of a CPU")


@cpu_only
def test_more_chains_than_devices_of_a_cpu_run_on_threads(reference):
    mcmc = run(6, "parallel")
    assert "6 chains on 4 threads" in mcmc.placement.description
    assert_same(draws(mcmc), reference)


@cpu_only
def test_more_devices_than_cores_are_left_alone(reference, monkeypatch):
    monkeypatch.setattr("sojourn_hmc.placement.available_cores", lambda: 2)
    mcmc = run(3, "parallel")
    assert mcmc.placement.description == (
        "3 chains on 2 threads of one of 4 CPU devices, which share 2 cores"
    )
    assert_same(draws(mcmc), reference)


def test_a_device_that_the_user_has_chosen(reference):
    with jax.default_device(jax.local_devices()[2]):
        mcmc = run(3, "parallel")
    assert "mesh" not in mcmc.placement.description
    assert_same(draws(mcmc), reference, **ROUNDING)


def test_every_chain_has_its_key(reference):
    keys = jnp.stack([jax.random.fold_in(KEY, chain) for chain in range(5)])
    assert_same(draws(run(5, mesh(2), key=keys)), reference, **ROUNDING)


def test_the_display_counts_chains_that_there_are(capsys):
    run(5, mesh(2), progress_bar=True)
    assert "150/150" in capsys.readouterr().err


def test_states_move_between_placements():
    """A warmup on a mesh, sampling in turn and on another mesh, and back."""
    meshed, single = make(5, mesh(2)), make(5, "sequential")
    meshed.warmup(KEY, X, Y, init_params=starts(5))
    single.post_warmup_state = meshed.post_warmup_state
    for mcmc in (meshed, single):
        mcmc.run(meshed.post_warmup_state.rng_key, X, Y)
    assert_same(draws(meshed), draws(single), **ROUNDING)
    again = make(5, mesh(4))
    again.post_warmup_state = single.last_state
    again.run(single.last_state.rng_key, X, Y)
    single.post_warmup_state = single.last_state
    single.run(single.last_state.rng_key, X, Y)
    assert_same(draws(again), draws(single), **ROUNDING)


def test_a_checkpoint_of_a_mesh_goes_on_bit_for_bit(tmp_path):
    whole = draws(run(5, mesh(2)))
    for stop_when in (lambda view: view.num_draws > 7, None):
        mcmc = make(5, mesh(2), progress_rate=2)
        mcmc.run(
            KEY,
            X,
            Y,
            init_params=starts(5),
            extra_fields=("num_steps",),
            checkpoint=tmp_path / "run",
            stop_when=stop_when,
        )
    assert_same(draws(mcmc), whole)


@pytest.mark.parametrize(
    "num_chains, chain_method",
    [(3, "parallel"), (5, mesh), (3, jax.vmap), (3, "vectorized"), (3, "rows"), (2, "square")],
    ids=["device-for-each", "batches", "vmap", "vectorized", "rows", "rows-and-chains"],
)
def test_a_second_run_compiles_nothing(compilations, num_chains, chain_method):
    kernel, data = fresh(), (X, Y)
    if chain_method is mesh:
        chain_method = mesh(2)
    if chain_method in ("rows", "square"):
        data = on_rows(mesh(4, names=("rows",)) if chain_method == "rows" else mesh(2, 2))
        chain_method = "parallel"
    # What a user makes beforehand is no part of a run.
    other, other_data = jax.random.key(3), jax.tree.map(lambda leaf: leaf + 1, data)
    run(num_chains, chain_method, data, kernel=kernel)
    settle()
    before = len(compilations)
    change = {"num_warmup": 7, "num_samples": 33, "thinning": 3, "progress_bar": True}
    for settings in ({"num_samples": 15}, change):
        run(num_chains, chain_method, other_data, other, kernel=kernel, **settings)
    settle()
    assert len(compilations) == before


def settle():
    """Wait for what is compiled in the background."""
    for thread in threading.enumerate():
        if thread.name.startswith("compile"):
            thread.join()


# --- transforms ---------------------------------------------------------------------------------


def test_a_transform_of_ones_own(reference):
    """Half of the chains on each of two devices, one after the other."""

    def halves(function):
        spec = PartitionSpec("chains")
        return jax.shard_map(
            lambda chains: lax.map(function, chains),
            mesh=mesh(2),
            in_specs=spec,
            out_specs=spec,
            check_vma=False,
        )

    mcmc = run(6, halves)
    assert mcmc.placement.description == "6 chains through chain_method=halves"
    assert_same(draws(mcmc), reference, **ROUNDING)


# --- data that lie on several devices -----------------------------------------------------------


def on_rows(where, explicit=False):
    if explicit:
        axes = (AxisType.Explicit,) * len(where.axis_names)
        where = Mesh(where.devices, where.axis_names, axis_types=axes)
    return jax.device_put((X, Y), NamedSharding(where, PartitionSpec("rows")))


def chunk_program(mcmc):
    """The text of the program that makes transitions."""
    programs = mcmc.sampler.programs
    (engine,) = (value for identity, value in programs.items() if identity[0] == "engine")
    return engine.advance.compiled().as_text()


@pytest.mark.parametrize(
    "method, text",
    [
        ("parallel", "3 chains as one batch on the 4 devices that hold the data"),
        ("sequential", "3 chains taking turns on one thread and the 4 devices that hold the data"),
    ],
)
def test_rows_stay_where_they_are(reference, method, text):
    data = on_rows(mesh(4, names=("rows",)))
    mcmc = run(3, method, data, kernel=fresh())
    assert text in mcmc.placement.description
    assert_same(draws(mcmc), reference, **ROUNDING)
    program = chunk_program(mcmc)
    assert "all-reduce" in program  # the likelihood is summed over devices
    assert "all-gather" not in program  # and the data are not brought together
    assert "f32[4,2]" in program and "f32[16,2]" not in program


@pytest.mark.parametrize("explicit", [False, True])
def test_chains_take_the_axis_that_data_leave(reference, explicit):
    data = on_rows(mesh(2, 2), explicit)
    mcmc = run(3, "parallel", data, kernel=fresh())
    text = "devices (chains 2 x rows 2), at most 2 on every 2 as a batch"
    assert text in mcmc.placement.description
    assert_same(draws(mcmc), reference, **ROUNDING)
    program = chunk_program(mcmc)
    assert "all-reduce" in program and "f32[8,2]" in program and "f32[16,2]" not in program


@pytest.mark.parametrize("shape", [(4,), (2, 2)], ids=["rows", "rows-and-chains"])
def test_a_checkpoint_of_data_on_several_devices_goes_on_bit_for_bit(shape, tmp_path):
    data = on_rows(mesh(*shape, names=("chains", "rows")[-len(shape) :]))
    whole = draws(run(3, "parallel", data))

    def go_on(data, stop_when=None):
        mcmc = make(3, "parallel", progress_rate=2)
        mcmc.run(
            KEY,
            *data,
            init_params=starts(3),
            extra_fields=("num_steps",),
            checkpoint=tmp_path / "run",
            stop_when=stop_when,
        )
        return mcmc

    in_warmup = go_on(data, lambda view: view.transitions.min() >= 4)
    assert in_warmup.last_state.i.tolist() == [4] * 3
    sampling = go_on(data, lambda view: view.num_draws > 7)
    assert 7 < draws(sampling)["s"].shape[1] < 20
    assert_same(draws(go_on(data)), whole)
    # One device adds the rows up in another order: these would not be the same draws.
    with pytest.raises(CheckpointError, match="is of another run"):
        go_on((X, Y))
    x, y = data
    with pytest.raises(CheckpointError, match="differs in the model's arguments"):
        go_on((x, -y))


def test_one_chain_of_data_on_several_devices(reference):
    mcmc = run(1, "parallel", on_rows(mesh(4, names=("rows",))))
    assert mcmc.placement.description == "1 chain on the 4 devices that hold the data"
    assert_same(draws(mcmc), reference, **ROUNDING)


def test_data_on_two_sets_of_devices_are_refused():
    devices = np.array(jax.local_devices()[:4]).reshape(2, 2)
    x, y = (
        jax.device_put(data, NamedSharding(Mesh(half, ("rows",)), PartitionSpec("rows")))
        for data, half in zip((X, Y), devices, strict=True)
    )
    with pytest.raises(ValueError, match="lie on different devices"):
        run(2, "parallel", (x, y))


@pytest.mark.parametrize("method", ["parallel", "vectorized"])
def test_chains_go_to_the_device_that_a_user_has_put_data_on(reference, method):
    device = jax.local_devices()[2]
    mcmc = run(3, method, jax.device_put((X, Y), device))
    assert f"{device}, which holds the data" in mcmc.placement.description
    assert mcmc.last_state.potential_energy.shape == (3,)
    assert_same(draws(mcmc), reference, **ROUNDING)


# --- every kernel -------------------------------------------------------------------------------


def skewed(z):
    return jnp.sum(jnp.exp(z) - z)


@pytest.mark.parametrize(
    "kernel",
    [
        pytest.param(NUTS(potential_fn=skewed, max_tree_depth=4), id="nuts"),
        pytest.param(BarkerMH(potential_fn=skewed), id="barker"),
        pytest.param(SA(potential_fn=skewed, adapt_state_size=4), id="sa"),
    ],
)
def test_every_kernel_runs_in_batches_on_devices(kernel):
    start = np.linspace(-1, 1, 6, dtype=np.float32).reshape(3, 2)
    found = []
    for method in ("sequential", mesh(2)):
        mcmc = make(3, method, kernel)
        mcmc.run(KEY, init_params=start)
        found.append({"z": np.asarray(mcmc.get_samples(group_by_chain=True))})
    assert_same(found[1], found[0], **ROUNDING)


@pytest.mark.parametrize("lock_step", [True, False])
def test_a_chain_that_is_repeated_counts_once_in_a_shared_warmup(lock_step):
    """Five chains on two devices: the second learns what its two chains learn by themselves."""
    kernel = NUTS(potential_fn=skewed, warmup=Pooled("stan"), max_tree_depth=3)
    keys = jnp.stack([jax.random.fold_in(KEY, chain) for chain in range(5)])
    start = np.linspace(-1, 1, 10, dtype=np.float32).reshape(5, 2)
    settings = {"num_warmup": 22, "num_samples": 1, "lock_step": lock_step}
    filled = make(5, mesh(2), kernel, **settings)
    filled.run(keys, init_params=start)
    alone = make(2, "vectorized", kernel, **settings)
    alone.run(keys[3:], init_params=start[3:])
    found, expected = (mcmc.last_state.adapt_state for mcmc in (filled, alone))
    for leaf in ("step_size", "inverse_mass_matrix"):
        on_second = np.asarray(getattr(found, leaf))[3:]
        np.testing.assert_allclose(on_second, getattr(expected, leaf), **ROUNDING)
    averaging = [state.ss_state.error_average for state in (found, expected)]
    np.testing.assert_allclose(averaging[0][3:], averaging[1], **ROUNDING)


def test_a_chain_that_is_repeated_is_no_use():
    kernel = NUTS(potential_fn=skewed, max_tree_depth=4)
    mcmc = make(5, mesh(2), kernel, num_warmup=0, num_samples=12, lock_step=True)
    start = np.linspace(-1, 1, 10, dtype=np.float32).reshape(5, 2)
    mcmc.run(KEY, init_params=start, extra_fields=("num_steps",))
    steps = np.asarray(mcmc.get_extra_fields(group_by_chain=True)["num_steps"])
    executed = 3 * (steps[:3].max(0).sum() + steps[3:].max(0).sum())
    assert mcmc.utilisation == steps.sum() / executed
