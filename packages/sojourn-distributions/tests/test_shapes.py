"""Batch and event shapes under sampling, expand, to_event and mask."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sojourn_distributions as dist


def draw(d, sample_shape=()):
    return jax.eval_shape(lambda d: d.sample(jax.random.key(0), sample_shape), d)


def density(d, value):
    return jax.eval_shape(lambda d, x: d.log_prob(x), d, value)


def test_shapes_follow_the_vocabulary(case):
    d = case.make()
    assert d.event_dim == len(d.event_shape)
    for sample_shape in [(), (4,), (2, 3)]:
        value = draw(d, sample_shape)
        assert value.shape == d.shape(sample_shape)
        assert density(d, value).shape == sample_shape + d.batch_shape


def test_parameters_with_more_dimensions_make_a_batch(case):
    d = case.make()
    if not jax.tree.leaves(d):
        pytest.skip("no parameters")
    if any(np.ndim(leaf) for leaf in jax.tree.leaves(d)) and not isinstance(case.constructor, type):
        pytest.skip("its parts have batches of their own")
    stacked = jax.tree.map(lambda leaf: np.stack([leaf] * 3), d)
    assert stacked.batch_shape == (3, *d.batch_shape)
    assert draw(stacked, (5,)).shape == (5, 3, *d.shape())


def test_expand(case):
    d = case.make()
    expanded = d.expand((4, 3, *d.batch_shape))
    assert expanded.batch_shape == (4, 3, *d.batch_shape)
    assert expanded.event_shape == d.event_shape
    assert expanded.support == d.support
    assert expanded.is_discrete == d.is_discrete
    value = draw(expanded, (2,))
    assert value.shape == (2, 4, 3, *d.shape())
    assert density(expanded, value).shape == (2, 4, 3, *d.batch_shape)
    # The base and its parameters are those given, uncopied.
    assert expanded.base_dist is d
    assert all(a is b for a, b in zip(jax.tree.leaves(expanded), jax.tree.leaves(d), strict=True))


def test_expand_to_the_same_shape_is_the_same(case):
    d = case.make()
    assert d.expand(d.batch_shape) is d


def test_expanding_twice_keeps_one_wrapper(case):
    twice = case.make().expand((3,)).expand((2, 3))
    assert not isinstance(twice.base_dist, dist.ExpandedDistribution)
    assert twice.batch_shape == (2, 3)


def test_expanded_dimensions_are_drawn_independently():
    d = dist.Normal(np.array([[0.0], [100.0]]), np.ones(1)).expand((5, 2, 3))
    x = d.sample(jax.random.key(0), (4,))
    assert x.shape == (4, 5, 2, 3)
    assert len(np.unique(x)) == x.size
    # ... and each lands at its own parameters.
    np.testing.assert_array_less(abs(x - np.array([[0.0], [100.0]])), 10)


def test_expanded_intermediates_are_placed_like_the_draw():
    base = dist.TransformedDistribution(
        dist.Normal(np.zeros((2, 1)), 1.0), dist.transforms.ExpTransform()
    )
    d = base.expand((4, 2, 3))
    value, intermediates = d.sample_with_intermediates(jax.random.key(0), (5,))
    assert value.shape == (5, 4, 2, 3)
    np.testing.assert_allclose(
        d.log_prob(value, intermediates), d.log_prob(value), rtol=1e-4, atol=1e-5
    )


def test_expand_rejects_a_shape_that_does_not_fit():
    with pytest.raises(ValueError, match=r"cannot expand .* \(3,\) to \(2,\)"):
        dist.Normal(np.zeros(3)).expand((2,))
    with pytest.raises(ValueError, match="cannot expand"):
        dist.Normal(np.zeros(3)).expand((4, 3)).expand((3,))


def test_expand_by():
    assert dist.Normal(np.zeros(3)).expand_by((2,)).batch_shape == (2, 3)


def test_to_event(case):
    d = case.make().expand((4, 3))
    event = d.to_event(1)
    assert event.batch_shape == (4,)
    assert event.event_shape == (3, *d.event_shape)
    assert event.support.event_dim == event.event_dim
    assert d.to_event().batch_shape == ()
    assert d.to_event(0) is d
    value = draw(event, (2,))
    assert density(event, value).shape == (2, 4)


def test_to_event_sums():
    d = dist.Normal(np.arange(3.0), 1.0)
    x = np.array([0.5, 0.2, 2.0])
    np.testing.assert_allclose(d.to_event(1).log_prob(x), d.log_prob(x).sum(), rtol=1e-6)
    np.testing.assert_allclose(d.to_event(1).entropy(), d.entropy().sum(), rtol=1e-6)


def test_to_event_rejects_more_dimensions_than_there_are():
    with pytest.raises(ValueError, match="cannot move 2 batch dimension"):
        dist.Normal(np.zeros(3)).to_event(2)


def test_mask(case):
    d = case.make().expand((3,))
    masked = d.mask(np.array([True, False, True]))
    assert (masked.batch_shape, masked.event_shape) == (d.batch_shape, d.event_shape)
    value = draw(masked)
    assert density(masked, value).shape == (3,)
    assert d.mask(True) is d
    assert d.mask(False).log_prob(np.zeros((2, *value.shape), value.dtype)).shape == (2, 3)


def test_mask_broadcasts_with_the_batch():
    masked = dist.Normal(0.0, 1.0).mask(np.array([True, False]))
    assert masked.batch_shape == (2,)
    assert masked.sample(jax.random.key(0)).shape == (2,)
    np.testing.assert_allclose(masked.log_prob(1.0), [dist.Normal().log_prob(1.0), 0.0])


def test_masked_out_values_reach_neither_density_nor_gradient():
    mask = np.array([True, False])

    def total(loc, x):
        return dist.Normal(loc, 1.0).mask(mask).log_prob(x).sum()

    x = np.array([1.0, np.nan])
    assert np.isfinite(total(0.0, x))
    assert jax.grad(total)(0.0, x) == 1.0
    np.testing.assert_array_equal(jax.grad(total, 1)(0.0, x), [-1.0, 0.0])


def test_a_mask_must_be_boolean():
    with pytest.raises(ValueError, match="must be boolean"):
        dist.Normal().mask(np.ones(3))


def test_transformed_distribution_draws_every_element_by_itself():
    shift = dist.transforms.AffineTransform(np.zeros(3), 2.0)
    d = dist.TransformedDistribution(dist.Normal(0.0, 1.0), shift)
    assert d.batch_shape == (3,)
    assert len(np.unique(d.sample(jax.random.key(0)))) == 3
    np.testing.assert_allclose(d.log_prob(np.ones(3)), dist.Normal(0.0, 2.0).log_prob(1.0))


def test_transform_of_vectors_turns_a_batch_into_events():
    d = dist.TransformedDistribution(
        dist.Normal(np.zeros((2, 3)), 1.0), dist.transforms.StickBreakingTransform()
    )
    assert (d.batch_shape, d.event_shape) == ((2,), (4,))
    assert d.support == dist.constraints.simplex
    value, intermediates = d.sample_with_intermediates(jax.random.key(0), (5,))
    np.testing.assert_allclose(
        d.log_prob(value, intermediates), d.log_prob(value), rtol=1e-4, atol=1e-4
    )


def test_cdf_of_a_decreasing_transform():
    d = dist.TransformedDistribution(
        dist.Exponential(1.0), dist.transforms.AffineTransform(0.0, -1.0)
    )
    np.testing.assert_allclose(d.cdf(-2.0), np.exp(-2.0), rtol=1e-6)
    np.testing.assert_allclose(d.icdf(d.cdf(-2.0)), -2.0, rtol=1e-5)


def test_log_normal_uses_intermediates():
    d = dist.LogNormal(0.3, 0.5)
    value, intermediates = d.sample_with_intermediates(jax.random.key(0), (4,))
    np.testing.assert_allclose(d.log_prob(value, intermediates), d.log_prob(value), rtol=1e-5)


def test_mixture_has_the_batch_of_its_parts():
    weights = dist.Categorical(np.full((2, 3), 1 / 3))
    parts = dist.Normal(np.zeros((4, 2, 3, 5)), 1.0).to_event(1)
    d = dist.MixtureSameFamily(weights, parts)
    assert (d.batch_shape, d.event_shape) == ((4, 2), (5,))
    assert draw(d, (6,)).shape == (6, 4, 2, 5)
    assert density(d, draw(d, (6,))).shape == (6, 4, 2)
    assert np.shape(d.mean) == np.shape(d.variance) == (4, 2, 5)


def test_multivariate_normal_batches_of_either_parameter_broadcast():
    loc, tril = np.zeros((4, 1, 2)), np.broadcast_to(np.eye(2), (3, 2, 2))
    d = dist.MultivariateNormal(loc, scale_tril=tril)
    assert (d.batch_shape, d.event_shape) == ((4, 3), (2,))
    x = d.sample(jax.random.key(0), (5,))
    assert x.shape == (5, 4, 3, 2)
    expected = dist.Normal().log_prob(x).sum(-1)
    np.testing.assert_allclose(d.log_prob(x), expected, rtol=1e-5)
    np.testing.assert_allclose(d.log_prob(x[0, 0, 0]), expected[0, 0, 0] + jnp.zeros((4, 3)))


def test_infer_shapes(case):
    d = case.make()
    if not hasattr(case.constructor, "infer_shapes") or "num_steps" in case.parameters:
        pytest.skip("the constructor is a function, or takes more than arrays")
    shapes = {name: np.shape(value) for name, value in d.get_args().items()}
    others = {k: v for k, v in case.parameters.items() if k not in shapes}
    assert case.constructor.infer_shapes(**shapes, **others) == (d.batch_shape, d.event_shape)


def test_enumerate_support(case, log_prob):
    d = case.make()
    if not d.has_enumerate_support:
        with pytest.raises(NotImplementedError):
            d.enumerate_support()
        return
    values = d.enumerate_support()
    np.testing.assert_allclose(np.exp(log_prob(d, values)).sum(), 1, rtol=1e-5)
    expanded = d.expand((3, 2))
    size = len(values)
    assert expanded.enumerate_support().shape == (size, 3, 2)
    assert expanded.enumerate_support(expand=False).shape == (size, 1, 1)
    assert expanded.mask(np.ones((3, 2), bool)).enumerate_support().shape == (size, 3, 2)
    with pytest.raises(NotImplementedError, match="keep the dimensions in the batch"):
        expanded.to_event(1).enumerate_support()


def test_enumerated_support_starts_where_the_distribution_does():
    np.testing.assert_array_equal(dist.DiscreteUniform(3, 5).enumerate_support(), [3, 4, 5])
    with pytest.raises(NotImplementedError, match="same over the batch"):
        dist.Binomial(np.array([2, 3]), 0.5).enumerate_support()
