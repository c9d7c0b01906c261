"""Measure distributions in a traced model, beside NumPyro.

Run as ``python tools/benchmarks/distributions.py``.

A model of 50 sites, two each of 25 families: one with traced parameters, one with those of a
prior, half of them rows of four. Four jobs: making the distributions outside of a trace; a
program (`jax.make_jaxpr`) of the sum of their log densities, which is making and evaluating them
and nothing else; a program of the log density of the model that has them as sites; and a program
of its gradient. Nothing is compiled. Both libraries validate as they do by default and take turns
in one process; a number is the median over the repetitions.

Then the time to import the distributions once JAX is imported, each time in a fresh process, and
what they leave behind: arrays, and whether a backend was started.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
from tracing import fresh_jaxpr, load, median_ms

LIBRARIES = ("sojourn", "numpyro")
IMPORTED = {"sojourn": "sojourn_distributions", "numpyro": "numpyro.distributions"}
IMPORT = """
import time
import jax
begin = time.perf_counter()
import {module}
print(time.perf_counter() - begin, len(jax.live_arrays()))
"""
ROW = np.array([0.5, -1.0, 1.5, 0.1], np.float32)
WEIGHTS = np.array([0.2, 0.3, 0.1, 0.4], np.float32)
FACTOR = np.array([[1.0, 0.0], [0.4, 0.8]], np.float32)

Maker = Callable[[Any, Any, Any], Any]
Site = tuple[Maker, Any]
"""What makes a site's distribution of a library, a location and a positive scale; and its value."""

FAMILIES: tuple[Site, ...] = (
    (lambda d, x, s: d.Normal(x, s), 0.3),
    (lambda d, x, s: d.HalfNormal(s), 0.4),
    (lambda d, x, s: d.LogNormal(x, s), 0.5),
    (lambda d, x, s: d.Cauchy(x, s), 0.6),
    (lambda d, x, s: d.HalfCauchy(s), 0.7),
    (lambda d, x, s: d.StudentT(4.0, x, s), 0.8),
    (lambda d, x, s: d.Laplace(x, s), 0.9),
    (lambda d, x, s: d.Logistic(x, s), 1.1),
    (lambda d, x, s: d.Gumbel(x, s), 1.2),
    (lambda d, x, s: d.Gamma(2.0, s), 1.3),
    (lambda d, x, s: d.InverseGamma(3.0, s), 1.4),
    (lambda d, x, s: d.Exponential(s), 1.5),
    (lambda d, x, s: d.Beta(s, 3.0), 0.6),
    (lambda d, x, s: d.Uniform(-1.0, 1.0 + s), 0.2),
    (lambda d, x, s: d.TruncatedNormal(x, s, low=0.0), 0.5),
    (lambda d, x, s: d.Bernoulli(logits=x), 1),
    (lambda d, x, s: d.Binomial(10, logits=x), 4),
    (lambda d, x, s: d.Poisson(s), 3),
    (lambda d, x, s: d.NegativeBinomial2(s, 3.0), 2),
    (lambda d, x, s: d.Categorical(logits=x * ROW), 1),
    (lambda d, x, s: d.Dirichlet(s * WEIGHTS), np.full(4, 0.25, np.float32)),
    (lambda d, x, s: d.MultivariateNormal(x * ROW[:2], scale_tril=FACTOR), ROW[2:]),
    (lambda d, x, s: d.Normal(x * ROW, s).to_event(1), ROW),
    (lambda d, x, s: d.Normal(x, s).expand([4]).to_event(1), ROW),
    (lambda d, x, s: d.MixtureSameFamily(d.Categorical(probs=WEIGHTS), d.Normal(x * ROW, s)), 0.1),
)


def values() -> list[Any]:
    """A value for each of the 50 sites."""
    each = [np.asarray(v, np.int32 if isinstance(v, int) else np.float32) for _, v in FAMILIES]
    return each * 2


def makers() -> Iterator[Callable[[Any, Any, Any], Any]]:
    """What makes the distributions of the 50 sites, of a library and two traced numbers."""
    for make, _ in FAMILIES:
        yield make
    for make, _ in FAMILIES:
        yield lambda dist, x, s, make=make: make(dist, 0.5, 1.5)


def jobs(library: str) -> dict[str, Callable[[], Any]]:
    """Return the jobs of a library by name."""
    ppl, dist, _, log_density = load(library)
    sites = list(makers())
    given = values()
    named = {f"s{i}": value for i, value in enumerate(given)}

    def make(x: Any, s: Any) -> list[Any]:
        return [site(dist, x, s) for site in sites]

    def evaluate(argument: tuple[Any, Any, list[Any]]) -> Any:
        x, s, at = argument
        return sum(d.log_prob(v).sum() for d, v in zip(make(x, s), at, strict=True))

    def model() -> None:
        x = ppl.sample("x", dist.Normal(0.0, 1.0))
        s = ppl.sample("s", dist.HalfNormal(1.0))
        for i, site in enumerate(sites):
            ppl.sample(f"s{i}", site(dist, x, s))

    def density(continuous: dict[str, Any], discrete: dict[str, Any]) -> Any:
        return log_density(model, (), {}, continuous | discrete)[0]

    x, s = np.float32(0.5), np.float32(1.5)
    named |= {"x": x, "s": s}
    continuous = {name: value for name, value in named.items() if value.dtype == np.float32}
    discrete = {name: value for name, value in named.items() if name not in continuous}

    def gradient(continuous: dict[str, Any]) -> Any:
        return jax.grad(density)(continuous, discrete)

    return {
        "50 distributions, concrete": lambda: make(0.5, 1.5),
        "program of their log densities": lambda: fresh_jaxpr(evaluate, (x, s, given)),
        "program of the model's density": lambda: fresh_jaxpr(
            lambda given: density(given, discrete), continuous
        ),
        "program of its gradient": lambda: fresh_jaxpr(gradient, continuous),
    }


def compare_jobs(repeats: int) -> None:
    """Print a table of the four jobs."""
    print(f"{'job':34} {'sojourn ms':>11} {'numpyro ms':>11} {'ratio':>6}")
    ours, theirs = (jobs(library) for library in LIBRARIES)
    for name in ours:
        times: tuple[list[float], list[float]] = ([], [])
        for repetition in range(repeats + 1):
            for job, taken in zip((ours[name], theirs[name]), times, strict=True):
                start = time.perf_counter()
                job()
                if repetition:  # the first one fills caches
                    taken.append(time.perf_counter() - start)
        print_row(name, *map(median_ms, times))


def compare_families(repeats: int) -> None:
    """Print a table of making and evaluating each family under a trace, alone."""
    print(f"{'family, made and evaluated':34} {'sojourn ms':>11} {'numpyro ms':>11} {'ratio':>6}")
    loaded = [load(library)[1] for library in LIBRARIES]
    x, s = np.float32(0.5), np.float32(1.5)
    for (make, _), value in zip(FAMILIES, values(), strict=False):
        medians = []
        for dist in loaded:
            taken = [time_evaluation(make, dist, (x, s, value)) for _ in range(repeats + 1)]
            medians.append(median_ms(taken[1:]))
        print_row(type(make(loaded[0], 0.5, 1.5)).__name__, *medians)


def time_evaluation(make: Maker, dist: Any, argument: tuple[Any, Any, Any]) -> float:
    """Time in seconds of making a distribution and evaluating its log density under a trace."""
    taken = []

    def evaluate(argument: tuple[Any, Any, Any]) -> Any:
        x, s, value = argument
        start = time.perf_counter()
        result = make(dist, x, s).log_prob(value)
        taken.append(time.perf_counter() - start)
        return result

    fresh_jaxpr(evaluate, argument)
    return taken[0]


def print_row(name: str, sojourn_ms: float, numpyro_ms: float) -> None:
    """Print a line of a table."""
    print(f"{name:34} {sojourn_ms:11.2f} {numpyro_ms:11.2f} {numpyro_ms / sojourn_ms:6.2f}")


def compare_imports(repeats: int) -> None:
    """Print the time to import each library's distributions after JAX, in fresh processes."""
    print(f"\n{'import after jax':34} {'ms':>11} {'least':>11} {'arrays made':>12}")
    with tempfile.TemporaryDirectory() as cache:
        # As installed: with the bytecode that an installer writes.
        environ = {**os.environ, "PYTHONPYCACHEPREFIX": cache, "JAX_PLATFORMS": "cpu"}
        environ.pop("PYTHONDONTWRITEBYTECODE", None)
        for library in LIBRARIES:
            taken = []
            for repetition in range(repeats + 1):
                program = IMPORT.format(module=IMPORTED[library])
                output = subprocess.check_output(
                    [sys.executable, "-c", program], env=environ, text=True
                )
                seconds, arrays = output.split()
                if repetition:  # the first one compiles the bytecode
                    taken.append(float(seconds))
            median, least = median_ms(taken), 1e3 * min(taken)
            print(f"{IMPORTED[library]:34} {median:11.1f} {least:11.1f} {arrays:>12}")


def main() -> None:
    """Measure, and print tables of ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7, help="repetitions (default 7)")
    parser.add_argument("--families", action="store_true", help="each family by itself as well")
    options = parser.parse_args()
    compare_jobs(options.repeats)
    if options.families:
        compare_families(options.repeats)
    compare_imports(options.repeats)


if __name__ == "__main__":
    main()
