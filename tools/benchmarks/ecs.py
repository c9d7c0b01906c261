"""Measure subsampling on a logistic regression: ``nox -s benchmarks -- ecs``.

100,000 rows of 20 columns. NUTS on all rows and `HMCECS` on subsamples, of either library, in one
process with the same flags, from the posterior's mode on. Draws follow a warmup of 300 transitions,
which compiles; the time of a draw has in it only what a library compiles again for every run. Means
and standard deviations are compared with those of the posterior of all rows, which importance
sampling from the normal at the mode gives to a thousandth of a standard deviation.
"""

import argparse
import importlib
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from libraries import load
from page import write

ROWS, COLUMNS = 100_000, 20
NUM_WARMUP = 300


class Posterior(NamedTuple):
    """The data, the mode, and the moments of the posterior of all data."""

    x: np.ndarray
    y: np.ndarray
    mode: np.ndarray
    mean: np.ndarray
    sd: np.ndarray


def posterior() -> Posterior:
    """Simulate data; find the mode by Newton's method and the moments by importance sampling."""
    rng = np.random.default_rng(0)
    x = np.concatenate([np.ones((ROWS, 1)), rng.normal(size=(ROWS, COLUMNS - 1))], axis=1)
    beta = rng.normal(size=COLUMNS) / 2
    y = (rng.uniform(size=ROWS) < 1 / (1 + np.exp(-x @ beta))).astype(float)
    mode = np.zeros(COLUMNS)
    for _ in range(10):
        p = 1 / (1 + np.exp(-x @ mode))
        precision = (x.T * (p * (1 - p))) @ x + np.eye(COLUMNS) / 4
        mode = mode + np.linalg.solve(precision, x.T @ (y - p) - mode / 4)
    covariance = np.linalg.inv(precision)
    half = rng.normal(size=(250, COLUMNS)) @ np.linalg.cholesky(covariance).T
    steps = np.concatenate([half, -half])
    log_weights = []
    for step in np.split(steps, 10):
        at = mode + step
        logits = x @ at.T
        log_density = y @ logits - np.logaddexp(0, logits).sum(0) - (at**2).sum(1) / 8
        log_weights.append(log_density + np.einsum("ki,ij,kj->k", step, precision, step) / 2)
    weights = np.exp(np.concatenate(log_weights) - np.max(np.concatenate(log_weights)))
    # Relative to the same draws without weights, whose moments are known.
    excess = weights / weights.mean() - 1
    shift = (excess[:, None] * steps).mean(0)
    second = covariance + (excess[:, None, None] * steps[:, :, None] * steps[:, None]).mean(0)
    sd = np.sqrt(np.diag(second) - shift**2)
    return Posterior(x.astype(np.float32), y.astype(np.float32), mode, mode + shift, sd)


def logistic(library: Any) -> Callable[..., None]:
    """Return the model, written with the primitives of a library."""
    ppl, dist = library.ppl, library.dist

    def model(x: Any, y: Any, subsample_size: int) -> None:
        beta = ppl.sample("beta", dist.Normal(0.0, 2.0).expand([COLUMNS]).to_event(1))
        with ppl.plate("rows", ROWS, subsample_size=subsample_size):
            batch_x, batch_y = ppl.subsample(x, event_dim=1), ppl.subsample(y, event_dim=0)
            ppl.sample("y", dist.Bernoulli(logits=batch_x @ beta), obs=batch_y)

    return model


METHODS: dict[str, tuple[int | None, int | None]] = {
    "NUTS, all rows": (None, None),
    "1000 rows, no proxy": (1000, None),
    "1000 rows, degree 1": (1000, 1),
    "100 rows, degree 2": (100, 2),
}
"""Subsample size, and degree of the proxy, by the name of the row."""


def measure(name: str, method: str, data: Posterior, num_draws: int) -> list[str]:
    """Run a method of a library, and return a row of the table."""
    from sojourn_hmc.diagnostics import ess_bulk

    library = load(name)
    infer = importlib.import_module(f"{name}.infer")
    size, degree = METHODS[method]
    reference = {"beta": data.mode.astype(np.float32)}
    kernel = library.NUTS(logistic(library), init_strategy=infer.init_to_value(values=reference))
    if size is not None:
        proxy = None if degree is None else infer.HMCECS.taylor_proxy(reference, degree)
        kernel = infer.HMCECS(kernel, num_blocks=size // 10, proxy=proxy)
    mcmc = library.MCMC(kernel, num_warmup=NUM_WARMUP, num_samples=num_draws, progress_bar=False)
    arguments = (data.x, data.y, size or ROWS)
    begin = time.perf_counter()
    fields = () if size is None else ("accept_prob",)
    mcmc.warmup(jax.random.PRNGKey(1), *arguments, extra_fields=fields)
    warmup = time.perf_counter() - begin
    begin = time.perf_counter()
    mcmc.run(jax.random.PRNGKey(2), *arguments, extra_fields=fields)
    beta = np.asarray(mcmc.get_samples()["beta"], float)
    seconds = time.perf_counter() - begin
    ess = float(np.min(ess_bulk(beta[None])))
    bias = np.sqrt(np.mean(((beta.mean(0) - data.mean) / data.sd) ** 2))
    ratio = np.sqrt(np.mean((beta.std(0) / data.sd) ** 2))
    accepted = "" if size is None else f"{np.mean(mcmc.get_extra_fields()['accept_prob']):.2f}"
    return [
        method,
        "Sojourn" if name == "sojourn" else "NumPyro",
        f"{warmup:.1f}",
        f"{1000 * seconds / num_draws:.2f}",
        f"{ess / num_draws:.2f}",
        f"{ess / seconds:,.1f}",
        f"{bias:.3f}",
        f"{ratio:.2f}",
        accepted,
    ]


TITLES = [
    "method",
    "library",
    "warmup, s",
    "a draw, ms",
    "ESS a draw",
    "ESS/s",
    "bias, sd",
    "sd ratio",
    "accepted",
]


def rows(methods: list[str]) -> Iterator[list[str]]:
    """Measure, the libraries in turns."""
    data = posterior()
    for method in methods:
        for name in ("sojourn", "numpyro"):
            yield measure(name, method, data, 200 if METHODS[method][0] is None else 1000)


def main() -> None:
    """Measure, print a table, and put it into a page if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--write", type=Path, help="put the table into this page")
    options = parser.parse_args()
    import sojourn  # noqa: F401  (native loops, for both)

    warnings.simplefilter("ignore", UserWarning)  # what the run without a proxy is warned of
    lines = [TITLES, ["---", "---", *["---:"] * (len(TITLES) - 2)]]
    print(*TITLES, sep=" | ", flush=True)
    for row in rows(options.methods):
        lines.append(row)
        print(*row, sep=" | ", flush=True)
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    if options.write:
        write(options.write, "ecs", f"`nox -s benchmarks -- ecs`:\n\n{table}\n")


if __name__ == "__main__":
    main()
