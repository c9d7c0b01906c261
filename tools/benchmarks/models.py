"""The models that are measured, each written once for both libraries, with its data and lengths."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

Model = Callable[..., None]
Data = dict[str, np.ndarray]


class Benchmark(NamedTuple):
    """A model with everything that a measurement needs to know about it.

    Attributes
    ----------
    title : str
        Its name in the table.
    build : Callable
        Makes the model from the modules of a library: itself and its distributions.
    data : Callable
        Makes the data, the keyword arguments of the model: NumPy arrays in single precision.
    sites : tuple of str
        The sampled sites, over whose components the effective sample size is minimised.
    num_chains : int
        Chains of the timed runs.
    long_draws : int or None
        Draws of a chain that keep a core busy for seconds, where the usual 1000 do not.
    """

    title: str
    build: Callable[[Any, Any], Model]
    data: Callable[[], Data]
    sites: tuple[str, ...]
    num_chains: int
    long_draws: int | None


def eight_schools(ppl: Any, dist: Any) -> Model:
    """Treatment effects of eight schools (Rubin 1981), non-centred; 10 dimensions."""

    def model(sigma: Any, y: Any) -> None:
        mu = ppl.sample("mu", dist.Normal(0, 5))
        tau = ppl.sample("tau", dist.HalfCauchy(5))
        with ppl.plate("schools", 8):
            z = ppl.sample("z", dist.Normal(0, 1))
            theta = ppl.deterministic("theta", mu + tau * z)
            ppl.sample("y", dist.Normal(theta, sigma), obs=y)

    return model


def eight_schools_data() -> Data:
    """Estimated effects and their standard errors."""
    return {
        "sigma": np.array([15, 10, 16, 11, 9, 11, 10, 18], np.float32),
        "y": np.array([28, 8, -3, 7, -1, 1, 18, 12], np.float32),
    }


def logistic_regression(ppl: Any, dist: Any) -> Model:
    """Binary outcomes on standardised predictors with normal priors; 20 dimensions."""

    def model(x: Any, y: Any) -> None:
        beta = ppl.sample("beta", dist.Normal(0, 1).expand([x.shape[1]]).to_event(1))
        with ppl.plate("rows", x.shape[0]):
            ppl.sample("y", dist.Bernoulli(logits=x @ beta), obs=y)

    return model


def logistic_regression_data(rows: int = 2000, columns: int = 20) -> Data:
    """Outcomes simulated from the model."""
    rng = np.random.default_rng(20)
    x = rng.standard_normal((rows, columns))
    probability = 1 / (1 + np.exp(-x @ rng.standard_normal(columns)))
    y = rng.uniform(size=rows) < probability
    return {"x": x.astype(np.float32), "y": y.astype(np.float32)}


def stochastic_volatility(ppl: Any, dist: Any) -> Model:
    """Heavy-tailed returns whose log volatility walks at random; 2 dimensions and one a day.

    The priors are those of Hoffman and Gelman 2014, section 4.4. The walk is non-centred: with
    centred steps, the scale mixes so slowly that its effective sample size could not be measured.
    """

    def model(r: Any) -> None:
        sigma = ppl.sample("sigma", dist.Exponential(50.0))
        nu = ppl.sample("nu", dist.Exponential(0.1))
        with ppl.plate("days", r.shape[0]):
            z = ppl.sample("z", dist.Normal(0, 1))
            h = ppl.deterministic("h", sigma * jnp.cumsum(z))
            ppl.sample("r", dist.StudentT(nu, 0, jnp.exp(h)), obs=r)

    return model


def stochastic_volatility_data(days: int = 500) -> Data:
    """Returns simulated from the model."""
    rng = np.random.default_rng(500)
    h = np.cumsum(0.1 * rng.standard_normal(days))
    return {"r": (np.exp(h) * rng.standard_t(10, days)).astype(np.float32)}


BENCHMARKS = {
    "eight-schools": Benchmark(
        "Eight schools",
        eight_schools,
        eight_schools_data,
        ("mu", "tau", "z"),
        4,
        100_000,
    ),
    "logistic": Benchmark(
        "Logistic regression",
        logistic_regression,
        logistic_regression_data,
        ("beta",),
        4,
        4_000,
    ),
    "volatility": Benchmark(
        "Stochastic volatility",
        stochastic_volatility,
        stochastic_volatility_data,
        ("sigma", "nu", "z"),
        1,
        None,
    ),
}
