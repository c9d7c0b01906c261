"""Merged draws: the formulas on any draws, the posterior itself where every factor is normal."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sojourn_parallel import barycenter, consensus, parametric, parametric_draws, semiparametric

RNG = np.random.default_rng(20)
COVARIANCES = [
    np.array([[1.0, 0.6], [0.6, 2.0]]),
    np.array([[0.5, -0.2], [-0.2, 0.3]]),
    np.array([[3.0, 0.0], [0.0, 0.1]]),
]
MEANS = [np.array([1.0, -2.0]), np.array([0.5, -1.0]), np.array([2.0, -1.5])]
SIZE = 20_000


def product_of_normals():
    """Mean and covariance of the product of the normals above."""
    precisions = [np.linalg.inv(covariance) for covariance in COVARIANCES]
    covariance = np.linalg.inv(sum(precisions))
    pairs = zip(precisions, MEANS, strict=True)
    return covariance @ sum(precision @ mean for precision, mean in pairs), covariance


@pytest.fixture(scope="module")
def subposteriors():
    """Draws of normals, as dicts with a number and a vector each."""
    return [
        {"b": draws[:, :1], "a": draws[:, 1]}
        for draws in (
            RNG.multivariate_normal(mean, covariance, size=SIZE)
            for mean, covariance in zip(MEANS, COVARIANCES, strict=True)
        )
    ]


def flat(draws):
    """In the order of the pytree's leaves: a, then b."""
    return np.column_stack([np.asarray(draws["a"]), np.asarray(draws["b"])[:, 0]]).astype(float)


def assert_moments(draws, mean, covariance, num_independent):
    """Compare with standard errors for that many independent draws."""
    error = np.sqrt(np.diagonal(covariance) / num_independent)
    assert np.all(abs(draws.mean(axis=0) - mean) < 4.5 * error)
    variances = np.diagonal(covariance)
    spread = np.sqrt(np.outer(variances, variances) * 2 / num_independent)
    assert np.all(abs(np.cov(draws.T) - covariance) < 4.5 * spread)


@pytest.fixture(scope="module")
def expected():
    mean, covariance = product_of_normals()
    return mean[::-1], covariance[::-1, ::-1]


def test_consensus_is_the_weighted_average_of_draws(subposteriors):
    matrices = [flat(draws) for draws in subposteriors]
    weights = [np.linalg.inv(np.cov(matrix.T)) for matrix in matrices]
    pairs = zip(weights, matrices, strict=True)
    by_formula = sum(matrix @ weight for weight, matrix in pairs) @ np.linalg.inv(sum(weights))
    np.testing.assert_allclose(flat(consensus(subposteriors)), by_formula, rtol=1e-4, atol=1e-5)
    weights = [1 / matrix.var(axis=0, ddof=1) for matrix in matrices]
    pairs = zip(weights, matrices, strict=True)
    by_formula = sum(matrix * weight for weight, matrix in pairs) / sum(weights)
    merged = flat(consensus(subposteriors, diagonal=True))
    np.testing.assert_allclose(merged, by_formula, rtol=1e-4, atol=1e-5)


def test_normal_subposteriors_merge_to_their_product(subposteriors, expected):
    assert_moments(flat(consensus(subposteriors)), *expected, SIZE)
    key = jax.random.key(3)
    assert_moments(flat(consensus(subposteriors, 9000, rng_key=key)), *expected, 9000)
    assert_moments(flat(parametric_draws(subposteriors, 9000, rng_key=key)), *expected, 9000)
    # What kernels estimate has errors of its own, those of the draws that they are put on.
    assert_moments(flat(semiparametric(subposteriors, 4000, key)), *expected, 1000)


def test_parametric_adds_precisions(subposteriors, expected):
    mean, covariance = parametric(subposteriors)
    matrices = [flat(draws) for draws in subposteriors]
    precision = sum(np.linalg.inv(np.cov(matrix.T)) for matrix in matrices)
    np.testing.assert_allclose(covariance, np.linalg.inv(precision), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(mean, expected[0], atol=0.05)
    mean, variance = parametric(subposteriors, diagonal=True)
    by_formula = 1 / sum(1 / matrix.var(axis=0, ddof=1) for matrix in matrices)
    np.testing.assert_allclose(variance, by_formula, rtol=1e-5)
    assert mean.shape == variance.shape == (2,)


def test_one_subposterior_is_the_posterior(subposteriors):
    (only,) = subposteriors[:1]
    for merged in (consensus([only]), barycenter([only])):
        np.testing.assert_allclose(flat(merged), flat(only), rtol=1e-4, atol=1e-5)
    mean, covariance = parametric([only])
    np.testing.assert_allclose(mean, flat(only).mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(covariance, np.cov(flat(only).T), rtol=1e-4)
    rows = {tuple(row) for row in flat(only).astype(np.float32).tolist()}
    assert {tuple(row) for row in flat(semiparametric([only], 50)).tolist()} <= rows


def test_uneven_numbers_of_draws(subposteriors, expected):
    cut = [3000, 9000, 6000]
    uneven = [
        jax.tree.map(lambda leaf, n=n: leaf[:n], draws)
        for n, draws in zip(cut, subposteriors, strict=True)
    ]
    with pytest.raises(ValueError, match=r"\[3000, 9000, 6000\] draws.*num_draws=3000"):
        consensus(uneven)
    assert_moments(flat(consensus(uneven, 5000)), *expected, 3000)
    assert_moments(flat(parametric_draws(uneven, 5000)), *expected, 3000)
    assert flat(barycenter(uneven)).shape == (9000, 2)


def test_draws_keep_structure_type_and_seed():
    shards = [
        {"n": RNG.poisson(9.0, size=(300, 2)), "x": (RNG.normal(size=(300, 2, 3)),)}
        for _ in range(2)
    ]
    for merge in (consensus, parametric_draws):
        merged = merge(shards, num_draws=40, rng_key=jax.random.key(1))
        assert jax.tree.structure(merged) == jax.tree.structure(shards[0])
        assert merged["n"].shape == (40, 2) and merged["x"][0].shape == (40, 2, 3)
        assert merged["n"].dtype == jnp.float32
        again = merge(shards, num_draws=40, rng_key=jax.random.key(1))
        other = merge(shards, num_draws=40, rng_key=jax.random.PRNGKey(2))
        assert np.array_equal(merged["n"], again["n"])
        assert not np.array_equal(merged["n"], other["n"])


def test_skewed_subposteriors_multiply():
    # Densities x^(a - 1) exp(-b x): the product is a gamma distribution with a = 8.5, b = 7.
    shapes, rates = [2.5, 3.0, 5.0], [1.0, 2.0, 4.0]
    draws = [
        RNG.gamma(shape, 1 / rate, size=8000) for shape, rate in zip(shapes, rates, strict=True)
    ]
    a, b = sum(shapes) - 2, sum(rates)
    merged = np.asarray(semiparametric(draws, 10_000, jax.random.key(0)), float)
    mean, sd = a / b, a**0.5 / b
    skewness = np.mean((merged - merged.mean()) ** 3) / merged.std() ** 3
    # Within twice the scatter that repetitions with other subposterior draws show.
    assert abs(merged.mean() - mean) < 0.2 * sd
    assert abs(merged.std() / sd - 1) < 0.08
    assert abs(skewness - 2 / a**0.5) < 0.2
    # What averages of draws miss, the reason to take the trouble: half of the width.
    assert float(consensus(draws).mean()) - mean > 0.4 * sd


def test_barycenter_of_normals():
    # In one dimension standard deviations are averaged, and so are roots that commute.
    sds = [0.5, 1.0, 3.0]
    merged = barycenter([RNG.normal(k, sd, size=6000) for k, sd in enumerate(sds)])
    assert abs(float(merged.mean()) - 1) < 4.5 * 3.0 / 6000**0.5
    assert abs(float(merged.std()) - 1.5) < 4.5 * 1.5 / 6000**0.5
    turn = np.array([[0.8, -0.6], [0.6, 0.8]])
    roots = [np.diag([1.0, 3.0]), np.diag([2.0, 0.5])]
    noise = RNG.normal(size=(2, 20_000, 2))
    draws = [z @ root @ turn.T for z, root in zip(noise, roots, strict=True)]
    root = turn @ np.diag([1.5, 1.75]) @ turn.T
    np.testing.assert_allclose(np.cov(np.asarray(barycenter(draws)).T), root @ root, atol=0.08)


def test_barycenter_keeps_a_shape():
    draws = [scale * RNG.gamma(3.0, size=20_000) for scale in (1.0, 2.0, 1.5)]
    merged = np.asarray(barycenter(draws), float)
    skewness = np.mean((merged - merged.mean()) ** 3) / merged.std() ** 3
    assert abs(skewness - 2 / 3.0**0.5) < 0.1
    assert abs(merged.std() / (1.5 * 3.0**0.5) - 1) < 0.03


@pytest.mark.parametrize("merge", [consensus, lambda s: parametric_draws(s, 9), parametric])
@pytest.mark.parametrize(
    "subposteriors, error, match",
    [
        ([], ValueError, "subposteriors is empty"),
        ({"x": np.ones(3)}, TypeError, "must be a list"),
        ([{"x": 1.0}], ValueError, r"\['x'\] is a single number"),
        ([{}], ValueError, "subposterior 0 has no sites"),
        ([{"x": np.empty((0, 2))}], ValueError, "has no draws"),
        ([{"x": np.array(["a"])}], TypeError, "not made of real numbers"),
        (
            [{"x": RNG.normal(size=9)}, {"y": RNG.normal(size=9)}],
            ValueError,
            r"subposterior 1 has the sites \[\"\['y'\]\"\]",
        ),
        (
            [{"x": RNG.normal(size=(9, 2))}, {"x": RNG.normal(size=(9, 3))}],
            ValueError,
            r"subposterior 1: a draw of \['x'\] has shape \(3,\), but \(2,\)",
        ),
        (
            [{"x": RNG.normal(size=9), "y": RNG.normal(size=8)}],
            ValueError,
            "different numbers of draws",
        ),
        ([{"x": np.array([1.0, np.nan, 2.0])}], ValueError, r"draws of \['x'\] are not finite"),
        ([RNG.normal(size=(3, 3))], ValueError, "3 draws of 3 numbers.*draw at least 4"),
        (
            [RNG.normal(size=(9, 2)), np.column_stack([RNG.normal(size=9), np.ones(9)])],
            ValueError,
            "subposterior 1: the draws, element 1 is the same in all draws",
        ),
        (
            [{"x": np.outer(RNG.normal(size=9), [1.0, 2.0]), "z": RNG.normal(size=9)}],
            ValueError,
            r"a combination of \(\['x'\], element 0; \['x'\], element 1\)",
        ),
    ],
)
def test_draws_that_cannot_be_merged(merge, subposteriors, error, match):
    with pytest.raises(error, match=match):
        merge(subposteriors)


@pytest.mark.parametrize("num_draws", [0, -3, 2.5, True])
def test_bad_numbers_of_draws(num_draws):
    for merge in (consensus, parametric_draws, semiparametric):
        with pytest.raises(ValueError, match="num_draws must be a positive integer"):
            merge([RNG.normal(size=9)], num_draws)
