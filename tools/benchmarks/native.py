"""Time what native loops gain or cost where matrices dominate: ``nox -s benchmarks -- native``.

XLA's native compilation of small loops is meant for small models. Here are models whose gradient is
a large product or a factorisation: the flag must not slow them down. Every measurement is a process
of its own, the two settings take turns, and the ratio is of the medians.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from page import write

MODELS = {
    "logistic regression, 50,000 x 50": "logistic",
    "normal with a dense precision, D = 500": "normal",
    "Gaussian process, 200 points (Cholesky)": "process",
    "hidden Markov model, 1000 steps, 8 states": "markov",
}


def potential(name: str):
    """Return a model's potential energy and dimension."""
    import jax
    import jax.numpy as jnp

    rng = np.random.default_rng(0)
    if name == "logistic":
        x = rng.normal(size=(50_000, 50)).astype(np.float32)
        y = (rng.uniform(size=50_000) < 0.5).astype(np.float32)

        def logistic(beta: jax.Array) -> jax.Array:
            logits = x @ beta
            return jnp.sum(jnp.logaddexp(0.0, logits) - y * logits) + 0.5 * jnp.sum(beta**2)

        return logistic, 50
    if name == "normal":
        factor = rng.normal(size=(500, 500)) / 500**0.5
        precision = (np.eye(500) + factor @ factor.T).astype(np.float32)
        return lambda z: 0.5 * z @ precision @ z, 500
    if name == "process":
        points = np.sort(rng.uniform(0, 10, 200)).astype(np.float32)
        distance = (points[:, None] - points) ** 2
        values = np.sin(points)

        def process(log_scales: jax.Array) -> jax.Array:
            height, length, noise = jnp.exp(log_scales)
            covariance = height * jnp.exp(-0.5 * distance / length**2)
            factor = jnp.linalg.cholesky(covariance + (noise + 1e-3) * np.eye(200))
            white = jax.scipy.linalg.solve_triangular(factor, values, lower=True)
            log_det = jnp.sum(jnp.log(jnp.diagonal(factor)))
            return 0.5 * white @ white + log_det + 0.5 * jnp.sum(log_scales**2)

        return process, 3
    symbols = rng.integers(0, 8, 1000)

    def markov(logits: jax.Array) -> jax.Array:
        log_moves = jax.nn.log_softmax(logits.reshape(8, 8), -1)
        log_emit = jnp.where(jnp.arange(8)[:, None] == jnp.arange(8), 2.0, -1.0)

        def step(alpha: jax.Array, symbol: jax.Array) -> tuple[jax.Array, None]:
            alpha = jax.nn.logsumexp(alpha[:, None] + log_moves, 0) + log_emit[:, symbol]
            return alpha, None

        alpha, _ = jax.lax.scan(step, jnp.zeros(8), jnp.asarray(symbols))
        return -jax.nn.logsumexp(alpha) + 0.5 * jnp.sum(logits**2)

    return markov, 64


def measure(name: str) -> None:
    """Print the seconds of a run of 100 transitions with 10 steps each, compiled before."""
    import jax

    import sojourn  # noqa: F401 -- its import asks for native loops
    from sojourn.infer import HMC, MCMC

    energy, size = potential(name)
    kernel = HMC(potential_fn=energy, step_size=1e-3, num_steps=10, adapt_step_size=False)
    mcmc = MCMC(kernel, num_warmup=0, num_samples=100, progress_bar=False, report=False)
    start = np.zeros(size, np.float32)
    mcmc.run(jax.random.PRNGKey(0), init_params=start)
    begin = time.perf_counter()
    mcmc.run(jax.random.PRNGKey(1), init_params=start)
    print(time.perf_counter() - begin)


def seconds(name: str, native: bool) -> float:
    """Measure in a process of its own."""
    environ = {**os.environ, "SOJOURN_NATIVE_LOOPS": "1" if native else "0"}
    environ.pop("XLA_FLAGS", None)
    command = [sys.executable, __file__, "--measure", name]
    output = subprocess.run(command, env=environ, check=True, capture_output=True, text=True).stdout
    return float(output.split()[-1])


def main() -> None:
    """Measure all models in turns, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    parser.add_argument("--repeats", type=int, default=3, help="repetitions (default 3)")
    parser.add_argument("--write", type=Path, help="put the table into this page")
    options = parser.parse_args()
    if options.measure:
        measure(options.measure)
        return
    lines = ["| model | native, s | plain, s | ratio |", "| --- | --: | --: | --: |"]
    for title, name in MODELS.items():
        times: dict[bool, list[float]] = {True: [], False: []}
        for _ in range(options.repeats):
            for native in times:
                times[native].append(seconds(name, native))
        native, plain = (statistics.median(times[setting]) for setting in (True, False))
        lines.append(f"| {title} | {native:.2f} | {plain:.2f} | {plain / native:.2f}× |")
        print(lines[-1], flush=True)
    command = "nox -s benchmarks -- native"
    text = f"`{command}`, 1000 leapfrog steps, median of {options.repeats}:\n\n"
    if options.write:
        write(options.write, "native", text + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
