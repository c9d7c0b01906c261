"""Seed: kinds of keys, laziness, and use inside transformations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sojourn_primitives import deterministic, factor, handlers, plate, prng_key, sample


def draws(model, rng_seed):
    trace = handlers.trace(handlers.seed(model, rng_seed)).get_trace()
    return {name: np.asarray(site["value"]) for name, site in trace.items()}


@pytest.fixture
def model(normal):
    def two_sites():
        a = sample("a", normal())
        with plate("N", 10, subsample_size=3):
            sample("b", normal(a))
        deterministic("c", a + 1)
        factor("f", -a)

    return two_sites


@pytest.mark.parametrize(
    "rng_seed",
    [0, np.int64(0), np.int32(0), jnp.int32(0), jax.random.key(0)],
    ids=["int", "int64", "int32", "array", "key"],
)
def test_an_integer_and_its_key_draw_the_same(model, rng_seed):
    expected = draws(model, 0)
    for name, value in draws(model, rng_seed).items():
        np.testing.assert_array_equal(value, expected[name])


@pytest.mark.parametrize("as_array", [jnp.asarray, np.asarray])
def test_legacy_keys_draw_what_typed_keys_draw(model, as_array):
    legacy = as_array(jax.random.PRNGKey(7))
    expected = draws(model, jax.random.key(7))
    for name, value in draws(model, legacy).items():
        np.testing.assert_array_equal(value, expected[name])


def test_other_implementations_of_keys(normal):
    seeded = handlers.seed(lambda: sample("x", normal()), jax.random.key(0, impl="rbg"))
    assert jnp.isfinite(seeded())


def test_sites_draw_differently_and_seeds_too(normal):
    def model():
        return sample("a", normal()), sample("b", normal())

    values = {float(v) for s in range(3) for v in handlers.seed(model, s)()}
    assert len(values) == 6


def test_a_seeded_model_repeats_itself_call_by_call(normal):
    seeded = handlers.seed(lambda: sample("a", normal()), 3)
    assert seeded() == seeded()


def test_sites_with_a_value_or_a_key_take_none(normal):
    key = jax.random.key(11)

    def model():
        sample("observed", normal(), obs=1.0)
        sample("own", normal(), rng_key=key)
        with plate("N", 3):
            pass
        return sample("x", normal())

    assert handlers.seed(model, 0)() == handlers.seed(lambda: sample("x", normal()), 0)()


def test_inner_seed_wins(normal):
    def inner():
        return sample("x", normal())

    assert handlers.seed(handlers.seed(inner, 1), 2)() == handlers.seed(inner, 1)()


def test_hidden_types_get_no_key(normal):
    with handlers.seed(rng_seed=0, hide_types=["plate"]):
        sample("x", normal())
        with pytest.raises(RuntimeError, match=r"'N'.*no random key"):
            plate("N", 3, subsample_size=2)


def test_fully_conditioned_model_needs_no_seed(normal):
    def model():
        a = sample("a", normal())
        with plate("N", 3):
            sample("b", normal(a), obs=np.ones(3))
        factor("f", a)

    trace = handlers.trace(handlers.condition(model, data={"a": 2.0})).get_trace()
    assert trace["a"]["value"] == 2.0


@pytest.mark.parametrize(
    "rng_seed, error, text",
    [
        (None, ValueError, "needs rng_seed"),
        (0.5, TypeError, r"got 0\.5 \(float\)"),
        (True, TypeError, r"got True"),
        ("a", TypeError, r"got 'a'"),
        (np.zeros(2), TypeError, "must be an integer"),
    ],
)
def test_bad_seeds(rng_seed, error, text):
    with pytest.raises(error, match=text):
        handlers.seed(lambda: None, rng_seed)


@pytest.mark.parametrize("make", [jax.random.key, jax.random.PRNGKey])
def test_a_batch_of_keys_is_refused_but_can_be_mapped_over(normal, make):
    def model(key):
        return handlers.seed(lambda: sample("x", normal()), key)()

    keys = jax.random.split(make(0), 4)
    with pytest.raises(TypeError, match=r"batch of keys of shape \(4,\)"):
        model(keys)
    assert jax.vmap(model)(keys).tolist() == [float(model(key)) for key in keys]


def test_seed_survives_a_transformation_inside_of_it(normal):
    """The counter alone moves on, so no tracer of the inner program stays behind."""

    def site(name):
        return sample(name, normal())

    with handlers.seed(rng_seed=5):
        plain = [site("a"), site("b"), site("c")]
    with handlers.seed(rng_seed=5):
        mixed = [jax.jit(site, static_argnums=0)("a"), site("b")]
        mixed.append(jax.jit(site, static_argnums=0)("c"))
    np.testing.assert_allclose(plain, mixed, rtol=1e-6)


def test_tracing_runs_no_program(normal):
    """Neither jit nor eval_shape of a model runs or compiles anything besides the model."""

    def model(key, data):
        def statements():
            a = sample("a", normal())
            with plate("N", 6, subsample_size=3) as indices:
                sample("b", normal(a), obs=data[indices])
            with plate("M", 6):
                sample("c", normal(a))
            factor("f", -a)
            handlers.scale(handlers.mask(lambda: sample("d", normal()), mask=False), scale=2.0)()
            return prng_key()

        trace = handlers.trace(handlers.seed(statements, key)).get_trace()
        return {name: site["value"] for name, site in trace.items()}

    key, data = jax.random.key(0), np.zeros(6)
    events = []

    def listen(event, duration, **kwargs):
        if event == "/jax/core/compile/backend_compile_duration":
            events.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        shapes = jax.eval_shape(model, key, data)
        jax.eval_shape(lambda d: model(0, d), data)
        assert events == []
        jax.jit(model)(key, data)
        assert len(events) == 1
    finally:
        jax.monitoring.clear_event_listeners()
    assert shapes["c"].shape == (6,)
