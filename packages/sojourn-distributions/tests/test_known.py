"""Functions of known parameters are numbers: what a program would compute, and no part of it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.special import gammaln

import sojourn_distributions as dist
from sojourn_distributions import gamma_functions, known

KNOWN = [0.7, 3, np.float32(2.5), np.array([0.5, 4.0]), np.arange(1, 4)]


@pytest.mark.parametrize("x", KNOWN, ids=str)
@pytest.mark.parametrize(
    ("function", "computed"),
    [
        (known.log, jnp.log),
        (known.log_gamma, gammaln),
        (lambda x: known.log_beta(x, 1.5), lambda x: gamma_functions.log_beta(x, 1.5)),
    ],
    ids=["log", "log_gamma", "log_beta"],
)
def test_numbers(function, computed, x):
    found = function(x)
    np.testing.assert_allclose(found, computed(jnp.asarray(x)), rtol=1e-5, atol=1e-6)
    assert not isinstance(found, jax.Array)
    assert jnp.result_type(found, np.float32(1)) == np.float32


def test_normalizer_of_a_dirichlet():
    concentration = np.array([[0.5, 2.0, 3.0], [1.0, 1.0, 1.0]])
    expected = jax.jit(known.log_dirichlet_normalizer)(concentration)
    np.testing.assert_allclose(
        known.log_dirichlet_normalizer(concentration), expected, rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("x", [-1.0, 0.0, np.inf, np.nan, np.ones(2000)], ids=str)
def test_what_is_left_to_the_program(x):
    assert isinstance(known.log(x), jax.Array)


def test_large_arguments_do_not_cancel(x64):
    assert isinstance(known.log_beta(1e6, 1e6), jax.Array)
    np.testing.assert_allclose(known.log_beta(1e6, 1e6), -1386300.0033629211, rtol=1e-13)


PRIORS = [
    (dist.Beta(2.0, 3.5), 2),
    (dist.Gamma(2.0, 3.0), 1),
    (dist.Exponential(2.0), 0),
    (dist.Dirichlet(np.ones(3)), 0),
    (dist.Dirichlet(np.array([2.0, 3.0, 4.0])), 1),
]


@pytest.mark.parametrize(("prior", "logs"), PRIORS, ids=lambda x: type(x).__name__)
def test_priors_have_no_constants_to_compute(prior, logs):
    value = np.full(prior.event_shape, 0.3, "float32")
    program = str(jax.make_jaxpr(prior.log_prob)(value))
    assert "lgamma" not in program
    assert program.count(" log ") == logs
    traced = jax.jit(lambda prior, value: prior.log_prob(value))(prior, value)
    np.testing.assert_allclose(prior.log_prob(value), traced, rtol=1e-5)
