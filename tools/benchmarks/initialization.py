"""Measure what surrounds a run, beside NumPyro: ``python tools/benchmarks/initialization.py``.

On the eight schools, each measurement in a fresh process, the libraries in turns: first values with
potential and gradient by `initialize_model`, then `Predictive` and `log_likelihood` on 2000 draws;
each for the first time and again, with the number of programs that were compiled. Importing does
not count. Times are CPU times, which other work on the machine changes little; a number is the
median over the repetitions.
"""

import argparse
import importlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

LIBRARIES = ("sojourn", "numpyro")
NUM_DRAWS = 2000


def schools(ppl: Any, dist: Any) -> Callable[..., None]:
    """Return the eight schools, non-centred."""

    def model(sigma: Any, y: Any = None) -> None:
        mu = ppl.sample("mu", dist.Normal(0.0, 5.0))
        tau = ppl.sample("tau", dist.HalfCauchy(5.0))
        with ppl.plate("schools", 8):
            z = ppl.sample("z", dist.Normal(0.0, 1.0))
            theta = ppl.deterministic("theta", mu + tau * z)
            ppl.sample("y", dist.Normal(theta, sigma), obs=y)

    return model


def measure(library: str) -> dict[str, tuple[float, float, int, int]]:
    """Return CPU seconds of the first and second time, and compilations, by job."""
    import jax
    import numpy as np

    ppl = importlib.import_module(library)
    dist = importlib.import_module(f"{library}.distributions")
    util = importlib.import_module(f"{library}.infer.util")
    infer = importlib.import_module(f"{library}.infer")
    compiled: list[str] = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, _, **details: (
            compiled.append(event)
            if event == "/jax/core/compile/backend_compile_duration"
            else None
        )
    )
    sigma = np.array([15.0, 10, 16, 11, 9, 11, 10, 18], np.float32)
    y = np.array([28.0, 8, -3, 7, -1, 1, 18, 12], np.float32)
    rng = np.random.default_rng(0)
    draws = {
        "mu": rng.normal(5, 3, NUM_DRAWS).astype(np.float32),
        "tau": rng.gamma(2, 2, NUM_DRAWS).astype(np.float32),
        "z": rng.normal(size=(NUM_DRAWS, 8)).astype(np.float32),
    }
    model = schools(ppl, dist)
    key = jax.random.PRNGKey(0)
    predictive = infer.Predictive(model, draws)
    jobs: dict[str, Callable[[], Any]] = {
        "initialize_model": lambda: (
            util.initialize_model(key, model, model_args=(sigma,), model_kwargs={"y": y}).param_info
        ),
        f"Predictive, {NUM_DRAWS} draws": lambda: predictive(key, sigma),
        "the same, made anew": lambda: infer.Predictive(model, draws)(key, sigma),
        f"log_likelihood, {NUM_DRAWS} draws": lambda: infer.log_likelihood(
            model, draws, sigma, y=y
        ),
    }
    found = {}
    for name, job in jobs.items():
        seconds, programs = [], []
        for _ in range(2):
            compiled.clear()
            start = time.process_time()
            jax.block_until_ready(job())
            seconds.append(time.process_time() - start)
            programs.append(len(compiled))
        found[name] = (*seconds, *programs)
    return found


def in_fresh_process(library: str) -> dict[str, list[float]]:
    """Measure in a process of its own."""
    command = [sys.executable, __file__, "--measure", library]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main(arguments: list[str]) -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3, help="repetitions (default 3)")
    parser.add_argument("--measure", choices=LIBRARIES, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.measure:
        print(json.dumps(measure(options.measure)))
        return
    runs = {library: [] for library in LIBRARIES}
    for _ in range(options.repeats):
        for library in LIBRARIES:
            runs[library].append(in_fresh_process(library))
    print("| eight schools | | Sojourn | NumPyro | ratio | programs |")
    print("| --- | --- | --- | --- | --- | --- |")
    for job in runs["sojourn"][0]:
        for index, when in enumerate(("first", "again")):
            here, there = (
                statistics.median(run[job][index] for run in runs[library]) for library in LIBRARIES
            )
            programs = "/".join(f"{runs[library][0][job][2 + index]:.0f}" for library in LIBRARIES)
            print(
                f"| {job} | {when} | {here * 1e3:.0f} ms | {there * 1e3:.0f} ms "
                f"| {there / here:.1f}x | {programs} |"
            )


if __name__ == "__main__":
    main(sys.argv[1:])
