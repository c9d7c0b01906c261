"""How chains are laid out: what is chosen, and what is said about it."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from jax.sharding import Mesh

from sojourn_hmc.placement import Placement, available_cores, chains_of_process, place


def test_several_devices(tmp_path):
    """On four devices that the CPU is divided into, in a process of its own."""
    environ = {**os.environ, "JAX_NUM_CPU_DEVICES": "4", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    tests = Path(__file__).parent / "test_devices.py"
    result = subprocess.run([*command, str(tests)], env=environ, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    assert " passed" in result.stdout and "skipped" not in result.stdout, result.stdout


def test_threads_as_many_as_cores_or_chains():
    chains = available_cores() + 1
    placement = place("parallel", chains)
    assert placement.lanes == tuple((chain,) for chain in range(chains))
    assert placement.workers == available_cores()
    assert not placement.batched
    assert place("parallel", 1).description == "1 chain on one thread"


def test_a_transform_is_named():
    placement = place(jax.vmap, 3)
    assert placement.transform is jax.vmap and placement.batched
    assert placement.description == "3 chains through chain_method=vmap"


def test_a_mesh_of_one_device_holds_one_batch():
    placement = place(Mesh(np.array(jax.devices()[:1]), ("chains",)), 3)
    assert placement.lanes == ((0, 1, 2),) and placement.batched
    assert placement.num_shards == 1


@pytest.mark.parametrize("count", [1, 2, 3, 7])
@pytest.mark.parametrize("num_chains", [7, 8, 100])
def test_processes_share_chains_out(num_chains, count):
    parts = [chains_of_process(num_chains, process, count) for process in range(count)]
    assert [chain for part in parts for chain in part] == list(range(num_chains))
    sizes = {len(part) for part in parts}
    assert max(sizes) - min(sizes) <= 1


def test_a_lane_knows_the_chains_of_its_process():
    placement = Placement(((0,), (1,)), 1, False, "", first_chain=5)
    assert [int(placement.chains_of(lane)) for lane in placement.lanes] == [5, 6]
    states = {"x": np.arange(10)}
    assert [placement.part(lane, states)["x"] for lane in placement.lanes] == [5, 6]
