"""Tables over categories: what is picked and weighed, and its gradients, against plain indexing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sojourn_distributions as dist
from sojourn_distributions.discrete.categories import few_first, log_softmax_at, pick, weigh
from sojourn_distributions.short_rows import part_rows

RNG = np.random.default_rng(5)


def normal(*shape):
    return RNG.normal(size=shape).astype("float32")


def looked_up(table, index):
    """Index category by category."""
    shape = np.broadcast_shapes(np.shape(index), table.shape[:-1])
    table = jnp.broadcast_to(table, (*shape, table.shape[-1]))
    index = jnp.broadcast_to(index, shape)
    return jnp.take_along_axis(table, index[..., None], -1)[..., 0]


SHAPES = [
    ((4,), ()),
    ((4,), (5, 2)),
    ((5, 2, 4), (5, 2)),
    ((3, 5, 1, 4), (5, 2)),
    ((3, 1, 2, 4), (1, 1)),
    ((2, 1), (2,)),
    ((5, 90), (5,)),
    ((5, 2, 12), ()),
    ((40, 3, 4), (40, 3)),
    ((2, 1, 40, 3, 4), (5, 40, 3)),
    ((2, 40, 3, 4), (1, 1)),
    ((4,), (40, 3)),
    ((40, 1, 4), (40, 3)),
    ((40, 3, 90), (40, 3)),
    ((40, 1, 12), (40, 3)),
    ((3, 5, 1, 12), (5, 2)),
    ((3, 1, 2, 12), (5, 1)),
]


@pytest.mark.parametrize("traced", [False, True])
@pytest.mark.parametrize(("table_shape", "index_shape"), SHAPES, ids=str)
def test_picking(table_shape, index_shape, traced):
    table, index = normal(*table_shape), RNG.integers(0, table_shape[-1], index_shape)

    def normalised(table, index):
        moved, index, place, rows = few_first(table, index)
        return part_rows(log_softmax_at(moved, index, place), rows)

    def normalised_first(table, index):
        return looked_up(jax.nn.log_softmax(table), index)

    for function, expected in ((pick, looked_up), (normalised, normalised_first)):
        if traced:
            found, pull = jax.jit(lambda t, i, f=function: jax.vjp(lambda t: f(t, i), t))(
                table, index
            )
        else:
            found, pull = jax.vjp(lambda t, f=function: f(t, index), table)
        wanted, pull_back = jax.vjp(lambda t, f=expected: f(t, index), table)
        np.testing.assert_allclose(found, wanted, rtol=2e-5, atol=2e-6)
        weights = normal(*wanted.shape)
        np.testing.assert_allclose(pull(weights)[0], pull_back(weights)[0], rtol=2e-5, atol=2e-6)


def test_curvature_of_a_softmax():
    logits, index = normal(3, 4), np.array([0, 3, 1])

    def total(f):
        return lambda logits: jnp.sum(f(logits) ** 2)

    own = total(lambda logits: log_softmax_at(logits.T, index, -2))
    plain = total(lambda logits: looked_up(jax.nn.log_softmax(logits), index))
    np.testing.assert_allclose(
        jax.hessian(own)(logits), jax.hessian(plain)(logits), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("few", [True, False])
def test_weights(few):
    size = 5 if few else 40
    table, weights = normal(3, size, 6), RNG.integers(0, 4, (1, size, 6)).astype("float32")
    expected = (table * weights).sum(1)
    found, pull = jax.vjp(lambda t: weigh(t, weights, -2, -1e30), table)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        pull(expected)[0], jnp.broadcast_to(weights * expected[:, None], table.shape), rtol=1e-5
    )
    impossible = table.copy()
    impossible[:, 2] = -np.inf
    weights[:, 2, 0], weights[:, 2, 1:] = 1, 0
    found = weigh(impossible, weights, -2, -1e30)
    assert np.all(found[:, 0] < -9e29)
    np.testing.assert_allclose(found[:, 1:], (table * weights).sum(1)[:, 1:], rtol=1e-4, atol=1e-5)


def test_labels_that_are_known_leave_no_check_in_the_program():
    labels = np.array([0, 2, 1])
    log_prob = lambda p, value: dist.Categorical(p).log_prob(value)  # noqa: E731
    assert " ge " in str(jax.make_jaxpr(log_prob)(np.ones((3, 3)), labels))
    assert " ge " not in str(jax.make_jaxpr(lambda p: log_prob(p, labels))(np.ones((3, 3))))
    beyond = log_prob(np.full(3, 1 / 3, "float32"), np.array([0, 3, -1]))
    np.testing.assert_allclose(beyond, [np.log(1 / 3), -np.inf, -np.inf], rtol=1e-6)
