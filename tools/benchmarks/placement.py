"""Measure where chains run, beside NumPyro: ``python tools/benchmarks/placement.py``.

One, two and four chains in every way that both libraries have. A measurement is the second run of a
fresh process, so that nothing is compiled in it where a library keeps what it has compiled; both
sides of a ratio are measured one after the other.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import jobs
import machine
import process
from jobs import Job
from models import BENCHMARKS
from page import write
from results import Results
from table import grid, show, show_ratio

QUANTITY = "second_seconds"
CHAINS = (1, 2, 4)


class Way(NamedTuple):
    """A way to run several chains.

    Attributes
    ----------
    title : str
        Its name in the table.
    chain_method : str
        For `MCMC`.
    divided : bool
        Whether the CPU is divided into a device for each chain.
    """

    title: str
    chain_method: str
    divided: bool


WAYS = (
    Way('`"parallel"`', "parallel", False),
    Way('`"parallel"`, a CPU device for each', "parallel", True),
    Way('`"sequential"`', "sequential", False),
    Way('`"vectorized"`', "vectorized", False),
)


def job(library: str, model: str, num_chains: int, way: Way) -> Job:
    """Return the job of a library, as shipped: Sojourn asks for native loops, NumPyro does not."""
    return Job(
        library,
        model,
        library == "sojourn",
        ("runs",),
        chain_method=way.chain_method,
        devices=num_chains if way.divided else 0,
        num_chains=num_chains,
    )


def pairs(models: list[str], chains: list[int]) -> Iterator[tuple[str, int, Way]]:
    """What is compared, in order; one chain runs in one way."""
    for model in models:
        for num_chains in chains:
            for way in WAYS if num_chains > 1 else WAYS[:1]:
                yield model, num_chains, way


def measure(options: argparse.Namespace) -> Results:
    """Run all jobs."""
    scale, repeats = (0.1, 1) if options.quick else (1.0, options.repeats)
    results = Results({"scale": scale, "repeats": repeats, **machine.describe()})
    begin = time.perf_counter()
    for repetition in range(repeats):
        planned = [
            job(library, *pair)
            for pair in pairs(options.models, options.chains)
            for library in jobs.LIBRARIES
        ]
        planned += [
            jobs.cores_job(model, one_core)
            for model in options.models
            for one_core in (True, False)
        ]
        for planned_job in planned:
            results.add(planned_job, process.run(planned_job, repetition, scale))
            print(planned_job.describe(), file=sys.stderr, flush=True)
    results.header["minutes"] = (time.perf_counter() - begin) / 60
    return results


def render(results: Results, models: list[str], chains: list[int], command: str) -> str:
    """Write the tables."""
    header = results.header
    versions = ", ".join(f"{name} {version}" for name, version in results.versions().items())
    about = (
        f"`{command}`: repetitions: {header['repeats']}, in {header['minutes']:.0f} minutes on "
        f"{header['cores']} cores ({header['cpu']}, {header['system']}), load average "
        f"{header['load']:.1f} at the start; Python {header['python']}, {versions}."
    )
    lines = []
    for model, num_chains, way in pairs(models, chains):
        ours, theirs = (job(library, model, num_chains, way) for library in jobs.LIBRARIES)
        first = way == WAYS[0]
        title = BENCHMARKS[model].title if first and num_chains == chains[0] else ""
        shown = [show(results.spread(each, QUANTITY)) for each in (ours, theirs)]
        ratio = show_ratio(results.ratio(theirs, ours, QUANTITY))
        lines.append([title, str(num_chains) if first else "", way.title, *shown, ratio])
    placed = grid(["model", "chains", "`chain_method`", "Sojourn, s", "NumPyro, s", "ratio"], lines)
    lines = []
    for model in models:
        one, all_ = (jobs.cores_job(model, one_core) for one_core in (True, False))
        for quantity in ("usual_seconds", "long_seconds"):
            if quantity == "long_seconds" and BENCHMARKS[model].long_draws is None:
                continue
            draws = 1000 if quantity == "usual_seconds" else BENCHMARKS[model].long_draws
            shown = [show(results.spread(each, quantity)) for each in (one, all_)]
            ratio = show_ratio(results.ratio(one, all_, quantity))
            lines.append([BENCHMARKS[model].title, f"{draws:,} draws a chain", *shown, ratio])
    cores = grid(["model", "four chains", "one core, s", "all cores, s", "speed-up"], lines)
    trial = "" if header["scale"] == 1 else "\n\n**A trial with shortened runs: not to be quoted.**"
    return f"{about}{trial}\n\n{placed}\n\n{cores}\n"


def main(arguments: list[str]) -> None:
    """Measure, and show."""
    parser = argparse.ArgumentParser(prog="nox -s benchmarks -- placement", description=__doc__)
    parser.add_argument("--models", nargs="+", choices=BENCHMARKS, default=["eight-schools"])
    parser.add_argument("--chains", nargs="+", type=int, choices=CHAINS, default=list(CHAINS))
    parser.add_argument("--repeats", type=int, default=3, help="repetitions (default 3)")
    parser.add_argument("--quick", action="store_true", help="once, with shortened runs")
    parser.add_argument("--write", type=Path, help="put the tables into this page")
    options = parser.parse_args(arguments)
    if options.write and options.quick:
        parser.error("--quick is a trial: its figures are not to be written into a page")
    command = " ".join(["nox -s benchmarks -- placement", *arguments])
    tables = render(measure(options), options.models, options.chains, command)
    print(tables)
    if options.write:
        write(options.write, "placement", tables)


if __name__ == "__main__":
    main(sys.argv[1:])
