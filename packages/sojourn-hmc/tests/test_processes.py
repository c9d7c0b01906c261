"""Several processes draw what one process draws."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sojourn_hmc.launch import launch, main

SCRIPT = str(Path(__file__).parent / "in_processes.py")


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
