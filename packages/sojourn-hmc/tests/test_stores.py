"""Draws on disk as they arrive: the same draws, in bounded memory, and after a crash."""

import io
import json
import pickle
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sojourn_hmc import MCMC, NUTS, CheckpointError, NumpyStore, SamplingWarning, Setup, ZarrStore
from sojourn_hmc.stores import numpy_store

KEY = jax.random.key(3)


class Exponential:
    """A target with a constrained and a derived site, and a site with a slash in its name."""

    def check(self, model_args, model_kwargs, init_params):
        pass

    def setup(self, model_args, model_kwargs, init_params):
        def potential(z):
            return jnp.sum(jnp.exp(z["a/x"]) - z["a/x"]) + 0.5 * jnp.sum(z["y"] ** 2)

        def constrain(z):
            return {"a/x": jnp.exp(z["a/x"]), "y": z["y"], "sum": jnp.exp(z["a/x"]).sum()}

        start = {"a/x": np.zeros(2, np.float32), "y": np.zeros((), np.float32)}
        return Setup(lambda key: start, potential, constrain)

    def explain(self, position, model_args, model_kwargs):
        return ""


KERNEL = NUTS(Exponential())
STORES = {"numpy": NumpyStore, "zarr": ZarrStore}


@pytest.fixture(params=["numpy", "zarr"])
def make_store(request):
    if request.param == "zarr":
        pytest.importorskip("zarr")
    return STORES[request.param]


def make(**settings):
    settings = {"num_warmup": 60, "num_samples": 150, "num_chains": 2} | settings
    return MCMC(KERNEL, progress_bar=False, report=False, **settings)


def run(mcmc, **options):
    mcmc.run(KEY, **{"extra_fields": ("energy", "~z.y"), **options})
    return mcmc


def everything(mcmc):
    return jax.tree.map(np.asarray, [mcmc.get_samples(True), mcmc.get_extra_fields(True)])


def assert_same(one, other):
    jax.tree.map(np.testing.assert_array_equal, one, other)


@pytest.fixture(scope="module")
def reference():
    return everything(run(make()))


@pytest.mark.parametrize("method", ["parallel", "vectorized"])
def test_a_store_holds_what_memory_would(make_store, method, tmp_path, reference):
    if method == "vectorized":
        reference = everything(run(make(chain_method=method)))
    store = make_store(tmp_path / "draws")
    mcmc = run(make(chain_method=method), store=store)
    assert_same(everything(mcmc), reference)
    samples, fields = reference
    read = make_store(tmp_path / "draws")  # as another process does
    assert set(read.samples()) == {"a/x", "sum"}
    assert_same(dict(read.samples()), samples)
    assert_same({name: read.extra_fields()[name] for name in fields}, fields)
    with pytest.raises(FileExistsError, match="holds draws already"):
        run(make(), store=make_store(tmp_path / "draws"))
    copy = pickle.loads(pickle.dumps(mcmc))
    assert_same(everything(copy), reference)


def test_plain_numpy_reads_the_files(tmp_path, reference):
    run(make(), store=NumpyStore(tmp_path))
    index = json.loads((tmp_path / "index.json").read_text())
    for name, entry in index["arrays"].items():
        array = np.load(tmp_path / entry["file"], mmap_mode="r", allow_pickle=False)
        assert array.shape == (2, 150, *entry["shape"])
        if name == "posterior/sum":
            np.testing.assert_array_equal(array, reference[0]["sum"])


def test_draws_are_mapped_and_not_loaded(tmp_path):
    mcmc = run(make(), store=NumpyStore(tmp_path))
    assert all(isinstance(leaf, np.memmap) for leaf in mcmc._results.samples.values())


def test_a_file_may_take_less_than_it_is_given():
    class Slow(io.BytesIO):
        def write(self, given):
            return super().write(bytes(given)[:7])

    file, values = Slow(), np.arange(10, dtype=np.float32).reshape(5, 2)
    numpy_store._write_all(file, values)
    assert file.getvalue() == values.tobytes()


class Gone(Exception):
    """Stands for whatever ends a process."""


def broken_off(mcmc, chunks, phase="sample", **options):
    left = iter(range(chunks))

    def callback(view):
        if view.phase == phase and next(left, None) is None:
            raise Gone

    with pytest.warns(SamplingWarning, match="broken off"), pytest.raises(Gone):
        run(mcmc, callback=callback, **options)


def test_a_broken_run_leaves_its_draws_and_goes_on(make_store, tmp_path, reference):
    mcmc = make(progress_rate=20)
    broken_off(mcmc, 4, store=make_store(tmp_path))
    number = mcmc.get_samples(True)["sum"].shape[1]
    assert 0 < number < 150
    kept = dict(make_store(tmp_path).samples())
    assert_same(kept, jax.tree.map(lambda leaf: leaf[:, :number], reference[0]))
    mcmc.resume()
    assert_same(everything(mcmc), reference)


@pytest.mark.parametrize("phase", ["warmup", "sample"])
def test_a_checkpoint_with_a_store(make_store, phase, tmp_path, reference):
    options = {"checkpoint": tmp_path / "run", "checkpoint_every": 0.0}
    broken_off(make(progress_rate=20), 3, phase, store=make_store(tmp_path / "draws"), **options)
    assert not list((tmp_path / "run").glob("draws-*"))
    with pytest.raises(CheckpointError, match=r"draws of the checkpoint .* are in .*Store"):
        run(make(), **options)
    again = run(make(), store=make_store(tmp_path / "draws"), **options)
    assert_same(everything(again), reference)
    # A longer run finds room in the same store.
    longer = run(make(num_samples=400), store=make_store(tmp_path / "draws"), **options)
    assert_same(everything(longer), everything(run(make(num_samples=400))))


def test_changed_draws_in_a_store_are_refused(make_store, tmp_path):
    options = {"checkpoint": tmp_path / "run", "checkpoint_every": 0.0}
    broken_off(make(progress_rate=20), 4, store=make_store(tmp_path / "draws"), **options)
    store = make_store(tmp_path / "draws")
    store.extend(run_layout(store))
    store.write("posterior/sum", (1,), 2, np.full((1, 1), 7.0, np.float32))
    store.commit(store.completed(), durable=True)
    with pytest.raises(CheckpointError, match="not those that the run has written"):
        run(make(), store=make_store(tmp_path / "draws"), **options)


def run_layout(store):
    from sojourn_hmc.stores import Layout

    arrays = {}
    for name in store.names():
        array = store.array(name)
        arrays[name] = (tuple(array.shape[2:]), np.dtype(array.dtype))
    return Layout(2, 150, 1, arrays)


def test_a_truncated_array_is_refused(tmp_path):
    run(make(), store=NumpyStore(tmp_path))
    (file,) = tmp_path.glob("posterior.sum.npy")
    file.write_bytes(file.read_bytes()[:-50])
    with pytest.raises(ValueError, match="damaged"):
        NumpyStore(tmp_path).samples()
    (tmp_path / "index.json").write_text("{")
    with pytest.raises(ValueError, match="damaged"):
        NumpyStore(tmp_path).samples()


def test_a_disk_that_is_too_small_is_found_before_drawing(tmp_path, monkeypatch):
    def no_room(descriptor, offset, length):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", no_room, raising=False)
    with pytest.raises(OSError, match=r"No space left on device: 0 MB for draws"):
        run(make(), store=NumpyStore(tmp_path), callback=lambda view: pytest.fail("was drawing"))


def test_a_disk_that_fills_up_loses_no_draw(tmp_path, reference, monkeypatch):
    store, left = NumpyStore(tmp_path), iter(range(13))
    write = store.write

    def fails(*arguments):
        if next(left, None) is None:
            raise OSError(28, "No space left on device")
        write(*arguments)

    mcmc = make(progress_rate=20)
    monkeypatch.setattr(store, "write", fails)
    monkeypatch.setattr("sojourn_hmc.stream.COMMIT_SECONDS", 0.0)
    with pytest.warns(SamplingWarning), pytest.raises(OSError, match="No space") as caught:
        run(mcmc, store=store)
    assert "before resume() finds room" in caught.value.__notes__[0]
    monkeypatch.undo()
    mcmc.resume()
    assert_same(everything(mcmc), reference)


def test_a_disk_that_is_full_at_the_end_loses_no_draw(tmp_path, reference, monkeypatch):
    """All draws are made when the last of them cannot be written."""
    store = NumpyStore(tmp_path)

    def fails(*arguments):
        raise OSError(28, "No space left on device")

    mcmc = make()
    monkeypatch.setattr(store, "write", fails)
    with pytest.warns(SamplingWarning), pytest.raises(OSError, match="No space"):
        run(mcmc, store=store)
    assert not mcmc.is_complete
    monkeypatch.undo()
    mcmc.resume()
    assert mcmc.is_complete
    assert_same(everything(mcmc), reference)


def test_a_warmup_goes_to_a_store(tmp_path):
    mcmc = make()
    mcmc.warmup(KEY, collect_warmup=True)
    expected = everything(mcmc)
    store = NumpyStore(tmp_path)
    mcmc.warmup(KEY, collect_warmup=True, store=store)
    assert_same(everything(mcmc), expected)
    assert store.samples()["a/x"].shape == (2, 60, 2)
    with pytest.raises(ValueError, match="say collect_warmup=True"):
        mcmc.warmup(KEY, store=NumpyStore(tmp_path / "other"))


def test_zarr_that_is_missing(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(ImportError, match=r"pip install 'sojourn-hmc\[zarr\]'"):
        ZarrStore(tmp_path)


CRASH = """
import os, sys
import jax, jax.numpy as jnp, numpy as np
from sojourn_hmc import MCMC, NUTS, NumpyStore, stream

stream.COMMIT_SECONDS = 0.0

def callback(view):
    if view.num_draws > 100:
        os.kill(os.getpid(), 9)

mcmc = MCMC(NUTS(potential_fn=lambda z: jnp.sum(jnp.exp(z["x"]) - z["x"])), num_warmup=50,
            num_samples=10_000, progress_rate=20, progress_bar=False)
mcmc.run(jax.random.key(1), init_params={"x": np.zeros(2, np.float32)}, callback=callback,
         store=NumpyStore(sys.argv[1]))
"""


def test_draws_are_there_after_a_crash(tmp_path):
    result = subprocess.run([sys.executable, "-c", CRASH, str(tmp_path)])
    assert result.returncode == -9
    draws = NumpyStore(tmp_path).samples()["x"]
    assert 100 < draws.shape[1] < 300
    # Every draw that is said to be there was made: none is still zero.
    assert np.all(np.any(draws != 0, axis=2))
