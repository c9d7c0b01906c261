"""Several processes draw what one process draws."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from sojourn_hmc.checkpoint import CheckpointError, exists
from sojourn_hmc.checkpoint.checkpoint import directory_of
from sojourn_hmc.launch import launch, main

SCRIPT = str(Path(__file__).parent / "in_processes.py")
KILLED = str(Path(__file__).parent / "in_processes_killed.py")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What two processes, and one by itself, have written down."""
    folder = tmp_path_factory.mktemp("processes")
    assert launch(SCRIPT, 2, [str(folder)]) == 0
    subprocess.run([sys.executable, SCRIPT, str(folder)], check=True)
    return folder


@pytest.fixture
def one(folder):
    return np.load(folder / "0-of-1.npz")


@pytest.fixture(params=[0, 1])
def two(folder, request):
    return np.load(folder / f"{request.param}-of-2.npz")


@pytest.mark.parametrize("name", ["samples", "accept_prob", "more", "state"])
def test_every_process_has_what_one_process_draws(one, two, name):
    assert one[name].shape[0] == 5
    np.testing.assert_array_equal(two[name], one[name])


def test_a_second_run_compiles_nothing(one, two):
    assert one["again"] == two["again"] == 0


def test_a_process_says_which_chains_are_its_own(folder):
    said = [str(np.load(folder / f"{n}-of-2.npz")["description"]) for n in range(2)]
    assert "3 chains" in said[0] and said[0].endswith("(chains 0 to 2, in process 0 of 2)")
    assert "2 chains" in said[1] and said[1].endswith("(chains 3 to 4, in process 1 of 2)")


def test_what_all_processes_have_drawn_is_kept(two, one):
    least = two["stopped"].shape[1]
    assert two["stopped"].shape[0] == 5 and 5 <= least < 2000
    number = min(least, 20)
    np.testing.assert_array_equal(two["stopped"][:, :number], one["samples"][:, :number])


def test_a_process_without_a_chain_is_refused(one, two):
    assert one["refused"] == ""
    assert "num_chains=1 leaves some of 2 processes without a chain" in str(two["refused"])


def test_processes_that_are_killed_go_on_to_the_same_draws(tmp_path):
    """One of two is killed while it samples; the other gets as far as it may."""
    path, result = tmp_path / "run", tmp_path / "draws"
    assert launch(KILLED, 2, [str(path), str(result), "1", "sample", "3"]) == -signal.SIGKILL
    assert not list(tmp_path.glob("draws-*"))
    killed = json.loads((path / "process-1" / "header.json").read_text())
    assert killed["phase"] == 1 and 0 < max(killed["done"]) < 90
    assert launch(KILLED, 2, [str(path), str(result)]) == 0
    subprocess.run([sys.executable, KILLED, "", str(tmp_path / "alone")], check=True)
    whole = dict(np.load(tmp_path / "alone-0.npz"))
    assert whole["samples"].shape == (3, 90, 2) and whole["transitions"].tolist() == [150] * 3
    for process in range(2):
        found = dict(np.load(tmp_path / f"draws-{process}.npz"))
        for name in whole:
            np.testing.assert_array_equal(found[name], whole[name], err_msg=name)


@pytest.mark.parametrize(
    ("made_by", "read_by", "message"),
    [
        (2, 1, "of a run in 2 processes, and this is one process: start 2 processes"),
        (3, 2, "of a run in 3 processes, and these are 2 processes: start 3 processes"),
        (1, 2, "of a run in one process, and these are 2 processes: start one process"),
    ],
)
def test_a_checkpoint_of_another_number_of_processes(
    made_by, read_by, message, tmp_path, monkeypatch
):
    def be(process, count):
        monkeypatch.setattr(jax, "process_count", lambda: count)
        monkeypatch.setattr(jax, "process_index", lambda: process)

    for process in range(made_by):
        be(process, made_by)
        directory = directory_of(tmp_path)
        directory.mkdir(exist_ok=True)
        assert not exists(tmp_path)
        (directory / "header.json").write_text("{}")
        assert exists(tmp_path)
    be(0, read_by)
    with pytest.raises(CheckpointError, match=message):
        exists(tmp_path)


def test_when_one_process_fails_all_end(tmp_path):
    script = tmp_path / "fails.py"
    script.write_text(
        "import sys, time, jax\nif jax.process_index() == 1: sys.exit(3)\ntime.sleep(300)\n"
    )
    assert main(["--processes", "2", str(script)]) == 3


def test_what_is_wrong_with_the_command_is_said(capsys):
    with pytest.raises(SystemExit):
        main(["--processes", "2", "--process", "0", SCRIPT])
    assert "--process and --coordinator go together" in capsys.readouterr().err
    with pytest.raises(ValueError, match="there is no script"):
        main(["--processes", "2", "nowhere.py"])
