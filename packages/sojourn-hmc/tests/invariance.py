"""Invariance: chains that start from exact draws of a law still have that law a few steps later.

This needs no convergence, so it sees errors that a long run hides, and it works for every kernel:

    outcomes = invariance(NUTS(ANY_LAW, step_size=0.5))
    assert min(outcome.smallest_p_value for outcome in outcomes.values()) > 1e-4

A law is given as a bijection of independent standard normals. Mapped back, the draws of a correct
kernel are standard normals again. Their components, their radius and a projection are compared with
the known distribution functions (Kolmogorov and Smirnov), their second moments with 0 and 1.

Which law is sampled is an argument of the target, so that one program serves them all.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from scipy import special, stats

from sojourn_hmc import MCMCKernel, Setup
from sojourn_hmc.chain import strong

SIZE = 3


class Law(NamedTuple):
    """A law of positions ``{"x": (2,), "y": ()}``, flat ``(3,)`` in this order.

    Attributes
    ----------
    flat_potential : Callable
        Negative log density of a flat position, in JAX.
    from_normal, to_normal : Callable
        The bijection and its inverse, ``(..., 3)`` to ``(..., 3)``, in NumPy.
    """

    flat_potential: Callable[[jax.Array], jax.Array]
    from_normal: Callable[[np.ndarray], np.ndarray]
    to_normal: Callable[[np.ndarray], np.ndarray]

    def draw(self, shape: tuple[int, ...], seed: int) -> dict[str, np.ndarray]:
        """Exact draws."""
        normal = np.random.default_rng(seed).normal(size=(*shape, SIZE))
        return as_position(self.from_normal(normal).astype(np.float32))


class Outcome(NamedTuple):
    """Attributes.

    Attributes
    ----------
    p_values : dict
        By statistic; uniform if the kernel leaves the law invariant.
    moved : float
        Share of the chains that are not where they started.
    accept_prob : float
        Mean acceptance probability of the last transition; NaN for a kernel that reports none.
    """

    p_values: dict[str, float]
    moved: float
    accept_prob: float

    @property
    def smallest_p_value(self) -> float:
        """P value of all statistics together (Bonferroni)."""
        return min(1.0, len(self.p_values) * min(self.p_values.values()))


class AnyLaw:
    """The target of all laws; which one is its argument, an index into `LAWS`."""

    def check(self, model_args: tuple, model_kwargs: dict, init_params: Any) -> None:
        """Nothing to check."""

    def setup(self, model_args: tuple, model_kwargs: dict, init_params: Any) -> Setup:
        (law,) = model_args
        branches = [law.flat_potential for law in LAWS.values()]

        def potential(position: dict[str, jax.Array]) -> jax.Array:
            return lax.switch(law, branches, jnp.append(position["x"], position["y"]))

        return Setup(lambda key: init_params, potential, lambda position: position)

    def explain(self, position: Any, model_args: tuple, model_kwargs: dict) -> str:
        return f"position {position} of law {model_args}"


ANY_LAW = AnyLaw()


def invariance(
    kernel: MCMCKernel,
    *,
    count: int = 16384,
    num_transitions: int = 3,
    seed: int = 0,
    draws_per_chain: tuple[int, ...] = (),
    first_state: Callable[[jax.Array, Any, tuple], Any] | None = None,
) -> dict[str, Outcome]:
    """Move chains from exact draws and compare where they end with the law, for every law.

    Parameters
    ----------
    kernel : MCMCKernel
        Any kernel of the target `ANY_LAW`; its sample field holds the position.
    count, num_transitions : int
        How many chains, and how many transitions they make.
    seed : int
        Seed of everything.
    draws_per_chain : tuple of int
        A chain starts from exact draws of this shape, from one by default.
    first_state : Callable, optional
        ``first_state(key, draws, model_args)`` makes the state of one chain; by default
        `MCMCKernel.init` without warmup. The kernel's settings then stay as given.
    """
    if first_state is None:
        first_state = lambda key, draw, args: kernel.init(key, 0, draw, args, {})  # noqa: E731

    @jax.jit
    @functools.partial(jax.vmap, in_axes=(0, 0, None))
    def move(key: jax.Array, draws: Any, law: jax.Array) -> tuple[Any, Any, Any]:
        first = strong(first_state(key, draws, (law,)))
        last = lax.fori_loop(
            0, num_transitions, lambda _, state: strong(kernel.sample(state, (law,), {})), first
        )
        before, after = (getattr(state, kernel.sample_field) for state in (first, last))
        return before, after, getattr(last, "accept_prob", jnp.nan)

    outcomes = {}
    for index, (name, law) in enumerate(LAWS.items()):
        keys = jax.random.split(jax.random.key(seed), count)
        draws = law.draw((count, *draws_per_chain), seed)
        before, after, accept_prob = move(keys, draws, np.int32(index))
        before, after = as_flat(before), as_flat(after)
        moved = np.any(before != after, -1)
        outcomes[name] = Outcome(
            p_values(law, after), float(np.mean(moved)), float(np.mean(accept_prob))
        )
    return outcomes


def p_values(law: Law, flat: np.ndarray) -> dict[str, float]:
    """Compare independent flat positions ``(count, 3)`` with a law, by several statistics."""
    with np.errstate(all="ignore"):
        z = law.to_normal(np.asarray(flat, np.float64))
    # A position outside of the law's support, or NaN, is evidence by itself.
    bad = ~np.isfinite(z).all(-1)
    if bad.mean() > 1e-3:
        return {"finite": 0.0}
    z = z[~bad]
    samples = {f"component {i}": (z[:, i], stats.norm.cdf) for i in range(SIZE)}
    samples["radius"] = (np.sum(z**2, -1), stats.chi2(SIZE).cdf)
    samples["projection"] = (np.sum(z, -1) / np.sqrt(SIZE), stats.norm.cdf)
    found = {name: stats.kstest(*pair).pvalue for name, pair in samples.items()}
    # Their second moments have a mean and a variance that are known too.
    for i in range(SIZE):
        for j in range(i + 1):
            moment, sd = np.mean(z[:, i] * z[:, j]) - (i == j), np.sqrt(1 + (i == j))
            found[f"moment {j} {i}"] = 2 * stats.norm.sf(abs(moment) * np.sqrt(len(z)) / sd)
    return {name: float(p_value) for name, p_value in found.items()}


def as_position(flat: np.ndarray) -> dict[str, np.ndarray]:
    """Positions of flat ones ``(..., 3)``."""
    return {"x": flat[..., :2], "y": flat[..., 2]}


def as_flat(position: dict[str, jax.Array]) -> np.ndarray:
    """Flat positions ``(..., 3)``."""
    return np.concatenate([position["x"], np.asarray(position["y"])[..., None]], -1)


def _componentwise(
    potential: Callable, cdf: Callable, quantile: Callable, scale: float = 1.0
) -> Law:
    """Independent components of one law on the line, stretched differently."""
    stretch = scale * np.array([0.5, 1.0, 3.0])
    return Law(
        lambda q: jnp.sum(potential(q / stretch.astype(q.dtype))),
        lambda z: stretch * quantile(special.ndtr(z)),
        lambda q: special.ndtri(cdf(q / stretch)),
    )


COVARIANCE = np.array([[0.4, 0.6, 0.0], [0.6, 2.0, -0.3], [0.0, -0.3, 3.0]])


def _gaussian() -> Law:
    factor, precision = np.linalg.cholesky(COVARIANCE), np.linalg.inv(COVARIANCE)
    mean = np.array([1.0, -2.0, 0.5])

    def potential(q: jax.Array) -> jax.Array:
        centred = q - mean.astype(q.dtype)
        return 0.5 * centred @ precision.astype(q.dtype) @ centred

    return Law(
        potential,
        lambda z: mean + z @ factor.T,
        lambda q: np.linalg.solve(factor, (q - mean)[..., None])[..., 0],
    )


def _banana() -> Law:
    """Two legs that bend upwards, and a third component whose scale depends on the first."""

    def potential(q: jax.Array) -> jax.Array:
        z = (q[0] / 2, q[1] - 0.25 * q[0] ** 2, q[2] * jnp.exp(-q[0] / 4))
        return 0.5 * (z[0] ** 2 + z[1] ** 2 + z[2] ** 2) + q[0] / 4

    def from_normal(z: np.ndarray) -> np.ndarray:
        a = 2 * z[..., 0]
        return np.stack([a, z[..., 1] + 0.25 * a**2, z[..., 2] * np.exp(a / 4)], -1)

    def to_normal(q: np.ndarray) -> np.ndarray:
        a = q[..., 0]
        return np.stack([a / 2, q[..., 1] - 0.25 * a**2, q[..., 2] * np.exp(-a / 4)], -1)

    return Law(potential, from_normal, to_normal)


LAWS = {
    "gaussian": _gaussian(),
    "banana": _banana(),
    # Logarithms of Gamma(0.7): a long tail to the left, a cliff to the right.
    "log-gamma": _componentwise(
        lambda x: jnp.exp(x) - 0.7 * x,
        lambda x: special.gammainc(0.7, np.exp(x)),
        lambda u: np.log(special.gammaincinv(0.7, u)),
    ),
    # Beta(0.8, 2.5), bounded, moved to the line by the logit with its Jacobian.
    "logit-beta": _componentwise(
        lambda x: 0.8 * jax.nn.softplus(-x) + 2.5 * jax.nn.softplus(x),
        lambda x: special.betainc(0.8, 2.5, special.expit(x)),
        lambda u: special.logit(special.betaincinv(0.8, 2.5, u)),
        scale=0.6,
    ),
    # Student's t with 3 degrees of freedom: a variance, and no fourth moment.
    "student-t": _componentwise(
        lambda x: 2.0 * jnp.log1p(x**2 / 3), stats.t(3).cdf, stats.t(3).ppf
    ),
}
