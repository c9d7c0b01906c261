"""`log_density` is the sum of the sites' log densities, scaled and masked, as written by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import sojourn_distributions as dist
from sojourn_infer import compute_log_probs, log_density, potential_energy
from sojourn_primitives import deterministic, factor, handlers, plate, sample

Y = np.array([[0.3, -1.2, 0.8], [2.0, 0.1, -0.4]])


def normal(x, mean=0.0, sd=1.0):
    return stats.norm.logpdf(x, mean, sd)


def one_site():
    sample("x", dist.Gamma(2.0, 3.0))


def regression(y):
    weight = sample("weight", dist.Normal(np.zeros(2), 2.0).to_event(1))
    scale = sample("scale", dist.HalfNormal(1.5))
    deterministic("double", 2 * weight)
    with plate("observation", 3):
        sample("y", dist.Normal(weight[0] + weight[1] * np.arange(3.0), scale), obs=y)


def nested(y):
    with plate("column", 3):
        column = sample("column_effect", dist.Normal(0.0, 1.0))
        with plate("row", 2):
            sample("y", dist.Normal(column, 0.5), obs=y)
    with plate("row_again", 2, dim=-2):
        sample("row_effect", dist.Normal(0.0, 3.0))


def subsampled():
    """Four of ten elements stand for all."""
    with plate("data", 10, subsample_size=4):
        sample("x", dist.Normal(1.0, 2.0))


def scaled_twice():
    sample("a", dist.Normal(0.0, 1.0))
    with handlers.scale(scale=2.0):
        sample("b", dist.Normal(0.0, 1.0))
        with handlers.scale(scale=np.array([0.5, 3.0])), plate("pair", 2):
            sample("c", dist.Normal(0.0, 1.0))


def masked():
    with plate("three", 3), handlers.mask(mask=np.array([True, False, True])):
        sample("x", dist.Normal(0.0, 1.0))
    with handlers.mask(mask=False):
        sample("out", dist.Normal(0.0, 1.0))


def scaled_and_masked():
    with handlers.scale(scale=4.0), handlers.mask(mask=np.array([True, False])), plate("two", 2):
        sample("x", dist.Normal(0.0, 1.0))


def factors(weight):
    factor("one", -1.5)
    with plate("three", 3):
        factor("each", weight)
        factor("own", np.array([1.0, 2.0, 3.0]))
    with handlers.scale(scale=10.0):
        factor("scaled", 0.25)


def partly_observed(y, seen):
    with plate("three", 3):
        sample("y", dist.Normal(0.0, 2.0), obs=y, obs_mask=seen)


def several_draws():
    sample("x", dist.Normal(np.zeros((2, 1)), np.ones(3)), sample_shape=(4,))


def empty():
    deterministic("nothing", 1.0)


WEIGHT, SCALE = np.array([0.5, -0.7]), 0.8
COLUMN, ROW = np.array([0.1, 0.2, -0.3]), np.array([[1.0], [-2.0]])
FOUR = np.array([0.0, 1.0, 2.5, -1.0])
CASES = {
    "one site": (one_site, (), {"x": 0.7}, stats.gamma.logpdf(0.7, 2, scale=1 / 3)),
    "regression": (
        regression,
        (Y[0],),
        {"weight": WEIGHT, "scale": SCALE},
        normal(WEIGHT, 0, 2).sum()
        + stats.halfnorm.logpdf(SCALE, scale=1.5)
        + normal(Y[0], WEIGHT[0] + WEIGHT[1] * np.arange(3), SCALE).sum(),
    ),
    "nested plates": (
        nested,
        (Y,),
        {"column_effect": COLUMN, "row_effect": ROW},
        normal(COLUMN).sum() + normal(Y, COLUMN, 0.5).sum() + normal(ROW, 0, 3).sum(),
    ),
    "a conditioned site counts": (
        handlers.condition(nested, data={"column_effect": COLUMN}),
        (Y,),
        {"row_effect": ROW},
        normal(COLUMN).sum() + normal(Y, COLUMN, 0.5).sum() + normal(ROW, 0, 3).sum(),
    ),
    "subsampled plate": (
        handlers.seed(subsampled, 0),
        (),
        {"x": FOUR},
        10 / 4 * normal(FOUR, 1, 2).sum(),
    ),
    "scales multiply": (
        scaled_twice,
        (),
        {"a": 0.3, "b": 0.4, "c": np.array([0.5, -2.0])},
        normal(0.3) + 2 * normal(0.4) + (2 * np.array([0.5, 3]) * normal([0.5, -2])).sum(),
    ),
    "masks leave out": (
        masked,
        (),
        {"x": np.array([0.5, np.nan, -2.0]), "out": 7.0},
        normal(0.5) + normal(-2),
    ),
    "scale and mask": (scaled_and_masked, (), {"x": np.array([1.0, 5.0])}, 4 * normal(1.0)),
    "factors": (factors, (0.1,), {}, -1.5 + 3 * 0.1 + 6 + 2.5),
    "partly observed": (
        partly_observed,
        (np.array([0.5, np.nan, -1.0]), np.array([True, False, True])),
        {"y_unobserved": np.array([9.0, 0.7, 9.0])},
        normal([0.5, 0.7, -1.0], 0, 2).sum(),
    ),
    "several draws": (several_draws, (), {"x": np.full((4, 2, 3), 0.5)}, 24 * normal(0.5)),
    "no site": (empty, (), {}, 0.0),
}


@pytest.mark.parametrize("name", CASES)
def test_density_is_the_sum_by_hand(name):
    model, args, params, expected = CASES[name]
    density, trace = log_density(model, args, {}, params)
    assert density.shape == ()
    np.testing.assert_allclose(density, expected, rtol=1e-5, atol=1e-5)
    for site, value in params.items():
        np.testing.assert_array_equal(trace[site]["value"], value)

    def compiled(params):
        return log_density(model, args, {}, params)[0]

    np.testing.assert_allclose(jax.jit(compiled)(params), expected, rtol=1e-5, atol=1e-5)


def test_gradients_reach_every_latent_site():
    def density(params):
        return log_density(regression, (Y[0],), {}, params)[0]

    params = {"weight": jnp.asarray(WEIGHT), "scale": jnp.asarray(SCALE)}
    gradient = jax.grad(density)(params)
    residual = Y[0] - WEIGHT[0] - WEIGHT[1] * np.arange(3)
    slope = (residual / SCALE**2 * np.arange(3)).sum() - WEIGHT[1] / 4
    spread = (residual**2 / SCALE**3 - 1 / SCALE).sum() - SCALE / 1.5**2
    np.testing.assert_allclose(gradient["weight"][1], slope, rtol=1e-4)
    np.testing.assert_allclose(gradient["scale"], spread, rtol=1e-4)


def test_keywords_reach_the_model():
    by_position, _ = log_density(regression, (Y[0],), {}, {"weight": WEIGHT, "scale": SCALE})
    by_keyword, _ = log_density(regression, (), {"y": Y[0]}, {"weight": WEIGHT, "scale": SCALE})
    assert by_position == by_keyword


def test_a_latent_site_without_value_needs_a_seed():
    with pytest.raises(RuntimeError, match="'scale' has no random key"):
        log_density(regression, (Y[0],), {}, {"weight": WEIGHT})
    density, trace = log_density(handlers.seed(regression, 0), (Y[0],), {}, {"weight": WEIGHT})
    assert np.isfinite(density)
    assert trace["scale"]["value"] > 0


def reads_its_scale():
    """Python sees the value of a latent site, as in a debugger."""
    scale = sample("scale", dist.Normal(0.0, 1.0))
    sample("x", dist.Normal(0.0, scale if scale < 0 else 2 * scale))


@pytest.mark.parametrize("density", [log_density, compute_log_probs, potential_energy])
def test_values_are_read_and_judged_outside_of_a_program(density):
    density(reads_its_scale, (), {}, {"scale": jnp.ones(()), "x": jnp.zeros(())})
    with pytest.raises(ValueError, match=r"invalid scale parameter: .* scale = -1.0"):
        density(reads_its_scale, (), {}, {"scale": -jnp.ones(()), "x": jnp.zeros(())})
