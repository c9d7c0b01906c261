"""A distribution is a pytree of its parameters, through every transformation and through pickle."""

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sojourn_distributions as dist


def wrappings(d):
    return {
        "plain": d,
        "expanded": d.expand((3, *d.batch_shape)),
        "event": d.expand((3, *d.batch_shape)).to_event(1),
        "masked": d.expand((3, *d.batch_shape)).mask(np.array([True, False, True])),
    }


@pytest.mark.parametrize("wrapping", ["plain", "expanded", "event", "masked"])
def test_round_trips_through_flatten_and_pickle(case, wrapping):
    d = wrappings(case.make())[wrapping]
    for copy in (
        jax.tree.unflatten(jax.tree.structure(d), jax.tree.leaves(d)),
        pickle.loads(pickle.dumps(d)),
    ):
        assert type(copy) is type(d)
        assert jax.tree.structure(copy) == jax.tree.structure(d)
        assert (copy.batch_shape, copy.event_shape) == (d.batch_shape, d.event_shape)
        assert copy.support == d.support
        for a, b in zip(jax.tree.leaves(copy), jax.tree.leaves(d), strict=True):
            np.testing.assert_array_equal(a, b)


def test_any_leaf_is_accepted(case):
    d = case.make()
    marked = jax.tree.map(lambda _: object(), d)
    assert jax.tree.structure(marked) == jax.tree.structure(d)


def test_leaves_are_the_parameters_as_given(case):
    leaves = jax.tree.leaves(case.make())
    given = [value for value in case.parameters.values() if not isinstance(value, str)]
    for leaf in leaves:
        assert isinstance(leaf, float | int | np.ndarray)
    assert all(
        any(leaf is value for leaf in leaves) for value in given if isinstance(value, np.ndarray)
    )


def test_get_args_are_the_parameters_given(case):
    d = case.make()
    if not isinstance(case.constructor, type):
        pytest.skip("made by a function")
    for name, value in d.get_args().items():
        np.testing.assert_array_equal(value, case.parameters[name])


def test_passes_through_jit(case, log_prob):
    d = case.make()
    out = jax.jit(lambda d: d)(d)
    assert type(out) is type(d)
    assert out.shape() == d.shape()


def test_vmap_over_parameters_sees_unbatched_shapes(case):
    d = case.make()
    if not jax.tree.leaves(d):
        pytest.skip("no parameters")
    stacked = jax.tree.map(lambda leaf: np.stack([leaf] * 3), d)
    shapes = []

    def one(d):
        shapes.append((d.batch_shape, d.event_shape))
        return d.log_prob(d.sample(jax.random.key(0)))

    out = jax.eval_shape(jax.vmap(one), stacked)
    assert shapes == [(d.batch_shape, d.event_shape)]
    assert out.shape == (3, *d.batch_shape)


def test_vmapped_log_prob_is_the_log_prob_of_each():
    loc, scale, x = np.arange(3.0), np.array([1.0, 2.0, 3.0]), 0.7
    each = jax.vmap(lambda d: d.log_prob(x))(dist.Normal(loc, scale))
    np.testing.assert_allclose(each, dist.Normal(loc, scale).log_prob(x), rtol=1e-6)


def test_grad_with_respect_to_a_distribution():
    gradient = jax.grad(lambda d: d.log_prob(2.0))(dist.Normal(0.5, 1.0))
    assert isinstance(gradient, dist.Normal)
    np.testing.assert_allclose([gradient.loc, gradient.scale], [1.5, 1.25])
    gradient = jax.grad(lambda d: d.log_prob(2.0))(dist.LogNormal(0.0, 1.0))
    np.testing.assert_allclose(gradient.loc, np.log(2.0), rtol=1e-6)


def test_derived_parameters_do_not_change_the_structure():
    d = dist.MultivariateNormal(np.zeros(2), covariance_matrix=np.eye(2))
    before = jax.tree.structure(d)
    _ = d.scale_tril, d.precision_matrix, d.mean
    assert jax.tree.structure(d) == before
    assert list(d.get_args()) == ["loc", "covariance_matrix"]


def test_nothing_traced_is_kept_on_a_distribution():
    d = dist.MultivariateNormal(jnp.zeros(2), precision_matrix=jnp.eye(2))

    @jax.jit
    def inside(x):
        return d.log_prob(x) + d.covariance_matrix.sum() + d.expand((3,)).log_prob(x).sum()

    with jax.checking_leaks():
        inside(np.zeros(2))
    assert not any(isinstance(v, jax.core.Tracer) for v in vars(d).values())
    np.testing.assert_allclose(d.covariance_matrix, np.eye(2))


class Scaled(dist.Distribution):
    """A user's distribution in the style that hands its shapes to the base class."""

    arg_constraints = {"scale": dist.constraints.positive}
    support = dist.constraints.real
    pytree_aux_fields = ("offset",)

    def __init__(self, scale, offset=0, *, validate_args=None):
        self.scale, self.offset = scale, offset
        super().__init__(batch_shape=jnp.shape(scale), validate_args=validate_args)

    def sample(self, key, sample_shape=()):
        noise = jax.random.normal(key, sample_shape + self.batch_shape)
        return self.offset + self.scale * noise

    def log_prob(self, value, intermediates=None):
        return dist.Normal(self.offset, self.scale).log_prob(value)


def test_a_users_distribution_takes_part():
    d = Scaled(np.ones(3), offset=2)
    assert d.batch_shape == (3,)
    assert jax.jit(lambda d: d)(d).offset == 2
    assert d.expand((2, 3)).sample(jax.random.key(0)).shape == (2, 3)
    with pytest.raises(ValueError, match="invalid scale parameter"):
        Scaled(-1.0)
