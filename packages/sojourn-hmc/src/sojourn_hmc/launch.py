"""Start a script in several processes that share its chains out: `python -m sojourn_hmc.launch`.

On one machine::

    python -m sojourn_hmc.launch --processes 2 script.py

On several machines, once on each, with its number::

    python -m sojourn_hmc.launch --processes 2 --process 0 --coordinator first:1234 script.py

A script needs no change: `MCMC.run` runs a part of its chains in each process, and every process
has the draws of all of them in the end. Where a cluster says by itself who takes part (Slurm, Open
MPI, Kubernetes, Cloud TPU), `jax.distributed.initialize()` at the head of the script does the same.
"""

from __future__ import annotations

import argparse
import os
import runpy
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence

import jax

LOOK_SECONDS = 0.05
GRACE_SECONDS = 2.0


def launch(script: str, num_processes: int, arguments: Sequence[str] = ()) -> int:
    """Run a script in several processes on this machine, and wait for them.

    Cores are divided among them. When one fails, the others are ended.

    Parameters
    ----------
    script : str
        Path of the script; each process runs it as ``__main__``.
    num_processes : int
        How many.
    arguments : sequence of str
        Arguments of the script.

    Returns
    -------
    int
        0, or the exit status of the process that failed first.

    Examples
    --------
    >>> launch("hello.py", 0)
    Traceback (most recent call last):
    ...
    ValueError: num_processes must be at least 1, got 0
    """
    if num_processes < 1:
        raise ValueError(f"num_processes must be at least 1, got {num_processes}")
    if not os.path.exists(script):
        raise ValueError(f"there is no script {script!r}")
    common = [sys.executable, "-m", "sojourn_hmc.launch", "--processes", str(num_processes)]
    common += ["--coordinator", f"localhost:{_free_port()}", "--divide-cores"]
    running = [
        subprocess.Popen([*common, "--process", str(process), script, *arguments])
        for process in range(num_processes)
    ]
    try:
        return _wait_for_all(running)
    finally:
        for process in running:
            if process.poll() is None:
                process.terminate()
        for process in running:
            _wait_or_kill(process)


def take_part(
    script: str,
    num_processes: int,
    process: int,
    coordinator: str,
    arguments: Sequence[str] = (),
) -> None:
    """Be one of several processes that run a script: join them, then run it as ``__main__``.

    Parameters
    ----------
    script, num_processes, arguments
        As for `launch`.
    process : int
        Number of this process, from 0.
    coordinator : str
        Host and port of process 0, ``"host:port"``, the same for all.
    """
    # Read where the CPU is what computes; elsewhere it has no effect.
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(coordinator, num_processes, process)
    sys.argv = [script, *arguments]
    sys.path[0] = os.path.dirname(os.path.abspath(script))
    try:
        runpy.run_path(script, run_name="__main__")
    except BaseException as error:
        status = _exit_status(error)
        if status == 0:
            raise
        # To leave in the usual way is to wait for the others, who may be waiting for this one.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _exit_status(error: BaseException) -> int:
    """What a process that ends with an exception returns, once it has said why."""
    if isinstance(error, SystemExit):
        if error.code is None or isinstance(error.code, int):
            return error.code or 0
        print(error.code, file=sys.stderr)
    else:
        traceback.print_exception(error)
    return 1


def _wait_or_kill(process: subprocess.Popen[bytes]) -> None:
    """Let a process end, or end it: `jax.distributed` catches the signal that asks it to."""
    try:
        process.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait_for_all(running: Sequence[subprocess.Popen[bytes]]) -> int:
    """Wait until all have ended well or one has failed; give its exit status."""
    while True:
        states = [process.poll() for process in running]
        failed = [state for state in states if state]
        if failed:
            return failed[0]
        if None not in states:
            return 0
        time.sleep(LOOK_SECONDS)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("localhost", 0))
        return int(listener.getsockname()[1])


def _take_share_of_cores(process: int, num_processes: int) -> None:
    """Leave the other processes of this machine their cores, where a system lets us choose."""
    if not hasattr(os, "sched_setaffinity"):
        return
    cores = sorted(os.sched_getaffinity(0))
    mine = cores[
        process * len(cores) // num_processes : (process + 1) * len(cores) // num_processes
    ]
    os.sched_setaffinity(0, mine or [cores[process % len(cores)]])


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line and do what it says."""
    parser = argparse.ArgumentParser(
        prog="python -m sojourn_hmc.launch", description="Share the chains of a script out."
    )
    parser.add_argument("--processes", type=int, required=True, help="how many, on all machines")
    parser.add_argument("--process", type=int, help="number of this one; all are started without")
    parser.add_argument("--coordinator", metavar="HOST:PORT", help="where process 0 listens")
    parser.add_argument("--divide-cores", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("script")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="of the script")
    given = parser.parse_args(argv)
    if (given.process is None) != (given.coordinator is None):
        parser.error("--process and --coordinator go together: both on each of several machines")
    if given.process is None:
        return launch(given.script, given.processes, given.arguments)
    if given.divide_cores:
        _take_share_of_cores(given.process, given.processes)
    take_part(given.script, given.processes, given.process, given.coordinator, given.arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
