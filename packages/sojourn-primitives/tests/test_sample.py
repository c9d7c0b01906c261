"""The statements without plates: what they return, record and refuse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sojourn_primitives import (
    Unit,
    deterministic,
    factor,
    get_mask,
    handlers,
    param,
    prng_key,
    sample,
    subsample,
)


def test_sample_without_handlers_needs_only_a_key(normal):
    key = jax.random.key(3)
    assert sample("x", normal(), rng_key=key) == normal()(key)
    assert sample("x", normal(), None, key, (2,)).shape == (2,)
    assert sample("x", normal(), obs=3.0) == 3.0


def test_sample_leaves_the_message_in_the_trace(normal):
    fn = normal(np.zeros(2))
    options = {"enumerate": "parallel"}
    with handlers.trace() as trace, handlers.seed(rng_seed=0):
        value = sample("x", fn, infer=options)
    assert type(trace) is dict
    site = trace["x"]
    assert site["value"] is value
    assert site["fn"] is fn
    assert site["infer"] == options
    assert site["kwargs"]["sample_shape"] == ()
    assert {k: site[k] for k in ("type", "name", "args", "scale", "is_observed")} == {
        "type": "sample",
        "name": "x",
        "args": (),
        "scale": None,
        "is_observed": False,
    }
    assert site["intermediates"] == [] == site["cond_indep_stack"]


def test_sample_without_key_says_what_to_do(normal):
    with pytest.raises(RuntimeError, match=r"'x' has no random key.*handlers\.seed.*rng_key"):
        sample("x", normal())


@pytest.mark.parametrize("fn", [3.0, object(), lambda: None])
def test_sample_of_no_distribution_names_what_is_missing(fn):
    with pytest.raises(TypeError, match=r"'x'.*not distribution-like; it lacks .*batch_shape"):
        sample("x", fn)


def test_sample_of_a_class_asks_for_an_instance(normal):
    with pytest.raises(TypeError, match=r"'x'.*class NormalByHand.*instance"):
        sample("x", normal)


def test_sample_wants_the_name_first(normal):
    with pytest.raises(TypeError, match=r"first argument is the site's name"):
        sample(normal(), "x")


def test_observed_value_must_broadcast(normal):
    with pytest.raises(ValueError, match=r"'x': the observed value has shape \(4,\).*\(3,\)"):
        sample("x", normal(np.zeros(3)), obs=np.zeros(4))
    with pytest.raises(ValueError, match=r"event shape \(3,\)"):
        sample("x", normal(np.zeros(3), event_dim=1), obs=np.zeros((5, 2)))
    sample("x", normal(np.zeros(3)), obs=np.zeros((5, 3)))
    sample("x", normal(np.zeros(3)), obs=np.zeros(1))
    sample("x", normal(np.zeros((0, 8))), obs=np.zeros((0, 8)))


def test_substituted_value_must_broadcast_before_anything_is_compiled(normal):
    model = handlers.substitute(lambda x: sample("x", normal(x)), data={"x": np.zeros(4)})
    with pytest.raises(ValueError, match=r"'x': the value given to it has shape \(4,\)"):
        jax.eval_shape(model, np.zeros(3))


def test_partly_observed_site(normal):
    obs = np.array([1.0, np.nan, 3.0])
    mask = np.array([True, False, True])
    with handlers.trace() as trace, handlers.seed(rng_seed=1):
        value = sample("x", normal(np.zeros(3)), obs=obs, obs_mask=mask)
    assert set(trace) == {"x", "x_observed", "x_unobserved"}
    assert trace["x"]["type"] == "deterministic"
    assert trace["x_observed"]["is_observed"]
    assert not trace["x_unobserved"]["is_observed"]
    np.testing.assert_array_equal(np.asarray(value)[mask], obs[mask])
    assert value[1] == trace["x_unobserved"]["value"][1]
    terms = [s["fn"].log_prob(s["value"]) for s in trace.values() if s["type"] == "sample"]
    np.testing.assert_allclose(sum(terms), normal(np.zeros(3)).log_prob(value), rtol=1e-6)


def test_partly_observed_site_needs_data(normal):
    with pytest.raises(ValueError, match=r"'x': obs_mask.*give obs too"):
        sample("x", normal(), obs_mask=True)


def test_deterministic_is_recorded_and_returned():
    value = np.arange(3)
    with handlers.trace() as trace:
        assert deterministic("d", value) is value
    assert trace["d"]["type"] == "deterministic"
    assert trace["d"]["value"] is value
    with pytest.raises(ValueError, match=r"'d': the value is None"):
        deterministic("d", None)


def test_factor_is_an_observed_sample_of_a_unit_distribution():
    with handlers.trace() as trace:
        assert factor("f", np.array([1.0, 2.0])) is None
    site = trace["f"]
    assert site["type"] == "sample"
    assert site["is_observed"]
    assert site["infer"] == {"is_auxiliary": True}
    assert site["fn"].batch_shape == (2,)
    assert site["fn"].event_shape == (0,)
    np.testing.assert_array_equal(site["fn"].log_prob(site["value"]), [1.0, 2.0])


def test_unit_expands_masks_and_is_a_pytree():
    unit = Unit(np.array([1.0, 2.0])).mask(np.array([True, False])).expand((3, 2))
    np.testing.assert_array_equal(unit.log_prob(unit.sample()), [[1.0, 0.0]] * 3)
    assert unit.mask(False).log_prob(unit.sample()).sum() == 0.0
    assert unit.mask(False).mask(np.ones(2, bool)).log_prob(unit.sample()).sum() == 0.0
    leaves, treedef = jax.tree_util.tree_flatten(unit)
    again = jax.tree_util.tree_unflatten(treedef, leaves)
    assert again.batch_shape == (3, 2)
    np.testing.assert_array_equal(again.log_prob(unit.sample()), unit.log_prob(unit.sample()))


def test_param_returns_its_initial_value_or_what_a_handler_gives():
    assert param("p", 1.0, constraint="positive") == 1.0
    with handlers.trace() as trace, handlers.seed(rng_seed=0):
        value = param("p", lambda key: jax.random.normal(key, (2,)))
    assert trace["p"]["type"] == "param"
    assert value.shape == (2,)
    assert handlers.substitute(param, data={"p": 4.0})("p") == 4.0
    with pytest.raises(RuntimeError, match=r"'p'.*function of a random key"):
        param("p", lambda key: key)
    with pytest.raises(ValueError, match=r"'p' has no value"):
        param("p")


def test_prng_key_needs_seed():
    with handlers.trace() as trace, handlers.seed(rng_seed=0):
        a, b = prng_key(), prng_key()
    assert trace == {}
    assert a != b
    with pytest.warns(UserWarning, match=r"no handlers\.seed"):
        assert prng_key() is None


def test_get_mask_combines_nested_masks():
    assert get_mask() is None
    row = np.array([True, False])
    with handlers.mask(mask=row):
        assert get_mask() is row
        with handlers.mask(mask=True):
            assert get_mask() is row
        with handlers.mask(mask=np.array([True, True])):
            np.testing.assert_array_equal(get_mask(), row)
        with handlers.mask(mask=False):
            assert get_mask() is False


def test_subsample_without_plates_is_the_data():
    data = jnp.arange(3)
    assert subsample(data, 0) is data
    assert subsample(None, 0) is None
    with pytest.raises(ValueError, match=r"cannot be negative"):
        subsample(data, -1)
