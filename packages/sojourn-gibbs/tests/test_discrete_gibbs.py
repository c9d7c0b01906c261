"""Discrete updates leave exactly the posterior invariant, found by enumeration."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from chains import assert_frequencies, assert_mean, draws_of, normalized

import sojourn_distributions as dist
from sojourn_gibbs import DiscreteGibbs
from sojourn_infer import log_density
from sojourn_primitives import factor, plate, sample

SETTINGS = [
    {"random_walk": random_walk, "modified": modified}
    for random_walk, modified in itertools.product((False, True), repeat=2)
]
NAMES = ["gibbs", "modified", "random_walk", "modified_random_walk"]


def exact(model, supports):
    """Posterior probabilities by enumeration: an array with an axis for each site."""
    names = list(supports)
    grid = jnp.stack(
        [jnp.asarray(g).ravel() for g in np.meshgrid(*supports.values(), indexing="ij")], -1
    )
    density = jax.vmap(lambda v: log_density(model, (), {}, dict(zip(names, v, strict=True)))[0])(
        grid
    )
    return normalized(density).reshape([len(s) for s in supports.values()])


def offset_part():
    k = sample("k", dist.DiscreteUniform(3, 6))
    sample("y", dist.Normal(0.7 * k, 1.0), obs=3.9)


def coupled_part():
    a = sample("a", dist.Bernoulli(0.3))
    b = sample("b", dist.DiscreteUniform(-2, 1))
    c = sample("c", dist.Binomial(3, 0.4))
    factor("skew", -0.3 * (a + 1) * (b - 0.6 * c) ** 2 + 0.4 * a * c)


def unbounded_part():
    n = sample("n", dist.Poisson(3.5))
    m = sample("m", dist.Geometric(0.3))
    sample("difference", dist.Normal(n - 0.5 * m, 1.2), obs=1.4)


PAIRS = np.array([[0.3, -1.0, 0.8], [2.0, 1.1, -0.4]])


def plates_part():
    with plate("columns", 3, dim=-1):
        column = sample("column", dist.Categorical(np.array([0.2, 0.3, 0.5])))
        with plate("rows", 2, dim=-2):
            cell = sample("cell", dist.DiscreteUniform(1, 2))
            sample("pairs", dist.Normal(column * cell - 1.0, 0.8), obs=PAIRS)


def model():
    offset_part()
    coupled_part()
    unbounded_part()
    plates_part()


@pytest.fixture(scope="module", params=SETTINGS, ids=NAMES)
def draws(request):
    return draws_of(DiscreteGibbs(model, **request.param), burn=30, draws=40)


def test_supports_need_not_start_at_zero(draws):
    assert_frequencies(draws["k"], [3, 4, 5, 6], exact(offset_part, {"k": np.arange(3, 7)}))


def test_sites_of_different_sizes_that_interact(draws):
    supports = {"a": np.arange(2), "b": np.arange(-2, 2), "c": np.arange(4)}
    joint = exact(coupled_part, supports)
    assert_frequencies(draws["a"], supports["a"], joint.sum((1, 2)))
    assert_frequencies(draws["b"], supports["b"], joint.sum((0, 2)))
    assert_frequencies(draws["c"], supports["c"], joint.sum((0, 1)))
    expected = np.einsum("abc,a,c->", joint, np.arange(2), np.arange(4))
    assert_mean(draws["a"] * draws["c"], expected)


def test_unbounded_supports(draws):
    support = np.arange(40)
    joint = exact(unbounded_part, {"n": support, "m": support})
    assert_mean(draws["n"], joint.sum(1) @ support)
    assert_mean(draws["m"], joint.sum(0) @ support)
    assert_mean(draws["n"] == 0, joint.sum(1)[0])
    assert_mean(draws["m"] * draws["n"], support @ joint @ support)


def test_nested_plates(draws):
    # Columns are independent of each other: each has 3 * 2 * 2 states.
    column, first, second = np.meshgrid(np.arange(3), [1, 2], [1, 2], indexing="ij")
    for n in range(3):
        density = np.log([0.2, 0.3, 0.5])[column]
        for row, cell in enumerate((first, second)):
            density = density - 0.5 * ((PAIRS[row, n] - (column * cell - 1.0)) / 0.8) ** 2
        joint = normalized(density)
        assert_frequencies(draws["column"][..., n], [0, 1, 2], joint.sum((1, 2)))
        for row, cell in enumerate((first, second)):
            assert_mean(draws["cell"][..., row, n] == 2, joint[cell == 2].sum())
        assert_mean(draws["cell"].prod(2)[..., n], (joint * first * second).sum())
