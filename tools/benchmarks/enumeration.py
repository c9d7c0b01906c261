"""Measure models whose discrete sites are summed out, beside NumPyro with funsor.

Run as ``python tools/benchmarks/enumeration.py``; it needs NumPyro and funsor.

A hidden Markov model of 1000 steps and 16 states by scan, and the models of annotators that Paun et
al. (2018, "Comparing Bayesian models of annotation") compare: one confusion matrix for all
(multinomial), one for each annotator (Dawid and Skene 1979), these with a common prior
(hierarchical), annotators who sometimes guess (MACE), items of different difficulty, and both of
the latter kinds of effects (logistic random effects). In the first two and the one of difficulty
every annotator labels every item; in the others an item is labelled by some of them, so that
parameters are looked up by the annotator of each label.

Two numbers for each: the time from the model to a compiled program of the log density and its
gradient (tracing, lowering, compiling; the caches of JAX are cleared before), and the time of one
evaluation of them inside of a compiled loop, which is where a sampler evaluates them. (A call from
Python hands the program over to another thread, which takes longer than some of these programs.)
The libraries take turns in one process, and both evaluate the same density at the same point, which
is checked.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from tracing import median_ms

RNG = np.random.default_rng(0)
STEPS, STATES = 1000, 16
ITEMS, ANNOTATORS, CLASSES = 300, 12, 4
LABELS_OF_ITEM = 6
RUNS = 5  # of the loop of evaluations

Y = RNG.normal(size=STEPS).astype(np.float32)
LABELS = RNG.integers(0, CLASSES, (ITEMS, ANNOTATORS))
ANNOTATOR = RNG.permuted(np.tile(np.arange(ANNOTATORS), (ITEMS, 1)), axis=1)[:, :LABELS_OF_ITEM]
SOME_LABELS = RNG.integers(0, CLASSES, (ITEMS, LABELS_OF_ITEM))


def to_sum() -> dict[str, str]:
    """Return a mark of its own for a site: NumPyro writes into it."""
    return {"enumerate": "parallel"}


class Library(NamedTuple):
    """What a benchmark needs of a library: a density of a model at values of its sites."""

    ppl: Any
    dist: Any
    scan: Any
    vindex: Any
    density: Callable[[Callable[[], None], int, dict[str, Any]], Any]


def sojourn() -> Library:
    """Load this library."""
    import sojourn as ppl
    import sojourn.distributions as dist
    from sojourn.contrib.control_flow import scan
    from sojourn.contrib.funsor import log_density
    from sojourn.ops.indexing import Vindex

    return Library(
        ppl, dist, scan, Vindex, lambda model, dim, values: log_density(model, (), {}, values)[0]
    )


def numpyro() -> Library:
    """Load NumPyro, with funsor."""
    import funsor
    import numpyro as ppl
    import numpyro.distributions as dist
    from numpyro.contrib.control_flow import scan
    from numpyro.contrib.funsor import enum, log_density
    from numpyro.ops.indexing import Vindex

    funsor.set_backend("jax")
    return Library(
        ppl,
        dist,
        scan,
        Vindex,
        lambda model, dim, values: log_density(enum(model, dim), (), {}, values)[0],
    )


def simplex(*shape: int) -> np.ndarray:
    """Return random probabilities."""
    return RNG.dirichlet(np.full(shape[-1], 5.0), shape[:-1]).astype(np.float32)


def hmm(lib: Library) -> Callable[[], None]:
    """Return a hidden Markov model with normal emissions."""
    sample, dist = lib.ppl.sample, lib.dist

    def model() -> None:
        prior = dist.Dirichlet(np.ones(STATES)).expand([STATES]).to_event(1)
        transition = sample("transition", prior)
        loc = sample("loc", dist.Normal(0.0, 2.0).expand([STATES]).to_event(1))

        def step(z: Any, y: Any) -> tuple[Any, None]:
            z = sample("z", dist.Categorical(transition[z]), infer=to_sum())
            sample("y", dist.Normal(loc[z], 1.0), obs=y)
            return z, None

        lib.scan(step, 0, jnp.asarray(Y))

    return model


def multinomial(lib: Library) -> Callable[[], None]:
    """Return a model of annotators that all err alike."""
    sample, dist, plate = lib.ppl.sample, lib.dist, lib.ppl.plate

    def model() -> None:
        prevalence = sample("prevalence", dist.Dirichlet(np.ones(CLASSES)))
        prior = dist.Dirichlet(np.ones(CLASSES)).expand([CLASSES]).to_event(1)
        confusion = sample("confusion", prior)
        with plate("item", ITEMS, dim=-2):
            c = sample("c", dist.Categorical(prevalence), infer=to_sum())
            with plate("annotator", ANNOTATORS, dim=-1):
                sample("y", dist.Categorical(confusion[c]), obs=LABELS)

    return model


def dawid_skene(lib: Library) -> Callable[[], None]:
    """Return a model of annotators that err each in a way of their own."""
    sample, dist, plate = lib.ppl.sample, lib.dist, lib.ppl.plate

    def model() -> None:
        with plate("annotator", ANNOTATORS, dim=-1):
            prior = dist.Dirichlet(np.ones(CLASSES)).expand([CLASSES]).to_event(1)
            confusion = sample("confusion", prior)
        prevalence = sample("prevalence", dist.Dirichlet(np.ones(CLASSES)))
        with plate("item", ITEMS, dim=-2):
            c = sample("c", dist.Categorical(prevalence), infer=to_sum())
            with plate("annotator", ANNOTATORS, dim=-1) as annotator:
                probs = lib.vindex(confusion)[annotator, c, :]
                sample("y", dist.Categorical(probs), obs=LABELS)

    return model


def item_difficulty(lib: Library) -> Callable[[], None]:
    """Return a model of items whose labels are more or less certain."""
    sample, dist, plate = lib.ppl.sample, lib.dist, lib.ppl.plate

    def model() -> None:
        prevalence = sample("prevalence", dist.Dirichlet(np.ones(CLASSES)))
        prior = dist.Normal(0.0, 1.0).expand([CLASSES, CLASSES]).to_event(2)
        loc = sample("loc", prior)
        with plate("item", ITEMS, dim=-2):
            c = sample("c", dist.Categorical(prevalence), infer=to_sum())
            width = dist.Normal(0.0, 1.0).expand([CLASSES]).to_event(1)
            theta = sample("theta", width)
            with plate("annotator", ANNOTATORS, dim=-1):
                sample("y", dist.Categorical(logits=loc[c] + theta), obs=LABELS)

    return model


def hierarchical(lib: Library) -> Callable[[], None]:
    """Return a model of annotators whose errors have a common distribution."""
    sample, dist, plate = lib.ppl.sample, lib.dist, lib.ppl.plate

    def model() -> None:
        with plate("class", CLASSES, dim=-1):
            mean = sample("mean", dist.Normal(0, 1).expand([CLASSES - 1]).to_event(1))
            spread = sample("spread", dist.HalfNormal(1).expand([CLASSES - 1]).to_event(1))
            with plate("annotator", ANNOTATORS, dim=-2):
                beta = sample("beta", dist.Normal(mean, spread).to_event(1))
        beta = jnp.pad(beta, [(0, 0), (0, 0), (0, 1)])
        prevalence = sample("prevalence", dist.Dirichlet(np.ones(CLASSES)))
        with plate("item", ITEMS, dim=-2):
            c = sample("c", dist.Categorical(prevalence), infer=to_sum())
            with plate("position", LABELS_OF_ITEM, dim=-1):
                logits = lib.vindex(beta)[ANNOTATOR, c, :]
                sample("y", dist.Categorical(logits=logits), obs=SOME_LABELS)

    return model


def mace(lib: Library) -> Callable[[], None]:
    """Return a model of annotators who know the class or guess."""
    sample, dist, plate = lib.ppl.sample, lib.dist, lib.ppl.plate

    def model() -> None:
        with plate("annotator", ANNOTATORS, dim=-1):
            habit = sample("habit", dist.Dirichlet(np.full(CLASSES, 10.0)))
            knows = sample("knows", dist.Beta(0.5, 0.5))
        with plate("item", ITEMS, dim=-2):
            c = sample("c", dist.DiscreteUniform(0, CLASSES - 1), infer=to_sum())
            with plate("position", LABELS_OF_ITEM, dim=-1):
                guesses = dist.Bernoulli(1 - knows[ANNOTATOR])
                guesses = sample("guesses", guesses, infer=to_sum())
                known = jax.nn.one_hot(c, CLASSES)
                probs = jnp.where(guesses[..., None] == 0, known, habit[ANNOTATOR])
                sample("y", dist.Categorical(probs), obs=SOME_LABELS)

    return model


def logistic_random_effects(lib: Library) -> Callable[[], None]:
    """Return a model of annotators and items that both have effects on the labels."""
    sample, dist, plate = lib.ppl.sample, lib.dist, lib.ppl.plate

    def model() -> None:
        free = CLASSES - 1
        with plate("class", CLASSES, dim=-1):
            mean = sample("mean", dist.Normal(0, 1).expand([free]).to_event(1))
            spread = sample("spread", dist.HalfNormal(1).expand([free]).to_event(1))
            item_spread = sample("item_spread", dist.HalfNormal(1).expand([free]).to_event(1))
            with plate("annotator", ANNOTATORS, dim=-2):
                beta = sample("beta", dist.Normal(mean, spread).to_event(1))
        beta = jnp.pad(beta, [(0, 0), (0, 0), (0, 1)])
        prevalence = sample("prevalence", dist.Dirichlet(np.ones(CLASSES)))
        with plate("item", ITEMS, dim=-2):
            c = sample("c", dist.Categorical(prevalence), infer=to_sum())
            theta = sample("theta", dist.Normal(0, item_spread[c]).to_event(1))
            theta = jnp.pad(theta, [(0, 0)] * (jnp.ndim(theta) - 1) + [(0, 1)])
            with plate("position", LABELS_OF_ITEM, dim=-1):
                logits = lib.vindex(beta)[ANNOTATOR, c, :] - theta
                sample("y", dist.Categorical(logits=logits), obs=SOME_LABELS)

    return model


def normal(*shape: int) -> np.ndarray:
    """Return standard normal numbers."""
    return RNG.normal(size=shape).astype(np.float32)


Benchmark = tuple[Callable[[Library], Callable[[], None]], int, dict[str, np.ndarray]]

MODELS: dict[str, Benchmark] = {
    "hidden Markov model": (
        hmm,
        -2,  # NumPyro puts the steps there
        {
            "transition": simplex(STATES, STATES),
            "loc": RNG.normal(size=STATES).astype(np.float32),
        },
    ),
    "multinomial": (
        multinomial,
        -3,
        {"prevalence": simplex(CLASSES), "confusion": simplex(CLASSES, CLASSES)},
    ),
    "Dawid-Skene": (
        dawid_skene,
        -3,
        {"prevalence": simplex(CLASSES), "confusion": simplex(ANNOTATORS, CLASSES, CLASSES)},
    ),
    "item difficulty": (
        item_difficulty,
        -3,
        {
            "prevalence": simplex(CLASSES),
            "loc": RNG.normal(size=(CLASSES, CLASSES)).astype(np.float32),
            "theta": RNG.normal(size=(ITEMS, 1, CLASSES)).astype(np.float32),
        },
    ),
    "hierarchical": (
        hierarchical,
        -3,
        {
            "prevalence": simplex(CLASSES),
            "mean": normal(CLASSES, CLASSES - 1),
            "spread": np.exp(normal(CLASSES, CLASSES - 1)),
            "beta": normal(ANNOTATORS, CLASSES, CLASSES - 1),
        },
    ),
    "MACE": (
        mace,
        -3,
        {
            "habit": simplex(ANNOTATORS, CLASSES),
            "knows": simplex(ANNOTATORS, 2)[:, 0],
        },
    ),
    "logistic random effects": (
        logistic_random_effects,
        -3,
        {
            "prevalence": simplex(CLASSES),
            "mean": normal(CLASSES, CLASSES - 1),
            "spread": np.exp(normal(CLASSES, CLASSES - 1)),
            "item_spread": np.exp(normal(CLASSES, CLASSES - 1)),
            "beta": normal(ANNOTATORS, CLASSES, CLASSES - 1),
            "theta": normal(ITEMS, 1, CLASSES - 1),
        },
    ),
}


class Measured(NamedTuple):
    """What a library took for one model."""

    value: float
    compile_seconds: float
    gradient_seconds: list[float]


def measure(lib: Library, benchmark: Benchmark, evaluations: int) -> Measured:
    """Compile density and gradient from scratch, and evaluate them."""
    make, dim, values = benchmark
    model = make(lib)
    density = jax.value_and_grad(lambda values: lib.density(model, dim, values))
    jax.clear_caches()
    start = time.perf_counter()
    program = jax.jit(density).lower(values).compile()
    compile_seconds = time.perf_counter() - start
    given = jax.tree.map(jnp.asarray, values)
    value, _ = jax.block_until_ready(program(given))

    def ascend(values: Any) -> Any:
        # Steps too small to see, but no two evaluations are of the same point.
        def step(_: int, state: Any) -> Any:
            values, total = state
            value, gradient = density(values)
            return jax.tree.map(lambda x, dx: x + 1e-9 * dx, values, gradient), total + value

        return jax.lax.fori_loop(0, evaluations, step, (values, 0.0))

    loop = jax.jit(ascend).lower(given).compile()
    taken = []
    for _ in range(RUNS):
        start = time.perf_counter()
        jax.block_until_ready(loop(given))
        taken.append((time.perf_counter() - start) / evaluations)
    return Measured(float(value), compile_seconds, taken)


def main() -> None:
    """Measure, and print a table of ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3, help="programs of each model (default 3)")
    parser.add_argument("--evaluations", type=int, default=50, help="in one loop (default 50)")
    options = parser.parse_args()
    libraries = (sojourn(), numpyro())
    print(f"{'model':24} {'what':24} {'sojourn':>9} {'numpyro':>9} {'ratio':>6}")
    for name, benchmark in MODELS.items():
        runs: tuple[list[Measured], list[Measured]] = ([], [])
        for _ in range(options.repeats):
            for lib, measured in zip(libraries, runs, strict=True):
                measured.append(measure(lib, benchmark, options.evaluations))
        np.testing.assert_allclose(runs[0][0].value, runs[1][0].value, rtol=1e-4)
        compiled = [median_ms([m.compile_seconds for m in run]) for run in runs]
        evaluated = [median_ms([t for m in run for t in m.gradient_seconds]) for run in runs]
        microseconds = [1000 * ms for ms in evaluated]
        for what, taken in (
            ("trace and compile, ms", compiled),
            ("density and gradient, us", microseconds),
        ):
            print(f"{name:24} {what:24} {taken[0]:9.0f} {taken[1]:9.0f} {taken[1] / taken[0]:6.2f}")


if __name__ == "__main__":
    main()
