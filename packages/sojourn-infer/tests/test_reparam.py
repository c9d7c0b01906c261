"""Other coordinates, the same distribution: densities agree after a change of variables."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import sojourn_distributions as dist
from sojourn_distributions import constraints, transforms
from sojourn_infer import MCMC, NUTS, init_to_sample, initialize_model, log_density
from sojourn_infer.reparam import (
    CircularReparam,
    DiscreteCosineReparam,
    ExplicitReparam,
    HaarReparam,
    LocScaleReparam,
    ProjectedNormalReparam,
    Reparam,
    TransformReparam,
    UnitJacobianReparam,
)
from sojourn_primitives import handlers, plate, sample
from sojourn_primitives.control_flow import scan

LOC = np.array([-1.0, 0.5, 3.0], np.float32)


def one_site(fn):
    def model():
        sample("x", fn)

    return model


def traced(model, seed=0):
    return handlers.trace(handlers.seed(model, seed)).get_trace()


NORMAL = dist.Normal(LOC, 2.0)
WALK = dist.GaussianRandomWalk(0.7, num_steps=6)
POSITIVE = dist.LogNormal(LOC, 0.5).to_event(1)
# Distribution, reparameterizer, name of the new site.
CASES = {
    "non-centred": (NORMAL, LocScaleReparam(0), "decentered"),
    "half-centred": (NORMAL.to_event(1), LocScaleReparam(0.3), "decentered"),
    "centred by element": (NORMAL, LocScaleReparam(np.array([0.0, 0.4, 1.0])), "decentered"),
    "expanded": (dist.Laplace(1.0, 3.0).expand([3]), LocScaleReparam(0.5), "decentered"),
    "with a shape": (dist.StudentT(4.0, LOC, 2.0), LocScaleReparam(0.5, ["df"]), "decentered"),
    "log-normal": (dist.LogNormal(LOC, 2.0), TransformReparam(), "base"),
    "affine": (
        dist.TransformedDistribution(
            dist.Gumbel(0.0, 1.0).expand([3]), transforms.AffineTransform(LOC, 2.0)
        ).to_event(1),
        TransformReparam(),
        "base",
    ),
    "softplus": (
        dist.Gamma(np.array([0.7, 4.0]), 2.0),
        ExplicitReparam(transforms.SoftplusTransform().inv),
        "base",
    ),
    "cosines": (WALK, DiscreteCosineReparam(smooth=1.0), "dct"),
    "cosines of positive": (POSITIVE, DiscreteCosineReparam(), "dct"),
    "wavelets": (WALK, HaarReparam(flip=True), "haar"),
    "wavelets across": (
        dist.Normal(LOC, 1.0).expand([4, 3]).to_event(2),
        HaarReparam(dim=-2),
        "haar",
    ),
    "named": (WALK, UnitJacobianReparam(transforms.HaarTransform(), "waves"), "waves"),
}


@pytest.mark.parametrize("name", CASES)
def test_densities_agree_after_a_change_of_variables(name):
    fn, reparam, suffix = CASES[name]
    model = handlers.reparam(one_site(fn), config={"x": reparam})
    new_name = f"x_{suffix}"

    @jax.jit
    def compare(key):
        trace = traced(model, key)
        assert list(trace) == [new_name, "x"]
        assert trace["x"]["type"] == "deterministic"
        base = trace[new_name]["value"]

        def value(flat):
            params = {new_name: flat.reshape(base.shape)}
            return log_density(model, (), {}, params)[1]["x"]["value"].ravel()

        x = trace["x"]["value"]
        new = log_density(model, (), {}, {new_name: base})[0]
        return x, new, jnp.sum(fn.log_prob(x)), jax.jacfwd(value)(base.ravel())

    x, new, old, jacobian = compare(jax.random.key(0))
    assert x.shape == fn.batch_shape + fn.event_shape
    assert np.all(fn.support(np.asarray(x)))
    _, log_volume = np.linalg.slogdet(np.asarray(jacobian, float))
    np.testing.assert_allclose(float(new), float(old) + log_volume, rtol=1e-4, atol=1e-3)


def test_smooth_walks_become_independent():
    """The cosine coefficients of a walk are nearly uncorrelated, unlike its values."""
    walk = dist.GaussianRandomWalk(1.0, num_steps=32)
    draws = np.asarray(walk.sample(jax.random.key(0), (4000,)))
    coefficients = np.asarray(transforms.DiscreteCosineTransform(smooth=1.0)(draws))
    before, after = (np.abs(np.corrcoef(x.T) - np.eye(32)).mean() for x in (draws, coefficients))
    assert after < before / 5


def test_centred_changes_nothing():
    model = handlers.reparam(one_site(NORMAL), config={"x": LocScaleReparam(1)})
    assert list(traced(model)) == ["x"]
    assert traced(model)["x"]["type"] == "sample"


def test_how_centred_can_be_learned():
    model = handlers.reparam(
        one_site(NORMAL), config=lambda site: LocScaleReparam() if site["name"] == "x" else None
    )
    trace = traced(model)
    assert list(trace) == ["x_centered", "x_decentered", "x"]
    np.testing.assert_array_equal(trace["x_centered"]["value"], np.full(3, 0.5))
    assert trace["x_centered"]["kwargs"]["constraint"] is constraints.unit_interval
    given = handlers.substitute(model, data={"x_centered": np.zeros(3)})
    np.testing.assert_allclose(traced(given)["x_decentered"]["fn"].scale, np.ones(3))
    latent = handlers.lift(model, prior={"x_centered": dist.Uniform(0.0, 1.0).expand([3])})
    info = initialize_model(jax.random.key(0), latent)
    assert {name: z.shape for name, z in info.param_info.z.items()} == {
        "x_centered": (3,),
        "x_decentered": (3,),
    }


def test_inside_plates_masks_scales_and_sample_shapes():
    kept = np.array([True, False, True])

    def model():
        plates = plate("two", 2, dim=-2), plate("three", 3, dim=-1)
        with plates[0], plates[1], handlers.scale(scale=5.0), handlers.mask(mask=kept):
            sample("x", dist.LogNormal(LOC, 2.0))
        sample("many", dist.Normal(LOC, 2.0), sample_shape=(4,))

    config = {"x": TransformReparam(), "many": LocScaleReparam(0)}
    reparametrized = handlers.reparam(model, config=config)
    trace = traced(reparametrized)
    base = trace["x_base"]
    assert base["value"].shape == trace["x"]["value"].shape == (2, 3)
    assert base["scale"] == 5.0
    assert [frame.name for frame in base["cond_indep_stack"]] == ["three", "two"]
    np.testing.assert_array_equal(base["fn"].log_prob(base["value"]) == 0, np.tile(~kept, (2, 1)))
    assert trace["many_decentered"]["value"].shape == trace["many"]["value"].shape == (4, 3)


def test_a_masked_change_of_variables_counts_no_volume():
    masked = dist.Gamma(2.0, 1.0).expand([3]).mask(np.array([True, False, True]))
    config = {"x": ExplicitReparam(transforms.SoftplusTransform().inv)}
    site = traced(handlers.reparam(one_site(masked), config=config))["x_base"]
    log_prob = np.asarray(site["fn"].log_prob(site["value"]))
    assert log_prob[1] == 0
    assert np.all(log_prob[[0, 2]] != 0)
    inside = dist.Gamma(2.0, 1.0).expand([3]).mask(np.array([True, False, True])).to_event(1)
    with pytest.raises(ValueError, match="'x' is masked element by element"):
        traced(handlers.reparam(one_site(inside), config=config))


def test_inside_scan():
    def walk():
        scale = sample("scale", dist.HalfNormal(1.0))

        def step(at, _):
            at = sample("at", dist.Normal(at, scale))
            return at, at

        scan(step, 10.0, None, length=5)

    model = handlers.reparam(walk, config={"at": LocScaleReparam(0)})
    trace = traced(model)
    assert trace["at_decentered"]["value"].shape == trace["at"]["value"].shape == (5,)
    expected = 10 + trace["scale"]["value"] * np.cumsum(trace["at_decentered"]["value"])
    np.testing.assert_allclose(trace["at"]["value"], expected, rtol=1e-5)
    mcmc = MCMC(NUTS(model), num_warmup=50, num_samples=50, progress_bar=False)
    mcmc.run(jax.random.key(0))
    assert mcmc.get_samples()["at"].shape == (50, 5)


def test_directions_have_the_distribution_of_the_site():
    concentration = np.array([0.5, -1.0], np.float32)
    model = handlers.reparam(
        one_site(dist.ProjectedNormal(concentration).expand([3])),
        config={"x": ProjectedNormalReparam()},
    )
    draw = jax.jit(jax.vmap(lambda key: traced(model, key)["x"]["value"]))
    values = draw(jax.random.split(jax.random.key(0), 2000))
    assert values.shape == (2000, 3, 2)
    angles = np.arctan2(values[..., 1], values[..., 0]).ravel()
    grid = np.linspace(-np.pi, np.pi, 2001)
    points = np.stack([np.cos(grid), np.sin(grid)], -1).astype(np.float32)
    density = np.exp(dist.ProjectedNormal(concentration).log_prob(points))
    cdf = np.concatenate([[0], np.cumsum((density[1:] + density[:-1]) / 2 * np.diff(grid))])
    assert stats.kstest(angles, lambda x: np.interp(x, grid, cdf)).pvalue > 1e-3


def angle_model(concentration):
    angle = sample("angle", dist.VonMises(3.0, concentration))
    sample("y", dist.VonMises(angle, 2.0), obs=2.5)


ANGLE = handlers.reparam(angle_model, config={"angle": CircularReparam()})


def test_an_angle_goes_round():
    """Its density is the same one turn on, and across the edge of the support."""
    potential = initialize_model(
        jax.random.key(0), ANGLE, model_args=(1.5,), init_strategy=init_to_sample
    ).potential_fn
    for angle in (3.0, -3.0):
        old, _ = log_density(angle_model, (1.5,), {}, {"angle": angle})
        for turns in (0, 1, -2):
            new = potential({"angle_unwrapped": angle + turns * 2 * np.pi})
            assert float(new) == pytest.approx(-float(old), rel=1e-4)


def funnel():
    scale = sample("log_scale", dist.Normal(0.0, 3.0))
    with plate("N", 9):
        sample("x", dist.Normal(1.0, jnp.exp(0.5 * scale)))


def test_a_funnel_is_sampled_without_divergences():
    model = handlers.reparam(funnel, config={"x": LocScaleReparam(0)})
    mcmc = MCMC(NUTS(model), num_warmup=300, num_samples=500, num_chains=2, progress_bar=False)
    mcmc.run(jax.random.key(0))
    samples = mcmc.get_samples()
    assert np.sum(mcmc.get_extra_fields()["diverging"]) == 0
    log_scale = np.asarray(samples["log_scale"])
    # NUTS draws of a normal are better than independent; a quarter of them is a safe bound.
    assert abs(log_scale.mean()) < 4 * 3 / np.sqrt(250)
    assert log_scale.std() == pytest.approx(3, rel=0.2)
    standard = (samples["x"] - 1) / np.exp(0.5 * log_scale)[:, None]
    assert stats.kstest(np.asarray(standard)[::4].ravel(), stats.norm.cdf).pvalue > 1e-3


NOT_POSSIBLE = {
    "no location": (dist.Gamma(2.0, 1.0), LocScaleReparam(0), ("'x'", "Gamma", "TransformReparam")),
    "a positive support": (dist.LogNormal(0.0, 1.0), LocScaleReparam(0), ("'x'", "positive")),
    "a shape not named": (dist.StudentT(3.0, 0.0, 1.0), LocScaleReparam(0), ("['df']", "'x'")),
    "a shape too much": (NORMAL, LocScaleReparam(0, ["df"]), ("['df']", "Normal")),
    "not transformed": (NORMAL, TransformReparam(), ("'x'", "Normal", "AffineTransform")),
    "no direction": (NORMAL, ProjectedNormalReparam(), ("'x'", "Normal")),
    "no angle": (NORMAL, CircularReparam(), ("'x'", "real")),
    "time in the batch": (NORMAL, HaarReparam(), ("'x'", "to_event(1)", "(3,)")),
}


@pytest.mark.parametrize("name", NOT_POSSIBLE)
def test_what_has_no_such_coordinates(name):
    fn, reparam, words = NOT_POSSIBLE[name]
    with pytest.raises(ValueError, match=type(reparam).__name__) as raised:
        traced(handlers.reparam(one_site(fn), config={"x": reparam}))
    for word in words:
        assert word in str(raised.value)


@pytest.mark.parametrize("reparam", [LocScaleReparam(0), TransformReparam(), HaarReparam()])
def test_data_have_no_other_coordinates(reparam):
    def model():
        sample("x", WALK, obs=np.zeros(6))

    with pytest.raises(ValueError, match=r"'x' has a value"):
        traced(handlers.reparam(model, config={"x": reparam}))


def test_settings_are_checked():
    for centered in (-0.1, 1.5, np.array([0.5, 2.0]), jnp.array(2.0), [0.5, 2.0], float("nan")):
        with pytest.raises(ValueError, match="between 0 and 1"):
            LocScaleReparam(centered)
    for settings in ({"centered": "0"}, {"shape_params": "df"}):
        with pytest.raises(TypeError, match=r"LocScaleReparam: .*number.*list of names"):
            LocScaleReparam(**settings)
    for reparam in (ExplicitReparam, UnitJacobianReparam):
        with pytest.raises(TypeError, match="must be a Transform"):
            reparam(jnp.exp)
    with pytest.raises(TypeError):
        Reparam()
