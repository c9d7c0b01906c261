"""Batches of short rows: joined into long ones, they have the same densities and gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

import sojourn_distributions as dist
from sojourn_distributions.numerics import log_sum_exp
from sojourn_distributions.short_rows import join_rows, part_rows

RNG = np.random.default_rng(8)


def normal(*shape):
    return RNG.normal(size=shape).astype("float32")


@pytest.mark.parametrize(
    ("shapes", "joined"),
    [
        (((30, 4), (2, 1, 30, 4)), ((120,), (2, 1, 120))),
        (((30, 4), (3, 1, 1)), ((120,), (3, 1))),
        (((30, 4), ()), ((120,), (1,))),
        (((30, 4), (1,)), ((120,), (1,))),
        (((30, 4), (4,)), None),
        (((30, 4), (30, 1)), None),
        (((30, 1), (1, 4)), None),
        (((30, 16),), None),  # long enough
        (((15, 4),), None),  # short when joined
        (((30, 1),), None),
        (((1, 4),), None),
        (((30,), ()), None),
        (((), ()), None),
    ],
    ids=str,
)
def test_what_is_joined(shapes, joined):
    arrays = [normal(*shape) for shape in shapes]
    found, rows = join_rows(*arrays)
    assert tuple(x.shape for x in found) == (joined or shapes)
    assert rows == ((30, 4) if joined else None)
    total = sum(map(jnp.asarray, found))
    np.testing.assert_array_equal(part_rows(total, rows), sum(arrays))


def long_rows(x):
    """Swap the last two axes, so that no row is short."""
    return np.swapaxes(x, -1, -2)


VALUES = RNG.integers(0, 3, (40, 3))
SUPPORT = np.arange(3).reshape(3, 1, 1)
FAMILIES = {
    "Bernoulli": (dist.Bernoulli, special.expit(normal(40, 3)), VALUES > 1),
    "Bernoulli, enumerated": (dist.Bernoulli, special.expit(normal(40, 3)), SUPPORT[:2]),
    "Bernoulli, not boolean": (dist.Bernoulli, special.expit(normal(2, 1, 1)), VALUES),
    "Categorical": (dist.Categorical, special.softmax(normal(40, 3, 3), -1), VALUES),
    "Categorical, enumerated": (dist.Categorical, special.softmax(normal(40, 3, 3), -1), SUPPORT),
    "Categorical, a few tables": (dist.Categorical, special.softmax(normal(2, 1, 1, 3)), VALUES),
    "logits": (lambda x: dist.Categorical(logits=x), normal(2, 40, 3, 3), VALUES),
}


@pytest.mark.parametrize("traced", [False, True])
@pytest.mark.parametrize("name", FAMILIES)
def test_density(name, traced):
    family, parameter, value = FAMILIES[name]
    rows = (-2, -1) if family is dist.Bernoulli else (-3, -2)
    turned = np.swapaxes(parameter, *rows)

    def density(parameter, value):
        return family(parameter).log_prob(value)

    function = jax.jit(density) if traced else density
    own, pull = jax.vjp(lambda x: function(x, value), parameter)
    other, pull_turned = jax.vjp(lambda x: function(x, long_rows(value)), turned)
    np.testing.assert_allclose(own, long_rows(other), rtol=1e-6)
    weights = normal(*own.shape)
    ((slope,), (slope_turned,)) = pull(weights), pull_turned(long_rows(weights))
    slope_back = np.swapaxes(slope_turned, *rows)
    np.testing.assert_allclose(slope, slope_back, rtol=1e-5, atol=1e-6)


def test_log_sum_exp(x64):
    x = normal(2, 5, 40, 3).astype(float)
    for axes in ((0,), (0, 1)):
        np.testing.assert_allclose(
            log_sum_exp(x, axes), special.logsumexp(x, axes), rtol=1e-14, atol=1e-15
        )
        shares = jax.grad(lambda x, axes=axes: log_sum_exp(x, axes).sum())(x)
        np.testing.assert_allclose(shares, special.softmax(x, axes), rtol=1e-13)
    for axes in ((2,), (0, 3)):
        shares = jax.grad(lambda x, axes=axes: log_sum_exp(x, axes).sum())(x)
        np.testing.assert_allclose(shares, special.softmax(x, axes), rtol=1e-13)
    curvature = jax.jvp(jax.grad(lambda x: log_sum_exp(x, (0,)).sum()), (x,), (x,))[1]
    p = special.softmax(x, 0)
    np.testing.assert_allclose(curvature, p * (x - (p * x).sum(0)), rtol=1e-11, atol=1e-14)


def test_exponentials_and_logarithms_are_taken_in_long_rows():
    def total(x):
        return log_sum_exp(jnp.log(x), (0,)).sum() + dist.Bernoulli(x[0]).log_prob(VALUES > 1).sum()

    program = str(jax.make_jaxpr(jax.grad(total))(special.expit(normal(2, 40, 3))))
    assert "f32[2,120] = exp" in program
    assert "f32[120] = log" in program
