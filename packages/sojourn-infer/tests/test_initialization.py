"""Strategies give first values in the support, bare and called, each as its name says."""

import jax
import numpy as np
import pytest
from scipy import stats

import sojourn_distributions as dist
from sojourn_distributions import constraints
from sojourn_infer import (
    NUTS,
    ModelTarget,
    find_valid_initial_params,
    init_to_feasible,
    init_to_mean,
    init_to_median,
    init_to_sample,
    init_to_uniform,
    init_to_value,
    initialize_model,
    pathfinder,
)
from sojourn_primitives import plate, sample

SITES = {
    "real": dist.Normal(100.0, 2.0),
    "positive": dist.LogNormal(0.0, 2.0),
    "interval": dist.Uniform(3.0, 7.0),
    "from_a_bound": dist.TruncatedNormal(0.0, 1.0, low=1.5),
    "simplex": dist.Dirichlet(np.array([0.7, 2.0, 5.0])),
    "vector": dist.MultivariateNormal(np.ones(2), np.eye(2)),
    "batch": dist.HalfNormal(np.array([[1.0], [2.0]])),
}
SHAPES = {
    "real": (3,),
    "positive": (3,),
    "interval": (3,),
    "from_a_bound": (3,),
    "simplex": (3, 3),
    "vector": (3, 2),
    "batch": (2, 3),
}

THE_SAME_EVERYWHERE = {
    "init_to_feasible": tuple(SITES),
    "init_to_mean": ("real", "positive", "interval", "from_a_bound", "vector"),
}


def model():
    for name, fn in SITES.items():
        with plate(f"plate_{name}", 3):
            sample(name, fn)


def first_values(strategy, seed=0, of=model):
    """Constrained first values of a model's sites."""
    setup = ModelTarget(of, strategy).setup((), {})
    position = jax.jit(setup.start)(jax.random.key(seed))
    return {name: np.asarray(value) for name, value in setup.constrain(position).items()}


@pytest.mark.parametrize(
    "strategy",
    [
        pytest.param(init_to_uniform, id="uniform"),
        pytest.param(init_to_uniform(radius=0.1), id="uniform-called"),
        pytest.param(init_to_sample(), id="sample"),
        pytest.param(init_to_median(num_samples=5), id="median-called"),
        pytest.param(init_to_value, id="value"),
        pytest.param(init_to_mean, id="mean"),
        pytest.param(init_to_feasible, id="feasible"),
        pytest.param(init_to_value(values={"interval": np.array([3.5, 4, 6])}), id="value-called"),
    ],
)
def test_values_lie_in_the_support(strategy):
    values = first_values(strategy)
    assert {name: value.shape for name, value in values.items()} == SHAPES
    for name, value in values.items():
        assert np.all(SITES[name].support(value)), name
        if name not in THE_SAME_EVERYWHERE.get(getattr(strategy, "__name__", ""), ()):
            assert len(np.unique(value.round(4))) > 1, name  # each element has its own


def test_the_mean_is_the_priors_where_there_is_one():
    assert init_to_mean() is init_to_mean

    def means():
        sample("gamma", dist.Gamma(np.array([3.0, 5.0]), 2.0))
        sample("shares", dist.Dirichlet(np.array([1.0, 2.0, 5.0])))
        sample("expanded", dist.Exponential(0.1).expand([4]), sample_shape=(2,))
        sample("heavy", dist.HalfCauchy(3.0))
        sample("partly", dist.InverseGamma(np.array([0.5, 4.0]), 6.0))

    values = first_values(init_to_mean, of=means)
    np.testing.assert_allclose(values["gamma"], [1.5, 2.5], rtol=1e-5)
    np.testing.assert_allclose(values["shares"], [0.125, 0.25, 0.625], rtol=1e-5)
    np.testing.assert_allclose(values["expanded"], np.full((2, 4), 10.0), rtol=1e-5)
    for drawn in (values["heavy"], values["partly"][0]):  # without a finite mean
        assert np.exp(-2) < drawn < np.exp(2)
    assert values["partly"][1] == pytest.approx(2.0, rel=1e-5)


def test_what_has_no_mean_starts_from_the_median():
    class Meanless(dist.Exponential):
        @property
        def mean(self):
            raise NotImplementedError

    def many():
        sample("x", Meanless(np.full(100, 0.01)))

    for seed in range(2):
        np.testing.assert_array_equal(
            first_values(init_to_mean, seed, many)["x"],
            first_values(init_to_median, seed, many)["x"],
        )


def test_feasible_is_the_middle_whatever_the_parameters():
    assert init_to_feasible() is init_to_feasible
    values = first_values(init_to_feasible)
    for name, expected in {"real": 0.0, "positive": 1.0, "interval": 5.0, "batch": 1.0}.items():
        np.testing.assert_allclose(values[name], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(values["simplex"], 1 / 3, rtol=1e-5)


def test_uniform_keeps_to_its_radius():
    for strategy, radius in ((init_to_uniform, 2.0), (init_to_uniform(radius=0.5), 0.5)):

        def many():
            sample("x", dist.HalfNormal(np.ones(2000)))

        unconstrained = np.log(first_values(strategy, of=many)["x"])
        assert np.all(np.abs(unconstrained) <= radius * (1 + 1e-5))
        # 2000 uniform draws: the extremes are near the ends, the mean is near the middle.
        assert unconstrained.min() < -0.99 * radius < 0.99 * radius < unconstrained.max()
        assert abs(unconstrained.mean()) < 4 * radius / np.sqrt(3 * 2000)


def test_sample_draws_from_the_prior():
    assert init_to_sample() is init_to_sample

    def many():
        sample("x", dist.Exponential(np.full(4000, 2.0)))

    x = first_values(init_to_sample, of=many)["x"]
    assert stats.kstest(x, stats.expon(scale=0.5).cdf).pvalue > 1e-3
    assert not np.array_equal(first_values(init_to_sample, seed=1, of=many)["x"], x)


@pytest.mark.parametrize(
    "strategy, num_samples", [(init_to_median, 15), (init_to_median(num_samples=101), 101)]
)
def test_median_is_that_of_prior_draws(strategy, num_samples):
    def many():
        sample("x", dist.Normal(np.full(2000, 5.0), 2.0))

    x = first_values(strategy, of=many)["x"]
    assert abs(x.mean() - 5) < 4 * x.std() / np.sqrt(2000)
    # The variance of the median of n normal draws is about pi / 2 / n times theirs.
    assert x.std() == pytest.approx(2 * np.sqrt(np.pi / 2 / num_samples), rel=0.15)


def test_values_are_taken_and_others_drawn():
    values = {"interval": np.array([3.5, 4.0, 6.9]), "positive": np.array([0.1, 1.0, 9.0])}
    first = first_values(init_to_value(values=values))
    for name, value in values.items():
        np.testing.assert_allclose(first[name], value, rtol=1e-5)
    uniform = first_values(init_to_uniform)
    np.testing.assert_array_equal(np.abs(first["real"]) < 2, np.abs(uniform["real"]) < 2)


def test_a_flat_site_starts_uniformly_where_there_is_no_prior_to_draw_from():
    def flat():
        sample("x", dist.ImproperUniform(constraints.ordered_vector, (), (3,)))

    given = init_to_value(values={"x": np.array([-1.0, 0.0, 5.0])})
    for strategy in (init_to_uniform, init_to_sample, init_to_mean, init_to_feasible, given):
        assert np.all(np.diff(first_values(strategy, of=flat)["x"]) > 0)


def scales():
    sample("x", dist.HalfNormal(np.ones(3)))


def test_the_kernel_starts_where_the_strategy_says():
    kernel = NUTS(scales, init_strategy=init_to_value(values={"x": np.array([1.0, 2.0, 4.0])}))
    state = jax.jit(lambda key: kernel.init(key, 10, None, (), {}))(jax.random.key(0))
    np.testing.assert_allclose(state.z["x"], np.log([1.0, 2.0, 4.0]), atol=1e-6)


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: init_to_uniform(radius=-1), ("radius", "-1")),
        (lambda: init_to_uniform(radius=float("nan")), ("radius", "nan")),
        (lambda: init_to_median(num_samples=0), ("num_samples", "0")),
        (lambda: NUTS(scales, init_strategy="uniform"), ("init_strategy", "'uniform'")),
    ],
)
def test_strategies_that_are_none(make, words):
    with pytest.raises((TypeError, ValueError)) as raised:
        make()
    for word in words:
        assert word in str(raised.value)


@pytest.mark.parametrize("key", [0, "key", np.zeros(2), np.uint32(3)], ids=repr)
@pytest.mark.parametrize("use", [initialize_model, find_valid_initial_params, pathfinder])
def test_what_is_no_key(use, key):
    with pytest.raises(TypeError, match=rf"{use.__name__}: rng_key is .*jax.random.key\(0\), got"):
        use(key, scales)


def test_no_keys():
    with pytest.raises(TypeError, match=r"initialize_model: rng_key is .*\(0,\) of key<fry>"):
        initialize_model(jax.random.split(jax.random.key(0), 0), scales)


def test_one_key_for_paths():
    with pytest.raises(TypeError, match=r"one random key.*\(3,\) of key<fry>"):
        pathfinder(jax.random.split(jax.random.key(0), 3), scales)
