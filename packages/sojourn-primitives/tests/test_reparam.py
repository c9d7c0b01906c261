"""Reparam and mutable: sites that stand for others, and values that a model changes."""

import jax.numpy as jnp
import numpy as np
import pytest

from sojourn_primitives import handlers, mutable, plate, sample


@pytest.fixture
def model(normal):
    def in_a_plate():
        with plate("N", 6, subsample_size=3):
            return sample("x", normal(1.0, 2.0))

    return in_a_plate


@pytest.fixture
def noncentred(normal):
    def strategy(name, fn, obs):
        assert obs is None
        return None, fn.loc + fn.scale * sample(f"{name}_base", normal().expand(fn.batch_shape))

    return strategy


def traced(model, rng_seed=0):
    return handlers.trace(handlers.seed(model, rng_seed)).get_trace()


def test_a_site_becomes_a_function_of_another(model, noncentred):
    by_name = handlers.reparam(model, config={"x": noncentred})
    by_function = handlers.reparam(
        model, config=lambda msg: noncentred if msg["name"] == "x" else None
    )
    for trace in (traced(by_name), traced(by_function)):
        assert list(trace) == ["N", "x_base", "x"]
        base, site = trace["x_base"], trace["x"]
        assert base["value"].shape == (3,)
        assert base["scale"] == 2.0
        assert base["cond_indep_stack"] == site["cond_indep_stack"] != []
        assert site["type"] == "deterministic"
        assert "is_observed" not in site
        np.testing.assert_allclose(site["value"], 1.0 + 2.0 * base["value"], rtol=1e-6)


def test_handlers_on_both_sides(model, noncentred):
    base = np.array([1.0, 2.0, 3.0])
    given = handlers.substitute(
        handlers.reparam(model, config={"x": noncentred}), data={"x_base": base}
    )
    np.testing.assert_array_equal(handlers.seed(given, 0)(), 1.0 + 2.0 * base)
    masked = handlers.reparam(handlers.mask(model, mask=False), config={"x": noncentred})
    assert traced(masked)["x_base"]["fn"].masked is False
    scoped = handlers.scope(handlers.reparam(model, config={"x": noncentred}), prefix="s")
    assert list(traced(scoped)) == ["s/N", "s/x_base", "s/x"]


def test_a_new_distribution_and_a_new_value(normal):
    def model():
        sample("latent", normal())
        sample("data", normal(), obs=1.0)

    def other(name, fn, obs):
        return normal(50.0), obs

    trace = traced(handlers.reparam(model, config={"latent": other, "data": other}))
    assert trace["latent"]["value"] > 40.0
    assert not trace["latent"]["is_observed"]
    assert trace["data"]["is_observed"]
    assert trace["data"]["value"] == 1.0
    assert trace["data"]["fn"].loc == 50.0

    def fixed(name, fn, obs):
        return normal(50.0), 7.0

    site = traced(handlers.reparam(model, config={"latent": fixed}))["latent"]
    assert (site["value"], site["is_observed"]) == (7.0, True)


@pytest.mark.parametrize(
    "config, error, text",
    [
        (None, TypeError, r"reparam needs config"),
        (3, TypeError, r"reparam needs config.*got 3"),
        ({"x": 3}, TypeError, r"site 'x' must be an object that is called"),
        ({"x": dict}, TypeError, r"site 'x' must be an object.*dict"),
        ({"x": lambda name, fn, obs: fn}, TypeError, r"site 'x' must return a pair"),
        (
            {"x": lambda name, fn, obs: (None, None)},
            ValueError,
            r"site 'x' returned \(None, None\)",
        ),
        ({"x": lambda name, fn, obs: (1.0, None)}, TypeError, r"'x'.*not distribution-like"),
    ],
)
def test_misuse(model, config, error, text):
    with pytest.raises(error, match=text):
        traced(handlers.reparam(model, config=config))


def test_mutable_keeps_changes_within_a_trace():
    def model():
        state = mutable("state", {"count": 0})
        state["count"] += 1
        mutable("state")["count"] += 1
        return mutable("state", {"count": 100})["count"]

    trace = handlers.trace(model).get_trace()
    assert trace["state"]["type"] == "mutable"
    assert trace["state"]["value"] == {"count": 2}

    earlier = {"state": {"count": jnp.int32(5)}}
    for handler in (handlers.substitute, lambda m, data: handlers.substitute(m, data=data)):
        again = handlers.trace(handler(model, data=earlier)).get_trace()
        assert again["state"]["value"] == {"count": 7}
        inside = handlers.substitute(handlers.trace(model).get_trace, data=earlier)()
        assert inside["state"]["value"] == {"count": 7}
    assert earlier == {"state": {"count": 5}}, "the user's own dict stays as it is"


def test_mutable_without_a_value():
    with pytest.raises(ValueError, match=r"'state' has no value.*handlers\.trace"):
        mutable("state")
    assert mutable("state", 3) == 3
