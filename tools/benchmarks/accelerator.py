"""Many chains as one batch, beside NumPyro: ``python tools/benchmarks/accelerator.py``.

To be run where there is a GPU; elsewhere it measures the CPU. Each number is the time of a second
run, when programs are compiled. The libraries take turns in one process, on one device. Posterior
means of both are compared: the last column is their largest difference in standard errors, which
come from the spread between chains.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np
from libraries import Library, load
from models import BENCHMARKS, Model
from table import grid

CHAINS = (64, 256, 1024, 4096, 8192)
WAYS = {
    "own pace": ("sojourn", {"lock_step": False}),
    "together": ("sojourn", {"lock_step": True}),
    "numpyro": ("numpyro", {}),
}


def schools_centred(ppl: Any, dist: Any) -> Model:
    """Eight schools with the effects themselves as sites: trees of very different sizes."""

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
    "schools-centred": (schools_centred, BENCHMARKS["eight-schools"].data),
    "logistic": (BENCHMARKS["logistic"].build, BENCHMARKS["logistic"].data),
    "hierarchy": (hierarchy, hierarchy_data),
}


def measure(
    library: Library,
    model: Model,
    data: dict[str, np.ndarray],
    num_chains: int,
    options: argparse.Namespace,
    settings: dict[str, Any],
) -> dict[str, Any]:
    """Run twice, time the second, and describe its draws."""
    on_device = {name: jax.device_put(value) for name, value in data.items()}
    mcmc = library.MCMC(
        library.NUTS(model),
        num_warmup=options.num_warmup,
        num_samples=options.num_samples,
        num_chains=num_chains,
        chain_method="vectorized",
        progress_bar=False,
        **settings,
    )
    seconds = []
    for seed in (0, 1):
        key = jax.random.PRNGKey(seed)
        begin = time.perf_counter()
        mcmc.run(key, extra_fields=("num_steps",), **on_device)
        draws = jax.block_until_ready(mcmc.get_samples(group_by_chain=True))
        seconds.append(time.perf_counter() - begin)
    steps = np.asarray(mcmc.get_extra_fields()["num_steps"])
    means = {site: np.asarray(values).mean(1) for site, values in draws.items()}
    return {"seconds": seconds, "gradients": int(steps.sum()), "means": means}


def largest_difference(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> float:
    """Largest difference of two libraries' means, in its standard error."""

    def z(left: np.ndarray, right: np.ndarray) -> float:
        variance = (left.var(0, ddof=1) + right.var(0, ddof=1)) / len(left)
        return float(np.max(np.abs(left.mean(0) - right.mean(0)) / np.sqrt(variance)))

    return max(z(found[site], expected[site]) for site in expected)


def compare(options: argparse.Namespace, say: Callable[[str], None]) -> list[list[str]]:
    """Measure everything; give the lines of the table."""
    libraries = {name: load(name) for name in ("sojourn", "numpyro")}
    lines = []
    for name in options.models:
        build, make_data = MODELS[name]
        for num_chains in options.chains:
            results = {}
            for way, (library_name, settings) in WAYS.items():
                library = libraries[library_name]
                model = build(library.ppl, library.dist)
                extra = settings | ({"report": False} if library_name == "sojourn" else {})
                result = measure(library, model, make_data(), num_chains, options, extra)
                results[way] = result
                record = {"model": name, "chains": num_chains, "way": way}
                say(json.dumps(record | {k: v for k, v in result.items() if k != "means"}))
            own, together, theirs = (result["seconds"][1] for result in results.values())
            means = [result["means"] for result in results.values()]
            z = max(largest_difference(ours, means[2]) for ours in means[:2])
            times = [f"{seconds:#.3g}" for seconds in (own, together, theirs)]
            ratios = [f"{theirs / own:#.3g}×", f"{theirs / together:#.3g}×"]
            lines.append([name, str(num_chains), *times, *ratios, f"{z:.1f}"])
    return lines


def main(arguments: list[str]) -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="nox -s benchmarks -- accelerator", description=__doc__)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--chains", nargs="+", type=int, default=CHAINS)
    parser.add_argument("--num-warmup", type=int, default=300)
    parser.add_argument("--num-samples", type=int, default=300)
    options = parser.parse_args(arguments)
    lines = compare(options, partial(print, file=sys.stderr, flush=True))
    device = jax.devices()[0]
    print(f"`nox -s benchmarks -- accelerator {' '.join(arguments)}` on {device.device_kind}:\n")
    columns = ["model", "chains", "own pace, s", "together, s", "NumPyro, s"]
    print(grid([*columns, "ratio, own pace", "ratio, together", "z"], lines))


if __name__ == "__main__":
    main(sys.argv[1:])
