"""What follows an input element by element is read off the program, never too generously."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sojourn_distributions as dist
from sojourn_gibbs.discrete_update import terms_by_element
from sojourn_gibbs.elementwise import followed_axes
from sojourn_gibbs.joint import joint_of
from sojourn_infer import ModelTarget
from sojourn_primitives import factor, plate, sample

TABLE = np.linspace(-1.0, 2.0, 12).reshape(3, 4)

FOLLOWS = {
    "arithmetic": (lambda z: jnp.where(z > 1, z**2, jnp.exp(-z)), (0, 1)),
    "a new axis": (lambda z: z[:, None] + jnp.zeros((3, 5, 4)), (0, 2)),
    "transposed": (lambda z: z.T * 2, (1, 0)),
    "sum over one": (lambda z: z.sum(1), (0, None)),
    "maximum over one": (lambda z: jax.nn.logsumexp(z, 0), (None, 0)),
    "cumulated": (lambda z: jnp.cumsum(z, 0), (None, 1)),
    "sorted": (lambda z: jnp.sort(z, 1), (0, None)),
    "reversed": (lambda z: z[::-1], (None, 1)),
    "shifted": (lambda z: jnp.roll(z, 1, 1), (0, None)),
    "a part": (lambda z: z[1:], (None, 1)),
    "looked up": (lambda z: jnp.arange(7.0)[z.astype(int)], (0, 1)),
    "looked up in itself": (lambda z: z[jnp.array([0, 1, 2])], (None, None)),
    "flattened": (lambda z: z.reshape(12), (None, None)),
    "reshaped around": (lambda z: z.reshape(3, 2, 2), (0, None)),
    "product with a matrix": (lambda z: z @ jnp.ones((4, 2)), (0, None)),
    "product of both": (lambda z: jnp.einsum("ij,kj->ikj", z, z), (None, 2)),
    "against its transpose": (lambda z: z[:3, :3] + z[:3, :3].T, (None, None)),
    "inside a call": (lambda z: jax.jit(lambda x: x + 1)(z), (0, 1)),
    "inside a branch": (lambda z: jax.lax.cond(True, lambda x: x, lambda x: 2 * x, z), (0, 1)),
    "a branch on it": (
        lambda z: jax.lax.cond(z[0, 0] > 0, lambda x: x, lambda x: 2 * x, z),
        (None, None),
    ),
    "a loop": (lambda z: jax.lax.fori_loop(0, 2, lambda i, x: x + i, z), (None, None)),
    "a scan": (lambda z: jax.lax.scan(lambda c, x: (c + x, c), z[0], z)[1], (None, None)),
}


@pytest.mark.parametrize("name", FOLLOWS)
def test_axes_that_follow(name):
    function, expected = FOLLOWS[name]
    (axes,) = followed_axes(jax.make_jaxpr(function)(jnp.zeros((3, 4))))
    assert axes.follow == expected


@pytest.mark.parametrize("name", FOLLOWS)
def test_an_axis_that_follows_sees_its_own_slice_alone(name):
    function, expected = FOLLOWS[name]
    rng = np.random.default_rng(0)
    z = rng.integers(0, 7, (3, 4)).astype(np.float32)
    before = np.asarray(function(jnp.asarray(z)))
    for dim, axis in enumerate(expected):
        if axis is None:
            continue
        changed = np.moveaxis(z.copy(), dim, 0)
        changed[1] = rng.integers(0, 7, changed[1].shape)
        after = np.asarray(function(jnp.asarray(np.moveaxis(changed, 0, dim))))
        same = np.delete(before, 1, axis), np.delete(after, 1, axis)
        np.testing.assert_array_equal(*same)


def test_what_does_not_depend_on_the_input():
    program = jax.make_jaxpr(lambda z: (jnp.ones(3), z))(jnp.zeros(3))
    assert followed_axes(program)[0] is None


def separates(link):
    """Whether the elements of a site in a plate move together in a model with this link."""

    def model():
        with plate("points", 3):
            label = sample("label", dist.Categorical(np.array([0.2, 0.3, 0.5])))
        link(label)

    joint = joint_of(ModelTarget(model), (), {})
    return terms_by_element(joint, joint.latents.discrete[0], {}) is not None


def in_the_plate(label):
    with plate("points", 3):
        sample("y", dist.Normal(jnp.asarray(TABLE[0])[label], 1.0), obs=np.zeros(3))


def rows_of_the_plate(label):
    with plate("rows", 5, dim=-2), plate("points", 3, dim=-1):
        sample("y", dist.Normal(1.0 * label, 1.0), obs=np.zeros((5, 3)))


def first_only(label):
    sample("y", dist.Normal(1.0 * label[0], 1.0), obs=0.0)


def summed(label):
    sample("y", dist.Normal(1.0 * label.sum(), 1.0), obs=0.0)


def neighbours(label):
    factor("smooth", -0.3 * (label[1:] != label[:-1]).sum())


def as_one_event(label):
    sample("y", dist.Normal(1.0 * label, 1.0).to_event(1), obs=np.zeros(3))


def against_others(label):
    with plate("points", 3):
        sample("y", dist.Normal(1.0 * jnp.sort(label), 1.0), obs=np.zeros(3))


@pytest.mark.parametrize("link", [in_the_plate, rows_of_the_plate])
def test_independent_elements_move_together(link):
    assert separates(link)


@pytest.mark.parametrize("link", [first_only, summed, neighbours, as_one_event, against_others])
def test_elements_that_interact_move_one_by_one(link):
    assert not separates(link)
