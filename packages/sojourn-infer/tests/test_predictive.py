"""Predictions are draws from the model given what is known, however they are computed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import sojourn_distributions as dist
from sojourn_infer import Predictive
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
