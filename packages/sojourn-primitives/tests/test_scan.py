"""Scan: stacked sites, their density, and every handler outside that reaches them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sojourn_primitives import (
    deterministic,
    factor,
    get_mask,
    handlers,
    mutable,
    param,
    plate,
    prng_key,
    sample,
    subsample,
)
from sojourn_primitives.control_flow import cond, scan

STEPS = 4


@pytest.fixture
def walk(normal):
    """A random walk of three particles, observed in the mean."""

    def model(y=None, reverse=False):
        scale = sample("scale", normal(1.0, 0.1))

        def step(x, y):
            with plate("particles", 3):
                x = sample("x", normal(x, jnp.abs(scale)))
            deterministic("mean", x.mean())
            sample("y", normal(x.mean(), 0.5), obs=y)
            factor("soft", -(x**2).sum())
            return x, x.max()

        return scan(step, jnp.zeros(3), y, STEPS, reverse)

    return model


@pytest.fixture
def simple(normal):
    def model():
        def step(x, _):
            x = sample("x", normal(x))
            return x, x

        return scan(step, 0.0, None, length=STEPS)

    return model


def traced(model, *args, rng_seed=0, **kwargs):
    return handlers.trace(handlers.seed(model, rng_seed)).get_trace(*args, **kwargs)


def log_joint(trace):
    terms = 0.0
    for site in trace.values():
        if site["type"] == "sample":
            scale = 1.0 if site["scale"] is None else site["scale"]
            terms += jnp.sum(scale * site["fn"].log_prob(site["value"]))
    return terms


def values(trace):
    return {name: site["value"] for name, site in trace.items()}


Y = np.array([0.3, -0.2, 1.1, 0.7], np.float32)


def test_sites_are_stacked_along_a_leading_time_axis(walk):
    trace = traced(walk, Y)
    assert list(trace) == ["scale", "particles", "x", "mean", "y", "soft"]
    assert {name: np.shape(site["value"]) for name, site in trace.items()} == {
        "scale": (),
        "particles": (3,),
        "x": (4, 3),
        "mean": (4,),
        "y": (4,),
        "soft": (4, 0),
    }
    assert trace["x"]["fn"].batch_shape == (4, 3)
    assert trace["soft"]["fn"].batch_shape == (4,)
    assert trace["soft"]["fn"].event_shape == (0,)
    assert [f.name for f in trace["x"]["cond_indep_stack"]] == ["particles"]
    assert trace["y"]["is_observed"]
    assert all(site["_control_flow_done"] for name, site in trace.items() if name != "scale")
    np.testing.assert_array_equal(trace["y"]["value"], Y)
    assert len(np.unique(trace["x"]["value"])) == 12


def test_the_results_are_those_of_lax_scan(walk):
    with handlers.trace() as trace, handlers.seed(rng_seed=0):
        last, maxima = walk(Y)
    np.testing.assert_array_equal(last, trace["x"]["value"][-1])
    np.testing.assert_array_equal(maxima, trace["x"]["value"].max(1))


@pytest.mark.parametrize("reverse", [False, True])
def test_the_density_is_that_of_a_python_loop(walk, normal, reverse):
    trace = traced(walk, Y, reverse=reverse)
    scale, xs = abs(trace["scale"]["value"]), np.asarray(trace["x"]["value"])
    expected = normal(1.0, 0.1).log_prob(trace["scale"]["value"])
    x = np.zeros(3)
    for t in range(STEPS)[:: -1 if reverse else 1]:
        expected += normal(x, scale).log_prob(xs[t]).sum()
        x = xs[t]
        expected += normal(x.mean(), 0.5).log_prob(Y[t]) - (x**2).sum()
    np.testing.assert_allclose(log_joint(trace), expected, rtol=1e-5)


def test_substitute_after_trace_is_the_identity(walk):
    trace = traced(walk, Y)
    again = handlers.trace(handlers.substitute(walk, data=values(trace))).get_trace(Y)
    assert list(again) == list(trace)
    for name in trace:
        np.testing.assert_allclose(again[name]["value"], trace[name]["value"], err_msg=name)
    np.testing.assert_allclose(log_joint(again), log_joint(trace), rtol=1e-5)


def test_the_gradient_passes_through_the_sites(walk):
    trace = traced(walk, Y)

    def density(x):
        data = {**values(trace), "x": x}
        return log_joint(handlers.trace(handlers.substitute(walk, data=data)).get_trace(Y))

    x = jnp.asarray(trace["x"]["value"])
    direction = jnp.ones_like(x)
    numerical = (density(x + 1e-2 * direction) - density(x - 1e-2 * direction)) / 2e-2
    np.testing.assert_allclose(jnp.vdot(jax.grad(density)(x), direction), numerical, rtol=2e-2)


def test_values_from_outside_are_scanned_over(simple):
    """Indexing them in the loop would make the gradient cost the square of the length."""

    def density(x):
        return log_joint(handlers.trace(handlers.substitute(simple, data={"x": x})).get_trace())

    (loop,) = (
        equation
        for equation in jax.make_jaxpr(density)(jnp.zeros(STEPS)).eqns
        if equation.primitive.name == "scan"
    )
    assert "dynamic_slice" not in str(loop.params["jaxpr"])


def test_a_function_may_give_values_of_one_step_or_of_all(simple):
    stacked = np.arange(float(STEPS), dtype=np.float32)
    for given, expected in ((lambda msg: stacked, stacked), (lambda msg: 7.0, np.full(STEPS, 7.0))):
        trace = handlers.trace(handlers.substitute(simple, substitute_fn=given)).get_trace()
        np.testing.assert_array_equal(trace["x"]["value"], expected)

    def double(msg):
        return 2.0 * msg["fn"].loc + 1.0  # made of the step's own parameters

    trace = handlers.trace(handlers.substitute(simple, substitute_fn=double)).get_trace()
    np.testing.assert_array_equal(trace["x"]["value"], [1.0, 3.0, 7.0, 15.0])


def test_condition_and_do(simple):
    x = np.arange(1.0, 5.0, dtype=np.float32)
    conditioned = handlers.trace(handlers.condition(simple, data={"x": x})).get_trace()
    assert conditioned["x"]["is_observed"]
    np.testing.assert_array_equal(conditioned["x"]["fn"].loc, [0.0, 1.0, 2.0, 3.0])

    with handlers.trace() as trace, handlers.seed(rng_seed=0):
        last, xs = handlers.do(simple, data={"x": x})()
    np.testing.assert_array_equal(xs, x)
    assert last == 4.0
    assert not trace["x"]["is_observed"]
    np.testing.assert_array_equal(trace["x"]["fn"].loc, [0.0, 1.0, 2.0, 3.0])
    assert not np.any(trace["x"]["value"] == x)


def test_fewer_values_than_steps_leave_the_last_steps_drawn(simple):
    given = np.array([5.0, 6.0], np.float32)
    trace = traced(handlers.condition(simple, data={"x": given}))
    np.testing.assert_array_equal(trace["x"]["value"][:2], given)
    np.testing.assert_array_equal(trace["x"]["fn"].loc[:3], [0.0, 5.0, 6.0])
    other = traced(handlers.condition(simple, data={"x": given}), rng_seed=1)
    assert not np.any(trace["x"]["value"][2:] == other["x"]["value"][2:])
    none = traced(handlers.condition(simple, data={"x": given[:0]}))
    np.testing.assert_array_equal(none["x"]["value"], traced(simple)["x"]["value"])


def test_replay_repeats_the_draws(walk):
    trace = traced(walk, Y, rng_seed=1)
    again = traced(handlers.replay(walk, trace=trace), Y, rng_seed=2)
    np.testing.assert_array_equal(again["x"]["value"], trace["x"]["value"])


def test_mask_scale_scope_infer_config_and_block_reach_the_sites(walk):
    def model():
        with (
            handlers.mask(mask=np.array([True, False, True])),
            handlers.scale(scale=3.0),
            handlers.scope(prefix="s"),
            handlers.infer_config(config_fn=lambda msg: {"seen": msg["name"]}),
            handlers.block(hide=["mean"]),
        ):
            assert get_mask() is not None
            walk(None)

    trace = traced(model)
    assert list(trace) == ["s/scale", "s/particles", "s/x", "s/y", "s/soft"]
    site = trace["s/x"]
    assert site["scale"] == 3.0
    assert site["infer"] == {"seen": "x"}  # the scope is outside of infer_config
    assert [f.name for f in site["cond_indep_stack"]] == ["s/particles"]
    terms = np.asarray(site["fn"].log_prob(site["value"]))
    assert terms.shape == (4, 3)
    assert np.all(terms[:, 1] == 0.0)
    assert np.all(terms[:, [0, 2]] != 0.0)


def test_handlers_inside_work_step_by_step(normal):
    def model(weights):
        def step(_, weight):
            with handlers.scale(scale=weight), handlers.mask(mask=weight > 1.5), plate("N", 2):
                sample("x", normal())
            return None, handlers.trace(lambda: sample("hidden", normal(), obs=0.0)).get_trace()[
                "hidden"
            ]["value"]

        scan(step, None, weights)

    site = traced(model, jnp.array([1.0, 2.0, 3.0]))["x"]
    assert site["scale"].shape == (3, 1)
    np.testing.assert_array_equal(np.ravel(site["scale"]), [1.0, 2.0, 3.0])
    terms = np.asarray(site["fn"].log_prob(site["value"]))
    assert terms.shape == (3, 2)
    assert np.all(terms[0] == 0.0)
    assert np.all(terms[1:] != 0.0)


def test_reparam_reaches_the_sites(simple, normal):
    def centered_out(name, fn, obs):
        return None, fn.loc + fn.scale * sample(f"{name}_base", normal())

    trace = traced(handlers.reparam(simple, config={"x": centered_out}))
    assert {name: site["type"] for name, site in trace.items()} == {
        "x_base": "sample",
        "x": "deterministic",
    }
    np.testing.assert_allclose(trace["x"]["value"], np.cumsum(trace["x_base"]["value"]), rtol=1e-5)
    base = np.arange(4.0, dtype=np.float32)
    given = handlers.substitute(
        handlers.reparam(simple, config={"x": centered_out}), data={"x_base": base}
    )
    np.testing.assert_allclose(
        handlers.trace(given).get_trace()["x"]["value"], np.cumsum(base), rtol=1e-6
    )


def test_uncondition_draws_what_is_observed_inside(walk):
    trace = traced(handlers.uncondition(walk), Y)
    assert not trace["y"]["is_observed"]
    np.testing.assert_array_equal(trace["y"]["infer"]["obs"], Y)
    assert not np.any(trace["y"]["value"] == Y)


def test_a_scan_inside_a_plate_is_a_plate_inside_the_scan(normal):
    def step(x, _):
        x = sample("x", normal(x))
        return x, None

    def outside():
        with plate("N", 3, subsample_size=2):
            scan(step, jnp.zeros(2), None, 4)

    def inside():
        def step_in_plate(x, _):
            with plate("N", 3, subsample_size=2):
                return step(x, None)

        scan(step_in_plate, jnp.zeros(2), None, 4)

    a, b = traced(outside), traced(inside)
    for trace in (a, b):
        assert trace["x"]["value"].shape == (4, 2)
        assert trace["x"]["scale"] == 1.5
        assert trace["N"]["value"].shape == (2,)
    assert a["x"]["cond_indep_stack"] == b["x"]["cond_indep_stack"]


def test_a_plate_inside_subsamples_once_for_all_steps(normal):
    data = np.arange(10.0, dtype=np.float32)

    def model():
        def step(_, t):
            with plate("N", 10, subsample_size=3) as indices:
                sample("x", normal(), obs=subsample(data, 0))
            return None, indices

        return scan(step, None, np.arange(4))[1]

    with handlers.trace() as trace, handlers.seed(rng_seed=0):
        indices = model()
    assert np.all(indices == indices[0])
    np.testing.assert_array_equal(trace["N"]["value"], indices[0])
    np.testing.assert_array_equal(trace["x"]["value"], data[np.asarray(indices)])
    given = np.array([7, 1, 2])
    again = handlers.trace(handlers.substitute(model, data={"N": given})).get_trace()
    np.testing.assert_array_equal(again["x"]["value"], np.broadcast_to(given, (4, 3)))


def test_nested_scans_stack_twice(normal):
    def model():
        def outer(x, _):
            def inner(x, _):
                x = sample("x", normal(x))
                return x, None

            x, _ = scan(inner, x, None, 3)
            y = cond(x > 0, lambda x: sample("y", normal(x)), lambda x: sample("y", normal(-x)), x)
            return x, y

        return scan(outer, 0.0, None, 2)

    trace = traced(model)
    assert trace["x"]["value"].shape == (2, 3) == trace["x"]["fn"].batch_shape
    x, y = (np.asarray(trace[name]["value"]) for name in "xy")
    before = np.concatenate([[0.0], x.ravel()[:-1]]).reshape(2, 3)
    np.testing.assert_allclose(
        trace["x"]["fn"].log_prob(x), normal(before, 1.0).log_prob(x), rtol=1e-5
    )
    np.testing.assert_allclose(
        trace["y"]["fn"].log_prob(y), normal(np.abs(x[:, -1]), 1.0).log_prob(y), rtol=1e-5
    )
    again = handlers.trace(handlers.substitute(model, data=values(trace))).get_trace()
    np.testing.assert_allclose(log_joint(again), log_joint(trace), rtol=1e-5)


def test_keys_differ_by_step_and_site(normal):
    def model():
        def step(_, t):
            sample("a", normal())
            sample("b", normal())
            return None, jax.random.normal(prng_key())

        return scan(step, None, None, 3)[1]

    with handlers.trace() as trace, handlers.seed(rng_seed=0):
        free = model()
        after = sample("after", normal())
    draws = [*trace["a"]["value"], *trace["b"]["value"], *free, after]
    assert len({float(d) for d in draws}) == 10
    again = traced(model)
    np.testing.assert_array_equal(again["a"]["value"], trace["a"]["value"])


def test_a_fully_given_scan_needs_no_seed_and_no_steps_are_possible(simple, normal):
    trace = handlers.trace(handlers.condition(simple, data={"x": np.zeros(4)})).get_trace()
    assert trace["x"]["value"].shape == (4,)
    empty = traced(lambda: scan(lambda c, _: (sample("x", normal(c)), None), 0.0, None, 0))
    assert empty["x"]["value"].shape == (0,)
    assert empty["x"]["fn"].log_prob(empty["x"]["value"]).shape == (0,)
    with pytest.raises(RuntimeError, match=r"'x' has no random key"):
        simple()


def test_scan_under_jit_and_vmap(simple):
    def draw(key):
        return handlers.trace(handlers.seed(simple, key)).get_trace()["x"]["value"]

    keys = jax.random.split(jax.random.key(0), 3)
    mapped = jax.jit(jax.vmap(draw))(keys)
    np.testing.assert_allclose(mapped, [draw(key) for key in keys], rtol=1e-5)


def test_a_stacked_distribution(simple, normal):
    fn = traced(simple)["x"]["fn"]
    loc = np.asarray(fn.loc)
    assert fn.kind == "NormalByHand"
    assert fn.event_dim == 0
    draws = fn(rng_key=jax.random.key(1), sample_shape=(2000,))
    assert draws.shape == (2000, 4)
    np.testing.assert_allclose(draws.mean(0), loc, atol=5 / np.sqrt(2000))
    wider = fn.expand((5, 4))
    assert wider.sample(jax.random.key(2), (2,)).shape == (2, 5, 4)
    full = normal(loc, 1.0).log_prob(np.ones((5, 4)))
    np.testing.assert_allclose(wider.log_prob(np.ones((5, 4))), full, rtol=1e-5)
    np.testing.assert_allclose(fn.log_prob(np.ones((7, 5, 4)))[6], full, rtol=1e-5)
    mask = np.array([True, False, True, True])
    for masked in (fn.mask(mask), fn.mask(np.array([[True]])).mask(mask)):
        np.testing.assert_allclose(
            jnp.squeeze(masked.log_prob(np.ones(4))), np.where(mask, full[0], 0.0), rtol=1e-5
        )
    leaves, treedef = jax.tree.flatten(fn)
    again = jax.tree.unflatten(treedef, leaves)
    np.testing.assert_array_equal(again.log_prob(1.0), fn.log_prob(1.0))
    with pytest.raises(ValueError, match=r"\(4,\) cannot be expanded to \(5,\)"):
        fn.expand((5,))
    with pytest.raises(AttributeError, match="sample_slowly"):
        _ = fn.sample_slowly


class Opaque:
    batch_shape = event_shape = ()

    def __call__(self, rng_key, sample_shape=()):
        return jax.random.normal(rng_key)

    def expand(self, batch_shape):
        return self

    def mask(self, mask):
        return self


def within(statement):
    return lambda: scan(lambda c, _: (c, statement()), 0.0, None, 2)


@pytest.mark.parametrize(
    "model, error, text",
    [
        (
            within(lambda: param("p", 1.0)),
            NotImplementedError,
            r"param site 'p' inside scan.*befor",
        ),
        (within(lambda: mutable("m", {})), NotImplementedError, r"mutable site 'm' inside scan"),
        (within(lambda: sample("x", Opaque())), TypeError, r"'x' inside scan.*Opaque is no JAX py"),
        (lambda: scan(lambda c, x: c, 0.0, None, 2), TypeError, r"pair \(carry, y\), got"),
        (lambda: scan(lambda c, x: (c, x), 0.0, None), ValueError, r"give xs, or length"),
        (lambda: scan(lambda c, x: (c, x), 0.0, 3.0), ValueError, r"xs is a number"),
        (
            lambda: scan(lambda c, x: (c, x), 0.0, {"a": np.zeros(2), "b": np.zeros(3)}, 2),
            ValueError,
            r"xs\['a'\] has 2, xs\['b'\] has 3, length has 2",
        ),
        (lambda: scan(lambda c, x: (c, x), 0.0, None, 2, history=-1), ValueError, r"history"),
    ],
)
def test_misuse(model, error, text):
    with pytest.raises(error, match=text):
        traced(model)


def test_values_that_do_not_fit_time(simple, normal):
    for x, error, text in (
        (np.zeros(5), ValueError, r"'x' inside scan.*\(5,\), 5 along.*scan has 4 steps"),
        (np.zeros((2, 4, 1)), NotImplementedError, r"'x' inside scan.*\(2, 4, 1\), 3 dims more"),
    ):
        with pytest.raises(error, match=text):
            handlers.substitute(simple, data={"x": x})()
    with pytest.raises(NotImplementedError, match=r"'x' inside scan has sample_shape=\(2,\)"):
        traced(within(lambda: sample("x", normal(), sample_shape=(2,))))
    with pytest.raises(ValueError, match=r"two sample sites are named 'x'"):
        traced(within(lambda: [sample("x", normal()) for _ in range(2)]))


def test_an_error_inside_leaves_the_stack_clean(normal):
    def step(_carry, _x):
        sample("x", normal())
        raise KeyError("from the step")

    with pytest.raises(KeyError, match="from the step"):
        traced(lambda: scan(step, 0.0, None, 2))
