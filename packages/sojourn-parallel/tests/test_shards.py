"""Runs over shards: through threads, processes and a Dask cluster, with the same draws."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import jax
import numpy as np
import pytest
from shard_samplers import die_once, fail_at_first_rows, run_shard

from sojourn_parallel import ShardError, parametric_draws, shards, split

KEY = jax.random.key(4)
DATA = {"x": np.arange(10.0), "y": np.arange(20.0).reshape(10, 2)}


run_quietly = partial(shards, progress_bar=False)


def assert_same(subposteriors, others):
    for draws, other in zip(subposteriors, others, strict=True):
        np.testing.assert_array_equal(draws["mean"], other["mean"])


def test_rows_are_cut_evenly():
    pieces = split(DATA, 3)
    assert [len(piece["x"]) for piece in pieces] == [4, 3, 3]
    assert [piece["y"].shape for piece in pieces] == [(4, 2), (3, 2), (3, 2)]
    np.testing.assert_array_equal(np.concatenate([piece["x"] for piece in pieces]), DATA["x"])


def test_a_shard_draws_by_seed_and_index_alone():
    merged = run_quietly(run_shard, DATA, 3, KEY, executor="threads")
    for k, (piece, draws) in enumerate(zip(split(DATA, 3), merged.subposteriors, strict=True)):
        expected = run_shard(jax.random.fold_in(KEY, k), piece, 3)
        np.testing.assert_array_equal(draws["mean"], expected["mean"])
    with ThreadPoolExecutor(1) as pool:
        again = run_quietly(run_shard, DATA, 3, KEY, executor=pool)
        assert pool.submit(int, "1").result() == 1  # one that is given stays open
    assert_same(merged.subposteriors, again.subposteriors)
    np.testing.assert_array_equal(merged.draws["mean"], again.draws["mean"])


def test_legacy_keys_and_other_combinations():
    key = jax.random.PRNGKey(4)
    combine = partial(parametric_draws, num_draws=7)
    merged = run_quietly(run_shard, DATA, 2, key, executor="threads", combine=combine)
    assert merged.draws["mean"].shape == (7,)
    assert_same(
        merged.subposteriors[1:], [run_shard(jax.random.fold_in(key, 1), split(DATA, 2)[1], 2)]
    )


def test_a_failure_loses_no_other_shard():
    with pytest.raises(
        ShardError, match=r"shard 0 of 4 .*failed with FloatingPointError"
    ) as caught:
        run_quietly(fail_at_first_rows, DATA, 4, KEY, executor="threads")
    assert isinstance(caught.value.__cause__, FloatingPointError)
    completed = caught.value.completed
    assert sorted(completed) == [2, 3]
    calls = []

    def counted(key, shard, num_shards):
        calls.append(shard["x"][0])
        return run_shard(key, shard, num_shards)

    merged = run_quietly(counted, DATA, 4, KEY, executor="threads", completed=completed)
    assert sorted(calls) == [0.0, 3.0]
    whole = run_quietly(run_shard, DATA, 4, KEY, executor="threads")
    assert_same(merged.subposteriors, whole.subposteriors)


def test_shards_are_reported(capsys):
    shards(run_shard, DATA, 2, KEY, executor="threads")
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[0] for line in lines] == ["1/2", "2/2"]
    assert sorted(line.split("shard ")[1] for line in lines) == ["0 done", "1 done"]


def test_a_function_that_processes_cannot_have_is_refused():
    with pytest.raises(TypeError, match=r"a function of a module.*executor='threads'"):
        run_quietly(lambda *arguments: run_shard(*arguments), DATA, 2, KEY)


def test_processes_draw_the_same_even_if_one_is_killed(tmp_path):
    task = partial(die_once, str(tmp_path / "died"))
    with pytest.raises(ShardError, match=r"a process ended.*if __name__ == '__main__'") as caught:
        run_quietly(task, DATA, 3, KEY)
    again = run_quietly(task, DATA, 3, KEY, completed=caught.value.completed)
    here = run_quietly(run_shard, DATA, 3, KEY, executor="threads")
    assert_same(again.subposteriors, here.subposteriors)


@pytest.mark.filterwarnings("default")  # of the cluster, about ports and its own shutdown
def test_dask_runs_again_what_a_killed_worker_held(tmp_path):
    distributed = pytest.importorskip("distributed")
    here = run_quietly(run_shard, DATA, 3, KEY, executor="threads")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        executor = client.get_executor()
        task = partial(die_once, str(tmp_path / "died"))
        there = run_quietly(task, DATA, 3, KEY, executor=executor)
    assert (tmp_path / "died").exists()
    assert_same(here.subposteriors, there.subposteriors)


@pytest.mark.parametrize(
    "arguments, error, match",
    [
        ({"data": {"x": np.ones(3), "y": np.ones(4)}}, ValueError, "same number of rows"),
        ({"data": {"x": np.ones(3), "y": 2.0}}, ValueError, "same number of rows"),
        ({"data": {}}, ValueError, "same number of rows"),
        ({"num_shards": 11}, ValueError, "10 rows for 11 shards"),
        ({"num_shards": 0}, ValueError, "must be a positive integer, got 0"),
        ({"executor": "gpu"}, ValueError, "'processes', 'threads' or"),
        ({"rng_key": 3}, TypeError, "rng_key must be one key"),
        ({"rng_key": jax.random.split(KEY)}, TypeError, "rng_key must be one key"),
        ({"completed": {5: {}}}, ValueError, r"names the shards \[5\], but there are 2"),
    ],
)
def test_bad_input(arguments, error, match):
    given = {"data": DATA, "num_shards": 2, "rng_key": KEY, "executor": "threads", **arguments}
    with pytest.raises(error, match=match):
        run_quietly(run_shard, **given)
