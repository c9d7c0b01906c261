"""Plates: broadcasting, dims, subsampling, and the errors that shapes alone can tell."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sojourn_primitives import (
    CondIndepStackFrame,
    deterministic,
    factor,
    handlers,
    param,
    plate,
    plate_stack,
    sample,
    subsample,
)


def traced(model, *args):
    return handlers.trace(handlers.seed(model, rng_seed=0)).get_trace(*args)


def test_plate_gives_its_indices_and_expands_sites(normal):
    def model():
        with plate("N", 3) as indices:
            np.testing.assert_array_equal(indices, [0, 1, 2])
            return sample("x", normal())

    site = traced(model)["x"]
    assert site["value"].shape == (3,) == site["fn"].batch_shape
    assert site["cond_indep_stack"] == [CondIndepStackFrame("N", -1, 3)]
    assert site["scale"] is None
    assert len(set(np.asarray(site["value"]).tolist())) == 3


def test_plate_index_dtype_follows_x64():
    with plate("N", 3) as indices:
        assert indices.dtype == jnp.zeros((), int).dtype


@pytest.mark.parametrize(
    "batch, sizes, dims, expanded",
    [
        ((), (2,), (None,), (2,)),
        ((), (2, 3), (None, None), (3, 2)),
        ((), (2, 3), (-2, -1), (2, 3)),
        ((), (2,), (-3,), (2, 1, 1)),
        ((4, 1), (3,), (None,), (4, 3)),
        ((4,), (2,), (-2,), (2, 4)),
        ((1, 4), (2,), (-2,), (2, 4)),
        ((2,), (2,), (-1,), (2,)),
        ((5, 2, 1), (2, 3), (-2, -1), (5, 2, 3)),
        ((0,), (2,), (-2,), (2, 0)),
    ],
)
def test_batch_shapes_in_plates(normal, batch, sizes, dims, expanded):
    def model():
        outer = plate("outer", sizes[0], dim=dims[0])
        if len(sizes) == 1:
            with outer:
                return sample("x", normal(np.zeros(batch)))
        with outer, plate("inner", sizes[1], dim=dims[1]):
            return sample("x", normal(np.zeros(batch)))

    assert traced(model)["x"]["value"].shape == expanded


def test_sample_shape_comes_on_top_of_plates_and_batch_shape(normal):
    def model():
        with plate("N", 3):
            sample("a", normal(), sample_shape=(5,))
            sample("b", normal(np.zeros((4, 3))), sample_shape=(5,))

    trace = traced(model)
    assert trace["a"]["value"].shape == (5, 3)
    assert trace["b"]["value"].shape == (5, 4, 3)


def test_dims_are_allocated_for_each_context(normal):
    def model():
        rows, columns = plate("rows", 2), plate("columns", 3)
        with rows:
            sample("a", normal())
        with columns:
            sample("b", normal())
            with rows:
                sample("c", normal())
        with rows, columns:
            sample("d", normal())

    trace = traced(model)
    shapes = {name: trace[name]["value"].shape for name in "abcd"}
    assert shapes == {"a": (2,), "b": (3,), "c": (2, 3), "d": (3, 2)}
    assert [f.name for f in trace["d"]["cond_indep_stack"]] == ["columns", "rows"]


def test_automatic_dim_steps_over_explicit_ones(normal):
    def model():
        with plate("a", 2, dim=-2), plate("b", 3), plate("c", 4):
            return sample("x", normal())

    assert traced(model)["x"]["value"].shape == (4, 2, 3)


def test_plate_does_not_broadcast_deterministic_but_counts_a_factor_for_each_element():
    def model():
        with plate("N", 3):
            deterministic("d", 1.0)
            factor("f", 2.0)

    trace = traced(model)
    assert trace["d"]["value"] == 1.0
    assert trace["d"]["cond_indep_stack"] == [CondIndepStackFrame("N", -1, 3)]
    np.testing.assert_array_equal(trace["f"]["fn"].log_prob(trace["f"]["value"]), [2.0] * 3)


def test_subsample_draws_without_replacement_and_scales(normal):
    data = jnp.arange(40.0).reshape(20, 2)

    def model():
        with plate("N", 20, subsample_size=8) as indices:
            batch = subsample(data, event_dim=1)
            np.testing.assert_array_equal(batch, data[indices])
            sample("x", normal(batch, event_dim=1))
            weights = param("w", data[:, 0], event_dim=0)
            np.testing.assert_array_equal(weights, data[indices, 0])

    trace = traced(model)
    indices = np.asarray(trace["N"]["value"])
    assert len(set(indices.tolist())) == 8
    assert indices.min() >= 0
    assert indices.max() < 20
    assert trace["x"]["scale"] == 2.5
    assert trace["x"]["cond_indep_stack"] == [CondIndepStackFrame("N", -1, 8)]


def test_subsample_of_nested_plates(normal):
    data = np.arange(30).reshape(5, 6)

    def model():
        with plate("columns", 6, subsample_size=3) as j, plate("rows", 5, subsample_size=2) as i:
            np.testing.assert_array_equal(subsample(data, 0), data[np.ix_(i, j)])
            np.testing.assert_array_equal(subsample(data[:, :1], 0), data[np.asarray(i), :1])
            sample("x", normal())

    site = traced(model)["x"]
    assert site["value"].shape == (2, 3)
    assert site["scale"] == 5.0


def test_a_plate_stated_again_has_the_same_subsample():
    def model():
        with plate("N", 100, subsample_size=5) as first:
            pass
        with plate("N", 100, subsample_size=5) as again:
            pass
        np.testing.assert_array_equal(first, again)
        with plate("M", 100, subsample_size=5) as other:
            assert not np.array_equal(first, other)
        return first

    with handlers.seed(rng_seed=0):
        first = model()
    seed = handlers.seed(rng_seed=0)
    with seed:
        np.testing.assert_array_equal(model(), first)
    with seed:
        assert not np.array_equal(model(), first)  # a seed that is entered again goes on


def test_indices_can_be_given(normal):
    def model():
        with plate("N", 5, subsample_size=2) as indices:
            sample("x", normal(), obs=np.zeros(2))
            return indices

    assert handlers.substitute(model, data={"N": np.array([4, 1])})().tolist() == [4, 1]
    with pytest.raises(ValueError, match=r"'N' \(size 5, subsample_size 2\).*shape \(3,\)"):
        handlers.substitute(model, data={"N": np.arange(3)})()


def test_plate_stack(normal):
    def model():
        with plate_stack("p", (4, 3)):
            sample("x", normal())
        with plate_stack("q", [2], rightmost_dim=-2):
            sample("y", normal())

    trace = traced(model)
    assert trace["x"]["value"].shape == (4, 3)
    assert trace["y"]["value"].shape == (2, 1)
    assert trace["x"]["cond_indep_stack"] == [
        CondIndepStackFrame("p_1", -2, 4),
        CondIndepStackFrame("p_0", -1, 3),
    ]
    with (
        pytest.raises(ValueError, match="rightmost_dim must be negative"),
        plate_stack("p", [2], 0),
    ):
        pass


def test_plate_as_decorator(normal):
    @plate("N", 3)
    def model():
        return sample("x", normal())

    assert traced(model)["x"]["value"].shape == (3,)


@pytest.mark.parametrize(
    "arguments, error, text",
    [
        ({"size": 0}, ValueError, r"'N': size must be at least 1, got 0"),
        ({"size": 2.5}, TypeError, r"'N': size must be an int.*2\.5"),
        ({"size": 3, "subsample_size": 4}, ValueError, r"'N': subsample_size.*size 3, got 4"),
        ({"size": 3, "subsample_size": 0}, ValueError, r"between 1 and the plate's size 3, got 0"),
        ({"size": 3, "dim": 0}, ValueError, r"'N': dim must be negative.*got 0"),
        ({"size": 3, "dim": "x"}, TypeError, r"'N': dim must be an int"),
    ],
)
def test_bad_plates(arguments, error, text):
    with pytest.raises(error, match=text):
        plate("N", **arguments)
    with pytest.raises(TypeError, match=r"first argument is the plate's name"):
        plate(3, "N")


def test_traced_size_is_refused_while_tracing():
    with pytest.raises(TypeError, match=r"'N': size must be an int that is known while.*x\.shape"):
        jax.eval_shape(lambda n: plate("N", n), 3)


def test_subsample_without_key_says_what_to_do():
    with pytest.raises(RuntimeError, match=r"'N' \(size 5, subsample_size 2\) has no random key"):
        plate("N", 5, subsample_size=2)
    assert plate("N", 5, subsample_size=5).subsample_size == 5


def test_colliding_dims_name_both_plates():
    text = r"'b' \(size 3\): dim -1 is owned by.*'a' \(size 2, dim -1\)"
    with pytest.raises(ValueError, match=text), plate("a", 2), plate("b", 3, dim=-1):
        pass


def test_nested_plates_of_one_name(normal):
    with (
        pytest.raises(ValueError, match=r"'x': plate 'N' is open twice"),
        plate("N", 2),
        plate("N", 2),
    ):
        sample("x", normal(), obs=0.0)


@pytest.mark.parametrize("size", [1, 3])
def test_batch_shape_that_does_not_fit_the_plate(normal, size):
    def model():
        with plate("N", size):
            sample("x", normal(np.zeros(4)))

    text = rf"'x': .*batch shape \(4,\), size 4 at dim -1, but plate 'N' has size {size}"
    with pytest.raises(ValueError, match=text):
        jax.eval_shape(handlers.seed(model, rng_seed=0))


def test_full_data_in_a_plate_that_subsamples(normal):
    def model(loc, obs):
        with plate("outer", 2, dim=-2), plate("N", 4, subsample_size=3):
            sample("x", normal(loc), obs=obs)

    with pytest.raises(ValueError, match=r"'x'.*size 3 there\. Remedy: index.*plate's indices"):
        traced(model, np.zeros(4), np.zeros(3))
    with pytest.raises(
        ValueError,
        match=r"'x' inside plate 'outer' \(size 2, dim -2\), 'N' \(size 3, dim -1\): the observed "
        r"value has shape \(4,\).*index the data with the plate's indices",
    ):
        traced(model, 0.0, np.zeros(4))


def test_data_that_is_not_the_plates():
    with handlers.seed(rng_seed=0), plate("N", 5, subsample_size=2):
        with pytest.raises(ValueError, match=r"subsample.*shape \(4,\).*'N' \(dim -1\) has size 5"):
            subsample(np.zeros(4), 0)
        with pytest.raises(ValueError, match=r"param site 'p'.*shape \(2,\)"):
            param("p", np.zeros(2), event_dim=0)
        assert param("q", np.zeros(2)).shape == (2,)
