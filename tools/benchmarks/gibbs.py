"""Measure discrete updates beside NumPyro: ``python tools/benchmarks/gibbs.py``.

A mixture of three normals over N points, each with an assignment that is sampled, not summed out;
DiscreteHMCGibbs around NUTS in both libraries, with one step size and at most seven steps a
transition. NumPyro moves one assignment after the other, Sojourn all of them together, since they
are independent given the rest; both offer each of them a move in each transition. A number is the
time of one transition of the kernel in a compiled loop, compilation not in it: the smallest of many
short measurements, which other work on the machine disturbs least.
"""

import argparse
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

REPEATS = 20
SETTINGS = ({}, {"modified": True}, {"random_walk": True})


def load(library: str) -> tuple[Any, Any, Any]:
    """Import a library: itself, its distributions, its inference."""
    if library == "sojourn":
        import sojourn as ppl
        import sojourn.distributions as dist
        import sojourn.infer as infer
    else:
        import numpyro as ppl
        import numpyro.distributions as dist
        import numpyro.infer as infer
    return ppl, dist, infer


def points(number: int) -> np.ndarray:
    """Return points around three centres, the rightmost of which overlaps with the middle one."""
    rng = np.random.default_rng(0)
    centres = np.array([-3.0, 0.5, 2.5])[rng.choice(3, number, p=[0.2, 0.3, 0.5])]
    return (centres + rng.normal(size=number)).astype(np.float32)


def mixture(ppl: Any, dist: Any) -> Any:
    """Return the model: ordered starting places keep the labels apart."""

    def model(y: Any) -> None:
        weights = ppl.sample("weights", dist.Dirichlet(jnp.full(3, 2.0)))
        means = ppl.sample("means", dist.Normal(jnp.array([-3.0, 0.0, 3.0]), 1.0).to_event(1))
        with ppl.plate("points", len(y)):
            label = ppl.sample("label", dist.Categorical(weights))
            ppl.sample("y", dist.Normal(means[label], 1.0), obs=y)

    return model


def measure(library: str, y: np.ndarray, setting: dict, transitions: int) -> float:
    """Return milliseconds for a transition."""
    ppl, dist, infer = load(library)
    nuts = infer.NUTS(
        mixture(ppl, dist),
        step_size=0.05,
        adapt_step_size=False,
        adapt_mass_matrix=False,
        max_tree_depth=3,
    )
    kernel = infer.DiscreteHMCGibbs(nuts, **setting)
    state = kernel.init(jax.random.key(0), 0, None, (y,), {})

    @jax.jit
    def run(state: Any) -> Any:
        return jax.lax.fori_loop(0, transitions, lambda _, s: kernel.sample(s, (y,), {}), state)

    state = jax.block_until_ready(run(state))
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        state = jax.block_until_ready(run(state))
        times.append(time.perf_counter() - start)
    return 1e3 * min(times) / transitions


def main() -> None:
    """Measure, and print a table of ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1000], help="of the data")
    parser.add_argument("--transitions", type=int, default=2, help="a measurement (default 2)")
    arguments = parser.parse_args()
    print(f"{'points':>6} {'setting':12} {'sojourn ms':>10} {'numpyro ms':>10} {'ratio':>8}")
    for size in arguments.sizes:
        y = points(size)
        for setting in SETTINGS:
            ours = measure("sojourn", y, setting, arguments.transitions)
            theirs = measure("numpyro", y, setting, arguments.transitions)
            name = next(iter(setting), "gibbs")
            print(
                f"{size:6} {name:12} {ours:10.3f} {theirs:10.1f} {theirs / ours:8.0f}", flush=True
            )


if __name__ == "__main__":
    main()
