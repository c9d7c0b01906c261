"""Cond: the sites of the chosen function, and every handler outside that reaches them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sojourn_primitives import deterministic, handlers, param, plate, sample
from sojourn_primitives.control_flow import cond


@pytest.fixture
def model(normal):
    def two_clusters(switch=None):
        switch = sample("switch", normal()) if switch is None else switch

        def high(shift):
            deterministic("which", 1)
            with plate("N", 2):
                return sample("x", normal(shift + 20.0))

        def low(shift):
            deterministic("which", 0)
            with plate("N", 2):
                return sample("x", normal(shift, 3.0))

        return cond(switch > 0, high, low, 0.5)

    return two_clusters


def traced(model, *args, rng_seed=0):
    return handlers.trace(handlers.seed(model, rng_seed)).get_trace(*args)


@pytest.mark.parametrize("switch, loc, scale", [(1.0, 20.5, 1.0), (-1.0, 0.5, 3.0)])
def test_a_site_is_that_of_the_chosen_function(model, normal, switch, loc, scale):
    trace = traced(model, switch)
    assert list(trace) == ["which", "N", "x"]
    assert trace["which"]["value"] == (switch > 0)
    site = trace["x"]
    assert (site["fn"].loc, site["fn"].scale) == (loc, scale)
    assert site["fn"].batch_shape == (2,)
    assert [f.name for f in site["cond_indep_stack"]] == ["N"]
    np.testing.assert_allclose(
        site["fn"].log_prob(site["value"]), normal(loc, scale).log_prob(site["value"]), rtol=1e-6
    )
    assert np.all(abs(site["value"] - loc) < 6 * scale)


def test_the_choice_may_depend_on_a_site(model):
    trace = handlers.trace(
        handlers.seed(handlers.substitute(model, data={"switch": -2.0}), 0)
    ).get_trace()
    assert trace["x"]["fn"].loc == 0.5
    locs = jax.vmap(lambda key: traced(model, rng_seed=key)["x"]["fn"].loc)(
        jax.random.split(jax.random.key(0), 8)
    )
    assert set(np.asarray(locs).tolist()) == {0.5, 20.5}


def test_handlers_outside_reach_the_sites(model):
    x = np.array([1.0, 2.0], np.float32)
    wrapped = handlers.condition(model, data={"x": x})
    wrapped = handlers.scope(handlers.scale(handlers.mask(wrapped, mask=False), scale=2.0), "s")
    trace = handlers.trace(handlers.substitute(wrapped, data={"s/switch": 1.0})).get_trace()
    assert list(trace) == ["s/switch", "s/which", "s/N", "s/x"]
    assert trace["s/x"]["is_observed"]
    assert trace["s/x"]["scale"] == 2.0
    np.testing.assert_array_equal(trace["s/x"]["value"], x)
    assert np.all(trace["s/x"]["fn"].log_prob(x) == 0.0)


def test_the_gradient_is_that_of_the_chosen_function(normal):
    def density(x, y):
        def model():
            cond(x > 0, lambda m: sample("y", normal(m)), lambda m: sample("y", normal(-m)), x)

        trace = handlers.trace(handlers.substitute(model, data={"y": y})).get_trace()
        return trace["y"]["fn"].log_prob(trace["y"]["value"])

    np.testing.assert_allclose(jax.grad(density)(2.0, 0.5), 0.5 - 2.0, rtol=1e-6)
    np.testing.assert_allclose(jax.grad(density)(-2.0, 0.5), -(0.5 - 2.0), rtol=1e-6)


def test_replay_and_reparam(model, normal):
    trace = traced(model, rng_seed=1)
    again = traced(handlers.replay(model, trace=trace), rng_seed=2)
    np.testing.assert_array_equal(again["x"]["value"], trace["x"]["value"])

    def noise(name, fn, obs):
        return None, fn.loc + fn.scale * sample(f"{name}_base", normal().expand(fn.batch_shape))

    trace = traced(handlers.reparam(model, config={"x": noise}), 1.0)
    assert list(trace) == ["which", "N", "x_base", "x"]
    np.testing.assert_allclose(trace["x"]["value"], 20.5 + trace["x_base"]["value"], rtol=1e-6)


class Other:
    batch_shape = event_shape = ()

    def expand(self, batch_shape):
        return self

    def mask(self, mask):
        return self

    def __call__(self, rng_key, sample_shape=()):
        return jnp.zeros(())


@pytest.mark.parametrize(
    "other, error, text",
    [
        (lambda n: sample("z", n()), ValueError, r"true_fun has \['x'\] and false_fun \['z'\]"),
        (lambda n: sample("x", n(), obs=1.0), ValueError, r"'x' differs in whether it is observed"),
        (lambda n: deterministic("x", 1.0), ValueError, r"site 'x' differs in type"),
        (lambda n: sample("x", n(np.zeros(2))), ValueError, r"in its batch shape.*\(\).*\(2,\)"),
        (
            lambda n: sample("x", n().mask(np.True_)),
            ValueError,
            r"'x' differs in structure",
        ),
        (lambda n: sample("x", Other()), TypeError, r"'x' inside cond.*Other is no JAX pytree"),
        (lambda n: param("p", 1.0), NotImplementedError, r"param site 'p' inside cond"),
    ],
)
def test_functions_that_differ(normal, other, error, text):
    def model():
        cond(True, lambda _: sample("x", normal()), lambda _: other(normal), None)

    with pytest.raises(error, match=text):
        traced(model)
