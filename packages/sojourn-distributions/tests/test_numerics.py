"""Special functions keep their precision where the textbook formula loses it."""

import jax
import numpy as np
from scipy import special

from sojourn_distributions.numerics import log1mexp, log1p_square, log_power, ndtri_exp


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
