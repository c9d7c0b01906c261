"""A second use compiles nothing, and never hands out the program of what has changed since."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import sojourn_distributions as dist
from sojourn_infer import (
    Predictive,
    find_valid_initial_params,
    init_to_value,
    initialize_model,
    log_likelihood,
)
from sojourn_infer.compile_once import compile_once, has_loop
from sojourn_infer.program_identity import program_identity
from sojourn_primitives import plate, sample

Y = np.array([0.3, 2.0, 1.1], np.float32)
START = init_to_value(values={"x": 0.5})
DRAWS = {"x": np.linspace(-1, 1, 50, dtype=np.float32)}


def model_with(scale):
    """A new function each time, whose program is decided by what it closes over."""

    def model(y=None):
        x = sample("x", dist.Normal(0.0, 1.0))
        with plate("N", 3):
            sample("y", dist.Normal(jax.nn.softplus(x), scale), obs=y)

    return model


def energy(model):
    info = initialize_model(jax.random.key(0), model, init_strategy=START, model_args=(Y,))
    return info.param_info.potential_energy


def first_values(model):
    return find_valid_initial_params(jax.random.key(0), model, model_args=(Y,))[0].z["x"]


def likelihoods(model):
    return log_likelihood(model, DRAWS, Y)["y"]


def predictions(model):
    return Predictive(model, DRAWS)(jax.random.key(1))["y"]


@pytest.mark.parametrize("use", [energy, first_values, likelihoods, predictions])
@pytest.mark.parametrize("scale", [1.5, np.full(3, 1.25, np.float32)], ids=["number", "array"])
def test_a_second_use_compiles_nothing(use, scale, compilations):
    first = use(model_with(scale))
    compilations.settle().clear()
    again = use(model_with(np.copy(scale) if isinstance(scale, np.ndarray) else scale))
    assert compilations.settle() == []
    np.testing.assert_array_equal(again, first)


@pytest.mark.parametrize("of", [float, lambda s: np.full(3, s), lambda s: jnp.full(3, s)])
def test_what_a_model_closes_over_may_change(of):
    settings = {"scale": of(1.0)}

    def model(y):
        x = sample("x", dist.Normal(0.0, 1.0))
        sample("y", dist.Normal(x, settings["scale"]).expand([3]).to_event(1), obs=y)

    for scale in (1.0, 3.0, 1.0):
        settings["scale"] = of(scale)
        expected = stats.norm(0.5, scale).logpdf(Y).sum()
        assert float(energy(model)) == pytest.approx(-stats.norm.logpdf(0.5) - expected, rel=1e-5)
        found = log_likelihood(model, {"x": np.full(2, 0.5)}, Y)["y"]
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_static_parts_of_a_trace_are_of_this_call():
    tags = []

    def model():
        tags.append(object())
        sample("x", dist.Normal(0.0, 1.0), infer={"tag": tags[-1]})

    for _ in range(2):
        info = initialize_model(jax.random.key(0), model)
        assert info.model_trace["x"]["infer"]["tag"] is tags[-1]


def identity(function, *arguments):
    return program_identity(jax.make_jaxpr(function)(*arguments))


W = np.array([1.0, 2.0], np.float32)


@pytest.mark.parametrize(
    "make",
    [
        lambda c: lambda x: c * jnp.sin(x),
        lambda c: lambda x: jnp.logaddexp(x, c),
        lambda c: lambda x: jax.nn.relu(x) ** (2 if c else 3),
        lambda c: lambda x: jax.lax.fori_loop(0, 3, lambda i, s: s + c, x),
        lambda c: lambda x: jax.jit(lambda z: z + c)(x),
        lambda c: lambda x: jax.lax.cond(x > 0, lambda z: z * c, lambda z: z, x),
        lambda c: lambda x: x + (W * (c + 1))[0] + jnp.asarray(W * (c + 1)).sum() * x,
        lambda c: lambda x: jax.random.normal(jax.random.key(int(10 * c))) * x,
        lambda c: jax.grad(lambda x: jnp.logaddexp(x, c) + jax.nn.softplus(x)),
        lambda c: lambda x: jnp.sum(jnp.full(3 + int(2 * c), x)),
    ],
    ids=range(10),
)
def test_equal_programs_are_equal_and_others_not(make):
    assert identity(make(0.5), 1.0) == identity(make(0.5), 1.0)
    assert hash(identity(make(0.5), 1.0)) == hash(identity(make(0.5), 1.0))
    assert identity(make(0.5), 1.0) != identity(make(0.0), 1.0)


@pytest.mark.parametrize(
    "one, other",
    [
        ((lambda x: x * 0.0, 1.0), (lambda x: x * -0.0, 1.0)),
        ((lambda x: x + 1, 1.0), (lambda x: x + 1, 1)),
        ((lambda x: x + 1, np.float32(1)), (lambda x: x + 1, np.zeros(3, np.float32))),
        ((lambda x, y: x - y, 1.0, 2.0), (lambda x, y: y - x, 1.0, 2.0)),
        ((lambda x, y: (x, y), 1.0, 2.0), (lambda x, y: (y, x), 1.0, 2.0)),
        ((lambda x: x + jnp.ones(2), 1.0), (lambda x: x + jnp.ones(2, int), 1.0)),
    ],
    ids=range(6),
)
def test_small_differences_count(one, other):
    assert identity(*one) != identity(*other)


def test_a_callback_is_equal_to_itself_only():
    def calls(function):
        return lambda x: jax.pure_callback(function, jax.ShapeDtypeStruct((), "float32"), x)

    def same(x):
        return np.float32(x + 1)

    assert identity(calls(same), 1.0) == identity(calls(same), 1.0)
    assert identity(calls(same), 1.0) != identity(calls(lambda x: same(x)), 1.0)


def test_the_last_used_are_kept(monkeypatch, compilations):
    monkeypatch.setattr("sojourn_infer.compile_once.MAX_PROGRAMS", 2)
    x = np.float32(1)

    def use(factor):
        return float(compile_once(lambda x: factor * x, x)(x))

    for factor in (201.0, 202.0, 201.0, 203.0):
        assert use(factor) == factor
    compilations.settle().clear()
    use(201.0)
    assert compilations == []
    assert use(202.0) == 202.0
    assert len(compilations.settle()) == 1


def test_an_option_that_the_compiler_lacks_costs_no_other_and_is_tried_once(monkeypatch):
    options = {"xla_no_such_option": "1", "xla_backend_optimization_level": "0"}
    monkeypatch.setattr("sojourn_infer.compile_once._options", lambda quickly: options)
    monkeypatch.setattr("sojourn_infer.compile_once._missing_options", set())
    tried = []
    compile_lowered = jax.stages.Lowered.compile

    def compile_with(lowered, compiler_options):
        tried.append(list(compiler_options))
        return compile_lowered(lowered, compiler_options)

    monkeypatch.setattr(jax.stages.Lowered, "compile", compile_with)
    x = np.float32(2)
    for factor in (301.0, 302.0):
        assert float(compile_once(lambda x, c=factor: c * x, x)(x)) == 2 * factor
    left = ["xla_backend_optimization_level"]
    assert tried == [list(options), left, left]


def test_other_complaints_of_the_compiler_are_heard(monkeypatch):
    options = {"xla_backend_optimization_level": "a word"}
    monkeypatch.setattr("sojourn_infer.compile_once._options", lambda quickly: options)
    with pytest.raises(jax.errors.JaxRuntimeError, match="xla_backend_optimization_level"):
        compile_once(lambda x: 303.0 * x, np.float32(2))


def test_what_belongs_to_an_outer_program_is_left_to_it():
    found = []

    def scaled(x, by):
        found.append(compile_once(lambda x: by * x, x))
        return by * x

    jax.jit(scaled)(2.0, 3.0)
    jax.grad(lambda by: scaled(2.0, by))(3.0)  # reads a tracer from outside
    jax.vmap(scaled, (None, 0))(2.0, np.arange(3.0))
    assert found == [None, None, None]


def first_likelihood(model):
    return likelihoods(model)[0, 0]


@pytest.mark.parametrize("use", [energy, first_values, first_likelihood])
def test_a_model_that_closes_over_a_traced_value(use):
    inside = jax.jit(lambda scale: use(model_with(scale)))(2.0)
    assert float(inside) == pytest.approx(float(use(model_with(2.0))), rel=1e-5)


@pytest.mark.parametrize("use", [energy, first_likelihood])
def test_nothing_is_compiled_as_a_whole_where_that_is_turned_off(use):
    expected = float(use(model_with(2.0)))
    with jax.disable_jit():
        assert float(use(model_with(2.0))) == pytest.approx(expected, rel=1e-5)


def test_loops_are_found():
    assert has_loop(jax.make_jaxpr(jax.jit(lambda x: jax.lax.map(jnp.sin, x)))(jnp.ones(3)))
    assert has_loop(jax.make_jaxpr(lambda x: jax.lax.while_loop(lambda y: y < 9, abs, x))(1.0))
    branches = (lambda x: x, lambda x: jax.lax.fori_loop(0, x, lambda i, s: s + i, x))
    assert has_loop(jax.make_jaxpr(lambda x: jax.lax.switch(x, branches, x))(1))
    assert not has_loop(jax.make_jaxpr(lambda x: jnp.linalg.norm(x @ x.T))(jnp.ones((3, 3))))
