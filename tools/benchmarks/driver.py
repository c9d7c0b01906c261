"""Measure what happens around the draws: ``nox -s benchmarks -- driver``.

What a display, small chunks, checkpoints and a store cost on a run of about a second; the memory of
a long run, beside NumPyro's; and what a fresh process gains from compiled programs on disk.
Variants take turns in one process. What they cost is counted in seconds of the processor, of all
threads together, in the cheapest of some runs: other work on the machine disturbs that least.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from models import logistic_regression, logistic_regression_data
from page import write

DRAWS, PARAMETERS = 1_000_000, 100


class Terminal(io.StringIO):
    """A terminal that keeps what is drawn."""

    def isatty(self) -> bool:
        """It is one."""
        return True


def make_run() -> Callable[..., Any]:
    """Return a function that runs four chains of a logistic regression."""
    import jax

    import sojourn
    import sojourn.distributions as dist
    from sojourn.infer import MCMC, NUTS

    kernel = NUTS(logistic_regression(sojourn, dist))
    data = logistic_regression_data()
    key = jax.random.key(0)

    def run(num_samples: int = 1000, progress_bar: bool = False, **options: Any) -> Any:
        rate = options.pop("progress_rate", None)
        mcmc = MCMC(
            kernel,
            num_warmup=300,
            num_samples=num_samples,
            num_chains=4,
            progress_bar=progress_bar,
            progress_rate=rate,
            report=False,
        )
        mcmc.run(key, **data, **options)
        return mcmc

    return run


def overheads(repeats: int) -> dict[str, float]:
    """Processor seconds of the cheapest of ``repeats`` runs, of each variant."""
    from sojourn.infer.mcmc import NumpyStore

    run = make_run()
    run()
    cheapest: dict[str, float] = {}
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            variants: dict[str, dict[str, Any]] = {
                "plain": {},
                "bar": {"progress_bar": True},
                "small": {"progress_rate": 20},
                "checkpoint": {"checkpoint": f"{folder}/a", "checkpoint_every": 1.0},
                "every chunk": {"checkpoint": f"{folder}/b", "checkpoint_every": 0.0},
                "store": {"store": NumpyStore(f"{folder}/c")},
            }
            for name, options in variants.items():
                with contextlib.redirect_stderr(Terminal()):
                    begin = time.process_time()
                    run(**options)
                    seconds = time.process_time() - begin
                cheapest[name] = min(seconds, cheapest.get(name, seconds))
    return cheapest


def checkpoint(num_samples: int) -> dict[str, float]:
    """Milliseconds of a checkpoint of 1000 new draws, late in a run of ``num_samples``."""
    import jax

    from sojourn.infer import HMC, MCMC

    kernel = HMC(potential_fn=lambda z: 0.5 * (z**2).sum(), step_size=0.5, num_steps=1)
    times: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        mcmc = MCMC(
            kernel,
            num_warmup=0,
            num_samples=num_samples,
            progress_bar=False,
            progress_rate=1000,
            report=False,
        )

        def note(view: Any) -> None:
            times.append(time.perf_counter())

        options = {"init_params": np.zeros(10, np.float32), "callback": note}
        mcmc.run(jax.random.key(0), **options)
        without, times[:] = np.diff(times)[-10:].min(), []
        mcmc.run(jax.random.key(0), checkpoint=folder, checkpoint_every=0.0, **options)
    return {"ms": 1000 * float(np.diff(times)[-10:].min() - without)}


def memory(library: str) -> dict[str, float]:
    """Megabytes that a long run takes at its peak beyond those of a short one; and on the device.

    The device is looked at after each chunk, before it is known that its draws can be let go.
    """
    import jax

    options: dict[str, Any] = {}
    if library == "numpyro":
        from numpyro.infer import HMC, MCMC
    else:
        from sojourn.infer import HMC, MCMC
        from sojourn.infer.mcmc import NumpyStore
    settings: dict[str, Any] = {} if library == "numpyro" else {"report": False}

    def potential(z: Any) -> Any:
        return 0.5 * (z**2).sum()

    def run(num_samples: int, **options: Any) -> float:
        kernel = HMC(potential_fn=potential, step_size=0.5, num_steps=2, adapt_step_size=False)
        mcmc = MCMC(kernel, num_warmup=0, num_samples=num_samples, progress_bar=False, **settings)
        begin = time.perf_counter()
        mcmc.run(jax.random.PRNGKey(0), init_params=np.zeros(PARAMETERS, np.float32), **options)
        if "store" not in options:
            jax.block_until_ready(mcmc.get_samples())
        return time.perf_counter() - begin

    run(100)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    on_device = [0]
    if library != "numpyro":
        options["callback"] = lambda view: on_device.append(
            sum(array.nbytes for array in jax.live_arrays())
        )
    with tempfile.TemporaryDirectory() as folder:
        if library == "store":
            options["store"] = NumpyStore(folder)
        seconds = run(DRAWS, **options)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"MB": (after - before) / 1024, "device MB": max(on_device) / 1e6, "seconds": seconds}


def first(directory: str) -> dict[str, float]:
    """Seconds of the first run of a process, with compiled programs in a directory."""
    import sojourn

    if directory:
        sojourn.util.enable_compilation_cache(directory)
    run = make_run()
    begin = time.perf_counter()
    run(num_samples=100)
    return {"seconds": time.perf_counter() - begin}


def measure(name: str, argument: Any) -> dict[str, float]:
    """Measure in a process of its own."""
    command = [sys.executable, __file__, "--measure", name, str(argument)]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
    output = subprocess.run(command, env=environ, check=True, capture_output=True, text=True).stdout
    return json.loads(output.splitlines()[-1])


def table(repeats: int) -> str:
    """Measure everything, and make a table of it."""
    lines = ["| what | measured | compared with | ratio |", "| --- | --: | --: | --: |"]

    def row(what: str, value: float, other: float, unit: str, other_is: str) -> None:
        ratio = f"{value / other:.2f}×"
        lines.append(f"| {what} | {value:.3g} {unit} | {other_is}{other:.3g} {unit} | {ratio} |")
        print(lines[-1], flush=True)

    cost = measure("overheads", repeats)
    titles = {
        "bar": "a bar on a terminal",
        "small": "chunks of 20 transitions, each looked at",
        "checkpoint": "a checkpoint each second",
        "every chunk": "a checkpoint after each chunk",
        "store": "draws to a NumpyStore",
    }
    for name, title in titles.items():
        row(title, cost[name], cost["plain"], "CPU s", "without, ")
    short, long = (measure("checkpoint", n)["ms"] for n in (20_000, 400_000))
    row("a checkpoint of 1000 draws after 400,000", long, short, "ms", "after 20,000, ")
    theirs = measure("memory", "numpyro")
    for name, title in (("sojourn", "in memory"), ("store", "to a NumpyStore")):
        ours = measure("memory", name)
        row(f"peak memory of 1,000,000 × 100, {title}", ours["MB"], theirs["MB"], "MB", "NumPyro, ")
    all_draws = 4 * DRAWS * PARAMETERS / 1e6
    row("of these on the device", ours["device MB"], all_draws, "MB", "all draws, ")
    with tempfile.TemporaryDirectory() as folder:
        cold = measure("first", "")["seconds"]
        measure("first", folder)
        row("first run, programs on disk", measure("first", folder)["seconds"], cold, "s", "none, ")
    return "\n".join(lines)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--repeats", type=int, default=5, help="repetitions (default 5)")
    parser.add_argument("--write", type=Path, help="put the table into this page")
    options = parser.parse_args()
    if options.measure:
        name, argument = options.measure
        kinds: dict[str, Callable[[], dict[str, float]]] = {
            "overheads": lambda: overheads(int(argument)),
            "checkpoint": lambda: checkpoint(int(argument)),
            "memory": lambda: memory(argument),
            "first": lambda: first(argument),
        }
        print(json.dumps(kinds[name]()))
        return
    text = f"`nox -s benchmarks -- driver`, the cheapest of {options.repeats}:\n\n"
    lines = table(options.repeats)
    if options.write:
        write(options.write, "driver", f"{text}{lines}\n")


if __name__ == "__main__":
    main()
