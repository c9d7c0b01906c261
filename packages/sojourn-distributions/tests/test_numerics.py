"""Special functions keep their precision where the textbook formula loses it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from sojourn_distributions import Bernoulli, Normal
from sojourn_distributions.gamma_functions import log_beta
from sojourn_distributions.numerics import (
    divide,
    log1mexp,
    log1p_square,
    log_complement,
    log_positive,
    log_power,
    log_sum_exp,
    ndtri_exp,
)


def test_ndtri_exp(x64):
    log_q = np.array([-1e-3, -0.5, -5.0, -9.9, -10.1, -50.0, -1e3, -1e6])
    np.testing.assert_allclose(ndtri_exp(log_q), special.ndtri_exp(log_q), rtol=1e-10)
    assert np.all(np.isfinite(jax.vmap(jax.grad(ndtri_exp))(log_q)))


def test_ndtri_exp_in_float32():
    log_q = np.float32([-0.5, -9.9, -10.1, -50.0, -1e3])
    np.testing.assert_allclose(ndtri_exp(log_q), special.ndtri_exp(log_q), rtol=1e-5)


def test_log1mexp(x64):
    x = np.array([-1e-20, -0.1, -0.7, -5.0, -800.0])
    expected = [np.log(1e-20), np.log(-np.expm1(-0.1)), np.log(-np.expm1(-0.7)), 0, 0]
    expected[3:] = np.log1p(-np.exp([-5.0, -800.0]))
    np.testing.assert_allclose(log1mexp(x), expected, rtol=1e-14)
    assert np.all(np.isfinite(jax.vmap(jax.grad(log1mexp))(x[1:])))


def test_log1p_square():
    z = np.float32([0.0, 1e-10, 1.0, -1e10, 1e30])
    expected = np.where(
        z < 1e5, np.log1p(np.float64(z) ** 2), 2 * np.log(abs(np.float64(z) + 1e-99))
    )
    np.testing.assert_allclose(log1p_square(z), expected, rtol=1e-6)
    assert np.all(np.isfinite(jax.vmap(jax.grad(log1p_square))(z)))


def test_log_power():
    assert log_power(0.0, 0.0) == 0.0
    assert log_power(0.0, 2.0) == -np.inf
    assert log_power(0.0, -0.5) == np.inf
    assert log_power(-1.0, 2.0) == -np.inf
    np.testing.assert_allclose(log_power(3.0, 2.0), 2 * np.log(3.0), rtol=1e-6)
    for value in (-1.0, 0.0, 3.0):
        assert np.isfinite(jax.grad(log_power, 0)(value, 1.5))
        assert np.isfinite(jax.grad(log_power, 1)(value, 1.5))


def test_log_positive(x64):
    x = np.array([2.5, 1e-300, 0.0, -1.0])
    np.testing.assert_allclose(log_positive(x), [np.log(2.5), np.log(1e-300), 0, 0], rtol=1e-14)
    first, second = jax.grad(log_positive), jax.grad(jax.grad(log_positive))
    np.testing.assert_allclose(jax.vmap(first)(x[[0, 2, 3]]), [0.4, 0, 0], rtol=1e-14)
    np.testing.assert_allclose(jax.vmap(second)(x[[0, 2, 3]]), [-0.16, 0, 0], rtol=1e-14)
    assert log_positive(3) == log_positive(3.0)


def test_log_positive_or_the_least(x64):
    x = np.array([2.5, 1e-300, 0.0, -1.0])
    for least in (-np.inf, -1e30):
        found, pull = jax.vjp(lambda x, y=least: log_positive(x, y), x)
        np.testing.assert_allclose(found, [np.log(2.5), np.log(1e-300), least, least], rtol=1e-14)
        np.testing.assert_allclose(pull(np.ones(4))[0], [0.4, 1e300, 0, 0], rtol=1e-14)


def test_log_complement(x64):
    x = np.array([0.5, 1e-20, 1.0, 2.0])
    found, pull = jax.vjp(log_complement, x)
    np.testing.assert_allclose(found, [np.log(0.5), -1e-20, -np.inf, -np.inf], rtol=1e-14)
    np.testing.assert_allclose(pull(np.ones(4))[0], [-2, -1, 0, 0], rtol=1e-14)


def test_division_by_what_is_traced(x64):
    x, scale = np.array([1.0, -3.0]), 0.7
    assert divide(jnp.asarray(x), 1).tolist() == x.tolist()
    expected = jax.hessian(lambda s: jnp.sum((x / s) ** 3))(scale)
    np.testing.assert_allclose(
        jax.hessian(lambda s: jnp.sum(divide(x, s) ** 3))(scale), expected, rtol=1e-12
    )
    np.testing.assert_allclose(jax.jit(divide)(x, scale), x / scale, rtol=1e-15)


def test_bernoulli_of_probabilities_near_0_and_1():
    probs = np.concatenate([np.logspace(-30, -0.1, 200), 1 - np.logspace(-7, -1, 50), [0, 1]])
    probs = probs.astype("float32")
    with np.errstate(divide="ignore"):
        exact = {0: np.log1p(-np.float64(probs)), 1: np.log(np.float64(probs))}
        slopes = {0: -1 / (1 - np.float64(probs)), 1: 1 / np.float64(probs)}
    for value in (0, 1):
        log_prob = lambda p, v=value: Bernoulli(p).log_prob(v)  # noqa: E731
        np.testing.assert_allclose(jax.jit(log_prob)(probs), exact[value], rtol=4e-7)
        expected = np.where(np.isinf(exact[value]), 0, slopes[value])
        np.testing.assert_allclose(jax.vmap(jax.grad(log_prob))(probs), expected, rtol=4e-7)


@pytest.mark.parametrize("exponent", [0.0, 2.0, -0.5], ids=str)
def test_log_power_of_a_known_exponent(exponent):
    value = np.float32([-1.0, 0.0, 3.0])
    expected, pull_back = jax.vjp(lambda v, e: log_power(v, e), value, np.float32(exponent))
    found, pull = jax.vjp(lambda v: log_power(v, exponent), value)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    weights = np.float32([0.3, 0.5, 2.0])
    np.testing.assert_allclose(pull(weights)[0], pull_back(weights)[0], rtol=1e-6)


@pytest.mark.parametrize("size", [3, 20])
def test_log_sum_exp_of_few_and_of_many(size):
    x = np.random.default_rng(2).normal(size=(size, 4, 1)).astype("float32")
    x[:, 1], x[0, 2] = -np.inf, np.inf
    for bounded in (False, True):
        x = np.minimum(x, 1e30) if bounded else x
        found = log_sum_exp(x, (0,), bounded)
        np.testing.assert_allclose(found, special.logsumexp(x, 0), rtol=1e-5)


def test_log_sum_exp(x64):
    x = np.array([[0.3, -1.0, 2.0], [1000.0, -np.inf, 999.0], [-np.inf] * 3])
    np.testing.assert_allclose(log_sum_exp(x, (1,)), special.logsumexp(x, 1), rtol=1e-14)
    np.testing.assert_allclose(log_sum_exp(x[:2], (0, 1)), special.logsumexp(x), rtol=1e-14)
    shares = jax.jacobian(lambda x: log_sum_exp(x, (1,)).sum())(x)
    np.testing.assert_allclose(shares, [*special.softmax(x[:2], 1), [0, 0, 0]], rtol=1e-12)
    p = shares[0]
    hessian = jax.hessian(lambda x: log_sum_exp(x, (0,)))(x[0])
    np.testing.assert_allclose(hessian, np.diag(p) - np.outer(p, p), rtol=1e-12)


# By mpmath, at 50 digits; also where one argument or both are large.
LOG_BETA = np.array(
    [
        (8.0, 5.0, -8.2839993042485262),
        (30.0, 5.0, -14.145734744681724),
        (2.5, 0.75, -0.44783810920451083),
        (0.25, 0.5, 1.6571065161914822),
        (1000.0, 2.0, -13.816510058297358),
        (1000000.0, 3.0, -40.753387493330377),
        (0.25, 100000.0, -1.5902079040436984),
        (1000000.0, 1000000.0, -1386300.0033629211),
        (10.0, 0.0009765625, 6.9287098751361998),
        (9.0, 20.0, -17.945256047236791),
    ]
)


def test_log_beta(precision):
    a, b, expected = LOG_BETA.T
    for first, second in ((a, b), (b, a)):
        actual = jax.jit(log_beta)(first, second)
        np.testing.assert_allclose(actual, expected, rtol=0.1 * precision, atol=0.1 * precision)
    slopes = jax.vmap(jax.grad(log_beta))(a, b)
    np.testing.assert_allclose(
        slopes, special.digamma(a) - special.digamma(a + b), rtol=2e-4, atol=1e-6
    )


@pytest.mark.parametrize("loc_shape", [(), (4, 1), (3,)], ids=str)
def test_gradients_of_a_normal_density(x64, loc_shape):
    rng = np.random.default_rng(4)
    value, loc = rng.normal(size=(4, 3)), rng.normal(size=loc_shape)
    scale = rng.gamma(3.0, size=(1, 3))

    def textbook(value, loc, scale):
        density = jnp.exp(-0.5 * ((value - loc) / scale) ** 2) / (scale * np.sqrt(2 * np.pi))
        return jnp.sum(jnp.sin(jnp.log(density)))

    def own(value, loc, scale):
        return jnp.sum(jnp.sin(Normal(loc, scale).log_prob(value)))

    args = (value, loc, scale)
    np.testing.assert_allclose(own(*args), textbook(*args), rtol=1e-12)
    for which in (0, 1, 2, (0, 1, 2)):
        for found, expected in zip(
            jax.tree.leaves(jax.jit(jax.grad(own, which))(*args)),
            jax.tree.leaves(jax.grad(textbook, which)(*args)),
            strict=True,
        ):
            np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(
        jax.hessian(own, 2)(*args), jax.hessian(textbook, 2)(*args), rtol=1e-10, atol=1e-12
    )
