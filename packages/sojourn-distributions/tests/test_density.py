"""Log densities agree with scipy.stats, have mass 1, and behave at the edges of the support."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import sojourn_distributions as dist
from sojourn_distributions import biject_to


def test_log_prob_agrees_with_scipy(case, precision, log_prob, log_density):
    reference = case.scipy()
    points = case.points()
    expected = log_density(reference)(points)
    actual = log_prob(case.make(), points)
    np.testing.assert_allclose(actual, expected, rtol=precision, atol=precision)


def draw_and_density(d):
    """Shape and type of a draw and its log density; nothing is run."""
    value = jax.eval_shape(lambda d: d.sample(jax.random.key(0)), d)
    return value, jax.eval_shape(lambda d, value: d.log_prob(value), d, value)


def test_result_types_follow_promotion(case, precision):
    d = case.make()
    value, density = draw_and_density(d)
    assert density.dtype == jnp.result_type(float)
    assert value.dtype == jnp.result_type(int if d.is_discrete else float)


def test_float32_parameters_stay_float32_under_x64(case, x64):
    d = jax.tree.map(
        lambda x: np.asarray(x, np.float32) if np.asarray(x).dtype == float else x, case.make()
    )
    if not any(np.asarray(leaf).dtype == np.float32 for leaf in jax.tree.leaves(d)):
        pytest.skip("only integer parameters")
    value, density = draw_and_density(d)
    if not d.is_discrete:
        assert value.dtype == jnp.float32
        assert density.dtype == jnp.float32


def test_cdf_and_icdf_agree_with_scipy(case, x64, jit):
    d, reference = case.make(), case.scipy()
    if d.event_shape:
        pytest.skip("not a distribution of numbers")
    points = case.points()
    try:
        below = jit(lambda d, x: d.cdf(x))(d, points)
    except NotImplementedError:
        pytest.skip("no cdf")
    np.testing.assert_allclose(below, reference.cdf(points), rtol=1e-10, atol=1e-10)
    q = np.array([0.01, 0.3, 0.5, 0.9])
    try:
        quantiles = jit(lambda d, q: d.icdf(q))(d, q)
    except NotImplementedError:
        return
    np.testing.assert_allclose(quantiles, reference.ppf(q), rtol=1e-9, atol=1e-10)


def test_entropy_agrees_with_scipy(case, x64, jit):
    d, reference = case.make(), case.scipy()
    try:
        entropy = jit(lambda d: d.entropy())(d)
    except NotImplementedError:
        pytest.skip("no entropy")
    if not hasattr(reference, "entropy"):
        pytest.skip("no entropy in the reference")
    np.testing.assert_allclose(entropy, reference.entropy(), rtol=1e-6)


def test_total_mass_is_one(case, x64, log_prob):
    d = case.make()
    if d.event_shape:
        pytest.skip("integrals over vectors are left to the comparison with scipy")
    if d.is_discrete:
        values = np.arange(-10, 400)
        log_terms = log_prob(d, values)
        step = 1.0
    else:
        # Unconstrained numbers, stretched doubly exponentially where the tails are a power's.
        t = np.linspace(-60.0, 60.0, 200_001)
        step = t[1] - t[0]
        transform = biject_to(d.support)
        log_stretch = 0.0
        if d.support == dist.constraints.real:
            t = t / 15
            step = step / 15
            log_stretch = np.log(np.pi / 2 * np.cosh(t)) + np.log(np.cosh(np.pi / 2 * np.sinh(t)))
            t = np.sinh(np.pi / 2 * np.sinh(t))
        x = transform(t)
        log_terms = log_prob(d, x) + transform.log_abs_det_jacobian(t, x) + log_stretch
    assert abs(float(jnp.sum(jnp.exp(log_terms))) * step - 1) < 1e-6


OUTSIDE = {
    "unit_interval": [-0.5, 1.5],
    "interval": [-100.0, 100.0],
    "positive": [-1.0],
    "greater_than": [-100.0],
    "greater_than_eq": [-100.0],
    "less_than_eq": [100.0],
    "boolean": [-1, 2],
    "integer_interval": [-100, 100],
    "nonnegative_integer": [-1],
}


def test_density_is_zero_outside_the_support(case, jit):
    d = case.make()
    kind = repr(d.support).split("(")[0]
    if kind not in OUTSIDE:
        pytest.skip("no value lies outside, or it takes a whole vector to do so")
    evaluate = jit(jax.value_and_grad(lambda x, d: d.log_prob(x)))
    for value in OUTSIDE[kind]:
        density, gradient = evaluate(float(value), d)
        assert density == -np.inf
        assert np.isfinite(gradient)


def test_gradients_are_finite_within(case, jit):
    d = case.make()
    points = case.points()
    if d.is_discrete:
        points = points.astype(int)

    def total(leaves, x):
        return jax.tree.unflatten(structure, leaves).log_prob(x).sum()

    leaves, structure = jax.tree.flatten(d)
    floats = [np.asarray(leaf, float) for leaf in leaves]
    argnums = 0 if d.is_discrete else (0, 1)
    for gradient in jax.tree.leaves(jit(jax.grad(total, argnums))(floats, points)):
        assert np.isfinite(gradient).all()


@pytest.mark.parametrize(
    ("d", "value", "reference"),
    [
        (dist.Normal(0.0, 1.0), 1e4, stats.norm()),
        (dist.Cauchy(0.0, 1.0), 1e30, stats.cauchy()),
        (dist.HalfCauchy(1.0), 1e30, stats.halfcauchy()),
        (dist.StudentT(3.0), 1e30, stats.t(3.0)),
        (dist.Logistic(0.0, 1.0), -1e4, stats.logistic()),
        (dist.Gamma(2.0, 1.0), 1e-30, stats.gamma(2.0)),
        (dist.InverseGamma(2.0, 1.0), 1e30, stats.invgamma(2.0)),
        (dist.TruncatedNormal(0.0, 1.0, low=30.0), 30.1, stats.truncnorm(30.0, np.inf)),
        (dist.TruncatedNormal(0.0, 1.0, low=30.0, high=31.0), 30.1, stats.truncnorm(30.0, 31.0)),
    ],
    ids=lambda x: type(x).__name__,
)
def test_far_tails_in_float32(d, value, reference):
    expected = reference.logpdf(value)
    # A truncated density is a difference of numbers near 450, each rounded to 3e-5.
    tolerance = 3e-4 if hasattr(d, "base_dist") else 1e-5
    np.testing.assert_allclose(d.log_prob(np.float32(value)), expected, rtol=tolerance)


def test_bernoulli_keeps_tiny_log_masses():
    d = dist.Bernoulli(logits=80.0)
    np.testing.assert_allclose(d.log_prob(1), -np.exp(-80.0), rtol=1e-5)
    assert d.log_prob(0) == -80.0


@pytest.mark.parametrize(
    ("constructor", "parameter", "value", "expected"),
    [
        (dist.Bernoulli, 0.0, 0, -1.0),
        (dist.Bernoulli, 1.0, 1, 1.0),
        (lambda p: dist.Binomial(3, p), 0.0, 0, -3.0),
        (lambda p: dist.Binomial(3, p), 1.0, 3, 3.0),
        (dist.Poisson, 0.0, 0, -1.0),
        (dist.Geometric, 1.0, 0, 1.0),
        (lambda m: dist.NegativeBinomial2(m, 2.0), 0.0, 0, -1.0),
    ],
)
def test_certain_outcomes_have_mass_one_and_a_gradient(constructor, parameter, value, expected):
    def log_mass(parameter):
        return constructor(parameter).log_prob(value)

    assert log_mass(parameter) == pytest.approx(0.0, abs=1e-6)
    assert jax.grad(log_mass)(parameter) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("d", "expected"),
    [
        (dist.Gamma(1.0, 2.0), np.log(2.0)),
        (dist.Gamma(2.0, 2.0), -np.inf),
        (dist.Gamma(0.5, 2.0), np.inf),
        (dist.Beta(1.0, 3.0), np.log(3.0)),
        (dist.Exponential(2.0), np.log(2.0)),
        (dist.LogNormal(0.0, 1.0), -np.inf),
        (dist.InverseGamma(1.0, 1.0), -np.inf),
    ],
)
def test_density_at_zero_is_its_limit(d, expected):
    np.testing.assert_allclose(d.log_prob(0.0), expected, rtol=1e-6)
    assert np.isfinite(jax.grad(d.log_prob)(0.0))


def test_categorical_of_many_categories_agrees_with_that_of_few():
    few, many = np.full(8, 1 / 8), np.full(100, 1 / 100)
    assert dist.Categorical(few).log_prob(3) == pytest.approx(-np.log(8))
    assert dist.Categorical(many).log_prob(3) == pytest.approx(-np.log(100), rel=1e-6)
    assert dist.Categorical(many).log_prob(100) == -np.inf
    table = dist.Categorical(np.broadcast_to(many, (2, 100)))
    assert table.log_prob(np.zeros((5, 2), int)).shape == (5, 2)


def test_categorical_logits_may_be_minus_infinity():
    logits = np.array([0.0, -np.inf, 0.0])
    d = dist.Categorical(logits=logits)
    np.testing.assert_allclose(d.log_prob(np.arange(3)), [-np.log(2), -np.inf, -np.log(2)])


def test_delta_and_unit():
    d = dist.Delta(np.array([1.0, 2.0]), 0.5, event_dim=1)
    assert (d.batch_shape, d.event_shape) == ((), (2,))
    assert d.log_prob(np.array([1.0, 2.0])) == 0.5
    assert d.log_prob(np.array([1.0, 3.0])) == -np.inf
    np.testing.assert_array_equal(d.sample(jax.random.key(0), (3,)), [[1.0, 2.0]] * 3)
    unit = dist.Unit(np.array([0.3, 0.4]))
    assert unit.sample(jax.random.key(0)).shape == (2, 0)
    np.testing.assert_allclose(unit.log_prob(unit.sample(jax.random.key(0))), [0.3, 0.4])


def test_improper_uniform():
    d = dist.ImproperUniform(dist.constraints.positive, (2,), (3,))
    assert d.support == dist.constraints.independent(dist.constraints.positive, 1)
    np.testing.assert_array_equal(d.log_prob(np.ones((4, 2, 3))), np.zeros((4, 2)))
    with pytest.raises(NotImplementedError, match="cannot be sampled"):
        d.sample(jax.random.key(0))
