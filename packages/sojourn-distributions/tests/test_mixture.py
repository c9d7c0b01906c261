"""Mixtures of distributions that differ in family, support or batch."""

import jax
import numpy as np
import pytest
from scipy import stats

import sojourn_distributions as dist
from sojourn_distributions import constraints

WEIGHTS = np.array([0.25, 0.75])


def test_each_component_counts_on_its_own_support():
    parts = [dist.Normal(0.0, 1.0), dist.Gamma(2.0, 1.0)]
    d = dist.MixtureGeneral(dist.Categorical(WEIGHTS), parts, support=constraints.real)
    x = np.array([-1.0, 1.0])
    expected = 0.25 * stats.norm.pdf(x) + 0.75 * stats.gamma(2.0).pdf(x)
    np.testing.assert_allclose(np.exp(d.log_prob(x)), expected, rtol=1e-5)
    slopes = jax.jacobian(lambda d, x: d.log_prob(x), (0, 1))(d, x)
    assert all(np.isfinite(slope).all() for slope in jax.tree.leaves(slopes))


@pytest.mark.parametrize("general", [True, False])
def test_bounds_that_differ_make_the_support_that_holds_all(general):
    weights = dist.Categorical(WEIGHTS)
    if general:
        d = dist.Mixture(weights, [dist.Uniform(0.0, 1.0), dist.Uniform(-1.0, 0.5)])
    else:
        d = dist.Mixture(weights, dist.Uniform(np.array([0.0, -1.0]), np.array([1.0, 0.5])))
    assert d.support == constraints.interval(-1.0, 1.0)
    density = np.exp(d.log_prob(np.array([-2.0, -0.5, 0.25, 0.75, 2.0])))
    np.testing.assert_allclose(density, [0.0, 0.5, 0.75, 0.25, 0.0], rtol=1e-6)


def test_counts_of_several_supports_are_enumerated():
    parts = [dist.DiscreteUniform(3, 4), dist.Categorical(np.array([0.5, 0.5]))]
    d = dist.Mixture(dist.Categorical(WEIGHTS), parts)
    np.testing.assert_array_equal(d.enumerate_support(), [0, 1, 3, 4])
    same = dist.Mixture(dist.Categorical(WEIGHTS), dist.Binomial(2, np.array([0.1, 0.6])))
    assert same.expand((3,)).enumerate_support().shape == (3, 3)
    np.testing.assert_allclose(np.exp(same.log_prob(np.arange(3))).sum(), 1.0, rtol=1e-6)


def test_vector_components_and_a_batch():
    parts = [
        dist.MultivariateNormal(np.zeros(3), np.eye(3)),
        dist.Normal(np.full(3, 5.0), 1.0).to_event(1),
    ]
    d = dist.MixtureGeneral(dist.Categorical(np.full((4, 2), 0.5)), parts)
    assert (d.batch_shape, d.event_shape) == ((4,), (3,))
    value, (index,) = d.sample_with_intermediates(jax.random.key(0), (5,))
    assert value.shape == (5, 4, 3)
    np.testing.assert_array_equal(value.mean(-1) > 2.5, index == 1)
    assert d.log_prob(value).shape == (5, 4)
    np.testing.assert_allclose(d.mean, np.full((4, 3), 2.5), rtol=1e-6)


def test_a_component_of_weight_zero_changes_nothing():
    weights = np.array([1.0, 0.0])
    d = dist.Mixture(dist.Categorical(weights), [dist.Normal(0.0, 1.0), dist.Cauchy(0.0, 1.0)])
    np.testing.assert_allclose([d.mean, d.variance], [0.0, 1.0], atol=1e-6)
    slopes = jax.tree.leaves(jax.grad(lambda d: d.log_prob(0.3))(d))
    assert all(np.isfinite(slope).all() for slope in slopes)


@pytest.mark.parametrize(
    ("mixing", "components", "message"),
    [
        (dist.Normal(), [dist.Normal(), dist.Normal()], "must be a Categorical, got Normal"),
        (dist.Categorical(WEIGHTS), [dist.Normal()], "2 weights, but 1 components"),
        (dist.Categorical(WEIGHTS), [dist.Normal(), 1.0], r"\[1\] must be a distribution"),
        (dist.Categorical(WEIGHTS), [dist.Normal(), dist.HalfNormal()], "say with support="),
        (dist.Categorical(WEIGHTS), 1.0, "must be a list of distributions, got float"),
        (
            dist.Categorical(WEIGHTS),
            [dist.Normal(), dist.Normal(np.zeros(2)).to_event(1)],
            "different event shapes",
        ),
    ],
)
def test_parts_that_do_not_fit_are_refused(mixing, components, message):
    with pytest.raises(ValueError, match=message):
        dist.Mixture(mixing, components)
