"""Bad concrete parameters and values are refused by name, place and value; traced ones pass."""

import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sojourn_distributions as dist
from sojourn_distributions import constraints
from sojourn_distributions.validation import is_validating


def test_message_names_class_parameter_constraint_value_and_index():
    with pytest.raises(
        ValueError,
        match=r"Normal distribution got invalid scale parameter: must satisfy positive, "
        r"but scale\[1, 0\] = -2\.0 \(shape \(2, 1\)\)",
    ):
        dist.Normal(0.0, np.array([[1.0], [-2.0]]))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: dist.Normal(np.nan, 1.0), "invalid loc parameter"),
        (lambda: dist.Normal(0, 0), "invalid scale parameter"),
        (lambda: dist.Normal(0.0, jnp.array([1.0, -1.0])), r"scale\[1\] = -1"),
        (lambda: dist.Bernoulli(1.5), "invalid probs parameter"),
        (lambda: dist.Categorical(np.array([0.5, 0.6])), "invalid probs parameter"),
        (lambda: dist.Categorical(0.5), "at least 1 dimension"),
        (lambda: dist.Uniform(1.0, np.array([2.0, 0.5])), r"low must be below high.*high\[1\]"),
        (lambda: dist.TruncatedNormal(low=1.0, high=0.0), "low must be below high"),
        (lambda: dist.DiscreteUniform(2, 1), "low must be at most high"),
        (lambda: dist.MultivariateNormal(0.0, -np.eye(2)), "invalid covariance_matrix"),
        (lambda: dist.Dirichlet(np.array([1.0, 0.0])), r"concentration.*independent\(.*positive"),
        (lambda: dist.Normal(np.zeros(3), np.ones(2)), "do not broadcast together"),
        (lambda: dist.Bernoulli(), r"Exactly one of \['probs', 'logits'\]"),
        (lambda: dist.Bernoulli(0.5, 0.5), r"Exactly one of \['probs', 'logits'\]"),
        (lambda: dist.MultivariateNormal(0.0), "Exactly one of"),
        (lambda: dist.MultivariateNormal(np.zeros(3), np.eye(2)), "does not match"),
        (lambda: dist.MixtureSameFamily(dist.Poisson(1.0), dist.Normal()), "must be a Categorical"),
        (
            lambda: dist.MixtureSameFamily(
                dist.Categorical(np.full(3, 1 / 3)), dist.Normal(np.zeros(2))
            ),
            "3 weights",
        ),
        (lambda: dist.GaussianRandomWalk(1.0, 0), "num_steps must be 1 or more"),
        (lambda: dist.LKJCholesky(1), "dimension must be 2 or more"),
        (lambda: dist.LKJCholesky(2, 1.0, "vine"), "sample_method"),
        (lambda: dist.Delta(0.0, event_dim=1), "event_dim=1"),
        (lambda: dist.ImproperUniform(constraints.simplex, (), ()), "event_shape"),
    ],
)
def test_bad_parameters_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_truncation_of_an_asymmetric_distribution_is_refused():
    with pytest.raises(TypeError, match="must be one of Cauchy, Laplace, Logistic, Normal"):
        dist.TruncatedDistribution(dist.Gamma(1.0), low=1.0)


def test_concrete_parameters_are_judged_inside_jit_and_traced_ones_pass():
    with pytest.raises(ValueError, match="invalid scale parameter"):
        jax.jit(lambda loc: dist.Normal(loc, -1.0).log_prob(0.0))(0.0)
    assert np.isnan(jax.jit(lambda scale: dist.Normal(0.0, scale).log_prob(0.0))(-1.0))


def test_validate_args_keyword_overrides_the_setting():
    dist.Normal(0.0, -1.0, validate_args=False)
    with dist.validation_enabled(False):
        dist.Normal(0.0, -1.0)
        with pytest.raises(ValueError, match="scale"):
            dist.Normal(0.0, -1.0, validate_args=True)
    with pytest.raises(ValueError, match="scale"):
        dist.Normal(0.0, -1.0)


def test_enable_validation_is_process_wide_and_the_block_is_the_threads_own():
    seen = []
    try:
        dist.enable_validation(False)
        with dist.validation_enabled():
            assert is_validating()
            thread = threading.Thread(target=lambda: seen.append(is_validating()))
            thread.start()
            thread.join()
        assert not is_validating()
    finally:
        dist.enable_validation()
    assert seen == [False]
    assert is_validating()


def test_validate_args_method():
    dist.Normal(0.0, 1.0).validate_args()
    with pytest.raises(ValueError, match="scale"):
        dist.Normal(0.0, -1.0, validate_args=False).validate_args()
    with pytest.raises(RuntimeError, match="cannot validate traced parameter 'scale'"):
        jax.jit(lambda scale: dist.Normal(0.0, scale).validate_args())(1.0)
    jax.jit(lambda scale: dist.Normal(0.0, scale).validate_args(strict=False))(1.0)


def test_values_outside_the_support_are_refused():
    d = dist.HalfNormal(np.ones(3))
    d.validate_sample(np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"outside its support.*positive.*value\[1, 2\] = -1\.0"):
        d.validate_sample(np.array([[1.0, 1.0, 1.0], [1.0, 1.0, -1.0]]))
    with pytest.raises(ValueError, match="outside its support"):
        dist.Uniform(np.array([0.0, 2.0]), 3.0).validate_sample(1.0)
    with pytest.raises(ValueError, match=r"value\[1\] = \[0\.5 0\.6\]"):
        dist.Dirichlet(np.ones(2)).validate_sample(np.array([[0.5, 0.5], [0.5, 0.6]]))
    with pytest.raises(ValueError, match="at least 1 dimension"):
        dist.Dirichlet(np.ones(2)).validate_sample(0.5)
    jax.jit(d.validate_sample)(np.full(3, -1.0))


def test_masked_out_values_are_not_judged():
    mask = np.array([True, False])
    d = dist.HalfNormal(1.0).expand((2,)).mask(mask)
    d.validate_sample(np.array([1.0, np.nan]))
    with pytest.raises(ValueError, match=r"value\[0\]"):
        d.validate_sample(np.array([-1.0, np.nan]))
    jax.jit(lambda m: dist.HalfNormal(1.0).mask(m).validate_sample(np.array([-1.0, 1.0])))(mask)
    event = dist.Dirichlet(np.ones(2)).expand((2,)).mask(mask)
    event.validate_sample(np.array([[0.5, 0.5], [np.nan, 3.0]]))


def test_mask_is_respected_within_an_event():
    d = dist.HalfNormal(1.0).expand((2,)).mask(np.array([True, False])).to_event(1)
    d.validate_sample(np.array([1.0, np.nan]))


def test_lists_are_taken_as_arrays():
    assert dist.Categorical([0.2, 0.8]).support == constraints.integer_interval(0, 1)
