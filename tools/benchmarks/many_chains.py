"""Time many chains by how they advance: ``python tools/benchmarks/many_chains.py``.

For each model and number of chains: all transitions together, each chain at its own pace, that with
a warmup that all chains share, chains by themselves on threads, and NumPyro's vectorized chains.
Each is a process of its own, and times the shortest of several runs after the warmup, all compiled
before. On a GPU the same command takes more chains: ``--chains 64 512 4096 8192``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from libraries import load
from machine import describe
from models import (
    eight_schools_data,
    logistic_regression,
    logistic_regression_data,
)

NUM_WARMUP = 150
REPEATS = 3


def eight_schools_centred(ppl: Any, dist: Any) -> Callable[..., None]:
    """Eight schools as they are usually written first: a funnel, with trees of all depths."""

    def model(sigma: Any, y: Any) -> None:
        mu = ppl.sample("mu", dist.Normal(0, 5))
        tau = ppl.sample("tau", dist.HalfCauchy(5))
        with ppl.plate("schools", 8):
            theta = ppl.sample("theta", dist.Normal(mu, tau))
            ppl.sample("y", dist.Normal(theta, sigma), obs=y)

    return model


def hierarchical(ppl: Any, dist: Any) -> Callable[..., None]:
    """Intercepts of 97 groups with 20 counts each; 100 dimensions."""

    def model(group: Any, x: Any, y: Any) -> None:
        mu = ppl.sample("mu", dist.Normal(0, 1))
        tau = ppl.sample("tau", dist.HalfNormal(1))
        slope = ppl.sample("slope", dist.Normal(0, 1))
        with ppl.plate("groups", 97):
            z = ppl.sample("z", dist.Normal(0, 1))
        with ppl.plate("rows", y.shape[0]):
            rate = mu + tau * z[group] + slope * x
            ppl.sample("y", dist.Poisson(jnp.exp(rate)), obs=y)

    return model


def hierarchical_data() -> dict[str, np.ndarray]:
    """Counts simulated from the model."""
    rng = np.random.default_rng(97)
    group = np.repeat(np.arange(97), 20)
    x = rng.normal(size=group.size)
    rate = 0.5 + 0.7 * rng.normal(size=97)[group] + 0.3 * x
    y = rng.poisson(np.exp(rate))
    return {
        "group": group.astype(np.int32),
        "x": x.astype(np.float32),
        "y": y.astype(np.int32),
    }


MODELS = {
    "eight-schools": (eight_schools_centred, eight_schools_data),
    "logistic": (logistic_regression, logistic_regression_data),
    "hierarchical": (hierarchical, hierarchical_data),
}
METHODS = {
    "together": {"chain_method": "vectorized", "lock_step": True},
    "own pace": {"chain_method": "vectorized", "lock_step": False},
    "together, pooled": {"chain_method": "vectorized", "lock_step": True},
    "own pace, pooled": {"chain_method": "vectorized", "lock_step": False},
    "threads": {"chain_method": "parallel"},
    "numpyro": {"chain_method": "vectorized"},
}


def measure(
    model_name: str, method: str, num_chains: int, num_samples: int, cpu_time: bool
) -> dict[str, Any]:
    """Run one cell of the table in this process.

    Returns
    -------
    dict
        Microseconds a draw of a chain and a leapfrog step of it took, and the utilisation.
    """
    library = load("numpyro" if method == "numpyro" else "sojourn")
    build, data = MODELS[model_name]
    kernel_settings: dict[str, Any] = {}
    if method.endswith("pooled"):
        from sojourn_hmc import Pooled

        kernel_settings["warmup"] = Pooled("stan")
    settings: dict[str, Any] = dict(METHODS[method])
    if method != "numpyro":
        settings["report"] = False
    clock = time.process_time if cpu_time else time.perf_counter
    mcmc = library.MCMC(
        library.NUTS(build(library.ppl, library.dist), **kernel_settings),
        num_warmup=NUM_WARMUP,
        num_samples=num_samples,
        num_chains=num_chains,
        progress_bar=False,
        **settings,
    )
    mcmc.warmup(jax.random.key(0), **data())

    def run() -> float:
        start = clock()
        mcmc.run(jax.random.key(1), **data(), extra_fields=("num_steps",))
        jax.block_until_ready(mcmc.get_samples())
        return clock() - start

    run()
    seconds = min(run() for _ in range(REPEATS))
    num_steps = int(np.sum(mcmc.get_extra_fields()["num_steps"]))
    return {
        "draw": seconds / (num_chains * num_samples) * 1e6,
        "step": seconds / num_steps * 1e6,
        "utilisation": getattr(mcmc, "utilisation", None),
        "backend": jax.default_backend(),
    }


def in_process(*cell: Any) -> dict[str, Any]:
    """Run one cell in a process of its own."""
    command = [sys.executable, str(Path(__file__)), "--cell", json.dumps(cell)]
    finished = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, Any] = json.loads(finished.stdout.splitlines()[-1])
    return result


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--chains", nargs="+", type=int, default=[64, 256, 1024])
    parser.add_argument("--samples", type=int, default=100)
    parser.add_argument(
        "--cpu-time",
        action="store_true",
        help="processor time, for a machine with other work to do; says nothing of threads",
    )
    parser.add_argument("--cell", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.cell is not None:
        print(json.dumps(measure(*options.cell)))
        return
    about = describe()
    print(f"{about['cpu']}, {about['cores']} cores, load {about['load']:.1f}\n")
    print("| model | chains | advanced | utilisation | µs a draw | µs a step | steps a second, |")
    print("| | | | | | | NumPyro = 1 |")
    print("| --- | ---: | --- | ---: | ---: | ---: | ---: |")
    for model in options.models:
        for num_chains in options.chains:
            base = None
            # NumPyro first, so that every line can be compared with it.
            for method in sorted(options.methods, key=lambda name: name != "numpyro"):
                found = in_process(model, method, num_chains, options.samples, options.cpu_time)
                if method == "numpyro":
                    base = found["step"]
                share = found["utilisation"]
                shown = "" if share is None else f"{share:.2f}"
                ratio = "" if base is None else f"{base / found['step']:.2g}"
                print(
                    f"| {model} | {num_chains} | {method} | {shown} | {found['draw']:.3g} | "
                    f"{found['step']:.3g} | {ratio} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
