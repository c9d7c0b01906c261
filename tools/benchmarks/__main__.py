"""Measure Sojourn beside NumPyro and print the ratios: ``python tools/benchmarks``.

Every measurement is a fresh process, the libraries take turns, and every number is the median of
the repetitions with the smallest and the largest.
"""

import argparse
import os
import sys
import time
from pathlib import Path

import jobs
import machine
import process
from models import BENCHMARKS
from page import write
from results import Results
from table import render


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python tools/benchmarks", description=__doc__)
    parser.add_argument("--models", nargs="+", choices=BENCHMARKS, default=list(BENCHMARKS))
    parser.add_argument("--settings", nargs="+", choices=jobs.SETTINGS, default=jobs.SETTINGS)
    parser.add_argument("--repeats", type=int, default=3, help="repetitions (default 3)")
    parser.add_argument("--quick", action="store_true", help="once, with shortened runs")
    parser.add_argument("--no-extras", action="store_true", help="the main tables only")
    parser.add_argument("--write", type=Path, help="put the tables into this page")
    parser.add_argument(
        "--save", type=Path, help="keep every measurement in this file, as it is made"
    )
    parser.add_argument("--read", type=Path, help="measure nothing, show what --save kept")
    options = parser.parse_args(arguments)
    if options.write and options.quick:
        parser.error("--quick is a trial: its figures are not to be written into a page")
    if options.repeats < 1:
        parser.error("--repeats must be at least 1")
    return options


def command_line(arguments: list[str]) -> str:
    """Return the command that measures the same again; where results are kept is left out."""
    kept = list(arguments)
    if "--save" in kept:
        at = kept.index("--save")
        del kept[at : at + 2]
    return " ".join(["nox -s benchmarks", *(["--", *kept] if kept else [])])


def measure(options: argparse.Namespace, command: str) -> Results:
    """Run all jobs."""
    scale, repeats = (0.1, 1) if options.quick else (1.0, options.repeats)
    header = {
        "command": command,
        "models": options.models,
        "settings": list(options.settings),
        "repeats": repeats,
        "scale": scale,
        **machine.describe(),
    }
    if header["load"] > 0.5:
        say(f"the machine is busy (load average {header['load']:.1f}): expect noise")
    results = Results(header)
    planned = list(
        jobs.plan(
            options.models,
            options.settings,
            extras=not options.no_extras,
            pin=hasattr(os, "sched_setaffinity"),
        )
    )
    begin = time.perf_counter()
    for repetition in range(repeats):
        for n, job in enumerate(planned):
            start = time.perf_counter()
            results.add(job, process.run(job, repetition, scale))
            done, seconds = repetition * len(planned) + n + 1, time.perf_counter() - start
            say(f"{done}/{repeats * len(planned)} {job.describe()}: {seconds:.0f} s")
            header["minutes"] = (time.perf_counter() - begin) / 60
            if options.save:
                results.save(options.save)
    return results


def say(text: str) -> None:
    """Tell whoever waits."""
    print(text, file=sys.stderr, flush=True)


def main(arguments: list[str]) -> None:
    """Measure, or read, and show."""
    options = parse(arguments)
    if options.read:
        results = Results.read(options.read)
    else:
        results = measure(options, command_line(arguments))
    tables = render(results)
    print(tables)
    if options.write:
        write(options.write, "benchmarks", tables)


if __name__ == "__main__":
    main(sys.argv[1:])
