"""A run on disk: whatever ends a process, the next one goes on to the same draws."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sojourn_hmc import HMC, MCMC, NUTS, SA, BarkerMH, CheckpointError, SamplingWarning

KEY = jax.random.key(3)
METHODS = ["parallel", "sequential", "vectorized"]


def potential(z):
    return jnp.sum(jnp.exp(z["x"]) - z["x"])


def starts(num_chains):
    shape = (num_chains, 2) if num_chains > 1 else (2,)
    return {"x": np.zeros(shape, np.float32)}


def with_data(scale):
    """A potential that closes over data."""
    data = scale * np.arange(1, 5000, dtype=np.float32)
    return lambda z: potential(z) + 0 * jnp.sum(data * z["x"][0])


SHARED = NUTS(potential_fn=potential)


def make(num_chains=2, kernel=SHARED, **settings):
    settings = {"num_warmup": 60, "num_samples": 90, "progress_bar": False, "report": False} | (
        settings
    )
    return MCMC(kernel, num_chains=num_chains, **settings)


def run(mcmc, path=None, **options):
    options = {"init_params": starts(mcmc.num_chains), "extra_fields": ("energy",)} | options
    options.setdefault("rng_key", KEY)
    mcmc.run(options.pop("rng_key"), checkpoint=path, checkpoint_every=0.0, **options)
    return mcmc


def everything(mcmc):
    samples, fields = mcmc.get_samples(True), mcmc.get_extra_fields(True)
    return jax.tree.map(np.asarray, [samples, fields])


def assert_same(one, other):
    jax.tree.map(np.testing.assert_array_equal, one, other)


class Gone(Exception):
    """Stands for whatever ends a process."""


def broken_off(mcmc, path, phase, chunks, **options):
    """Run until some chunks of a phase are done."""
    left = iter(range(chunks))

    def callback(view):
        if view.phase == phase and next(left, None) is None:
            raise Gone

    with pytest.warns(SamplingWarning, match="broken off"), pytest.raises(Gone):
        run(mcmc, path, callback=callback, **options)
    return mcmc


@pytest.fixture(scope="module")
def reference():
    return {method: everything(run(make(chain_method=method))) for method in METHODS}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("phase", ["warmup", "sample"])
def test_a_run_goes_on_in_another_object(method, phase, reference, tmp_path):
    broken_off(make(chain_method=method, progress_rate=20), tmp_path, phase, 1)
    assert_same(everything(run(make(chain_method=method), tmp_path)), reference[method])


def test_chains_at_their_own_pace_go_on(tmp_path):
    own_pace = {"chain_method": "vectorized", "lock_step": False}
    broken_off(make(progress_rate=20, **own_pace), tmp_path, "warmup", 1)
    broken_off(make(progress_rate=20, **own_pace), tmp_path, "sample", 1)
    whole, again = run(make(progress_rate=20, **own_pace)), make(progress_rate=20, **own_pace)
    assert_same(everything(run(again, tmp_path)), everything(whole))
    # Steps are counted from the beginning on, in other processes too.
    assert again.utilisation == whole.utilisation < 1


def test_many_breaks_in_a_row(reference, tmp_path):
    for phase, chunks in [("warmup", 2), ("warmup", 3), ("sample", 0), ("sample", 2)]:
        broken_off(make(progress_rate=7), tmp_path, phase, chunks)
    assert_same(everything(run(make(), tmp_path)), reference["parallel"])
    # A finished run is read back, and nothing is drawn.
    seen = []
    again = run(make(), tmp_path, callback=seen.append)
    assert not seen and again.is_complete
    assert_same(everything(again), reference["parallel"])
    assert again.last_state.i.tolist() == [150, 150]


@pytest.mark.parametrize("thinning", [1, 3])
def test_a_finished_run_can_be_made_longer(thinning, tmp_path):
    run(make(num_samples=30, thinning=thinning), tmp_path)
    longer = run(make(num_samples=90, thinning=thinning), tmp_path)
    assert_same(everything(longer), everything(run(make(num_samples=90, thinning=thinning))))
    with pytest.raises(CheckpointError, match=r"made 90 transitions of the 30"):
        run(make(num_samples=30, thinning=thinning), tmp_path)


@pytest.mark.parametrize(
    "kernel",
    [
        HMC(potential_fn=potential, num_steps=3, dense_mass=True),
        SA(potential_fn=potential, adapt_state_size=4),
        BarkerMH(potential_fn=potential),
    ],
    ids=["hmc", "sa", "barker"],
)
def test_every_kernel_goes_on(kernel, tmp_path):
    legacy = {"rng_key": jax.random.PRNGKey(5), "extra_fields": ()}
    whole = everything(run(make(kernel=kernel), **legacy))
    mcmc = make(kernel=kernel, progress_rate=25)
    broken_off(mcmc, tmp_path, "warmup", 1, **legacy)
    broken_off(mcmc, tmp_path, "sample", 1, **legacy)
    again = run(make(kernel=kernel), tmp_path, **legacy)
    assert_same(everything(again), whole)


def test_a_run_from_given_states_goes_on(tmp_path):
    warm = make(num_samples=60, progress_rate=10)
    warm.warmup(KEY, init_params=starts(2))
    broken_off(warm, tmp_path, "sample", 1)
    other = make(num_samples=60)
    other.post_warmup_state = warm.post_warmup_state
    run(other, tmp_path)
    assert_same(everything(other), everything(run(make(num_samples=60))))


def warm_up(mcmc, path=None, **options):
    options = {"init_params": starts(mcmc.num_chains), "extra_fields": ("energy",)} | options
    mcmc.warmup(KEY, checkpoint=path, checkpoint_every=0.0, **options)
    return mcmc


class Breaks:
    """A callback that ends a run after some chunks, and says what it has seen."""

    def __init__(self, chunks):
        self.left = iter(range(chunks))
        self.phases = set()

    def __call__(self, view):
        self.phases.add(view.phase)
        if next(self.left, None) is None:
            raise Gone


def test_a_warmup_and_the_run_after_it_go_on_from_one_path(reference, tmp_path):
    """As in a script that makes both, and is killed three times."""

    def script(chunks_of_warmup, chunks):
        mcmc = make(progress_rate=20)
        warm_up(mcmc, tmp_path, callback=Breaks(chunks_of_warmup))
        return run(mcmc, tmp_path, callback=Breaks(chunks))

    for chunks in [(2, 0), (2, 0), (9, 2)]:
        with pytest.warns(SamplingWarning, match="broken off"), pytest.raises(Gone):
            script(*chunks)
    # The warmup is complete: it is read back, and the run goes on where it was.
    assert_same(everything(script(0, 99)), reference["parallel"])


def test_a_warmup_that_is_kept_goes_on_to_the_same_draws(tmp_path):
    whole = warm_up(make(), collect_warmup=True)
    mcmc, watch = make(progress_rate=20), Breaks(2)
    with pytest.warns(SamplingWarning, match="broken off"), pytest.raises(Gone):
        warm_up(mcmc, tmp_path, collect_warmup=True, callback=watch)
    assert watch.phases == {"warmup"} and not mcmc.is_complete
    assert mcmc.post_warmup_state is None
    again = warm_up(make(), tmp_path, collect_warmup=True)
    assert_same(everything(again), everything(whole))
    assert_same(again.post_warmup_state.z, whole.post_warmup_state.z)
    mcmc.resume()  # and so does the one that was broken off
    assert mcmc.is_complete
    assert_same(everything(mcmc), everything(whole))
    assert_same(mcmc.post_warmup_state.z, whole.post_warmup_state.z)


def test_a_warmup_of_another_length_is_another_warmup(tmp_path):
    warm_up(make(), tmp_path)
    assert (tmp_path / "warmup" / "header.json").exists()
    with pytest.raises(CheckpointError, match="num_warmup"):
        warm_up(make(num_warmup=61), tmp_path)
    with pytest.raises(CheckpointError, match="num_warmup"):
        warm_up(make(), tmp_path, collect_warmup=True)


@pytest.fixture
def half_way(tmp_path):
    broken_off(make(progress_rate=20), tmp_path, "sample", 2)
    return tmp_path


def test_data_that_a_model_closes_over_tell_runs_apart(tmp_path):
    run(make(kernel=NUTS(potential_fn=with_data(1.0)), num_samples=10), tmp_path)
    with pytest.raises(CheckpointError, match="differs in the model"):
        run(make(kernel=NUTS(potential_fn=with_data(2.0)), num_samples=10), tmp_path)


@pytest.mark.parametrize(
    ("settings", "options", "message"),
    [
        ({"num_warmup": 61}, {}, "differs in how chains start.*num_warmup or thinning"),
        ({"num_chains": 3}, {}, "number of chains"),
        ({"thinning": 2}, {}, "num_warmup or thinning"),
        ({"kernel": NUTS(potential_fn=potential, max_tree_depth=3)}, {}, "setting of the kernel"),
        ({"kernel": NUTS(potential_fn=lambda z: jnp.sum(z["x"] ** 2))}, {}, "differs in the model"),
        ({"kernel": NUTS(potential_fn=potential, step_size=0.3)}, {}, "how chains start"),
        ({}, {"rng_key": jax.random.key(4)}, r"differs in rng_key\. Call run\(\) as"),
        ({}, {"extra_fields": ()}, "the collected fields"),
        ({}, {"init_params": {"x": np.ones((2, 2), np.float32)}}, "init_params"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(settings, options, message, half_way):
    before = {file.name: file.read_bytes() for file in half_way.iterdir()}
    with pytest.raises(CheckpointError, match=message):
        run(make(**settings), half_way, **options)
    assert {file.name: file.read_bytes() for file in half_way.iterdir()} == before


@pytest.mark.parametrize("name", ["header.json", "state-*.npz", "draws-1-000000.npz"])
@pytest.mark.parametrize("damage", ["changed", "truncated", "emptied", "removed"])
def test_damaged_files_are_refused(name, damage, half_way):
    (file,) = half_way.glob(name)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    if damage == "removed":
        file.unlink()
        if name == "header.json":  # nothing tells that there was a run: it begins anew
            assert run(make(), half_way).is_complete
            return
    else:
        kept = {"changed": len(content), "truncated": len(content) - 9, "emptied": 0}[damage]
        file.write_bytes(content[:kept])
    with pytest.raises(CheckpointError, match=r"damaged|cannot be read"):
        run(make(), half_way)


def test_a_header_of_another_version_or_hand_is_refused(half_way):
    path = half_way / "header.json"
    header = json.loads(path.read_text())
    path.write_text(json.dumps({**header, "kept": [80, 80]}))
    with pytest.raises(CheckpointError, match="damaged"):
        run(make(), half_way)
    from sojourn_hmc import files

    header.pop("checksum")
    path.write_bytes(files.seal({**header, "version": 99}))
    with pytest.raises(CheckpointError, match="version 99; this version of sojourn_hmc reads"):
        run(make(), half_way)


@pytest.mark.parametrize("calls", [1, 2, 3])
@pytest.mark.parametrize("in_place", [False, True])
def test_an_interrupted_write_leaves_a_good_checkpoint(
    calls, in_place, reference, tmp_path, monkeypatch
):
    """Ctrl-C between any two files, and an end before another checkpoint is whole."""
    from sojourn_hmc import files

    write = files.write
    left = iter(range(3 * 5 + calls - 1))  # draws, states, header of a checkpoint in the middle

    def interrupted(path, content):
        if next(left, None) is None:
            if in_place:
                write(path, content)
            raise KeyboardInterrupt
        return write(path, content)

    mcmc = make(progress_rate=20)
    monkeypatch.setattr(files, "write", interrupted)
    with pytest.warns(SamplingWarning), pytest.raises(KeyboardInterrupt):
        run(mcmc, tmp_path)
    left = iter(range(2))  # the next checkpoint is not whole either
    with pytest.warns(SamplingWarning), pytest.raises(KeyboardInterrupt):
        mcmc.resume()
    monkeypatch.undo()
    assert_same(everything(run(make(), tmp_path)), reference["parallel"])


def test_seconds_that_are_none():
    with pytest.raises(ValueError, match="checkpoint_every must be a number of seconds"):
        make().run(KEY, init_params=starts(2), checkpoint="run", checkpoint_every=-1.0)


def test_a_file_in_the_place_of_a_directory(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(CheckpointError, match="is a file: give a directory"):
        run(make(), tmp_path / "taken")


def test_a_full_disk_loses_no_draw(reference, tmp_path, monkeypatch):
    from sojourn_hmc import files

    write, left = files.write, iter(range(14))

    def fails(path, content):
        if next(left, None) is None:
            raise OSError(28, "No space left on device")
        return write(path, content)

    mcmc = make(progress_rate=20)
    with monkeypatch.context() as patch:
        patch.setattr(files, "write", fails)
        with pytest.warns(SamplingWarning), pytest.raises(OSError, match="No space") as caught:
            run(mcmc, tmp_path)
    assert "is older than this" in caught.value.__notes__[0]
    mcmc.resume()
    assert_same(everything(mcmc), reference["parallel"])
    assert_same(everything(run(make(), tmp_path)), reference["parallel"])


def test_a_checkpoint_costs_what_is_new(tmp_path):
    """Segments hold the draws since the one before: their sizes do not grow."""
    run(make(num_samples=4000, progress_rate=100), tmp_path)
    sizes = [file.stat().st_size for file in sorted(tmp_path.glob("draws-1-*.npz"))]
    assert len(sizes) > 30
    assert max(sizes) < 3 * np.median(sizes)
    assert len(list(tmp_path.glob("state-*.npz"))) == 1


DEVICES = """
import sys
import jax
jax.config.update("jax_num_cpu_devices", 2)
import jax.numpy as jnp, numpy as np
from sojourn_hmc import MCMC, NUTS

kernel = NUTS(potential_fn=lambda z: jnp.sum(jnp.exp(z["x"]) - z["x"]))

def make(method):
    mcmc = MCMC(kernel, num_warmup=30, num_samples=60, num_chains=3, chain_method=method,
                progress_rate=10, progress_bar=False, report=False)
    return lambda **options: (
        mcmc.run(jax.random.key(1), init_params={"x": np.zeros((3, 2), np.float32)}, **options),
        np.asarray(mcmc.get_samples(True)["x"]))[1], mcmc

class Gone(Exception):
    pass

mesh = jax.sharding.Mesh(np.array(jax.devices()), ("chains",))
for name, method in (("mesh", mesh), ("vmap", jax.vmap)):
    for phase in ("warmup", "sample"):
        path = f"{sys.argv[1]}/{name}-{phase}"
        left = iter(range(1))
        def callback(view):
            if view.phase == phase and next(left, None) is None:
                raise Gone
        run, mcmc = make(method)
        try:
            run(checkpoint=path, checkpoint_every=0.0, callback=callback)
        except Gone:
            print(mcmc.placement.description)
        again, whole = make(method)[0](checkpoint=path), make(method)[0]()
        assert again.shape == (3, 60, 2) and np.array_equal(again, whole)
"""


def test_chains_on_several_devices_go_on(tmp_path):
    """Two devices and three chains: one of a lane's four is there to fill it up."""
    command = [sys.executable, "-W", "ignore", "-c", DEVICES, str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert len(lines) == 4 and "on a mesh of 2" in lines[0]


CHILD = """
import sys
import jax, jax.numpy as jnp, numpy as np
from sojourn_hmc import MCMC, NUTS

path, result = sys.argv[1:]

def callback(view):
    print("chunk", flush=True)

kernel = NUTS(potential_fn=lambda z: jnp.sum(jnp.exp(z["x"]) - z["x"]))
mcmc = MCMC(kernel, num_warmup=300, num_samples=700, num_chains=2, thinning=2,
            progress_rate=5, progress_bar=False, report=False)
mcmc.run(jax.random.key(1), init_params={"x": np.zeros((2, 2), np.float32)}, callback=callback,
         extra_fields=("energy", "adapt_state.step_size"), checkpoint=path or None,
         checkpoint_every=0.0)
samples, fields = mcmc.get_samples(True), mcmc.get_extra_fields(True)
np.savez(result, x=samples["x"], **fields)
"""


@pytest.mark.parametrize("kills", [5, pytest.param(25, marks=pytest.mark.statistics)])
def test_a_process_that_is_killed_at_random_moments(kills, tmp_path):
    environment = {
        **os.environ,
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "programs"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "PYTHONHASHSEED": "random",
    }

    def command(path, result):
        return [sys.executable, "-c", CHILD, str(path), str(tmp_path / result)]

    def to_the_end(path, result):
        subprocess.run(
            command(path, result), env=environment, stdout=subprocess.DEVNULL, check=True
        )

    to_the_end("", "whole.npz")
    moments = random.Random(kills)
    numbers = []
    for _ in range(kills):
        with subprocess.Popen(
            command(tmp_path / "run", "broken.npz"),
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            for _ in range(moments.randint(1, 440 // kills)):  # of 400 chunks in all
                assert process.stdout.readline() == "chunk\n"
            time.sleep(moments.uniform(0, 0.01))
            process.send_signal(signal.SIGKILL)
            assert process.wait(60) == -signal.SIGKILL
        header = json.loads(Path(tmp_path / "run" / "header.json").read_text())
        numbers.append((header["phase"], *header["done"]))
    # Each process went on from where the one before it was killed, through both phases.
    assert numbers == sorted(numbers) and len(set(numbers)) > kills / 2
    assert numbers[0][0] == 0 and numbers[-1][0] == 1
    to_the_end(tmp_path / "run", "broken.npz")
    with np.load(tmp_path / "whole.npz") as whole, np.load(tmp_path / "broken.npz") as broken:
        assert set(whole) == set(broken)
        for name in whole:
            np.testing.assert_array_equal(broken[name], whole[name])
