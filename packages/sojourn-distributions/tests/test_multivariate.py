"""Kin of the multivariate normal: structure used, parametrizations, batches, edges, errors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import sparse, stats

import sojourn_distributions as dist

MATRIX = np.array([[2.0, 0.5, 0.1], [0.5, 1.0, -0.3], [0.1, -0.3, 0.7]])
FACTOR = np.linalg.cholesky(MATRIX)
LINE = np.array([[0.0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 1], [0, 0, 1, 0]])


def shapes_of_log_prob(d, shape):
    return jax.eval_shape(lambda d: d.log_prob(np.zeros(shape)), d).shape


def largest_size(fn, *args):
    """Elements of the largest array that the program of `fn` makes."""
    jaxpr = jax.make_jaxpr(fn)(*args)
    sizes = [np.size(constant) for constant in jaxpr.consts]

    def visit(jaxpr):
        for equation in jaxpr.eqns:
            sizes.extend(v.aval.size for v in equation.outvars)
            for value in equation.params.values():
                for inner in value if isinstance(value, tuple | list) else [value]:
                    inner = getattr(inner, "jaxpr", inner)
                    if hasattr(inner, "eqns"):
                        visit(inner)

    visit(jaxpr.jaxpr)
    return max(sizes)


# --- low rank ----------------------------------------------------------------------------


def test_low_rank_matrices_agree_with_dense(x64):
    rng = np.random.default_rng(0)
    factor, diagonal = rng.normal(size=(2, 5, 2)), rng.gamma(1.0, size=(2, 5))
    d = dist.LowRankMultivariateNormal(np.zeros(5), factor, diagonal)
    covariance = factor @ np.swapaxes(factor, -2, -1) + diagonal[..., None] * np.eye(5)
    np.testing.assert_allclose(d.covariance_matrix, covariance, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(d.precision_matrix, np.linalg.inv(covariance), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(d.scale_tril, np.linalg.cholesky(covariance), rtol=1e-9, atol=1e-12)
    dense = dist.MultivariateNormal(np.zeros(5), covariance)
    value = rng.normal(size=(4, 2, 5))
    np.testing.assert_allclose(d.log_prob(value), dense.log_prob(value), rtol=1e-10)
    np.testing.assert_allclose(d.entropy(), dense.entropy(), rtol=1e-10)


def test_low_rank_makes_no_dense_matrix():
    n, k = 300, 2
    d = dist.LowRankMultivariateNormal(np.zeros(n), np.ones((n, k)), np.ones(n))
    for fn in (lambda d: d.log_prob(np.ones(n)), lambda d: d.sample(jax.random.key(0))):
        assert largest_size(fn, d) <= 3 * n * k
    assert largest_size(lambda d: d.covariance_matrix, d) == n * n  # the count counts


@pytest.mark.parametrize("diagonal", [1e-10, 1e10])
def test_low_rank_of_extreme_diagonal_is_finite_in_float32(diagonal, jit):
    factor = np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])  # and of rank 1

    def log_prob(factor, value):
        d = dist.LowRankMultivariateNormal(np.zeros(3), factor, np.full(3, diagonal))
        return d.log_prob(value)

    along = np.array([0.5, 1.0, 1.5], np.float32)
    value, gradients = jit(jax.value_and_grad(log_prob, (0, 1)))(np.float32(factor), along)
    # Along the factor the variance is 28 + diagonal, across it diagonal: log densities add.
    spread = 28 + diagonal
    expected = -0.5 * (3.5 / spread + np.log(spread) + 2 * np.log(diagonal) + 3 * np.log(2 * np.pi))
    np.testing.assert_allclose(value, expected, rtol=1e-4)
    assert all(np.isfinite(gradient).all() for gradient in gradients)


def test_low_rank_batches_and_errors():
    d = dist.LowRankMultivariateNormal(np.zeros((4, 1, 3)), np.ones((5, 3, 2)), np.ones(3))
    assert (d.batch_shape, d.event_shape) == ((4, 5), (3,))
    assert shapes_of_log_prob(d, (6, 4, 5, 3)) == (6, 4, 5)
    assert shapes_of_log_prob(d, (3,)) == (4, 5)
    with pytest.raises(ValueError, match="must have the same n"):
        dist.LowRankMultivariateNormal(np.zeros(3), np.ones((2, 1)), np.ones(3))
    with pytest.raises(ValueError, match="must have the same n"):
        dist.LowRankMultivariateNormal(0.0, np.ones((3, 1)), np.ones(3))


# --- t and matrix normal -----------------------------------------------------------------


def test_student_t_of_many_degrees_is_normal_in_float32():
    normal = dist.MultivariateNormal(np.zeros(3), scale_tril=FACTOR)
    for size in (2, 3):
        normal = dist.MultivariateNormal(np.zeros(size), scale_tril=FACTOR[:size, :size])
        d = dist.MultivariateStudentT(1e7, np.zeros(size), FACTOR[:size, :size])
        x = np.linspace(-1.0, 2.0, size)
        np.testing.assert_allclose(d.log_prob(x), normal.log_prob(x), rtol=1e-5)
        np.testing.assert_allclose(d.entropy(), normal.entropy(), rtol=1e-5)


@pytest.mark.parametrize("df", [0.5, 3.0])
def test_student_t_far_out_in_float32(df):
    d = dist.MultivariateStudentT(df, 0.0, np.eye(3))
    x = np.array([1e25, -3e24, 1.0])
    expected = stats.multivariate_t(np.zeros(3), np.eye(3), df).logpdf(x)
    np.testing.assert_allclose(d.log_prob(np.float32(x)), expected, rtol=1e-5)
    assert np.isfinite(jax.grad(d.log_prob)(np.float32(x))).all()
    assert np.isfinite(jax.grad(d.log_prob)(np.zeros(3, np.float32))).all()


def test_student_t_moments_and_errors():
    d = dist.MultivariateStudentT(np.array([0.9, 1.5, 3.0]), np.ones(2), np.eye(2))
    np.testing.assert_array_equal(np.isnan(d.mean[:, 0]), [True, False, False])
    np.testing.assert_allclose(d.variance[:, 0], [np.nan, np.inf, 3.0])
    np.testing.assert_allclose(d.covariance_matrix, np.eye(2))
    with pytest.raises(ValueError, match="scale_tril must be given"):
        dist.MultivariateStudentT(3.0)
    with pytest.raises(ValueError, match="does not match scale_tril"):
        dist.MultivariateStudentT(3.0, np.zeros(3), np.eye(2))


def test_number_as_location_keeps_float32(x64):
    factor = np.eye(2, dtype=np.float32)
    for d in (
        dist.MultivariateNormal(0.0, scale_tril=factor),
        dist.MultivariateStudentT(3.0, 0.0, factor),
    ):
        assert jax.eval_shape(lambda d=d: d.sample(jax.random.key(0))).dtype == jnp.float32


def test_matrix_normal_holds_one_value_against_each_scale(x64):
    factors = np.stack([FACTOR, np.eye(3), 2 * FACTOR])  # as many as the matrix has columns
    value = np.arange(6.0).reshape(2, 3)
    d = dist.MatrixNormal(np.zeros((2, 3)), np.eye(2), factors)
    expected = [
        dist.MatrixNormal(np.zeros((2, 3)), np.eye(2), factor).log_prob(value) for factor in factors
    ]
    np.testing.assert_allclose(d.log_prob(value), expected, rtol=1e-12)


def test_matrix_normal_batches_and_errors():
    d = dist.MatrixNormal(np.zeros((4, 1, 2, 3)), np.stack([np.eye(2)] * 5), FACTOR)
    assert (d.batch_shape, d.event_shape) == ((4, 5), (2, 3))
    assert shapes_of_log_prob(d, (6, 4, 5, 2, 3)) == (6, 4, 5)
    assert shapes_of_log_prob(d, (2, 3)) == (4, 5)
    assert d.variance.shape == (4, 5, 2, 3)
    with pytest.raises(ValueError, match=r"scale_tril_column \(\.\.\., p, p\)"):
        dist.MatrixNormal(np.zeros((2, 3)), FACTOR, np.eye(2))


# --- conditional autoregression ----------------------------------------------------------


@pytest.mark.parametrize("rho", [-0.9, 0.0, 0.6])
@pytest.mark.parametrize("loops", [0.0, 0.5])
def test_sparse_car_agrees_with_dense(rho, loops, x64):
    adjacency = 1.5 * LINE + loops * np.diag([1.0, 0, 0, 1])
    dense = dist.CAR(np.ones(4), rho, 2.0, adjacency)
    for matrix in (adjacency, sparse.csr_matrix(adjacency), jnp.asarray(adjacency)):
        d = dist.CAR(np.ones(4), rho, 2.0, matrix, is_sparse=True)
        x = np.array([0.3, -1.0, 2.0, 0.0])
        np.testing.assert_allclose(d.log_prob(x), dense.log_prob(x), rtol=1e-12)
        np.testing.assert_allclose(d.variance, dense.variance, rtol=1e-12)
        np.testing.assert_allclose(d.precision_matrix, dense.precision_matrix, atol=1e-12)
        np.testing.assert_allclose(d.entropy(), dense.entropy(), rtol=1e-12)
    np.testing.assert_allclose(dense.variance, np.diag(np.linalg.inv(dense.precision_matrix)))

    def of_rho(rho, sparse):
        return dist.CAR(np.ones(4), rho, 2.0, adjacency, is_sparse=sparse).log_prob(x)

    np.testing.assert_allclose(
        jax.grad(of_rho)(rho, True), jax.grad(of_rho)(rho, False), rtol=1e-10
    )


def test_car_with_a_traced_adjacency_is_the_same(x64):
    def log_prob_and_draw(adjacency):
        d = dist.CAR(0.0, 0.7, 2.0, adjacency)
        return d.log_prob(np.arange(4.0)), d.sample(jax.random.key(0)), d.entropy()

    for traced, concrete in zip(
        jax.jit(log_prob_and_draw)(LINE), log_prob_and_draw(LINE), strict=True
    ):
        np.testing.assert_allclose(traced, concrete, rtol=1e-12)


def test_sparse_car_makes_no_dense_matrix_in_its_density():
    n = 200
    ring = np.roll(np.eye(n), 1, axis=0)
    d = dist.CAR(0.0, 0.5, 1.0, ring + ring.T, is_sparse=True)
    assert largest_size(lambda d: d.log_prob(np.ones(n)), d) <= 2 * n


@pytest.mark.parametrize("is_sparse", [False, True])
@pytest.mark.parametrize("traced", [False, True])
def test_car_near_singular_is_finite_in_float32(is_sparse, traced):
    rho = np.float32(1 - 1e-7)

    def log_prob(rho, adjacency):
        d = dist.CAR(np.zeros(4), rho, 1.0, adjacency, is_sparse=is_sparse)
        return d.log_prob(np.array([5.0, 5.1, 4.9, 5.0]))

    if traced and is_sparse:
        with pytest.raises(ValueError, match="is_sparse=False for traced"):
            jax.jit(log_prob)(rho, LINE)
        return
    run = jax.value_and_grad(log_prob)
    value, gradient = jax.jit(run)(rho, LINE) if traced else run(rho, LINE)
    assert np.isfinite(value)
    assert np.isfinite(gradient)


@pytest.mark.parametrize("is_sparse", [False, True])
def test_car_batches(is_sparse):
    d = dist.CAR(np.zeros(4), np.full((5, 1), 0.5), np.full(3, 2.0), LINE, is_sparse=is_sparse)
    assert (d.batch_shape, d.event_shape) == ((5, 3), (4,))
    assert shapes_of_log_prob(d, (6, 5, 3, 4)) == (6, 5, 3)
    assert shapes_of_log_prob(d, (4,)) == (5, 3)
    draw = jax.eval_shape(lambda d: (d.sample(jax.random.key(0), (2,)), d.variance), d)
    assert [x.shape for x in draw] == [(2, 5, 3, 4), (5, 3, 4)]
    assert dist.CAR(0.0, 0.5, 2.0, np.stack([LINE] * 2)).batch_shape == (2,)


@pytest.mark.parametrize(
    ("adjacency", "is_sparse", "message"),
    [
        (np.triu(LINE), True, r"must be symmetric, but entry \(0, 1\)"),
        (-LINE, False, r"no negative entry, but entry \(0, 1\)"),
        (LINE * np.array([0, 1, 1, 1]) * np.array([[0], [1], [1], [1]]), True, r"site \(0,\)"),
        (sparse.csr_matrix(LINE), False, "pass is_sparse=True"),
        (np.stack([LINE] * 2), True, "one concrete matrix"),
        (np.ones((2, 3)), False, "must be a square matrix"),
        (np.eye(3), False, "does not match adj_matrix"),
    ],
)
def test_bad_adjacency_is_refused(adjacency, is_sparse, message):
    with pytest.raises(ValueError, match=message):
        dist.CAR(np.zeros(4), 0.5, 1.0, adjacency, is_sparse=is_sparse)


# --- circulant and zero-sum --------------------------------------------------------------


@pytest.mark.parametrize("row", [[2.0, 0.5, 0.1, 0.5], [2.0, 0.5, 0.1, 0.1, 0.5]])
def test_circulant_parametrizations_agree(row, x64):
    by_row = dist.CirculantNormal(np.zeros(len(row)), np.array(row))
    by_spectrum = dist.CirculantNormal(
        np.zeros(len(row)), covariance_rfft=np.array(by_row.covariance_rfft)
    )
    np.testing.assert_allclose(by_spectrum.covariance_row, row, atol=1e-14)
    np.testing.assert_allclose(by_spectrum.covariance_matrix[:, 0], row, atol=1e-14)
    dense = stats.multivariate_normal(np.zeros(len(row)), by_row.covariance_matrix)
    for d in (by_row, by_spectrum):
        np.testing.assert_allclose(d.entropy(), dense.entropy(), rtol=1e-12)
        np.testing.assert_allclose(d.log_prob(row), dense.logpdf(row), rtol=1e-12)
        np.testing.assert_allclose(d.variance, np.full(len(row), 2.0))


def test_circulant_edges():
    smooth = np.exp(-0.5 * (np.minimum(np.arange(64), 64 - np.arange(64)) / 12.0) ** 2)
    d = dist.CirculantNormal(np.zeros(64), smooth, validate_args=False)
    x = d.sample(jax.random.key(0))
    assert np.isfinite(d.log_prob(x))
    assert np.isfinite(jax.grad(d.log_prob)(x)).all()
    batched = dist.CirculantNormal(np.zeros((3, 1, 4)), np.stack([[2.0, 0.5, 0.1, 0.5]] * 2))
    assert (batched.batch_shape, batched.event_shape) == ((3, 2), (4,))
    assert shapes_of_log_prob(batched, (5, 3, 2, 4)) == (5, 3, 2)
    for make, message in (
        (lambda: dist.CirculantNormal(np.zeros(4)), "Exactly one of"),
        (lambda: dist.CirculantNormal(0.0, np.ones(4)), "at least one dimension"),
        (lambda: dist.CirculantNormal(np.zeros(4), np.array([2, 0.5, 0.1, 0.2])), "n - i"),
        (lambda: dist.CirculantNormal(np.zeros(4), covariance_rfft=np.ones(4)), "dimension of 3"),
    ):
        with pytest.raises(ValueError, match=message):
            make()


def test_zero_sum_normal():
    d = dist.ZeroSumNormal(np.array([1.0, 2.0]), (3,))
    assert (d.batch_shape, d.event_shape) == ((2,), (3,))
    np.testing.assert_allclose(d.variance, np.array([[1.0], [4.0]]) * np.full(3, 2 / 3), rtol=1e-6)
    # On the plane that sums to 0 it is a normal distribution of 2 dimensions.
    plane = dist.Normal(0.0, np.array([1.0, 2.0]))
    np.testing.assert_allclose(d.entropy(), 2 * plane.entropy(), rtol=1e-6)
    transform = dist.biject_to(d.support)
    x = np.array([0.3, -1.2])
    expected = sum(plane.log_prob(each) for each in x)
    np.testing.assert_allclose(d.log_prob(transform(x)), expected, rtol=1e-6)
    for shape in ((), 3, (0,)):
        with pytest.raises(ValueError, match="event_shape must be a tuple"):
            dist.ZeroSumNormal(1.0, shape)


# --- copulas -----------------------------------------------------------------------------


CORRELATION = np.array([[1.0, 0.5, 0.2], [0.5, 1.0, -0.3], [0.2, -0.3, 1.0]])


def test_copula_of_normals_is_multivariate_normal_in_both_tails(jit):
    loc, scale = np.arange(3.0), np.array([0.5, 2.0, 1.0])
    d = dist.GaussianCopula(dist.Normal(loc, scale), CORRELATION)
    normal = dist.MultivariateNormal(loc, CORRELATION * scale[:, None] * scale)
    x = loc + scale * np.array([[0.1, -0.4, 1.0], [12.0, -30.0, 20.0], [-20.0, 15.0, -1.0]])

    @jit
    def density_and_slope(d):
        return d.log_prob(x), jax.grad(lambda x: d.log_prob(x).sum())(x)

    for actual, expected in zip(density_and_slope(d), density_and_slope(normal), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-3)


def test_copula_batches_and_errors():
    marginal = dist.Normal(np.zeros((5, 1, 3)), 2.0)
    d = dist.GaussianCopula(marginal, correlation_cholesky=np.stack([np.eye(3)] * 4))
    assert (d.batch_shape, d.event_shape) == ((5, 4), (3,))
    assert jax.eval_shape(lambda d: d.sample(jax.random.key(0), (2,)), d).shape == (2, 5, 4, 3)
    assert shapes_of_log_prob(d, (2, 5, 4, 3)) == (2, 5, 4)
    assert d.mean.shape == d.variance.shape == (5, 4, 3)
    assert dist.GaussianCopula(dist.Normal(), CORRELATION).event_shape == (3,)
    counts = dist.GaussianCopula(dist.Poisson(np.ones(3)), CORRELATION)
    with pytest.raises(NotImplementedError, match="discrete marginal_dist"):
        counts.log_prob(np.zeros(3))
    with pytest.raises(ValueError, match="distribution of numbers"):
        dist.GaussianCopula(dist.MultivariateNormal(0.0, np.eye(3)), CORRELATION)
    with pytest.raises(ValueError, match="does not match correlation_matrix"):
        dist.GaussianCopula(dist.Normal(np.zeros(2)), CORRELATION)
    with pytest.raises(ValueError, match="Exactly one of"):
        dist.GaussianCopula(dist.Normal(np.zeros(3)))
    with pytest.raises(TypeError, match="must be a distribution, got float"):
        dist.GaussianCopula(1.0, CORRELATION)


def test_copula_of_betas(x64):
    a, b = np.array([2.0, 0.7, 8.0]), np.array([1.5, 3.0, 5.0])
    d = dist.GaussianCopulaBeta(a, b, CORRELATION)
    x = np.array([[0.2, 0.01, 0.9], [0.999, 0.7, 0.6]])
    z = stats.norm.ppf(stats.beta(a, b).cdf(x))
    excess = stats.multivariate_normal(cov=CORRELATION).logpdf(z) - stats.norm.logpdf(z).sum(-1)
    expected = excess + stats.beta(a, b).logpdf(x).sum(-1)
    np.testing.assert_allclose(d.log_prob(x), expected, rtol=1e-5)
    # Scores of draws are normal with the given correlation.
    draws = jax.jit(lambda key: d.sample(key, (1000,)))(jax.random.key(2))
    scores = stats.norm.ppf(stats.beta(a, b).cdf(draws))
    np.testing.assert_allclose(np.corrcoef(scores.T), CORRELATION, atol=4 / 1000**0.5)
    assert stats.kstest(scores.ravel(), "norm").pvalue > 1e-4
    slope = jax.grad(lambda c: dist.GaussianCopulaBeta(a, b, c).log_prob(x).sum())(CORRELATION)
    assert np.isfinite(slope).all()
    assert not d.has_rsample
    np.testing.assert_allclose(d.mean, a / (a + b))
    assert d.support == dist.constraints.independent(dist.constraints.unit_interval, 1)
    assert d.expand((2,)).batch_shape == (2,)
    assert jax.tree.structure(jax.tree.map(np.asarray, d)) == jax.tree.structure(d)
    assert len(jax.tree.leaves(d)) == 3


# --- time series -------------------------------------------------------------------------


def test_state_space_parametrizations_and_batches(x64):
    transition, covariance = np.array([[0.9, 0.1], [0.0, 0.5]]), np.array([[1.0, 0.3], [0.3, 0.5]])
    d = dist.GaussianStateSpace(4, transition, covariance)
    x = np.random.default_rng(0).normal(size=(3, 4, 2))
    for other in (
        dist.GaussianStateSpace(4, transition, precision_matrix=np.linalg.inv(covariance)),
        dist.GaussianStateSpace(4, transition, scale_tril=np.linalg.cholesky(covariance)),
        dist.GaussianStateSpace(4, transition, covariance, initial_value=np.zeros(2)),
    ):
        np.testing.assert_allclose(other.log_prob(x), d.log_prob(x), rtol=1e-10)
    batched = dist.GaussianStateSpace(
        4, np.stack([transition] * 3), covariance, initial_value=np.ones((5, 1, 2))
    )
    assert (batched.batch_shape, batched.event_shape) == ((5, 3), (4, 2))
    assert shapes_of_log_prob(batched, (6, 5, 3, 4, 2)) == (6, 5, 3)
    assert shapes_of_log_prob(batched, (4, 2)) == (5, 3)
    draw = jax.eval_shape(lambda d: (d.sample(jax.random.key(0)), d.mean, d.variance), batched)
    assert all(x.shape == (5, 3, 4, 2) for x in draw)
    for make, message in (
        (lambda: dist.GaussianStateSpace(0, transition, covariance), "num_steps must be 1"),
        (lambda: dist.GaussianStateSpace(4, transition), "Exactly one of"),
        (lambda: dist.GaussianStateSpace(4, np.eye(3), covariance), "square matrices of one size"),
        (
            lambda: dist.GaussianStateSpace(4, transition, covariance, initial_value=np.ones(3)),
            "initial_value must have 2",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            make()


def decay(x, t):
    return -x, 0.5


def test_euler_maruyama_takes_vectors_and_batches(jit):
    t = np.linspace(0.0, 1.0, 5)
    for init, times, batch_shape, event_shape in (
        (dist.Normal(), t, (), (5,)),
        (dist.Normal(np.zeros(2)), t, (2,), (5,)),
        (dist.Normal(np.zeros((3, 2))).to_event(1), t, (3,), (5, 2)),
        (dist.Normal(np.zeros((4, 1, 3))).to_event(1), np.stack([t, 2 * t]), (4, 2), (5, 3)),
    ):
        d = dist.EulerMaruyama(times, decay, init)
        assert (d.batch_shape, d.event_shape) == (batch_shape, event_shape)
        x = jit(lambda d: d.sample(jax.random.key(0), (6,)))(d)
        assert x.shape == (6, *batch_shape, *event_shape)
        density = jit(lambda d, x: d.log_prob(x))(d, x)
        assert density.shape == (6, *batch_shape)
    # The last of them, step by step.
    steps = x[..., 1:, :] - x[..., :-1, :]
    length = np.diff(np.stack([t, 2 * t]))[..., None]
    noise = dist.Normal(0.0, 0.5 * np.sqrt(length)).log_prob(steps + x[..., :-1, :] * length)
    expected = noise.sum((-2, -1)) + dist.Normal().log_prob(x[..., 0, :]).sum(-1)
    np.testing.assert_allclose(density, expected, rtol=1e-4)
    # One path for both grids of times, and both are counted.
    assert shapes_of_log_prob(d, (5, 3)) == (4, 2)


def test_euler_maruyama_errors():
    t = np.linspace(0.0, 1.0, 5)
    with pytest.raises(TypeError, match="init_dist must be a distribution"):
        dist.EulerMaruyama(t, decay, 0.0)
    with pytest.raises(TypeError, match="sde_fn must be a function"):
        dist.EulerMaruyama(t, 1.0, dist.Normal())
    with pytest.raises(ValueError, match="invalid t parameter"):
        dist.EulerMaruyama(t[::-1], decay, dist.Normal())


@pytest.mark.parametrize(
    "d",
    [
        dist.CAR(np.zeros(4), 0.5, 2.0, LINE, is_sparse=True),
        dist.EulerMaruyama(np.linspace(0.0, 1.0, 5), decay, dist.Normal()),
        dist.GaussianStateSpace(4, np.eye(2), np.eye(2)),
    ],
    ids=lambda d: type(d).__name__,
)
def test_nothing_traced_is_kept(d):
    @jax.jit
    def inside(x):
        return d.log_prob(x) + d.expand((3,)).log_prob(x).sum()

    x = np.asarray(d.sample(jax.random.key(0)))
    with jax.checking_leaks():
        inside(x)
    assert not any(isinstance(v, jax.core.Tracer) for v in vars(d).values())
    np.testing.assert_allclose(inside(x), 4 * d.log_prob(x), rtol=1e-5)
