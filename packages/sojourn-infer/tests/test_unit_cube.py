"""Uniform numbers become draws of a model's prior, and what is left over becomes likelihood."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import qmc

import sojourn_distributions as dist
from sojourn_infer.unit_cube import (
    cube_event_shape,
    cube_shapes,
    cube_trace,
    cube_values,
    from_uniform,
)
from sojourn_primitives import deterministic, factor, handlers, plate, sample

CORRELATED = np.array([[2.0, 0.6], [0.6, 0.5]])

EXACT = {
    "gamma": dist.Gamma(3.0, 2.0),
    "truncated": dist.TruncatedNormal(0.5, 2.0, low=1.0, high=4.0),
    "log-normal": dist.LogNormal(0.3, 0.4),
    "student": dist.StudentT(7.0, 1.0, 2.0),
    "batch": dist.Exponential(np.array([1.0, 4.0])),
    "independent": dist.Gumbel(np.array([1.0, 4.0]), 2.0).to_event(1),
    "expanded": dist.Gamma(np.array([[2.0], [5.0]]), 1.0).expand([2, 3]),
    "masked": dist.Weibull(2.0, 1.5).expand([2]).mask(np.array([True, False])),
    "normal vector": dist.MultivariateNormal(np.array([1.0, -3.0]), CORRELATED),
    "expanded vector": dist.MultivariateNormal(np.zeros(2), CORRELATED).expand([3]),
    "shares": dist.Dirichlet(np.array([0.7, 2.0, 4.0])),
}
WEIGHTED = {
    "mixture": dist.MixtureSameFamily(
        dist.Categorical(np.array([0.3, 0.7])), dist.Normal(np.array([-2.0, 3.0]), 1.0)
    ),
    "heavy vector": dist.MultivariateStudentT(6.0, np.array([1.0, 2.0]), np.eye(2)),
    "events of angles": dist.VonMises(np.array([0.0, 1.0]), 1.0).to_event(1),
}
LAWS = EXACT | WEIGHTED | {"correlation": dist.LKJCholesky(2, 1.5)}


@functools.cache
def draw(name, num_draws):
    """Values and ratios of a law at low-discrepancy points of the cube."""
    fn = LAWS[name]
    shape = fn.batch_shape + cube_event_shape(fn)
    points = qmc.Sobol(int(np.prod(shape)), seed=1).random(num_draws)
    uniform = jnp.asarray(points.reshape(num_draws, *shape), jnp.float32)
    uniform = jnp.clip(uniform, 1e-7, 1 - 1e-7)
    return jax.jit(jax.vmap(lambda u: from_uniform(fn, u)))(uniform)


@pytest.mark.parametrize("name", EXACT)
def test_exact_maps_give_the_moments_of_the_law(name):
    fn = EXACT[name]
    value, log_ratio = draw(name, 4096)
    assert value.shape == (4096, *fn.shape())
    assert np.all(np.asarray(log_ratio) == 0)
    value = np.asarray(value, float)
    base = fn.base_dist if isinstance(fn, dist.MaskedDistribution) else fn
    mean, variance = np.asarray(base.mean), np.asarray(base.variance)
    # Low-discrepancy points are far more even than random ones, whose error is sd / 64.
    assert np.all(abs(value.mean(0) - mean) < np.sqrt(variance) / 64)
    np.testing.assert_allclose(value.var(0), variance, rtol=0.1)
    assert bool(np.all(np.asarray(jax.jit(jax.vmap(base.support))(value))))


def test_vectors_have_their_covariance_and_shares_their_marginal_law():
    vectors, _ = draw("normal vector", 4096)
    np.testing.assert_allclose(np.cov(np.asarray(vectors).T), CORRELATED, rtol=0.02)
    shares = np.asarray(draw("shares", 4096)[0], float)
    np.testing.assert_allclose(shares.sum(1), 1, rtol=1e-5)
    for component, a in enumerate([0.7, 2.0, 4.0]):
        law = dist.Beta(a, 6.7 - a)
        levels = np.asarray(law.icdf(np.array([0.05, 0.3, 0.8])))
        below = (shares[:, component, None] < levels).mean(0)
        np.testing.assert_allclose(below, [0.05, 0.3, 0.8], atol=0.01)


@pytest.mark.parametrize("name", WEIGHTED)
def test_ratios_weight_other_draws_to_the_law(name):
    fn = WEIGHTED[name]
    value, log_ratio = draw(name, 1 << 14)
    assert log_ratio.shape == (1 << 14, *fn.batch_shape)
    weights = np.exp(np.asarray(log_ratio, float))
    assert weights.max() < 200
    np.testing.assert_allclose(weights.mean(0), 1, atol=0.02)
    value = np.asarray(value, float)
    weights = weights.reshape(weights.shape + (1,) * (value.ndim - weights.ndim))
    # Angles have circular moments, so functions of all of these are compared with their draws.
    reference = np.asarray(fn.sample(jax.random.key(0), (10_000,)), float)
    for function in (np.sin, np.tanh):
        expected, error = function(reference).mean(0), function(reference).std(0) / 100
        np.testing.assert_array_less(
            abs((weights * function(value)).mean(0) - expected), 4.5 * error + 0.01
        )


def test_a_correlation_matrix_by_ratios():
    value, log_ratio = draw("correlation", 1 << 13)
    correlation, weights = np.asarray(value)[:, 1, 0], np.exp(np.asarray(log_ratio, float))
    np.testing.assert_allclose(weights.mean(), 1, atol=0.01)
    # The correlation is a Beta(1.5, 1.5) on (-1, 1).
    np.testing.assert_allclose((weights * correlation**2).mean(), 1 / 4, rtol=0.02)


def model(y):
    scale = sample("scale", dist.Gamma(2.0, 1.0))
    with plate("groups", 3):
        # A support that another site decides.
        top = sample("top", dist.Uniform(0.0, scale))
        with handlers.scale(scale=2.0):
            heavy = sample("heavy", dist.Exponential(top))
    vectors = sample("vectors", dist.MultivariateNormal(np.zeros(2), np.eye(2)), sample_shape=(4,))
    angle = sample("angle", dist.VonMises(0.0, 1.0))
    deterministic("sum", jnp.sum(vectors) + angle)
    factor("penalty", -jnp.sum(heavy))
    with handlers.mask(mask=np.array([True, False, True])):
        loose = sample("loose", dist.Normal(0.0, 1.0).expand([3]))
    sample("y", dist.Normal(jnp.sum(loose), scale), obs=y)


def test_shapes_follow_plates_batches_and_repetitions():
    assert cube_shapes(model, (1.0,), {}) == {
        "scale": (),
        "top": (3,),
        "heavy": (3,),
        "vectors": (4, 2),
        "angle": (),
        "loose": (3,),
    }


def test_the_likelihood_is_the_joint_density_over_the_density_of_the_draw():
    uniform = {
        name: jnp.linspace(0.2, 0.7, int(np.prod(shape))).reshape(shape)
        for name, shape in cube_shapes(model, (1.5,), {}).items()
    }

    @jax.jit
    def run(uniform):
        trace, log_likelihood = cube_trace(model, (1.5,), {}, uniform)
        return {name: trace[name]["value"] for name in uniform}, log_likelihood

    values, log_likelihood = run(uniform)
    x = {name: np.asarray(value, float) for name, value in values.items()}
    np.testing.assert_allclose(x["top"] / x["scale"], uniform["top"], rtol=1e-5)
    np.testing.assert_allclose(x["heavy"], -np.log1p(-uniform["heavy"]) / x["top"], rtol=1e-4)
    expected = -x["heavy"].sum()  # the factor
    expected += np.sum(np.log(x["top"]) - x["top"] * x["heavy"])  # once more than it was drawn
    expected += -0.5 * ((1.5 - x["loose"].sum()) / x["scale"]) ** 2 - np.log(x["scale"])
    expected -= 0.5 * np.log(2 * np.pi)
    position = np.tan(np.pi * (float(uniform["angle"]) - 0.5))
    log_cauchy = -np.log(np.pi * (1 + position**2))
    transform = dist.biject_to(dist.VonMises(0.0, 1.0).support)
    log_jacobian = transform.log_abs_det_jacobian(position, transform(position))
    expected += float(dist.VonMises(0.0, 1.0).log_prob(x["angle"]) + log_jacobian) - log_cauchy
    np.testing.assert_allclose(float(log_likelihood), expected, rtol=1e-4)


def test_ends_of_the_unit_interval_give_finite_values():
    trace, _ = cube_trace(
        lambda: sample("x", dist.Normal(0.0, 1.0).expand([2])), (), {}, {"x": jnp.array([0.0, 1.0])}
    )
    assert np.isfinite(np.asarray(trace["x"]["value"])).all()


def test_sites_that_have_no_place_in_a_cube_are_named():
    with pytest.raises(ValueError, match="latent site 'k' is discrete and has no finite support"):
        cube_shapes(lambda: sample("k", dist.Poisson(3.0)), (), {})
    improper = dist.ImproperUniform(dist.constraints.positive, (), ())
    with pytest.raises(ValueError, match="latent site 'flat' has an improper prior"):
        cube_shapes(lambda: sample("flat", improper), (), {})


def mixed(y):
    """A discrete site for each datum, which decides its scale."""
    rate = sample("rate", dist.Gamma(2.0, 1.0))
    with plate("data", len(y)):
        outlier = sample("outlier", dist.Bernoulli(0.2))
        deterministic("spread", jnp.where(outlier, 10.0, 1.0))
        sample("y", dist.Normal(rate, jnp.where(outlier, 10.0, 1.0)), obs=y)
    deterministic("twice", 2 * rate)


def test_discrete_sites_with_a_finite_support_are_summed_out():
    y = np.array([1.0, -8.0], np.float32)
    assert cube_shapes(mixed, (y,), {}) == {"rate": ()}
    uniform = {"rate": jnp.float32(0.3)}
    _, log_likelihood = cube_trace(mixed, (y,), {}, uniform)
    rate = float(dist.Gamma(2.0, 1.0).icdf(0.3))
    density = sum(
        weight * np.exp(-0.5 * ((y - rate) / scale) ** 2) / scale / np.sqrt(2 * np.pi)
        for weight, scale in ((0.8, 1.0), (0.2, 10.0))
    )
    np.testing.assert_allclose(float(log_likelihood), np.log(density).sum(), rtol=1e-5)
    values = cube_values(mixed, (y,), {}, uniform)
    # What is computed from a site that is summed out is not a number.
    assert values.keys() == {"rate", "twice"}
    np.testing.assert_allclose(values["twice"], 2 * rate, rtol=1e-5)


def test_a_prior_that_depends_on_a_discrete_site_is_named():
    def model():
        c = sample("c", dist.Bernoulli(0.3))
        sample("x", dist.Normal(4.0 * c, 1.0))

    with pytest.raises(ValueError, match="prior of latent site 'x' depends on a discrete site"):
        cube_trace(model, (), {}, {"x": jnp.float32(0.5)})
