"""Count effective draws per gradient for every warmup: ``nox -s benchmarks -- adaptation``.

A gradient costs the same whoever asks for it, so this measures the algorithm and not the machine:
the smallest bulk effective sample size of all components, by 1000 leapfrog steps, those of the
warmup included. NumPyro samples the same potentials beside.
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from libraries import load
from page import write

NUM_CHAINS, NUM_SAMPLES = 8, 1000
LENGTHS = (1000, 300)
WARMUPS = ("stan", "fisher", "low_rank")
Potential = Callable[[jax.Array], jax.Array]


def eight_schools() -> tuple[Potential, int]:
    """Rubin's eight schools, non-centred, the scale by its logarithm."""
    y = np.array([28, 8, -3, 7, -1, 1, 18, 12], np.float32)
    sigma = np.array([15, 10, 16, 11, 9, 11, 10, 18], np.float32)

    def potential(z: jax.Array) -> jax.Array:
        mu, log_tau, theta = z[0], z[1], z[2:]
        tau = jnp.exp(log_tau)
        prior = 0.5 * (mu / 5) ** 2 + jnp.log1p((tau / 5) ** 2) - log_tau
        residuals = (y - mu - tau * theta) / sigma
        return prior + 0.5 * jnp.sum(theta**2) + 0.5 * jnp.sum(residuals**2)

    return potential, 10


def logistic() -> tuple[Potential, int]:
    """Logistic regression on 500 rows of 20 columns with scales between 0.4 and 2.7."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(500, 20)) * np.exp(rng.uniform(-1, 1, 20))
    probability = 1 / (1 + np.exp(-x @ (0.5 * rng.normal(size=20))))
    y = (rng.uniform(size=500) < probability).astype(np.float32)
    x = x.astype(np.float32)

    def potential(beta: jax.Array) -> jax.Array:
        logits = x @ beta
        return jnp.sum(jnp.logaddexp(0.0, logits) - y * logits) + 0.5 * jnp.sum(beta**2)

    return potential, 20


def scaled_gaussian() -> tuple[Potential, int]:
    """50 independent normal components with scales between e^-4 and e^4."""
    scale = np.exp(np.linspace(-4, 4, 50)).astype(np.float32)
    return lambda z: 0.5 * jnp.sum((z / scale) ** 2), 50


def correlated_gaussian() -> tuple[Potential, int]:
    """30 components, three wide directions, scales between e^-2 and e^2."""
    rng = np.random.default_rng(2)
    factor, scale = rng.normal(size=(30, 3)), np.exp(rng.uniform(-2, 2, 30))
    covariance = (np.eye(30) + 10 * factor @ factor.T) * np.outer(scale, scale)
    precision = np.linalg.inv(covariance).astype(np.float32)
    return lambda z: 0.5 * z @ precision @ z, 30


POTENTIALS = {
    "eight schools, D = 10": eight_schools,
    "logistic regression, D = 20": logistic,
    "independent normals, scales e^±4, D = 50": scaled_gaussian,
    "correlated normals, D = 30": correlated_gaussian,
}


def draws_per_gradient(
    library: str, potential: Potential, size: int, num_warmup: int, **settings: Any
) -> float:
    """Smallest bulk effective sample size by 1000 leapfrog steps, warmup included."""
    from sojourn_hmc import effective_sample_size

    api = load(library)
    mcmc = api.MCMC(
        api.NUTS(potential_fn=potential, **settings),
        num_warmup=num_warmup,
        num_samples=NUM_SAMPLES,
        num_chains=NUM_CHAINS,
        chain_method="vectorized" if library == "numpyro" else "sequential",
        progress_bar=False,
    )
    start = np.random.default_rng(3).uniform(-2, 2, (NUM_CHAINS, size)).astype(np.float32)
    mcmc.warmup(
        jax.random.PRNGKey(1),
        init_params=start,
        collect_warmup=True,
        extra_fields=("num_steps",),
    )
    steps = np.sum(mcmc.get_extra_fields()["num_steps"], dtype=float)
    mcmc.run(jax.random.PRNGKey(2), extra_fields=("num_steps",))
    steps += np.sum(mcmc.get_extra_fields()["num_steps"], dtype=float)
    ess = effective_sample_size(mcmc.get_samples(group_by_chain=True))
    return 1000 * float(np.min(ess)) / steps


def rows() -> Iterator[list[str]]:
    """Measure, a row of the table for each potential and length."""
    for name, make in POTENTIALS.items():
        potential, size = make()
        for length in LENGTHS:
            ours = [
                draws_per_gradient("sojourn", potential, size, length, warmup=warmup)
                for warmup in WARMUPS
            ]
            theirs = draws_per_gradient("numpyro", potential, size, length)
            yield [
                name,
                str(length),
                f"{theirs:.1f}",
                *(f"{value:.1f} ({value / theirs:.2f}×)" for value in ours),
            ]


def main() -> None:
    """Measure, print a table, and put it into a page if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, help="put the table into this page")
    page = parser.parse_args().write
    titles = ["target", "warmup", "NumPyro", *(f'Sojourn, "{warmup}"' for warmup in WARMUPS)]
    lines = [titles, ["---", *["---:"] * (len(titles) - 1)]]
    for row in rows():
        lines.append(row)
        print(*row, sep=" | ", flush=True)
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    command = "nox -s benchmarks -- adaptation"
    text = f"`{command}`, {NUM_CHAINS} chains of {NUM_SAMPLES} draws:\n\n{table}\n"
    if page:
        write(page, "adaptation", text)


if __name__ == "__main__":
    main()
