"""The density that is sampled is the model's density times the Jacobian of the way to its space."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sojourn_distributions as dist
from sojourn_distributions import biject_to, constraints
from sojourn_infer import ModelTarget, log_density, potential_energy
from sojourn_primitives import deterministic, handlers, plate, sample


def free_coordinates(support, value):
    """The part of a value that determines it: a simplex has one component less, and so on."""
    if support is constraints.simplex:
        return value[..., :-1]
    if support is constraints.corr_cholesky:
        return value[jnp.tril_indices(value.shape[-1], -1)]
    return value


SITES = {
    "real": dist.Normal(1.0, 2.0),
    "positive": dist.Gamma(2.0, 3.0),
    "unit interval": dist.Beta(0.5, 3.0),
    "interval": dist.Uniform(3.0, 7.0),
    "from a bound": dist.TruncatedNormal(0.0, 1.0, low=1.5),
    "to a bound": dist.TruncatedNormal(0.0, 1.0, high=-1.0),
    "batch": dist.HalfCauchy(np.array([1.0, 2.0, 3.0])),
    "batch as event": dist.LogNormal(np.zeros((2, 2)), 1.0).to_event(2),
    "simplex": dist.Dirichlet(np.array([0.7, 2.0, 5.0])),
    "vector": dist.MultivariateNormal(np.zeros(2), np.array([[2.0, 0.5], [0.5, 1.0]])),
    "correlations": dist.LKJCholesky(3, 2.0),
    "ordered": dist.ImproperUniform(constraints.ordered_vector, (), (3,)),
    "positive ordered": dist.ImproperUniform(constraints.positive_ordered_vector, (), (3,)),
    "no elements": dist.HalfNormal(np.ones((0, 2))),
}


def start_of(model, *args, seed=0, **options):
    target = ModelTarget(model, **options)
    setup = target.setup(args, {})
    return setup, jax.jit(setup.start)(jax.random.key(seed))


@pytest.mark.parametrize("name", SITES)
def test_potential_is_density_and_jacobian(name):
    fn = SITES[name]

    def model():
        sample("x", fn)

    setup, position = start_of(model)
    value = setup.constrain(position)["x"]
    assert value.shape == fn.batch_shape + fn.event_shape
    assert np.all(fn.support(np.asarray(value)))

    def moved(unconstrained):
        return free_coordinates(fn.support, biject_to(fn.support)(unconstrained)).ravel()

    jacobian = jax.jacfwd(lambda flat: moved(flat.reshape(position["x"].shape)))(
        position["x"].ravel()
    )
    assert jacobian.shape[0] == jacobian.shape[1]
    log_det = np.linalg.slogdet(np.asarray(jacobian, float)).logabsdet
    density, _ = log_density(model, (), {}, {"x": value})
    np.testing.assert_allclose(-setup.potential(position), density + log_det, rtol=1e-4, atol=1e-4)


def test_terms_of_several_sites_add_up():
    def model():
        for name, fn in SITES.items():
            sample(name, fn)

    setup, position = start_of(model)
    single = 0.0
    for name, fn in SITES.items():
        one = ModelTarget(lambda fn=fn: sample("x", fn)).setup((), {})
        single += one.potential({"x": position[name]})
    np.testing.assert_allclose(setup.potential(position), single, rtol=1e-5)


SIX = np.linspace(-1.0, 1.5, 6)


def scaled():
    with handlers.scale(scale=2.5), plate("six", 6):
        sample("x", dist.HalfNormal(1.0))


def scaled_by_array():
    with handlers.scale(scale=np.arange(1.0, 7.0)), plate("six", 6):
        sample("x", dist.HalfNormal(1.0))


def subsampled():
    with plate("twelve", 12, subsample_size=6):
        sample("x", dist.HalfNormal(1.0))


@pytest.mark.parametrize(
    "model, weights", [(scaled, 2.5), (scaled_by_array, np.arange(1, 7)), (subsampled, 2.0)]
)
def test_scales_multiply_the_jacobian_too(model, weights):
    """Each element's whole term, density and Jacobian, stands for as many as its scale says."""
    setup, _ = start_of(model)
    each = -np.log(np.sqrt(np.pi / 2)) - np.exp(2 * SIX) / 2 + SIX  # half normal, at exp(u)
    np.testing.assert_allclose(
        -setup.potential({"x": jnp.asarray(SIX)}), (weights * each).sum(), rtol=1e-5
    )


def chained():
    """The support of a site depends on a site before it, and on data."""
    low = sample("low", dist.Normal(0.0, 1.0))
    width = sample("width", dist.HalfNormal(1.0))
    x = sample("x", dist.Uniform(low, low + width))
    deterministic("share", (x - low) / width)


def test_supports_may_depend_on_other_sites():
    setup, position = start_of(chained)
    values = setup.constrain(position)
    assert list(values) == ["low", "width", "x", "share"]
    assert values["low"] < values["x"] < values["low"] + values["width"]
    np.testing.assert_allclose(values["share"], jax.nn.sigmoid(position["x"]), rtol=1e-5)

    low, width, x = values["low"], values["width"], values["x"]
    jacobian = np.log(width) + np.log((x - low) * (low + width - x) / width)
    density, _ = log_density(chained, (), {}, {"low": low, "width": width, "x": x})
    np.testing.assert_allclose(-setup.potential(position), density + jacobian, rtol=1e-4)


def test_observed_sites_are_not_moved():
    def model(y):
        scale = sample("scale", dist.HalfNormal(1.0))
        sample("y", dist.Normal(0.0, scale), obs=y)

    setup, position = start_of(model, np.array(0.4))
    assert list(position) == ["scale"]
    conditioned, same = start_of(handlers.condition(model, data={"scale": 2.0}), np.array(0.4))
    assert same == {}
    np.testing.assert_allclose(
        conditioned.potential({}), setup.potential({"scale": jnp.log(2.0)}) + jnp.log(2.0)
    )


@pytest.mark.parametrize("enum", [False, True])
def test_positions_of_another_shape(enum):
    def model():
        scale = sample("scale", dist.HalfNormal(1.0))
        sample("shares", dist.Dirichlet(np.ones(3)))
        sample("y", dist.Normal(0.0, scale), obs=1.0)

    for position, words in (
        ({"scale": jnp.zeros(2), "shares": jnp.zeros(2)}, r"'scale' has shape \(2,\), .*\(\)"),
        ({"scale": 0.0, "shares": jnp.zeros((4, 2))}, r"'shares' has shape \(4, 2\), .*\(2,\)"),
    ):
        with pytest.raises(ValueError, match=words):
            potential_energy(model, (), {}, position, enum=enum)


def test_positions_beside_sites_that_are_summed_out():
    """A law with all values of a discrete site at once is wider than a single value."""

    def model():
        label = sample("label", dist.Bernoulli(0.3), infer={"enumerate": "parallel"})
        sample("x", dist.Normal(3.0 * label, 1.0))

    density = 0.7 * np.exp(-0.5) + 0.3 * np.exp(-2.0)
    expected = -np.log(density / np.sqrt(2 * np.pi))
    np.testing.assert_allclose(potential_energy(model, (), {}, {"x": 1.0}), expected, rtol=1e-5)
