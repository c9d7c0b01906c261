"""Directions: densities that keep their digits when concentrated, draws against exact marginals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, special, stats

import sojourn_distributions as dist
from sojourn_distributions.directional.angles import bessel_ratio_deficit, wrap

SIZE = 10_000
LEVEL = 1e-3 / 50


# By mpmath, at 50 digits: k, log(2 pi I0(k)) - k, 1 - I1(k) / I0(k).
BESSEL = [
    (0.0009765625, 1.8369007423279104, 0.99951171880820765),
    (1.0, 1.0737914249165241, 0.55361003410346549),
    (49.0, -1.0243939928447353, 0.010257241155292065),
    (51.0, -1.0444987671005755, 0.009852952441052221),
    (100000.0, -4.8375229492741914, 5.000012500125002e-6),
]


@pytest.mark.parametrize("concentration, log_i0e, deficit", BESSEL)
def test_von_mises_keeps_its_digits(concentration, log_i0e, deficit, precision, jit):
    single = precision > 1e-6
    loc, angle = 0.3, 0.3 + 1 / (1 + concentration) ** 0.5

    @jit
    def evaluate(concentration, angle):
        def log_prob(concentration):
            return dist.VonMises(loc, concentration).log_prob(angle)

        d = dist.VonMises(loc, concentration)
        slope = jax.grad(log_prob)(concentration)
        return log_prob(concentration), slope, d.variance, d.cdf(angle), d.entropy()

    # The angle as the function sees it: in single precision it has only so many digits.
    dtype = np.float32 if single else np.float64
    t = float(dtype(angle) - dtype(loc))
    tolerance = 3e-5 if single else 1e-10
    log_prob, slope, variance, below, entropy = evaluate(concentration, angle)
    cosine_deficit = 2 * np.sin(t / 2) ** 2
    np.testing.assert_allclose(log_prob, -concentration * cosine_deficit - log_i0e, rtol=tolerance)
    exact_slope = deficit - cosine_deficit
    # At one standard deviation the two terms of the slope cancel.
    np.testing.assert_allclose(slope, exact_slope, atol=tolerance * deficit)
    np.testing.assert_allclose(variance, deficit, rtol=tolerance)
    np.testing.assert_allclose(entropy, log_i0e + concentration * deficit, rtol=tolerance)
    if concentration < 1e4:
        density = stats.vonmises(concentration).pdf
        expected = integrate.quad(density, -np.pi - loc, angle - loc, points=[0.0])[0]
    else:  # the first correction of the normal, -u (1 + u^2) / (8 k) times its density
        u = 2 * concentration**0.5 * np.sin(t / 2)
        expected = stats.norm.cdf(u) + -u * stats.norm.pdf(u) / (8 * concentration)
    np.testing.assert_allclose(below, expected, atol=1e-5 if single else 1e-9)


@pytest.mark.parametrize("concentration", [1e-3, 2.0, 1e5])
def test_von_mises_draws(concentration, jit):
    d = dist.VonMises(np.float32(2.5), np.float32(concentration))
    x, below = jit(lambda d: (x := d.sample(jax.random.key(1), (SIZE,)), d.cdf(x)))(d)
    assert np.all(d.support(x)) and x.dtype == np.float32
    assert stats.kstest(np.asarray(below, float), "uniform").pvalue > LEVEL


def test_mean_direction_and_circular_variance(jit):
    d = dist.VonMises(np.array([3.0, -7.0]), np.array([0.5, 20.0]))
    x = np.asarray(jit(lambda d: d.sample(jax.random.key(2), (SIZE,)))(d), float)
    resultant = np.exp(1j * x).mean(0)
    error = (0.5 / SIZE) ** 0.5 / abs(resultant)
    assert np.all(abs(np.angle(resultant * np.exp(-1j * np.asarray(d.mean)))) < 4.5 * error)
    np.testing.assert_allclose(1 - abs(resultant), d.variance, atol=4.5 * SIZE**-0.5, rtol=0.05)
    np.testing.assert_allclose(d.mean, [3.0, 2 * np.pi - 7.0], rtol=1e-5)


def test_density_of_angles_is_zero_beyond_a_turn():
    assert dist.VonMises(0.0, 1.0).log_prob(3.2) == -np.inf
    assert jax.grad(dist.VonMises(0.0, 1.0).log_prob)(3.2) == 0
    assert np.isfinite(dist.VonMises(0.0, 1.0).log_prob(np.float32(np.pi)))
    pair = dist.SineBivariateVonMises(0.0, 0.0, 1.0, 1.0, 0.5)
    assert pair.log_prob(np.array([0.0, -3.3])) == -np.inf


def test_wrapping_keeps_small_angles_and_stays_within_a_turn():
    tiny = np.float32(1e-12)
    assert wrap(tiny) == tiny
    turned = wrap(np.linspace(-50, 50, 1001, dtype=np.float32))
    assert np.all(dist.constraints.circular(turned))
    np.testing.assert_allclose(np.sin(turned), np.sin(np.linspace(-50, 50, 1001)), atol=2e-5)
    assert bessel_ratio_deficit(jnp.float32(1e30)) == pytest.approx(5e-31, rel=1e-5)


@pytest.mark.parametrize("size", [2, 3, 5])
def test_projected_normal_far_from_its_mean(size, precision, jit):
    # A value at angle t from a mean of length 12: the radial integral from its tail to its bulk.
    angles = np.array([0.0, 1.0, np.pi / 2, 2.0, 2.3, np.pi])
    mean = 12.0 * np.eye(size)[0]
    values = np.cos(angles)[:, None] * np.eye(size)[0] + np.sin(angles)[:, None] * np.eye(size)[1]
    log_prob, gradient = jit(
        lambda mean: (
            (f := lambda mean: dist.ProjectedNormal(mean).log_prob(values))(mean),
            jax.jacrev(f)(mean),
        )
    )(mean)

    def exact(angle):
        t = 12 * np.cos(angle)
        peak = max((t + (t * t + 4 * (size - 1)) ** 0.5) / 2, 0.01)
        height = (size - 1) * np.log(peak) - peak**2 / 2 + peak * t

        def integrand(r):
            return np.exp((size - 1) * np.log(r) - r * r / 2 + r * t - height)

        points = peak * np.array([0.3, 1.0, 2.0, 5.0])
        integral = integrate.quad(integrand, 1e-12, peak + 20, points=points, epsabs=1e-14)[0]
        return np.log(integral) + height - 72 - size / 2 * np.log(2 * np.pi)

    expected = [exact(angle) for angle in angles]
    np.testing.assert_allclose(log_prob, expected, rtol=1e-5 if precision > 1e-6 else 1e-9)
    assert np.isfinite(gradient).all()


def test_projected_normal_without_concentration_is_uniform():
    for size in (2, 3, 4):
        d = dist.ProjectedNormal(np.zeros(size))
        area = 2 * np.pi ** (size / 2) / special.gamma(size / 2)
        np.testing.assert_allclose(d.log_prob(d.mean), -np.log(area), rtol=1e-5)
        assert dist.constraints.sphere(d.mean)
    with pytest.raises(ValueError, match="at least 2 elements"):
        dist.ProjectedNormal(np.ones(1))


def test_draws_of_projected_normal(jit):
    d = dist.ProjectedNormal(np.array([0.5, -1.0]))
    x = np.asarray(jit(lambda d: d.sample(jax.random.key(3), (SIZE,)))(d), float)
    grid = np.linspace(-np.pi, np.pi, 4001)
    density = np.exp(d.log_prob(np.stack([np.cos(grid), np.sin(grid)], -1)))
    below = integrate.cumulative_trapezoid(density, grid, initial=0)
    assert below[-1] == pytest.approx(1, abs=1e-4)
    angles = np.arctan2(x[:, 1], x[:, 0])
    assert stats.kstest(angles, lambda t: np.interp(t, grid, below)).pvalue > LEVEL


SINE_MODELS = [(3.0, 2.0, 1.0), (3.0, 2.0, -6.0), (1.0, 1.0, 50.0), (1e3, 1e3, 999.0)]


def log_marginal(k1, k2, c, angle):
    z = np.hypot(k2, c * np.sin(angle))
    return k1 * np.cos(angle) + z + np.log(special.i0e(z)) + np.log(2 * np.pi)


@pytest.mark.parametrize("k1, k2, c", SINE_MODELS)
def test_sine_model(k1, k2, c, jit):
    d = dist.SineBivariateVonMises(0.0, 0.0, *map(np.float32, (k1, k2, c)))

    @jit
    def evaluate(d):
        slope = jax.grad(lambda c: dist.SineBivariateVonMises(0.0, 0.0, k1, k2, c).norm_const)
        return d.sample(jax.random.key(0), (SIZE,)), d.norm_const, slope(d.correlation)

    x, norm_const, slope = (np.asarray(part, float) for part in evaluate(d))
    grid = np.linspace(-np.pi, np.pi, 20_001)
    for i, (own, other) in enumerate(((k1, k2), (k2, k1))):
        log_density = log_marginal(own, other, c, grid)
        peak = log_density.max()
        below = integrate.cumulative_trapezoid(np.exp(log_density - peak), grid, initial=0)
        np.testing.assert_allclose(norm_const, peak + np.log(below[-1]), rtol=1e-5)
        below /= below[-1]
        assert stats.kstest(x[:, i], lambda t, f=below: np.interp(t, grid, f)).pvalue > LEVEL
    # The mean of the product of sines, which carries the dependence, is the constant's slope.
    product = np.sin(x).prod(-1)
    assert abs(product.mean() - slope) < 4.5 * product.std() / SIZE**0.5
    assert np.all(d.support(np.asarray(x, np.float32)))


def test_sine_model_by_its_weighted_correlation():
    k2 = np.array([2.0, 8.0])
    weighted = dist.SineBivariateVonMises(0.1, 0.2, 2.0, k2, weighted_correlation=0.5)
    np.testing.assert_allclose(weighted.correlation, [1.0, 2.0])
    assert set(weighted.get_args()) == {*dist.SineBivariateVonMises.arg_constraints} - {
        "correlation"
    }
    plain = dist.SineBivariateVonMises(0.1, 0.2, 2.0, k2, np.array([1.0, 2.0]))
    np.testing.assert_allclose(plain.weighted_correlation, [0.5, 0.5])
    x = np.array([1.0, -1.0])
    np.testing.assert_allclose(weighted.log_prob(x), plain.log_prob(x), rtol=1e-6)
    np.testing.assert_allclose(plain.mean, [[0.1, 0.2]] * 2, rtol=1e-6)
    for given in ({}, {"correlation": 1.0, "weighted_correlation": 0.5}):
        with pytest.raises(ValueError, match="exactly one of correlation and weighted"):
            dist.SineBivariateVonMises(0.0, 0.0, 1.0, 1.0, **given)


def test_skewed_draws_follow_the_skewed_density(jit):
    loc, skewness = 1.0, 0.8
    d = dist.SineSkewed(dist.VonMises(np.full(1, loc), 1.5).to_event(1), np.full(1, skewness))
    x = np.asarray(jit(lambda d: d.sample(jax.random.key(5), (SIZE,)))(d), float)[:, 0]
    grid = np.linspace(-np.pi, np.pi, 4001)
    density = stats.vonmises(1.5, loc).pdf(grid) * (1 + skewness * np.sin(grid - loc))
    below = integrate.cumulative_trapezoid(density, grid, initial=0)
    assert stats.kstest(x, lambda t: np.interp(t, grid, below)).pvalue > LEVEL


def test_skewing_takes_bases_of_angles_only():
    skewness = np.array([0.3, 0.3])
    pair = dist.SineBivariateVonMises(0.0, 0.0, 1.0, 1.0, 0.5)
    assert dist.SineSkewed(pair, np.full((3, 2), 0.2)).batch_shape == (3,)
    flat = dist.Uniform(np.full(2, -np.pi), np.full(2, np.pi)).to_event(1)
    log_prob = dist.SineSkewed(flat, skewness).log_prob(np.array([np.pi / 2, 0.0]))
    np.testing.assert_allclose(log_prob, np.log(1.3) - 2 * np.log(2 * np.pi), rtol=1e-6)
    for base in (
        dist.Normal(np.zeros(2)).to_event(1),
        dist.VonMises(np.zeros(2), 1.0),
        dist.Uniform(np.zeros(2), 2 * np.pi).to_event(1),
        dist.ProjectedNormal(np.ones(2)),
    ):
        with pytest.raises(ValueError, match="vectors of angles between -pi and pi"):
            dist.SineSkewed(base, skewness)
    with pytest.raises(ValueError, match="one element for each of the 2 angle"):
        dist.SineSkewed(pair, np.full(3, 0.1))
    with pytest.raises(ValueError, match="skewness"):
        dist.SineSkewed(pair, np.array([0.8, 0.8]))
