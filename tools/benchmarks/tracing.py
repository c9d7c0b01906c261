"""Measure how long models take to trace, beside NumPyro: ``python tools/benchmarks/tracing.py``.

Four jobs for models of 10, 100 and 1000 sites, half of them in a plate: recording the sites when
all have values (what every density does), once with distributions that exist already, so that
statements and handlers alone are timed, and once with distributions made on the way; making a
program of the log density's gradient; and making a program of a draw from the prior. Nothing is
compiled in any of them. The libraries take turns in one process; a number is the median over the
repetitions.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

SITES = (10, 100, 1000)
Job = Callable[[], Any]


def chain(ppl: Any, dist: Any, sites: int) -> Callable[[], None]:
    """Return a model with that many sites, each with the one before as its location."""

    def model() -> None:
        x = 0.0
        for i in range(sites // 2):
            x = ppl.sample(f"x{i}", dist.Normal(x, 1.0))
        with ppl.plate("rows", 5):
            for i in range(sites // 2):
                x = ppl.sample(f"y{i}", dist.Normal(x, 1.0))

    return model


def independent(ppl: Any, dist: Any, sites: int) -> Callable[[], None]:
    """Return a model with that many sites of one distribution, which is made beforehand."""
    single, row = dist.Normal(0.0, 1.0), dist.Normal(np.zeros(5, np.float32), 1.0)

    def model() -> None:
        for i in range(sites // 2):
            ppl.sample(f"x{i}", single)
        with ppl.plate("rows", 5):
            for i in range(sites // 2):
                ppl.sample(f"y{i}", row)

    return model


def jobs(library: str, sites: int) -> Iterator[tuple[str, Job]]:
    """Return the jobs of a library by name."""
    ppl, dist, handlers, log_density = load(library)
    model, bare = chain(ppl, dist, sites), independent(ppl, dist, sites)
    values = {f"x{i}": np.float32(0.1) for i in range(sites // 2)}
    values |= {f"y{i}": np.full(5, 0.1, np.float32) for i in range(sites // 2)}

    def record(model: Callable[[], None], given: dict[str, Any]) -> Any:
        return handlers.trace(handlers.substitute(model, data=given)).get_trace()

    def density(given: dict[str, Any]) -> Any:
        return log_density(model, (), {}, given)[0]

    def draw(key: Any) -> Any:
        trace = handlers.trace(handlers.seed(model, key)).get_trace()
        return {name: site["value"] for name, site in trace.items()}

    key = jax.random.key(0)
    yield "record, distributions made before", lambda: record(bare, values)
    yield "record", lambda: record(model, values)
    yield "program of the density's gradient", lambda: fresh_jaxpr(jax.grad(density), values)
    yield "program of a prior draw", lambda: fresh_jaxpr(draw, key)


def fresh_jaxpr(function: Callable[[Any], Any], argument: Any) -> Any:
    """Trace a function that JAX has not seen before, so that no cache answers."""
    return jax.make_jaxpr(lambda x: function(x))(argument)


def load(library: str) -> tuple[Any, Any, Any, Any]:
    """Import a library: itself, its distributions, handlers and log density."""
    if library == "sojourn":
        import sojourn as ppl
        import sojourn.distributions as dist
        from sojourn import handlers
        from sojourn.infer import log_density
    else:
        import numpyro as ppl
        import numpyro.distributions as dist
        from numpyro import handlers
        from numpyro.infer.util import log_density
    return ppl, dist, handlers, log_density


def median_ms(times: list[float]) -> float:
    """Return the median of times in seconds, as milliseconds."""
    return 1e3 * statistics.median(times)


def main() -> None:
    """Measure, and print a table of ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7, help="repetitions (default 7)")
    repeats = parser.parse_args().repeats
    print(f"{'job':34} {'sites':>5} {'sojourn ms':>11} {'numpyro ms':>11} {'ratio':>6}")
    for sites in SITES:
        ours, theirs = (list(jobs(library, sites)) for library in ("sojourn", "numpyro"))
        for (name, sojourn_job), (_, numpyro_job) in zip(ours, theirs, strict=True):
            times: tuple[list[float], list[float]] = ([], [])
            for repetition in range(repeats + 1):
                for job, taken in zip((sojourn_job, numpyro_job), times, strict=True):
                    start = time.perf_counter()
                    job()
                    if repetition:  # the first one fills caches
                        taken.append(time.perf_counter() - start)
            sojourn_ms, numpyro_ms = map(median_ms, times)
            ratio = numpyro_ms / sojourn_ms
            print(f"{name:34} {sites:5} {sojourn_ms:11.2f} {numpyro_ms:11.2f} {ratio:6.2f}")


if __name__ == "__main__":
    main()
