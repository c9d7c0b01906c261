"""Predictions are draws from the model given what is known, however they are computed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import sojourn_distributions as dist
from sojourn_infer import Predictive, log_likelihood
from sojourn_infer.compile_once import compile_once
from sojourn_primitives import deterministic, factor, get_mask, param, plate, sample
from sojourn_primitives.control_flow import scan

X = np.array([1.0, 2.0, -1.0])
KEY = jax.random.key(7)


def model(x, y=None):
    bend = param("bend", 0.5)
    slope = sample("slope", dist.Exponential(0.5))
    mean = deterministic("mean", slope * x + bend)
    with plate("N", len(x)):
        sample("y", dist.Normal(mean, 0.3), obs=y)


def shapes(draws):
    return {name: value.shape for name, value in draws.items()}


@pytest.fixture(scope="module")
def slopes():
    return np.random.default_rng(0).gamma(3.0, 0.5, 2500).astype(np.float32)


@pytest.fixture(scope="module")
def predicted(slopes):
    return Predictive(model, {"slope": slopes})(KEY, X)


def test_the_prior():
    draws = Predictive(model, num_samples=4000)(KEY, X)
    assert shapes(draws) == {"slope": (4000,), "mean": (4000, 3), "y": (4000, 3)}
    assert stats.kstest(draws["slope"], stats.expon(scale=2.0).cdf).pvalue > 1e-3
    noise = np.asarray(draws["y"] - draws["mean"])
    for column in noise.T:
        assert stats.kstest(column, stats.norm(0, 0.3).cdf).pvalue > 1e-3
    assert abs(np.corrcoef(noise.T)[0, 1]) < 4 / np.sqrt(4000)


def test_the_posterior(predicted, slopes):
    assert shapes(predicted) == {"mean": (2500, 3), "y": (2500, 3)}
    np.testing.assert_allclose(predicted["mean"], slopes[:, None] * X + 0.5, rtol=1e-5)
    noise = np.asarray(predicted["y"] - predicted["mean"]).ravel()
    assert stats.kstest(noise, stats.norm(0, 0.3).cdf).pvalue > 1e-3


@pytest.mark.parametrize("options", [{"parallel": True}, {"batch_size": 300}], ids=str)
def test_how_it_is_computed_changes_no_draw(options, predicted, slopes):
    again = Predictive(model, {"slope": slopes}, **options)(KEY, X)
    for name, value in predicted.items():
        np.testing.assert_allclose(again[name], value, rtol=1e-5, atol=1e-6)


def test_a_draw_does_not_depend_on_how_many_there_are(predicted, slopes):
    few = Predictive(model, {"slope": slopes[:10]})(KEY, X)
    np.testing.assert_array_equal(few["y"], predicted["y"][:10])


@pytest.mark.parametrize("options", [{}, {"parallel": True}, {"batch_size": 4}], ids=str)
def test_inside_of_a_transformation(options, predicted, slopes):
    @jax.jit
    def predict(key, slope, x):
        return Predictive(model, {"slope": slope}, **options)(key, x)

    inside = predict(KEY, slopes[:10], X)
    np.testing.assert_allclose(inside["y"], predicted["y"][:10], rtol=1e-5, atol=1e-6)


def test_chains_and_single_draws(predicted, slopes):
    chains = Predictive(model, {"slope": slopes[:12].reshape(3, 4)}, batch_ndims=2)(KEY, X)
    assert shapes(chains) == {"mean": (3, 4, 3), "y": (3, 4, 3)}
    np.testing.assert_array_equal(chains["y"].reshape(12, 3), predicted["y"][:12])
    one = Predictive(model, {"slope": slopes[0]}, batch_ndims=0)(KEY, X)
    np.testing.assert_array_equal(one["y"], predicted["y"][0])


def test_one_program_serves_any_number_of_draws_and_new_data(slopes, compilations):
    predictive = Predictive(model, {"slope": slopes})
    other_key = jax.random.key(1)
    x = np.arange(7.0)  # of a shape that no other test has
    compilations.settle().clear()
    predictive(KEY, x)
    assert len(compilations.settle()) == 1
    compilations.clear()
    first = predictive(KEY, x + 1)
    second = predictive(other_key, x + 1)
    few = Predictive(model, {"slope": slopes[:2000]})(KEY, x + 1)
    assert compilations.settle() == []
    np.testing.assert_array_equal(few["y"], first["y"][:2000])
    assert not np.allclose(first["y"], second["y"])


def test_memory_is_bounded_by_the_size_of_a_block(monkeypatch):
    """Blocks of results come to the host, so that a program holds few of them."""
    seen = []

    def watch(*arguments, **options):
        program = compile_once(*arguments, **options)

        def run(*arguments):
            results = program(*arguments)
            seen.append(sum(leaf.nbytes for leaf in jax.tree.leaves(results)))
            return results

        return run

    def wide():
        sample("x", dist.Normal(np.zeros(1 << 18), 1.0))

    monkeypatch.setattr("sojourn_infer.per_draw.compile_once", watch)
    draws = Predictive(wide, num_samples=40)(KEY)["x"]
    assert draws.shape == (40, 1 << 18)
    assert len(seen) == 3
    assert max(seen) <= 1 << 24
    draws = Predictive(wide, num_samples=40, batch_size=5)(KEY)["x"]
    assert seen[3:] == [5 << 20] * 8
    assert len(np.unique(np.asarray(draws[:, 0]))) == 40


def test_deterministic_sites_are_computed_again_unless_told(slopes):
    samples = {"slope": slopes[:5], "mean": np.full((5, 3), 100.0, np.float32)}
    assert np.all(Predictive(model, samples)(KEY, X)["mean"] < 50)
    for option in ({"condition_deterministic": True}, {"exclude_deterministic": False}):
        predictive = Predictive(model, samples, **option)
        assert not predictive.exclude_deterministic
        draws = predictive(KEY, X)
        assert np.all(draws["mean"] == 100)
        assert np.all(draws["y"] > 90)


def test_what_is_returned(slopes):
    samples = {"slope": slopes[:5]}
    for names in (["y"], ["slope", "y", "mean"], []):
        assert list(Predictive(model, samples, return_sites=names)(KEY, X)) == names
    everything = Predictive(model, samples, return_sites="")(KEY, X)
    assert set(everything) == {"bend", "slope", "mean", "y"}
    np.testing.assert_array_equal(everything["slope"], slopes[:5])


def test_parameters_and_guides(slopes):
    shifted = Predictive(model, {"slope": slopes[:5]}, params={"bend": 50.0})(KEY, X)
    np.testing.assert_allclose(shifted["mean"], slopes[:5, None] * X + 50, rtol=1e-5)

    def guide(x, y=None):
        sample("slope", dist.Uniform(param("low", 1.0), 12.0))

    draws = Predictive(
        model, guide=guide, params={"low": 10.0}, num_samples=100, return_sites=["slope", "y"]
    )(KEY, X)
    assert shapes(draws) == {"slope": (100,), "y": (100, 3)}
    assert np.all((draws["slope"] > 10) & (draws["slope"] < 12))
    assert len(np.unique(draws["slope"])) == 100


def guide_of_slope(x, y=None):
    sample("slope", dist.Normal(param("loc", 0.0), param("scale", 1.0)))


SETS = {
    "loc": np.array([-20.0, 0.0, 20.0, 40.0], np.float32),
    "scale": np.array([0.1, 1.0, 2.0, 0.5], np.float32),
    "bend": np.array([0.0, 100.0, 200.0, 300.0], np.float32),
}


def of_sets(num_samples, params=SETS, **options):
    return Predictive(
        model,
        guide=guide_of_slope,
        params=params,
        num_samples=num_samples,
        return_sites=["slope", "mean", "y"],
        batch_ndims=1,
        **options,
    )


def test_several_sets_of_parameters():
    """Each has draws of its own, of the guide and of the model."""
    draws = of_sets(2000)(KEY, X)
    assert shapes(draws) == {"slope": (2000, 4), "mean": (2000, 4, 3), "y": (2000, 4, 3)}
    slope = np.asarray(draws["slope"])
    np.testing.assert_allclose(
        draws["mean"], slope[..., None] * X + SETS["bend"][:, None], rtol=1e-5, atol=1e-4
    )
    for of_set, loc, scale in zip(slope.T, SETS["loc"], SETS["scale"], strict=True):
        assert stats.kstest(of_set, stats.norm(loc, scale).cdf).pvalue > 1e-3
    noise = np.asarray(draws["y"] - draws["mean"]).reshape(2000, -1)
    correlations = np.corrcoef(noise.T)[np.triu_indices(12, 1)]
    assert np.max(np.abs(correlations)) < 4.5 / np.sqrt(2000)


@pytest.mark.parametrize("options", [{"parallel": True}, {"batch_size": 7}], ids=str)
def test_how_sets_are_computed_changes_no_draw(options):
    expected = of_sets(10)(KEY, X)
    for name, value in of_sets(10, **options)(KEY, X).items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-5, atol=1e-5)
    inside = jax.jit(lambda params: of_sets(10, params, **options)(KEY, X)["y"])(SETS)
    np.testing.assert_allclose(inside, expected["y"], rtol=1e-5, atol=1e-5)


def test_new_sets_of_parameters_compile_nothing(compilations):
    of_sets(5)(KEY, X)
    compilations.settle().clear()
    of_sets(5, {**SETS, "loc": SETS["loc"] + 1})(KEY, X)
    assert compilations.settle() == []


def test_trees_of_parameters_come_in_sets():
    def tree_guide(x, y=None):
        layer = param("layer", {"weight": np.zeros(2), "bias": 0.0})
        sample("slope", dist.Delta(layer["weight"].sum() + layer["bias"]))

    sets = {"layer": {"weight": np.array([[1.0, 2.0], [3.0, 4.0]]), "bias": np.array([0.5, 5.0])}}
    draws = Predictive(
        model, guide=tree_guide, params=sets, num_samples=3, batch_ndims=1, return_sites=["slope"]
    )(KEY, X)
    np.testing.assert_allclose(draws["slope"], np.tile([3.5, 12.0], (3, 1)))


GUIDED = {"guide": guide_of_slope, "num_samples": 4, "params": {"loc": 1.0}}
NO_PARAMS = {"guide": guide_of_slope, "num_samples": 4}
BATCH_SHAPES = [
    ({"num_samples": 4}, None, (4,)),
    ({"num_samples": 4}, 0, (4,)),
    ({"num_samples": 4}, 2, (1, 4)),
    ({"num_samples": 1}, 0, (1,)),
    (GUIDED, None, (4,)),
    (GUIDED, 0, (4,)),
    (NO_PARAMS, 1, (4,)),
    (NO_PARAMS, 2, (1, 4)),
    ({**NO_PARAMS, "params": SETS}, 1, (4, 4)),
    ({**NO_PARAMS, "params": SETS, "num_samples": 1}, 1, (1, 4)),
    ({"posterior_samples": {"slope": np.float32(2.0)}}, 0, ()),
]
"""By NumPyro's rules."""


@pytest.mark.parametrize("given, batch_ndims, expected", BATCH_SHAPES)
def test_batch_shapes(given, batch_ndims, expected):
    draws = Predictive(model, batch_ndims=batch_ndims, return_sites=["slope", "y"], **given)(KEY, X)
    assert shapes(draws) == {"slope": expected, "y": (*expected, 3)}


def test_draws_of_a_parameter(slopes):
    """Among posterior samples a param site has a value for each draw, before one for all."""
    bends = np.linspace(0, 4, 5, dtype=np.float32)
    samples = {"slope": slopes[:5], "bend": bends}
    mean = Predictive(model, samples, params={"bend": 50.0})(KEY, X)["mean"]
    np.testing.assert_allclose(mean, slopes[:5, None] * X + bends[:, None], rtol=1e-5)


def test_deterministic_sites_of_a_guide():
    def guide(x, y=None):
        sample("slope", dist.Delta(1.0))
        deterministic("mean", 100.0 * np.ones(3))

    for condition, expected in ((False, X + 0.5), (True, np.full(3, 100.0))):
        draws = Predictive(model, guide=guide, num_samples=2, condition_deterministic=condition)
        np.testing.assert_allclose(draws(KEY, X)["mean"], [expected] * 2)


def test_a_guide_beside_draws(slopes):
    """Names of the guide alone are known to it; the values of sites that both name are kept."""

    def guide(x, y=None):
        sample("slope", dist.Delta(sample("twin", dist.Normal(0.0, 1.0))))

    draws = Predictive(model, {"twin": slopes[:5]}, guide=guide, return_sites=["slope"])(KEY, X)
    np.testing.assert_array_equal(draws["slope"], slopes[:5])


def test_a_model_can_skip_its_likelihood():
    asked = []

    def asks():
        asked.append(get_mask())
        x = sample("x", dist.Normal(0.0, 1.0))
        factor("work", jnp.where(x > 0, 1.0, 0.0))

    Predictive(asks, num_samples=3)(KEY)
    assert asked
    assert all(mask is False for mask in asked)


def test_new_groups_and_times():
    def walk(steps):
        scale = sample("scale", dist.HalfNormal(1.0))

        def step(at, _):
            at = sample("at", dist.Normal(at, scale))
            return at, at

        scan(step, 100.0, None, length=steps)

    known = {"scale": np.full(50, 0.1, np.float32), "at": np.zeros((50, 4), np.float32)}
    path = Predictive(walk, known, return_sites=["at"])(KEY, 7)["at"]
    assert path.shape == (50, 7)
    assert np.all(path[:, :4] == 0)
    assert np.all(np.abs(path[:, 4:]) < 2)
    assert np.std(path[:, 4]) == pytest.approx(0.1, rel=0.4)


def test_zero_sized_and_integer_sites():
    def counts(n):
        sample("none", dist.Normal(np.zeros((0, 2)), 1.0))
        sample("count", dist.Poisson(np.full(n, 4.0)))

    draws = Predictive(counts, num_samples=6)(KEY, 3)
    assert shapes(draws) == {"none": (6, 0, 2), "count": (6, 3)}
    assert jnp.issubdtype(draws["count"].dtype, jnp.integer)


def test_legacy_keys_serve():
    draws = Predictive(model, num_samples=5)(jax.random.PRNGKey(7), X)
    assert len(np.unique(draws["slope"])) == 5


def test_progress_shows_only_where_it_takes_long(slopes, capsys, monkeypatch):
    Predictive(model, {"slope": slopes}, batch_size=100)(KEY, X)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sojourn_infer.per_draw.PATIENCE", 0.0)
    Predictive(model, {"slope": slopes}, batch_size=100)(KEY, X)
    assert "2500/2500" in capsys.readouterr().err
    Predictive(model, {"slope": slopes}, batch_size=100, progress_bar=False)(KEY, X)
    assert capsys.readouterr().err == ""


ONES = np.ones(5, np.float32)
REFUSED = {
    "nothing tells the number": (lambda: Predictive(model), ValueError, ("num_samples",)),
    "no function": (lambda: Predictive({"a": 1}, num_samples=3), TypeError, ("model",)),
    "no dict": (lambda: Predictive(model, ONES), TypeError, ("posterior_samples", "ndarray")),
    "batches of different sizes": (
        lambda: Predictive(model, {"slope": ONES, "b": np.ones(4)}),
        ValueError,
        ("'b'", "(4,)", "'slope'", "(5,)"),
    ),
    "too few dims": (
        lambda: Predictive(model, {"slope": ONES}, batch_ndims=2),
        ValueError,
        ("'slope'", "(5,)", "batch_ndims=2"),
    ),
    "a batch size of none": (
        lambda: Predictive(model, {"slope": ONES}, batch_size=0),
        ValueError,
        ("batch_size", "0"),
    ),
    "no draws": (lambda: Predictive(model, num_samples=0), ValueError, ("num_samples", "0")),
    "a name for names": (
        lambda: Predictive(model, num_samples=3, return_sites="y"),
        TypeError,
        ("return_sites", "['y']"),
    ),
    "names that are none": (
        lambda: Predictive(model, num_samples=3, return_sites=3),
        TypeError,
        ("return_sites", "3"),
    ),
    "a number and a guide": (
        lambda: Predictive(model, np.ones((), np.float32), guide=guide_of_slope),
        TypeError,
        ("posterior_samples", "ndarray"),
    ),
    "no number of dims": (
        lambda: log_likelihood(model, {"slope": ONES}, X, X, batch_ndims=None),
        TypeError,
        ("log_likelihood", "batch_ndims", "None"),
    ),
    "contradicting settings": (
        lambda: Predictive(
            model, num_samples=3, condition_deterministic=True, exclude_deterministic=True
        ),
        ValueError,
        ("contradicts",),
    ),
    "a site that is none": (
        lambda: Predictive(model, num_samples=3, return_sites=["z"])(KEY, X),
        ValueError,
        ("'z'", "'slope'", "'y'"),
    ),
    "chains given as draws": (
        lambda: Predictive(model, {"slope": np.ones((2, 3), np.float32)})(KEY, X),
        ValueError,
        ("'slope'", "(3,)", "()", "batch_ndims"),
    ),
    "draws that do not fit the data": (
        lambda: Predictive(model, {"slope": np.ones((5, 4), np.float32)})(KEY, X),
        TypeError,
        ("while predicting with the model model", "'slope': (4,)"),
    ),
    "params that are no dict": (
        lambda: Predictive(model, num_samples=3, params=ONES),
        TypeError,
        ("params", "ndarray"),
    ),
    "two batch dims of params": (
        lambda: Predictive(
            model, guide=guide_of_slope, num_samples=3, params={"loc": ONES[:, None]}, batch_ndims=2
        ),
        ValueError,
        ("batch_ndims=2", "params['loc']", "(5, 1)", "batch_ndims=1"),
    ),
    "sets of different numbers": (
        lambda: of_sets(3, {"loc": ONES, "scale": np.ones(4)}),
        ValueError,
        ("params['scale']", "(4,)", "params['loc']", "(5,)"),
    ),
    "a parameter without sets": (
        lambda: of_sets(3, {"scale": 1.0}),
        ValueError,
        ("params['scale']", "()", "leave batch_ndims out"),
    ),
    "sets in a list": (
        lambda: of_sets(3, {"loc": [1.0, 2.0]}),
        ValueError,
        ("but params['loc'][0] has shape (). Give each an array",),
    ),
    "no set": (lambda: of_sets(3, {"loc": np.zeros(0)}), ValueError, ("no set", "(0,)")),
    "a set that does not fit": (
        lambda: of_sets(3, {"loc": np.zeros((5, 2), np.float32)})(KEY, X),
        ValueError,
        ("'loc'", "(2,)", "()", "guide guide_of_slope"),
    ),
    "sets for posterior draws": (
        lambda: Predictive(model, {"slope": ONES}, params={"bend": ONES}, batch_ndims=1)(KEY, X),
        ValueError,
        ("'bend'", "(5,)", "()", "posterior_samples", "batch_ndims=1"),
    ),
    "sets without a guide": (
        lambda: Predictive(model, num_samples=3, params={"bend": ONES}, batch_ndims=1)(KEY, X),
        ValueError,
        ("'bend'", "(5,)", "()", "need a guide"),
    ),
    "sets that are not said to be": (
        lambda: Predictive(model, guide=guide_of_slope, num_samples=3, params=SETS)(KEY, X),
        ValueError,
        ("'loc'", "(4,)", "()", "batch_ndims=1"),
    ),
    "a guide of another shape": (
        lambda: Predictive(
            model, guide=lambda x: sample("slope", dist.Delta(ONES[:3])), num_samples=3
        )(KEY, X),
        ValueError,
        ("the guide's value of site 'slope'", "(3,)", "()"),
    ),
    "a fraction of a draw": (
        lambda: Predictive(model, num_samples=2.5),
        TypeError,
        ("num_samples", "2.5"),
    ),
    "dims that are no number": (
        lambda: Predictive(model, {"slope": ONES}, batch_ndims="1"),
        TypeError,
        ("batch_ndims", "'1'"),
    ),
    "no key": (lambda: Predictive(model, num_samples=3)(0, X), TypeError, ("key", "0")),
    "keys": (
        lambda: Predictive(model, num_samples=3)(jax.random.split(KEY), X),
        TypeError,
        ("one random key", "(2,)"),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_predicted(name, compilations):
    call, error, words = REFUSED[name]
    jax.random.split(KEY)
    compilations.settle().clear()
    with pytest.raises(error) as raised:
        call()
    said = "\n".join([str(raised.value), *getattr(raised.value, "__notes__", [])])
    for word in words:
        assert word in said
    assert compilations.settle() == []


def test_what_is_ignored_is_said():
    with pytest.warns(UserWarning, match=r"\['slop'\].*ignored.*'slope'"):
        Predictive(model, {"slop": ONES})(KEY, X)
    with pytest.warns(UserWarning, match="num_samples=3.*5 draws"):
        Predictive(model, {"slope": ONES}, num_samples=3)
