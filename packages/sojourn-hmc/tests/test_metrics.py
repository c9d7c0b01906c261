"""Mass matrices of blocks and of low rank against the dense matrices that they stand for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sojourn_hmc import HMC, MCMC, NUTS
from sojourn_hmc.blocks import BlockMassMatrix, cut_into_blocks
from sojourn_hmc.kinetic import CustomKinetic
from sojourn_hmc.low_rank import LowRank, LowRankMassMatrix, factors
from sojourn_hmc.mass_matrix import MassMatrix

POSITION = {"a": np.zeros(2), "b": np.zeros(()), "c": np.zeros((1, 2))}
BLOCK = np.array([[2.0, 0.6, -0.3], [0.6, 1.0, 0.2], [-0.3, 0.2, 0.5]], np.float32)


def blocks_and_matrix():
    """Sites c and b share a dense block, in this order; a is diagonal."""
    blocks = cut_into_blocks(POSITION, [("c", "b")])
    inverse = {("c", "b"): BLOCK, ("a",): np.array([4.0, 9.0], np.float32)}
    parts = {names: MassMatrix.from_inverse(jnp.asarray(inverse[names])) for names in inverse}
    matrix = np.zeros((5, 5))
    matrix[np.ix_([3, 4, 2], [3, 4, 2])] = BLOCK
    matrix[[0, 1], [0, 1]] = [4.0, 9.0]
    return BlockMassMatrix(parts, blocks), matrix


def low_rank_and_matrix():
    vectors = np.linalg.qr(np.random.default_rng(0).normal(size=(5, 2)))[0].astype(np.float32)
    inverse = LowRank(
        jnp.array([0.5, 1.0, 2.0, 1.5, 0.7]),
        jnp.asarray(np.concatenate([vectors, np.zeros((5, 1), np.float32)], 1)),
        jnp.array([6.0, 0.1, 1.0]),
    )
    return LowRankMassMatrix(inverse, factors(inverse)[0]), np.asarray(inverse.dense(), float)


@pytest.fixture(params=[blocks_and_matrix, low_rank_and_matrix], ids=["blocks", "low-rank"])
def metric(request):
    return request.param()


def test_products(metric):
    metric, inverse = metric
    momentum = jnp.array([0.3, -1.2, 0.8, 2.0, -0.5])
    np.testing.assert_allclose(metric.velocity(momentum), inverse @ momentum, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        metric.mass_times(momentum), np.linalg.solve(inverse, momentum), rtol=1e-3, atol=1e-4
    )
    np.testing.assert_allclose(
        jax.grad(metric.kinetic_energy)(momentum), metric.velocity(momentum), rtol=1e-4, atol=1e-5
    )


def test_momenta_have_the_mass_matrix_as_covariance(metric):
    metric, inverse = metric
    n = 40_000
    draws = np.asarray(jax.vmap(metric.momentum)(jax.random.split(jax.random.key(1), n)))
    mass = np.linalg.inv(inverse)
    error = np.sqrt((np.outer(np.diag(mass), np.diag(mass)) + mass**2) / n)
    assert np.all(np.abs(np.cov(draws.T) - mass) < 4.5 * error + 1e-6)


def test_factors_of_low_rank_are_inverse_to_each_other():
    metric, _ = low_rank_and_matrix()
    sqrt, sqrt_inv = factors(metric.inverse_mass_matrix)
    x = jnp.arange(5.0)
    np.testing.assert_allclose(
        sqrt_inv.middle(sqrt_inv.scale * (sqrt.scale * sqrt.middle(x))), x, rtol=1e-4, atol=1e-4
    )


def test_cutting_and_joining():
    blocks = cut_into_blocks(POSITION, [("c", "b")])
    flat = jnp.arange(5.0)
    parts = blocks.split(flat)
    assert parts[("c", "b")].tolist() == [3, 4, 2] and parts[("a",)].tolist() == [0, 1]
    assert blocks.join(parts).tolist() == flat.tolist()


def test_each_block_learns_its_own_covariance():
    covariance = np.array([[1.0, 0.9, 0.0], [0.9, 1.0, 0.0], [0.0, 0.0, 25.0]])
    precision = jnp.asarray(np.linalg.inv(covariance), jnp.float32)

    def potential(z):
        x = jnp.stack([z["x"], z["y"], z["w"]])
        return 0.5 * x @ precision @ x

    start = {"x": jnp.ones(()), "y": jnp.ones(()), "w": jnp.ones(())}
    mcmc = MCMC(
        NUTS(potential_fn=potential, dense_mass=[("x", "y")]),
        num_warmup=1000,
        num_samples=1000,
        progress_bar=False,
    )
    mcmc.run(jax.random.key(0), init_params=start)
    learned = mcmc.last_state.adapt_state.inverse_mass_matrix
    assert set(learned) == {("x", "y"), ("w",)}
    np.testing.assert_allclose(learned[("x", "y")], covariance[:2, :2], atol=0.35)
    np.testing.assert_allclose(learned[("w",)], [25.0], rtol=0.4)
    draws = mcmc.get_samples()
    assert np.corrcoef(draws["x"], draws["y"])[0, 1] == pytest.approx(0.9, abs=0.05)


def test_given_blocks_are_used():
    given = {("x", "y"): np.array([[2.0, 1.0], [1.0, 2.0]]), ("w",): np.array([3.0])}
    start = {"x": jnp.ones(()), "y": jnp.ones(()), "w": jnp.ones(()), "v": jnp.ones(2)}
    kernel = NUTS(
        potential_fn=lambda z: 0.5 * sum(jnp.sum(leaf**2) for leaf in z.values()),
        inverse_mass_matrix=given,
        adapt_mass_matrix=False,
    )
    inverse = kernel.init(jax.random.key(0), 10, start).adapt_state.inverse_mass_matrix
    np.testing.assert_array_equal(inverse[("x", "y")], given[("x", "y")])
    np.testing.assert_array_equal(inverse[("w",)], [3.0])
    np.testing.assert_array_equal(inverse[("v",)], [1.0, 1.0])


KINETIC = {
    "gaussian": lambda inverse, r: 0.5 * jnp.sum(inverse * r**2),
    "relativistic": lambda inverse, r: jnp.sum(jnp.sqrt(1 + inverse * r**2)),
    # Momenta far smaller than the mass matrix says, so that many of their moves are refused.
    "narrow": lambda inverse, r: 10 * jnp.sum(inverse * r**2),
    "light-tailed": lambda inverse, r: 0.25 * jnp.sum((inverse * r**2) ** 2),
}


@pytest.mark.parametrize("energy", KINETIC)
def test_a_refreshed_momentum_has_the_law_of_its_energy(energy):
    """Long chains of refreshments against quadrature, each component by itself."""
    inverse = jnp.array([0.25, 4.0])
    metric = CustomKinetic(MassMatrix.from_inverse(inverse), lambda r: KINETIC[energy](inverse, r))

    def refresh(momentum, key):
        momentum = metric.refresh(key, momentum)
        return momentum, momentum

    @jax.vmap
    def chain(key):
        keys = jax.random.split(key, 100)
        return jax.lax.scan(refresh, metric.momentum(key), keys)[1][-1]

    draws = np.asarray(jax.jit(chain)(jax.random.split(jax.random.key(2), 8000)), float)
    scaled = draws * np.sqrt(np.asarray(inverse))
    grid = np.linspace(-30, 30, 20001)
    law = np.exp(
        [-float(e) for e in jax.vmap(lambda r: KINETIC[energy](1.0, r))(grid.astype(np.float32))]
    )
    law /= law.sum()
    for component in scaled.T:
        for power in (2, 4):
            expected = np.sum(law * grid.astype(float) ** power)
            error = (component**power).std() / np.sqrt(len(component))
            assert abs((component**power).mean() - expected) < 4.5 * error


@pytest.mark.parametrize("kernel", [NUTS, HMC])
@pytest.mark.parametrize("energy", ["relativistic", "light-tailed"])
def test_any_kinetic_energy_gives_the_target(kernel, energy):
    settings = {"trajectory_length": 2.0} if kernel is HMC else {}
    mcmc = MCMC(
        kernel(
            # log of an Exponential(1) variable, and a normal of another scale
            potential_fn=lambda z: jnp.exp(z[0]) - z[0] + 0.5 * (z[1] / 10) ** 2,
            kinetic_fn=KINETIC[energy],
            **settings,
        ),
        num_warmup=500,
        num_samples=8000,
        progress_bar=False,
        report=False,
    )
    mcmc.run(jax.random.key(4), init_params=jnp.zeros(2))
    draws = np.asarray(mcmc.get_samples(), float)
    from arviz_stats.base import array_stats

    for values, expected in (
        (np.exp(draws[:, 0]), 1.0),
        (np.exp(2 * draws[:, 0]), 2.0),
        (draws[:, 1] / 10, 0.0),
        ((draws[:, 1] / 10) ** 2, 1.0),
    ):
        error = values.std() / np.sqrt(array_stats.ess(values[None], method="mean"))
        assert abs(values.mean() - expected) < 4.5 * error


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"inverse_mass_matrix": np.array([1.0, -1.0])}, "entry 1 is -1"),
        ({"inverse_mass_matrix": np.array([1.0, np.nan])}, "entry 1 is nan"),
        ({"inverse_mass_matrix": np.array([[1.0, 2.0], [2.0, 1.0]])}, "smallest eigenvalue is -1"),
        ({"inverse_mass_matrix": np.array([[1.0, 2.0], [0.0, 1.0]])}, "must be symmetric"),
        ({"inverse_mass_matrix": np.ones((2, 3))}, r"got shape \(2, 3\)"),
        ({"inverse_mass_matrix": {("x",): np.array([-1.0])}}, "entry 0 is -1"),
        ({"inverse_mass_matrix": {"x": np.ones(1)}}, "tuples of site names"),
        ({"inverse_mass_matrix": {("x",): np.ones(1)}, "dense_mass": True}, "dense_mass"),
        ({"dense_mass": ["x"]}, "list of tuples"),
        ({"dense_mass": [("x", "y"), ("y",)]}, r"\['y'\] are in more than one block"),
        ({"dense_mass": [("x", "y")], "inverse_mass_matrix": {("x",): np.ones(1)}}, "same"),
        ({"integrator": "leapfrog"}, "integrator must be a Splitting"),
    ],
)
def test_a_bad_metric_is_refused_at_once(settings, message):
    with pytest.raises((ValueError, TypeError), match=message):
        NUTS(potential_fn=jnp.sum, **settings)


@pytest.mark.parametrize(
    ("settings", "start", "message"),
    [
        ({"dense_mass": [("u",)]}, {"x": jnp.ones(2)}, r"names sites \['u'\]"),
        ({"dense_mass": [("u",)]}, jnp.ones(2), "dict of arrays by site"),
        ({"inverse_mass_matrix": np.ones(3)}, {"x": jnp.ones(2)}, r"shape \(3,\)"),
        ({"inverse_mass_matrix": np.eye(2)}, {"x": jnp.ones(2)}, r"give shape \(2,\)"),
        (
            {"inverse_mass_matrix": np.ones(2), "dense_mass": [("x",)]},
            {"x": jnp.ones(2)},
            "dict from tuples",
        ),
    ],
)
def test_a_metric_that_does_not_fit_is_refused_before_compiling(settings, start, message):
    kernel = NUTS(potential_fn=lambda z: 0.0, **settings)
    with pytest.raises(ValueError, match=message):
        kernel.init(jax.random.key(0), 10, start)
