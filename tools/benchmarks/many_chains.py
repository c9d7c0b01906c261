"""Measure many chains as one batch, beside NumPyro: ``nox -s benchmarks -- many_chains``.

Each way to advance them has a process of its own for each model, and runs once before, which
compiles everything; then a second run is timed, and draws that go on from where that one ended.
What draws are worth is counted from the spread of the chains' means, which needs no
autocorrelations and is the same for all ways: as many effective draws as would give means of that
spread if they were independent. Posterior means are compared with NumPyro's in standard errors:
before a time is believed, look at that column.

Where there is a GPU the same command measures it, for more chains: ``--chains 64 512 4096 8192``.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import machine
import numpy as np
from libraries import load
from models import BENCHMARKS, Model
from page import write
from table import grid

WAYS: dict[str, dict[str, Any]] = {
    "NumPyro": {"chain_method": "vectorized"},
    "together": {"chain_method": "vectorized", "lock_step": True},
    "own pace": {"chain_method": "vectorized", "lock_step": False},
    "own pace, pooled": {"chain_method": "vectorized", "lock_step": False},
    "threads": {"chain_method": "parallel"},
}
"""Settings of `MCMC` by the name of the way."""

COLUMNS = [
    "model, chains",
    "way",
    "utilisation",
    "second run, s",
    "µs a leapfrog step",
    "ESS/s",
    "ESS/s, NumPyro = 1",
    "z",
]


def schools_centred(ppl: Any, dist: Any) -> Model:
    """Eight schools with the effects themselves as sites: a funnel, with trees of all depths."""

    def model(sigma: Any, y: Any) -> None:
        mu = ppl.sample("mu", dist.Normal(0, 5))
        tau = ppl.sample("tau", dist.HalfCauchy(5))
        with ppl.plate("schools", sigma.shape[0]):
            theta = ppl.sample("theta", dist.Normal(mu, tau))
            ppl.sample("y", dist.Normal(theta, sigma), obs=y)

    return model


def hierarchy(ppl: Any, dist: Any) -> Model:
    """Counts in 98 groups whose log rates have a common mean and scale; 100 dimensions."""

    def model(y: Any) -> None:
        mu = ppl.sample("mu", dist.Normal(0, 2))
        tau = ppl.sample("tau", dist.HalfNormal(1))
        with ppl.plate("groups", y.shape[0]):
            z = ppl.sample("z", dist.Normal(0, 1))
            ppl.sample("y", dist.Poisson(jax.numpy.exp(mu + tau * z)), obs=y)

    return model


def hierarchy_data() -> dict[str, np.ndarray]:
    """Counts simulated from the model."""
    rng = np.random.default_rng(98)
    return {"y": rng.poisson(np.exp(1 + 0.5 * rng.standard_normal(98))).astype(np.int32)}


MODELS = {
    "schools, centred": (schools_centred, BENCHMARKS["eight-schools"].data),
    "logistic": (BENCHMARKS["logistic"].build, BENCHMARKS["logistic"].data),
    "hierarchy": (hierarchy, hierarchy_data),
}


class Cell(NamedTuple):
    """What is measured of one way, for one model and number of chains.

    Attributes
    ----------
    seconds : float
        What the run took, warmup included, compiled before.
    step : float
        Microseconds of further draws for each leapfrog step that they are made of.
    utilisation : float, optional
        Share of the computed steps that they were.
    means, variances : dict of str to list
        By site: means over all chains, and the variances of the chains' own means.
    ess : float
        Effective draws of the component that has fewest.
    """

    seconds: float
    step: float
    utilisation: float | None
    means: dict[str, list[float]]
    variances: dict[str, list[float]]
    ess: float


def measure(way: str, model_name: str, num_chains: int, num_warmup: int, num_samples: int) -> Cell:
    """Run one cell of the table in this process."""
    library = load("numpyro" if way == "NumPyro" else "sojourn")
    build, make_data = MODELS[model_name]
    kernel_settings: dict[str, Any] = {}
    settings: dict[str, Any] = dict(WAYS[way])
    if way != "NumPyro":
        settings["report"] = False
    if way.endswith("pooled"):
        from sojourn_hmc import Pooled

        kernel_settings["warmup"] = Pooled("stan")
    mcmc = library.MCMC(
        library.NUTS(build(library.ppl, library.dist), **kernel_settings),
        num_warmup=num_warmup,
        num_samples=num_samples,
        num_chains=num_chains,
        progress_bar=False,
        **settings,
    )
    data = {name: jax.device_put(value) for name, value in make_data().items()}

    def run(seed: int) -> tuple[float, dict[str, Any]]:
        begin = time.perf_counter()
        mcmc.run(jax.random.PRNGKey(seed), **data, extra_fields=("num_steps",))
        found = jax.block_until_ready(mcmc.get_samples(group_by_chain=True))
        return time.perf_counter() - begin, found

    def go_on(seed: int) -> float:
        mcmc.post_warmup_state = mcmc.last_state
        return run(seed)[0]

    run(0)
    seconds, found = run(1)
    utilisation = getattr(mcmc, "utilisation", None)
    go_on(2)
    draws = go_on(3)
    steps = int(np.sum(np.asarray(mcmc.get_extra_fields()["num_steps"])))
    means, variances, least = {}, {}, np.inf
    for site, values in found.items():
        components = np.asarray(values, np.float64).reshape(num_chains, num_samples, -1)
        chain_means = components.mean(1)
        spread = chain_means.var(0, ddof=1)
        means[site] = chain_means.mean(0).tolist()
        variances[site] = (spread / num_chains).tolist()
        least = min(least, float(np.min(num_chains * components.var((0, 1)) / spread)))
    return Cell(seconds, 1e6 * draws / steps, utilisation, means, variances, least)


def in_process(way: str, *cell: Any) -> Cell:
    """Run one cell in a process of its own."""
    command = [sys.executable, str(Path(__file__)), "--cell", json.dumps([way, *cell])]
    finished = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return Cell(**json.loads(finished.stdout.splitlines()[-1]))


def largest_difference(found: Cell, expected: Cell) -> float:
    """Largest difference of two ways' means, in its standard error."""
    z = [
        np.abs(np.subtract(found.means[site], mean))
        / np.sqrt(np.add(found.variances[site], expected.variances[site]))
        for site, mean in expected.means.items()
    ]
    return float(np.max(np.concatenate(z)))


def rows(options: argparse.Namespace) -> Iterator[list[str]]:
    """Measure, and yield the lines of the table."""
    for model in options.models:
        for num_chains in options.chains:
            theirs = None
            # In the order of the table: NumPyro first, with whom the others are compared.
            for way in sorted(options.ways, key=list(WAYS).index):
                ours = in_process(way, model, num_chains, options.num_warmup, options.num_samples)
                theirs = ours if way == "NumPyro" else theirs
                rate = ours.ess / ours.seconds
                line = [f"{model}, {num_chains}", way]
                line += ["" if ours.utilisation is None else f"{ours.utilisation:.2f}"]
                line += [f"{ours.seconds:#.3g}", f"{ours.step:#.3g}", f"{rate:,.0f}"]
                if theirs is not None and way != "NumPyro":
                    ratio = rate * theirs.seconds / theirs.ess
                    line += [f"{ratio:#.3g}×", f"{largest_difference(ours, theirs):.1f}"]
                else:
                    line += ["", ""]
                yield line


def main(arguments: list[str]) -> None:
    """Measure, print a table, and put it into a page if asked to."""
    parser = argparse.ArgumentParser(prog="nox -s benchmarks -- many_chains", description=__doc__)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--chains", nargs="+", type=int, default=[64, 256, 1024])
    parser.add_argument("--num-warmup", type=int, default=300)
    parser.add_argument("--num-samples", type=int, default=200)
    parser.add_argument("--write", type=Path, help="put the table into this page")
    parser.add_argument("--cell", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.cell is not None:
        print(json.dumps(measure(*options.cell)._asdict()))
        return
    about = machine.describe()
    lines = []
    for line in rows(options):
        lines.append(line)
        print(" | ".join(line), file=sys.stderr, flush=True)
    command = f"nox -s benchmarks -- many_chains {shlex.join(arguments)}"
    device = jax.devices()[0]
    where = about["cpu"] if device.platform == "cpu" else device.device_kind
    text = (
        f"`{command}`: {options.num_warmup} transitions of warmup and {options.num_samples} draws "
        f"a chain, once, on {about['cores']} cores ({where}), load average {about['load']:.1f} at "
        f"the start.\n\n{grid(COLUMNS, lines)}\n"
    )
    print(text)
    if options.write:
        write(options.write, "many-chains", text)


if __name__ == "__main__":
    main(sys.argv[1:])
