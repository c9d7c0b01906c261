"""Divergences in closed form agree with sums over the values, or with draws."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, special, stats

import sojourn_distributions as dist
from sojourn_distributions import biject_to, kl_divergence, transforms

vector = np.array
MATRIX = np.array([[2.0, 0.5, 0.1], [0.5, 1.0, -0.3], [0.1, -0.3, 0.7]])
exp = transforms.ExpTransform()

NUMBERS = [
    (dist.Normal(0.5, 1.5), dist.Normal(-1.0, 0.8)),
    (dist.Beta(2.0, 3.5), dist.Beta(1.5, 0.8)),
    (dist.Gamma(2.5, 1.5), dist.Gamma(1.2, 0.7)),
    (dist.Chi2(3.0), dist.Gamma(1.2, 0.7)),
    (dist.Gamma(2.5, 1.5), dist.Exponential(0.7)),
    (dist.Exponential(1.5), dist.Gamma(2.5, 0.7)),
    (dist.Exponential(1.5), dist.Exponential(0.7)),
    (dist.Weibull(2.0, 1.7), dist.Gamma(1.2, 0.7)),
    (dist.Weibull(0.5, 0.8), dist.Gamma(2.2, 1.7)),
    (dist.Kumaraswamy(2.0, 3.0), dist.Beta(1.5, 0.8)),
    (dist.Kumaraswamy(0.7, 1.5), dist.Beta(3.0, 2.0)),
    (dist.Uniform(-1.0, 2.0), dist.Uniform(-1.5, 4.0)),
    (dist.VonMises(0.5, 2.5), dist.VonMises(-2.9, 0.4)),
    (dist.LogNormal(0.3, 0.5), dist.LogNormal(0.0, 0.8)),
    (dist.Poisson(2.5), dist.Poisson(4.0)),
    (dist.Bernoulli(0.3), dist.Bernoulli(logits=1.0)),
    (dist.Bernoulli(logits=-1.0), dist.Bernoulli(0.6)),
    (dist.Categorical(vector([0.2, 0.5, 0.3])), dist.Categorical(logits=vector([0.1, 0.2, 0.9]))),
    (dist.Categorical(logits=vector([0.1, 2.0, -1.0])), dist.Categorical(vector([0.2, 0.5, 0.3]))),
]
ids = [f"{type(p).__name__}-{type(q).__name__}" for p, q in NUMBERS]


@pytest.mark.parametrize("p, q", NUMBERS, ids=ids)
def test_of_numbers_agrees_with_the_sum_over_values(p, q, x64, jit):
    @jit
    def summed(p, q):
        log_volume: object = 0.0
        if p.has_enumerate_support:
            x = p.enumerate_support()
        elif p.is_discrete:
            x = jnp.arange(200)
        else:
            t = np.linspace(-60.0, 60.0, 20_001)
            x = (transform := biject_to(p.support))(t)
            log_volume = transform.log_abs_det_jacobian(t, x) + np.log(t[1] - t[0])
        log_p = p.log_prob(x)
        ratio = jnp.where(log_p > -300, log_p - q.log_prob(x), 0.0)
        return jnp.sum(jnp.exp(log_p + log_volume) * ratio), kl_divergence(p, q)

    expected, stated = summed(p, q)
    np.testing.assert_allclose(stated, expected, rtol=1e-6)
    assert stated > 0.01


@pytest.mark.parametrize("p, q", NUMBERS, ids=ids)
def test_type_and_gradients_in_single_precision(p, q, jit):
    leaves, structure = jax.tree.flatten((p, q))

    @jit
    @jax.value_and_grad
    def evaluate(leaves):
        return kl_divergence(*jax.tree.unflatten(structure, leaves))

    value, gradient = evaluate([np.asarray(leaf, np.float32) for leaf in leaves])
    assert value.dtype == np.float32
    assert all(np.isfinite(part).all() for part in gradient)


VECTORS = [
    (dist.Dirichlet(vector([1.5, 2.0, 3.5])), dist.Dirichlet(vector([2.0, 1.0, 0.8]))),
    (
        dist.MultivariateNormal(np.zeros(3), MATRIX),
        dist.MultivariateNormal(np.ones(3), np.eye(3) + MATRIX),
    ),
    (
        dist.Normal(np.zeros(3), vector([0.5, 1.0, 2.0])).to_event(1),
        dist.MultivariateNormal(np.ones(3), MATRIX),
    ),
    (
        dist.MultivariateNormal(np.ones(3), MATRIX),
        dist.Normal(0.5, 1.5).expand((3,)).to_event(1),
    ),
    (
        dist.Normal(np.zeros(4), vector([0.5, 1.0, 0.7, 0.6])).to_event(1),
        dist.CirculantNormal(np.ones(4), vector([2.0, 0.5, 0.1, 0.5])),
    ),
    (
        dist.Normal(0.0, 1.0).expand((3,)).to_event(1),
        dist.CirculantNormal(vector([0.1, 0.5, -0.2]), vector([2.0, 0.5, 0.5])),
    ),
    (
        dist.Beta(vector([2.0, 3.0]), 1.5).to_event(1),
        dist.Beta(1.0, vector([0.7, 1.2])).to_event(1),
    ),
    (
        dist.MultivariateNormal(np.zeros((2, 3)), MATRIX).to_event(1),
        dist.Normal(np.ones((2, 3)), 2.0).to_event(2),
    ),
    (
        dist.TransformedDistribution(dist.MultivariateNormal(np.zeros(3), MATRIX), exp),
        dist.TransformedDistribution(dist.Normal(np.ones(3), 2.0).to_event(1), exp),
    ),
]


@pytest.mark.parametrize(
    "p, q", VECTORS, ids=[f"{type(p).__name__}-{type(q).__name__}" for p, q in VECTORS]
)
def test_of_vectors_agrees_with_draws(p, q, jit):
    @jit
    def evaluate(p, q):
        x = p.sample(jax.random.key(0), (20_000,))
        return p.log_prob(x) - q.log_prob(x), kl_divergence(p, q)

    ratio, stated = (np.asarray(part, float) for part in evaluate(p, q))
    assert stated.shape == ()
    assert abs(ratio.mean() - stated) < 4.5 * ratio.std() / len(ratio) ** 0.5
    assert stated > 0.05


def test_of_multivariate_normal_with_batches():
    p = dist.MultivariateNormal(np.zeros(3), np.stack([MATRIX, 2 * MATRIX]))
    q = dist.MultivariateNormal(np.ones((4, 1, 3)) * np.arange(4.0)[:, None, None], MATRIX)
    divergence = kl_divergence(p, q)
    assert divergence.shape == (4, 2)
    for i, j in np.ndindex(4, 2):
        one = kl_divergence(
            dist.MultivariateNormal(np.zeros(3), (1 + j) * MATRIX),
            dist.MultivariateNormal(np.full(3, float(i)), MATRIX),
        )
        np.testing.assert_allclose(divergence[i, j], one, rtol=1e-4, atol=1e-6)


def test_nearly_equal_normals_differ_by_the_square_of_the_difference():
    # Half the squared relative difference of the scales, twice: 1e-6 in single precision.
    divergence = kl_divergence(dist.Normal(0.0, np.float32(1.001)), dist.Normal(0.0, 1.0))
    np.testing.assert_allclose(divergence, 1e-6, rtol=0.1)


@pytest.mark.parametrize("a, b", [(0.05, 20.0), (20.0, 0.05), (1.0, 1.0), (5.0, 300.0)])
def test_kumaraswamy_beta_over_orders_of_magnitude(a, b, x64, jit):
    def log_complement(s):
        """Of the quantile of exp(-s): log(1 - x)."""
        v = np.exp(-s / b)
        return np.log(-np.expm1(np.log1p(-v) / a)) * np.exp(-s)

    mean_log1m = integrate.quad(log_complement, 1e-12, 34, points=[0.01, 1, 10], limit=200)[0]
    mean_log = -(np.euler_gamma + special.digamma(b + 1)) / a
    p, q = dist.Kumaraswamy(a, b), dist.Beta(3.0, 0.5)
    log_density = np.log(a * b) + (a - 1) * mean_log - (b - 1) / b
    log_other = 2.0 * mean_log - 0.5 * mean_log1m - special.betaln(3.0, 0.5)
    np.testing.assert_allclose(jit(kl_divergence)(p, q), log_density - log_other, rtol=1e-8)


def test_expanded_distributions_broadcast():
    p, q = dist.Normal(0.0, 1.0), dist.Normal(1.0, 2.0)
    one = kl_divergence(p, q)
    for left, right, shape in (
        (p.expand((3,)), q, (3,)),
        (p, q.expand((2, 3)), (2, 3)),
        (p.expand((3,)), q.expand((2, 1)), (2, 3)),
        (p.expand((3,)), dist.Normal(np.ones(3), 2.0), (3,)),
    ):
        np.testing.assert_allclose(kl_divergence(left, right), np.full(shape, one), rtol=1e-6)
    independent = kl_divergence(p.expand((4, 3)).to_event(1), q.expand((3,)).to_event(1))
    np.testing.assert_allclose(independent, np.full(4, 3 * one), rtol=1e-6)


def test_masked_distributions_count_where_neither_is_masked_out():
    p, q = dist.Normal(np.zeros(3), 1.0), dist.Normal(1.0, 2.0)
    one = kl_divergence(p, q)[0]
    left, right = vector([True, True, False]), vector([True, False, True])
    masked = kl_divergence(p.mask(left), q.mask(right))
    np.testing.assert_allclose(masked, [one, 0.0, 0.0], rtol=1e-6)
    np.testing.assert_array_equal(kl_divergence(p.mask(False), q.mask(right)), np.zeros(3))


def test_equal_bijections_leave_the_divergence():
    def shifted(base):
        return dist.TransformedDistribution(base, transforms.AffineTransform(1.0, 2.0))

    p, q = dist.Gamma(2.5, 1.5), dist.Gamma(1.2, 0.7)
    np.testing.assert_allclose(kl_divergence(shifted(p), shifted(q)), kl_divergence(p, q))


def test_of_a_point():
    q = dist.Normal(vector([0.0, 1.0]), 2.0)
    expected = 0.5 - stats.norm([0.0, 1.0], 2.0).logpdf(0.3)
    np.testing.assert_allclose(kl_divergence(dist.Delta(0.3, 0.5), q), expected, rtol=1e-6)
    point = dist.Delta(np.full(2, 0.3), 0.5, event_dim=1)
    total = 0.5 - stats.norm([0.0, 1.0], 2.0).logpdf(0.3).sum()
    np.testing.assert_allclose(kl_divergence(point, q.to_event(1)), total, rtol=1e-6)
    expanded = kl_divergence(dist.Delta(0.3), dist.Normal(0.0, 1.0).expand((2,)))
    np.testing.assert_allclose(expanded, [-stats.norm().logpdf(0.3)] * 2, rtol=1e-6)


def test_mass_where_the_other_has_none():
    half, third = vector([0.5, 0.5, 0.0]), np.full(3, 1 / 3)
    certain = kl_divergence(dist.Categorical(half), dist.Categorical(third))
    np.testing.assert_allclose(certain, np.log(1.5), rtol=1e-5)
    assert kl_divergence(dist.Categorical(third), dist.Categorical(half)) == np.inf
    assert kl_divergence(dist.Uniform(0.0, 2.0), dist.Uniform(0.5, 3.0)) == np.inf
    np.testing.assert_allclose(
        kl_divergence(dist.Bernoulli(1.0), dist.Bernoulli(0.5)), np.log(2), rtol=1e-5
    )
    np.testing.assert_allclose(kl_divergence(dist.Poisson(0.0), dist.Poisson(0.5)), 0.5)


def test_unknown_pairs_say_how_to_register():
    with pytest.raises(NotImplementedError, match=r"kl_divergence\.register\(Cauchy, Normal\)"):
        kl_divergence(dist.Cauchy(), dist.Normal())
    with pytest.raises(NotImplementedError, match=r"register\(MaskedDistribution, Normal\)"):
        kl_divergence(dist.Normal().mask(vector(True)), dist.Normal())
    shifted = [
        dist.TransformedDistribution(dist.Normal(), transforms.AffineTransform(loc, 1.0))
        for loc in (0.0, 1.0)
    ]
    with pytest.raises(NotImplementedError, match="equal one-to-one maps"):
        kl_divergence(*shifted)
    folded = dist.FoldedDistribution(dist.Normal())
    with pytest.raises(NotImplementedError, match="equal one-to-one maps"):
        kl_divergence(folded, folded)
    with pytest.raises(NotImplementedError, match="between"):
        kl_divergence(
            dist.Cauchy(np.zeros(2)).to_event(1), dist.MultivariateNormal(np.zeros(2), np.eye(2))
        )
    with pytest.raises(ValueError, match=r"event shapes must be equal, got \(2,\)"):
        kl_divergence(dist.Delta(np.zeros(2), event_dim=1), dist.Normal())


def test_a_pair_can_be_registered_and_the_closest_classes_win():
    registry = type(kl_divergence)()

    @registry.register(dist.Distribution, dist.Gamma)
    def far(p, q):
        return 1.0

    @registry.register(dist.Gamma, dist.Distribution)
    def near(p, q):
        return 2.0

    assert registry(dist.Chi2(1.0), dist.Gamma(1.0)) == 2.0
    assert registry(dist.Exponential(1.0), dist.Chi2(1.0)) == 1.0
    registry.register(dist.Chi2, dist.Chi2)(lambda p, q: 3.0)
    assert registry(dist.Chi2(1.0), dist.Chi2(1.0)) == 3.0
