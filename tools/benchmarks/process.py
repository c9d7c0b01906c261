"""Run one job in a fresh process, with exactly the settings that the job names."""

import json
import os
import pty
import subprocess
import sys
import termios
import threading
from pathlib import Path
from typing import Any

from jobs import Job

MEASURE = Path(__file__).parent / "measure.py"
NATIVE_LOOPS = "--xla_backend_extra_options=xla_cpu_small_while_loop_byte_threshold=1000000"
"""What Sojourn puts into XLA_FLAGS by itself; given to NumPyro where both sides are to have it."""


def environment(job: Job) -> dict[str, str]:
    """Return the variables of a job's process, free of the user's own settings of JAX and XLA."""
    variables = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("JAX_", "XLA_", "TF_", "SOJOURN_", "NUMPYRO_"))
    }
    variables["JAX_PLATFORMS"] = "cpu"
    if not job.native_loops:
        variables["SOJOURN_NATIVE_LOOPS"] = "0"
    elif job.library != "sojourn":
        variables["XLA_FLAGS"] = NATIVE_LOOPS
    return variables


def run(job: Job, repetition: int, scale: float) -> dict[str, Any]:
    """Measure a job; a process that fails stops the benchmark with its messages.

    The messages of the process go to a terminal of their own, so that a progress bar is drawn as a
    user sees it.
    """
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    messages: list[bytes] = []
    reader = threading.Thread(target=_drain, args=(ours, messages))
    reader.start()
    try:
        process = subprocess.run(
            [sys.executable, str(MEASURE), job.to_json(), str(repetition), str(scale)],
            env=environment(job),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=theirs,
            check=False,
        )
    finally:
        os.close(theirs)
        reader.join()
        os.close(ours)
    if process.returncode != 0:
        text = b"".join(messages).decode(errors="replace")
        raise RuntimeError(f"{job.describe()} ended with {process.returncode}:\n{text}")
    result: dict[str, Any] = json.loads(process.stdout.splitlines()[-1])
    _check_flags(job, result["xla_flags"])
    return result


def _check_flags(job: Job, flags: str) -> None:
    """Raise if a process computed with other flags than its job is reported for."""
    if (NATIVE_LOOPS in flags.split()) != job.native_loops:
        raise RuntimeError(f"{job.describe()} ran with XLA_FLAGS={flags!r}")


def _drain(terminal: int, messages: list[bytes]) -> None:
    while True:
        try:
            text = os.read(terminal, 4096)
        except OSError:  # what Linux raises when the other end is closed
            return
        if not text:
            return
        messages.append(text)
