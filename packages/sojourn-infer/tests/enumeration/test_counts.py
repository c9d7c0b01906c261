"""Categorical data summed over plates by counting, against looking every label up."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sojourn_distributions as dist
from sojourn_infer import log_density
from sojourn_infer.enumeration.counts import summed_log_prob
from sojourn_primitives import handlers, plate, sample

RNG = np.random.default_rng(3)
LABELS = RNG.integers(0, 3, (5, 4))
MASK = RNG.uniform(size=(5, 4)) < 0.7
SUM = {"enumerate": "parallel"}


def simplex(*shape):
    return RNG.dirichlet(np.full(shape[-1], 2.0), shape[:-1]).astype("float32")


def agree(make, parameters, value, dims, traced):
    """Compare sums and their gradients, with data that are constants or arguments."""

    def looked_up(parameters, value):
        return make(parameters).log_prob(value).sum(dims, keepdims=True)

    def counted(parameters, value):
        return summed_log_prob(make(parameters), value, dims)

    assert counted(parameters, value) is not None
    if not traced:
        looked_up = lambda p, v, f=looked_up: f(p, value)  # noqa: E731
        counted = lambda p, v, f=counted: f(p, value)  # noqa: E731
    expected, pull_back = jax.vjp(lambda p: looked_up(p, value), parameters)
    found, pull = jax.jit(lambda p, v: jax.vjp(lambda p: counted(p, v), p))(parameters, value)
    np.testing.assert_allclose(jnp.broadcast_to(found, expected.shape), expected, rtol=2e-5)
    weights = np.where(np.isfinite(expected), RNG.normal(size=expected.shape), 0).astype("float32")
    # A dim that the sum does not depend on has size 1: its element stands for all of them.
    repeated = tuple(np.flatnonzero(np.array(found.shape) != expected.shape))
    folded = weights.sum(repeated, keepdims=True)
    np.testing.assert_allclose(pull(folded)[0], pull_back(weights)[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("traced", [False, True])
@pytest.mark.parametrize("dims", [(-1,), (-2,), (-2, -1), ()], ids=str)
@pytest.mark.parametrize(
    ("make", "parameters"),
    [
        (dist.Categorical, simplex(2, 1, 1, 3)),
        (dist.Categorical, simplex(2, 1, 4, 3)),
        (lambda p: dist.Categorical(logits=p), RNG.normal(size=(2, 5, 1, 3)).astype("float32")),
        (lambda p: dist.Categorical(p).mask(MASK), simplex(2, 1, 4, 3)),
        (lambda p: dist.Categorical(p).expand([2, 5, 4]), simplex(2, 1, 1, 3)),
    ],
    ids=["one row", "by column", "logits by row", "masked", "expanded"],
)
def test_sums_over_plates(make, parameters, dims, traced):
    agree(make, parameters, LABELS, dims, traced)


@pytest.mark.parametrize("traced", [False, True])
def test_what_is_impossible_stays_so(traced):
    probs = np.array([[[[0.5, 0.5, 0.0]]], [[[0.2, 0.3, 0.5]]]], "float32")
    agree(dist.Categorical, probs, LABELS, (-1,), traced)
    agree(lambda p: dist.Categorical(logits=jnp.log(p)), probs, LABELS, (-1,), traced)
    outside = np.where(np.arange(4) == 2, 3.0, LABELS)
    outside[0, 0] = 0.5
    outside[1] = LABELS[1]
    agree(dist.Categorical, probs, outside, (-1,), traced)


def test_repeated_values_count_as_often_as_there_are_elements():
    fn = dist.Categorical(simplex(2, 1, 3)).expand([2, 6])
    value = np.array([1])
    np.testing.assert_allclose(
        summed_log_prob(fn, value, (-1,)), fn.log_prob(value).sum(-1, keepdims=True), rtol=1e-5
    )


def test_what_cannot_gain_is_left_alone():
    assert summed_log_prob(dist.Normal(0.0, np.ones((3, 1))), np.ones(4), (-1,)) is None
    assert summed_log_prob(dist.Categorical(simplex(4, 3)), LABELS[0], (-1,)) is None
    assert summed_log_prob(dist.Categorical(simplex(100)), LABELS, (-1,)) is None


def test_subsampled_and_scaled_plates():
    """Each element of the inner plate stands for three, and every label counts half."""
    prevalence, confusion = simplex(3), simplex(3, 3)

    def model(p):
        with plate("item", 5, dim=-2):
            c = sample("c", dist.Categorical(p), infer=SUM)
            with plate("annotator", 12, subsample_size=4, dim=-1), handlers.scale(scale=0.5):
                sample("y", dist.Categorical(jnp.asarray(confusion)[c]), obs=LABELS)

    seeded = handlers.seed(model, rng_seed=0)
    found = log_density(seeded, (prevalence,), {}, {})[0]
    terms = np.log(prevalence) + 3 * 0.5 * np.log(confusion[:, LABELS]).sum(-1).T
    np.testing.assert_allclose(found, np.logaddexp.reduce(terms, 1).sum(), rtol=1e-5)
