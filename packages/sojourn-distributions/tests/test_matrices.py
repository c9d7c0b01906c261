"""Wishart and LKJ families: parametrizations, entropies, moments, batches, both samplers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import sojourn_distributions as dist

MATRIX = np.array([[2.0, 0.5, 0.1], [0.5, 1.0, -0.3], [0.1, -0.3, 0.7]])
WISHARTS = [
    dist.Wishart,
    dist.WishartCholesky,
    dist.InverseWishart,
    dist.InverseWishartCholesky,
]


@pytest.mark.parametrize("family", WISHARTS)
def test_parametrizations_agree(family, x64):
    by_scale = family(6.5, scale_matrix=MATRIX)
    value = by_scale.mean
    for other in (
        family(6.5, rate_matrix=np.linalg.inv(MATRIX)),
        family(6.5, scale_tril=np.linalg.cholesky(MATRIX)),
    ):
        np.testing.assert_allclose(other.log_prob(value), by_scale.log_prob(value), rtol=1e-10)
        np.testing.assert_allclose(other.scale_matrix, MATRIX, rtol=1e-10)
        np.testing.assert_allclose(other.rate_matrix, np.linalg.inv(MATRIX), rtol=1e-10)
        np.testing.assert_allclose(other.variance, by_scale.variance, rtol=1e-10)


@pytest.mark.parametrize("family", WISHARTS)
def test_entropy_is_the_mean_of_minus_the_log_density(family, jit):
    d = family(np.array([5.0, 9.0]), MATRIX)
    log_density = jit(lambda d: d.log_prob(d.sample(jax.random.key(1), (20_000,))))(d)
    error = np.std(log_density, axis=0) / len(log_density) ** 0.5
    assert np.all(abs(np.mean(log_density, axis=0) + d.entropy()) < 4 * error)
    assert np.all(error < 0.05)


def test_wishart_entropy_agrees_with_scipy(x64):
    expected = stats.wishart(3.5, MATRIX).entropy()
    np.testing.assert_allclose(dist.Wishart(3.5, MATRIX).entropy(), expected, rtol=1e-10)


def test_moments_that_do_not_exist_are_nan():
    assert np.isnan(dist.InverseWishart(4.0, MATRIX).mean).all()
    assert np.isfinite(dist.InverseWishart(5.0, MATRIX).mean).all()
    assert np.isnan(dist.InverseWishart(6.0, MATRIX).variance).all()
    assert np.isfinite(dist.InverseWishart(6.5, MATRIX).variance).all()
    factor = dist.InverseWishartCholesky(2.5, MATRIX)
    np.testing.assert_array_equal(np.isnan(np.diagonal(factor.mean)), [True, False, False])
    np.testing.assert_array_equal(np.isnan(np.diagonal(factor.variance)), [True, True, False])


@pytest.mark.parametrize("family", WISHARTS)
def test_batches_of_either_parameter_broadcast(family):
    d = family(np.full((4, 1), 6.0), np.stack([MATRIX] * 3))
    assert (d.batch_shape, d.event_shape) == ((4, 3), (3, 3))
    x = jax.eval_shape(lambda d: d.sample(jax.random.key(0), (5,)), d)
    assert x.shape == (5, 4, 3, 3, 3)
    assert jax.eval_shape(lambda d, x: d.log_prob(x), d, x).shape == (5, 4, 3)
    assert jax.eval_shape(lambda d: d.log_prob(np.eye(3)), d).shape == (4, 3)
    for statistic in (d.mean, d.variance):
        assert np.shape(statistic) == (4, 3, 3, 3)


@pytest.mark.parametrize("family", WISHARTS)
def test_one_value_is_held_against_each_scale_of_a_batch(family, x64):
    scales = np.stack([MATRIX, np.eye(3), 2 * MATRIX])  # as many as the matrix has rows
    value = np.linalg.cholesky(MATRIX) if "Cholesky" in family.__name__ else MATRIX
    expected = [family(6.0, scale).log_prob(value) for scale in scales]
    np.testing.assert_allclose(family(6.0, scales).log_prob(value), expected, rtol=1e-12)


@pytest.mark.parametrize("family", WISHARTS)
def test_bad_parameters_are_refused(family):
    with pytest.raises(ValueError, match=r"invalid concentration .*greater_than.*1\.5"):
        family(1.5, MATRIX)
    with pytest.raises(ValueError, match="Exactly one of"):
        family(5.0, MATRIX, MATRIX)
    with pytest.raises(ValueError, match="scale_matrix must be a square matrix"):
        family(5.0, np.ones((2, 3)))
    with pytest.raises(ValueError, match="invalid scale_matrix"):
        family(5.0, -MATRIX)


@pytest.mark.parametrize("family", WISHARTS)
def test_nearly_singular_scale_stays_finite_in_float32(family, jit):
    # Singular once rounded to float32: the factor of a concrete matrix is found in double.
    d = family(8.0, np.ones((3, 3)) + 1e-9 * np.eye(3), validate_args=False)
    if isinstance(d, dist.TransformedDistribution):
        d = d.base_dist
    x = d.sample(jax.random.key(0))
    value, gradient = jit(jax.value_and_grad(d.log_prob))(x)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


def test_a_singular_matrix_is_named():
    d = dist.Wishart(5.0, np.ones((3, 3)), validate_args=False)
    with pytest.raises(ValueError, match=r"scale_matrix of shape \(3, 3\) has no Cholesky factor"):
        d.log_prob(MATRIX)


@pytest.mark.parametrize(("dimension", "volume"), [(3, np.pi**2 / 2), (4, 32 * np.pi**2 / 27)])
def test_uniform_density_is_one_over_the_volume_of_correlation_matrices(dimension, volume, x64):
    # Joe (2006), "Generating random correlation matrices based on partial correlations".
    matrix = np.eye(dimension)
    matrix[0, 1] = matrix[1, 0] = 0.6
    log_prob = dist.LKJ(dimension, 1.0).log_prob(matrix)
    np.testing.assert_allclose(log_prob, -np.log(volume), rtol=1e-10)
    ratio = dist.LKJ(dimension, 2.5).log_prob(matrix) - dist.LKJ(dimension, 2.5).log_prob(
        np.eye(dimension)
    )
    np.testing.assert_allclose(ratio, 1.5 * np.log(0.64), rtol=1e-10)


@pytest.mark.parametrize("method", ["onion", "cvine"])
def test_both_samplers_of_lkj_follow_the_distribution(method, jit):
    # Each correlation is 2 Beta(b, b) - 1 with b = concentration + (dimension - 2) / 2, and the
    # determinant is a product of independent beta variables, one for each row from the second.
    size, concentration, dimension = 5000, 0.8, 4
    d = dist.LKJ(dimension, concentration, method)
    x = np.asarray(jit(lambda key: d.sample(key, (size,)))(jax.random.key(4)), float)
    b = concentration + (dimension - 2) / 2
    marginal = stats.beta(b, b, loc=-1, scale=2)
    level = 1e-4 / 7
    for i in range(dimension):
        for j in range(i):
            assert stats.kstest(x[:, i, j], marginal.cdf).pvalue > level
            error = x[:, i, j].var() ** 0.5 / size**0.5
            assert abs(x[:, i, j].mean()) < 4 * error
            assert (
                abs(x[:, i, j].var() - d.variance[i, j]) < 4 * (x[:, i, j] ** 2).std() / size**0.5
            )
    row = np.arange(1, dimension)
    rng = np.random.default_rng(0)
    rest = rng.beta(concentration + (dimension - 1 - row) / 2, row / 2, (size, dimension - 1))
    assert stats.ks_2samp(np.linalg.det(x), rest.prod(-1)).pvalue > level
    np.testing.assert_array_equal(d.mean, np.eye(dimension))


@pytest.mark.parametrize("method", ["onion", "cvine"])
def test_lkj_of_tiny_concentration_stays_in_the_support(method, jit):
    d = dist.LKJCholesky(3, 0.05, method)
    x = jit(lambda key: d.sample(key, (1000,)))(jax.random.key(0))
    assert np.all(np.diagonal(x, axis1=-2, axis2=-1) > 0)
    assert np.isfinite(d.log_prob(x)).all()


def test_lkj_moments_have_the_batch():
    for d in (dist.LKJ(3, np.ones((2, 4))), dist.LKJCholesky(3, np.ones((2, 4)))):
        assert jnp.shape(d.mean) == jnp.shape(d.variance) == (2, 4, 3, 3)
