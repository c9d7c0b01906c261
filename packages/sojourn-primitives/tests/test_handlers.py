"""The law of each handler."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sojourn_primitives import (
    Messenger,
    deterministic,
    factor,
    handlers,
    param,
    plate,
    sample,
)


@pytest.fixture
def model(normal):
    def hierarchical(data):
        loc = sample("loc", normal())
        tau = param("tau", 2.0)
        with plate("groups", 3), plate("rows", 10, subsample_size=4) as rows:
            group = sample("group", normal(loc, tau))
            sample("y", normal(group), obs=data[rows][:, None])
        deterministic("twice", 2 * loc)
        factor("soft", -(loc**2))
        return loc

    return hierarchical


DATA = np.linspace(0.0, 1.0, 10)


def traced(model, *args, rng_seed=0):
    return handlers.trace(handlers.seed(model, rng_seed)).get_trace(*args)


def values(trace):
    return {name: site["value"] for name, site in trace.items()}


def assert_same_values(a, b):
    assert list(a) == list(b)
    for name in a:
        np.testing.assert_array_equal(a[name]["value"], b[name]["value"], err_msg=name)


def same_messages(a, b):
    assert_same_values(a, b)
    for name in a:
        for field in ("type", "name", "scale", "is_observed", "cond_indep_stack", "infer"):
            np.testing.assert_equal(a[name].get(field), b[name].get(field), f"{name} {field}")


FORMS = {
    "seed": (handlers.seed, {"rng_seed": 3}),
    "substitute": (handlers.substitute, {"data": {"loc": 1.5}}),
    "condition": (handlers.condition, {"data": {"loc": 1.5}}),
    "do": (handlers.do, {"data": {"loc": 1.5}}),
    "block": (handlers.block, {"hide": ["loc"]}),
    "mask": (handlers.mask, {"mask": False}),
    "scale": (handlers.scale, {"scale": 3.0}),
    "scope": (handlers.scope, {"prefix": "s"}),
    "infer_config": (handlers.infer_config, {"config_fn": lambda msg: {"site": msg["name"]}}),
    "uncondition": (handlers.uncondition, {}),
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_of_a_handler_leaves_the_same_trace(model, name):
    handler, arguments = FORMS[name]

    # block hides the key of what it hides as well: the sites inside need a seed inside
    seeded = model if name == "seed" else handlers.seed(model, rng_seed=1)

    def run(body):
        with handlers.trace() as trace, handlers.seed(rng_seed=0):
            body()
        return trace

    def as_context():
        with handler(**arguments):
            seeded(DATA)

    @handler(**arguments)
    def decorated(data):
        seeded(data)

    reference = run(as_context)
    for body in (
        lambda: handler(seeded, **arguments)(DATA),
        lambda: partial(handler, **arguments)(seeded)(DATA),
        lambda: decorated(DATA),
        lambda: decorated(data=DATA),
    ):
        same_messages(run(body), reference)


def test_a_wrapped_model_keeps_its_name_and_signature():
    def model(x):
        """What it does."""

    for wrapped in (handlers.seed(model, 0), handlers.seed(rng_seed=0)(model)):
        assert wrapped.__name__ == "model"
        assert wrapped.__doc__ == "What it does."
        assert wrapped.__wrapped__ is model


def test_one_decorator_serves_several_models():
    double = handlers.substitute(data={"d": 2.0})
    f, g = double(lambda: deterministic("d", 1.0)), double(lambda: 3 * deterministic("d", 1.0))
    assert (f(), g()) == (2.0, 6.0)


def test_trace_is_in_order_of_execution(model):
    names = ["loc", "tau", "groups", "rows", "group", "y", "twice", "soft"]
    assert list(traced(model, DATA)) == names


def test_trace_of_one_name_twice(normal):
    def model(first, second):
        for statement in (first, second):
            statement("x")

    def draw(name):
        sample(name, normal(), obs=0.0)

    def compute(name):
        deterministic(name, 1.0)

    def indices(name):
        plate(name, 3)

    trace = handlers.trace(model)
    with pytest.raises(ValueError, match=r"two sample sites are named 'x'.*rename.*scope"):
        trace.get_trace(draw, draw)
    with pytest.raises(ValueError, match=r"a sample site and a deterministic site are named 'x'"):
        trace.get_trace(draw, compute)
    with pytest.raises(ValueError, match=r"a plate site and a sample site are named 'x'"):
        trace.get_trace(indices, draw)
    assert list(trace.get_trace(indices, indices)) == ["x"]
    with pytest.raises(ValueError, match=r"'x' is stated with size 3 .* and again with size 4"):
        trace.get_trace(indices, lambda name: plate(name, 4))


def test_get_trace_without_model():
    with pytest.raises(TypeError, match="needs a model"):
        handlers.trace().get_trace()


def test_substitute_after_trace_is_the_identity(model):
    trace = traced(model, DATA)
    again = handlers.trace(handlers.substitute(model, data=values(trace))).get_trace(DATA)
    same_messages(again, trace)


def test_substitute_sets_values_and_nothing_else(normal):
    def model():
        sample("a", normal())
        sample("b", normal(), obs=1.0)
        param("p", 1.0)

    data = {"a": 5.0, "b": 6.0, "p": 7.0, "no such site": 8.0}
    for trace in (
        handlers.trace(handlers.substitute(model, data=data)).get_trace(),
        handlers.trace(
            handlers.substitute(model, substitute_fn=lambda msg: data[msg["name"]])
        ).get_trace(),
    ):
        assert values(trace) == {"a": 5.0, "b": 6.0, "p": 7.0}
        assert [trace[n].get("is_observed") for n in ("a", "b")] == [False, True]


def test_the_outermost_value_wins(normal):
    def model():
        return sample("a", normal())

    substitute, condition = handlers.substitute, handlers.condition
    assert substitute(substitute(model, data={"a": 1.0}), data={"a": 2.0})() == 2.0
    assert condition(condition(model, data={"a": 1.0}), data={"a": 2.0})() == 2.0
    assert substitute(condition(model, data={"a": 1.0}), data={"a": 2.0})() == 2.0


def test_condition_makes_the_log_density_conditional(normal):
    def model():
        x = sample("x", normal(1.0, 2.0))
        sample("y", normal(x, 0.5))

    def log_joint(model, **given):
        trace = handlers.trace(handlers.substitute(model, data=given)).get_trace()
        return sum(site["fn"].log_prob(site["value"]) for site in trace.values())

    for conditioned in (
        handlers.condition(model, data={"y": 0.3}),
        handlers.condition(model, condition_fn=lambda m: 0.3 if m["name"] == "y" else None),
    ):
        trace = handlers.trace(handlers.seed(conditioned, 0)).get_trace()
        assert trace["y"]["is_observed"]
        assert trace["y"]["value"] == 0.3
        assert not trace["x"]["is_observed"]
        assert log_joint(conditioned, x=1.2) == log_joint(model, x=1.2, y=0.3)


@pytest.mark.parametrize(
    "arguments, visible",
    [
        ({}, []),
        ({"hide": ["x"]}, ["p", "d"]),
        ({"expose": ["x"]}, ["x"]),
        ({"expose_types": ["sample", "param"]}, ["x", "p"]),
        ({"hide_fn": lambda msg: msg["type"] == "param"}, ["x", "d"]),
    ],
)
def test_block_hides(normal, arguments, visible):
    def model():
        sample("x", normal(), obs=1.0)
        param("p", 1.0)
        deterministic("d", 1.0)

    assert list(handlers.trace(handlers.block(model, **arguments)).get_trace()) == visible
    with handlers.block(**arguments):
        assert len(handlers.trace(model).get_trace()) == 3


def test_block_hides_a_site_from_the_seed_outside(normal):
    blocked = handlers.block(lambda: sample("x", normal()))
    with pytest.raises(RuntimeError, match="no random key"):
        handlers.seed(blocked, 0)()


def test_masks_compose(normal):
    left, right = np.array([True, True, False]), np.array([False, True, True])

    def model():
        with handlers.mask(mask=right), plate("N", 3):
            sample("x", normal(), obs=np.ones(3))

    site = handlers.trace(handlers.mask(model, mask=left)).get_trace()["x"]
    full = normal(np.zeros(3)).log_prob(np.ones(3))
    np.testing.assert_array_equal(
        site["fn"].log_prob(site["value"]), np.where(left & right, full, 0.0)
    )
    untouched = handlers.trace(handlers.mask(model, mask=True)).get_trace()["x"]
    np.testing.assert_array_equal(untouched["fn"].masked, right)


def test_scales_compose_with_each_other_and_with_plates(normal):
    def model():
        sample("a", normal(), obs=0.0)
        with plate("N", 6, subsample_size=2), handlers.scale(scale=5.0):
            sample("b", normal())

    trace = traced(handlers.scale(model, scale=jnp.float32(0.5)))
    assert trace["a"]["scale"] == 0.5
    assert trace["b"]["scale"] == 7.5


def test_scope_prefixes_sites_and_the_plates_inside(normal):
    @handlers.scope(prefix="inner")
    def part():
        with plate("N", 2):
            sample("x", normal(), obs=0.0)
            deterministic("d", 1.0)

    @handlers.scope(prefix="outer", divider=".")
    def model():
        with plate("N", 3):
            part()

    trace = handlers.trace(model).get_trace()
    assert list(trace) == ["outer.N", "outer.inner/N", "outer.inner/x", "outer.inner/d"]
    assert all(name == site["name"] for name, site in trace.items())
    frames = [f.name for f in trace["outer.inner/x"]["cond_indep_stack"]]
    assert frames == ["outer.inner/N", "outer.N"]


def test_scope_leaves_hidden_types_and_enclosing_plates_alone(normal):
    def model():
        with plate("inside", 2):
            sample("x", normal(), obs=0.0)
            param("p", 1.0)

    with handlers.trace() as trace, plate("outside", 3):
        handlers.scope(model, prefix="s", hide_types=["plate", "param"])()
    assert list(trace) == ["outside", "inside", "s/x", "p"]
    assert [f.name for f in trace["s/x"]["cond_indep_stack"]] == ["inside", "outside"]


def test_replay_reproduces_draws_and_plates(model):
    trace = traced(model, DATA, rng_seed=1)
    again = traced(handlers.replay(model, trace=trace), DATA, rng_seed=2)
    assert_same_values(again, trace)


def test_replay_draws_what_the_trace_does_not_name(model):
    trace = traced(model, DATA, rng_seed=1)
    without_plate = {name: site for name, site in trace.items() if name != "rows"}
    again = traced(handlers.replay(model, trace=without_plate), DATA, rng_seed=2)
    np.testing.assert_array_equal(again["group"]["value"], trace["group"]["value"])
    assert not np.array_equal(again["rows"]["value"], trace["rows"]["value"])


def test_replay_keeps_data_and_refuses_other_kinds_of_site(normal):
    def model():
        return sample("x", normal())

    observed = handlers.trace(handlers.condition(model, data={"x": 1.0})).get_trace()
    with pytest.raises(RuntimeError, match=r"'x' is a latent sample site.*an observed sample site"):
        handlers.replay(model, trace=observed)()
    computed = handlers.trace(lambda: deterministic("x", 1.0)).get_trace()
    with pytest.raises(RuntimeError, match=r"but a deterministic site"):
        handlers.replay(model, trace=computed)()
    conditioned = handlers.condition(model, data={"x": 9.0})
    assert handlers.replay(conditioned, trace=traced(model))() == 9.0


def test_do_cuts_a_site_off_from_what_follows(normal):
    def model():
        with plate("N", 2):
            x = sample("x", normal())
        return x, sample("y", normal(x, 0.1))

    plain = traced(model)
    with handlers.trace() as trace, handlers.seed(rng_seed=0):
        x, _ = handlers.do(model, data={"x": 10.0})()
    assert x == 10.0
    np.testing.assert_array_equal(trace["x"]["value"], plain["x"]["value"])
    assert not trace["x"]["is_observed"]
    assert [f.name for f in trace["x"]["cond_indep_stack"]] == ["N"]
    assert trace["y"]["fn"].loc == 10.0


def test_lift_turns_parameters_into_draws(normal):
    def model():
        return param("a", 1.0), param("b", lambda key: key)

    trace = traced(handlers.lift(model, prior={"a": normal(100.0)}))
    assert trace["a"]["type"] == "sample"
    assert trace["a"]["value"] > 50.0
    assert trace["b"]["type"] == "param"
    trace = traced(handlers.lift(model, prior=normal()))
    assert [trace[name]["type"] for name in "ab"] == ["sample", "sample"]


def test_infer_config_updates_a_copy_of_the_options(normal):
    options = {"mine": 1}
    configured = handlers.infer_config(
        lambda: sample("x", normal(), obs=0.0, infer=options), config_fn=lambda m: {"its": 2}
    )
    assert handlers.trace(configured).get_trace()["x"]["infer"] == {"mine": 1, "its": 2}
    assert options == {"mine": 1}


def test_uncondition_draws_observed_sites(normal):
    trace = traced(handlers.uncondition(lambda: sample("x", normal(), obs=50.0)))
    assert not trace["x"]["is_observed"]
    assert trace["x"]["value"] < 10.0
    assert trace["x"]["infer"] == {"was_observed": True, "obs": 50.0}


def test_handlers_under_grad_and_vmap(normal):
    def model(data):
        x = sample("x", normal())
        with plate("N", 3):
            sample("y", normal(x), obs=data)

    def log_joint(x):
        trace = handlers.trace(handlers.substitute(model, data={"x": x})).get_trace(np.ones(3))
        sites = [site for site in trace.values() if site["type"] == "sample"]
        return sum(site["fn"].log_prob(site["value"]).sum() for site in sites)

    np.testing.assert_allclose(jax.grad(log_joint)(0.5), -0.5 + 3 * 0.5, rtol=1e-6)
    assert jax.vmap(log_joint)(jnp.arange(4.0)).shape == (4,)


def test_a_handler_of_ones_own(normal):
    class double(Messenger):
        def process_message(self, msg):
            if msg["type"] == "deterministic":
                msg["value"] = 2 * msg["value"]

    assert double(lambda: deterministic("d", 1.0))() == 2.0
    with double(), double():
        assert deterministic("d", 1.0) == 4.0


@pytest.mark.parametrize(
    "make, error, text",
    [
        (lambda: handlers.substitute(), ValueError, r"exactly one of data and substitute_fn"),
        (lambda: handlers.substitute(data={}, substitute_fn=print), ValueError, r"exactly one"),
        (lambda: handlers.substitute(data=[1]), TypeError, r"data must be a dict.*got list"),
        (lambda: handlers.substitute(substitute_fn=1), TypeError, r"function of the message"),
        (lambda: handlers.condition(), ValueError, r"exactly one of data and condition_fn"),
        (lambda: handlers.do(), ValueError, r"do needs data"),
        (lambda: handlers.do(data=3), TypeError, r"handlers\.do: data must be a dict"),
        (lambda: handlers.replay(), ValueError, r"replay needs trace"),
        (lambda: handlers.replay(trace=[1]), TypeError, r"trace must be a dict"),
        (lambda: handlers.lift(), ValueError, r"lift needs prior"),
        (lambda: handlers.lift(prior={"a": 1.0}), TypeError, r"'a'.*not distribution-like"),
        (lambda: handlers.mask(mask=1.0), ValueError, r"mask must be a bool.*1\.0"),
        (lambda: handlers.mask(mask=np.ones(2)), ValueError, r"dtype float64"),
        (lambda: handlers.mask(mask=None), ValueError, r"got None"),
        (lambda: handlers.scale(scale=0.0), ValueError, r"must be positive, got 0\.0"),
        (lambda: handlers.scale(scale=np.array([1, -1])), ValueError, r"must be positive"),
        (lambda: handlers.scope(prefix=1), TypeError, r"prefix must be a str, got 1"),
        (lambda: handlers.infer_config(), TypeError, r"needs config_fn"),
        (lambda: handlers.block(hide="x"), TypeError, r"hide must be a list of names"),
        (lambda: handlers.block(hide=[], expose=[]), ValueError, r"hide and expose"),
        (lambda: handlers.block(hide_fn=3), TypeError, r"hide_fn must be a function"),
        (lambda: handlers.seed(0, 1), TypeError, r"seed: the first argument is the model"),
        (lambda: handlers.trace()(1, 2), TypeError, r"wraps no model yet"),
    ],
)
def test_handlers_used_wrongly(make, error, text):
    with pytest.raises(error, match=text):
        make()
