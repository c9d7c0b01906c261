"""What cannot be sampled is refused with a clear error before anything compiles."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sojourn_distributions as dist
from sojourn_hmc import PotentialTarget, SamplingWarning
from sojourn_infer import (
    HMC,
    MCMC,
    NUTS,
    compute_log_probs,
    constrain_fn,
    find_valid_initial_params,
    get_dependencies,
    get_potential_fn,
    init_to_value,
    initialize_model,
    log_density,
    pathfinder,
    potential_energy,
    unconstrain_fn,
)
from sojourn_primitives import deterministic, factor, handlers, plate, sample

NORMAL = dist.Normal(0.0, 1.0)


def run(model, *args, kernel=NUTS, key=None, num_chains=1, settings=None, **kwargs):
    """Run briefly; keyword arguments that are not named here are those of ``MCMC.run``."""
    mcmc = MCMC(
        kernel(model, **(settings or {})),
        num_warmup=5,
        num_samples=5,
        num_chains=num_chains,
        progress_bar=False,
    )
    mcmc.run(jax.random.key(0) if key is None else key, *args, **kwargs)


class Case(NamedTuple):
    """A run that is refused.

    Attributes
    ----------
    model : Callable
        The model.
    options : dict
        For `run`; ``args`` are the positional arguments of the model.
    error : type
        The error's type.
    words : tuple of str
        What the error, or a note to it, must say.
    """

    model: object
    options: dict
    error: type
    words: tuple


def said_by(raised):
    return "\n".join([str(raised.value), *getattr(raised.value, "__notes__", [])])


def refused(case, compilations):
    """Run a case; return what its error says after checks of its type and of compilations."""
    options = dict(case.options)
    jax.random.key(0)
    compilations.settle().clear()
    with pytest.raises(case.error) as raised:
        run(case.model, *options.pop("args", ()), **options)
    said = said_by(raised)
    for word in case.words:
        assert word in said
    assert compilations.settle() == []
    return said


# --- models -------------------------------------------------------------------------------------


def twice():
    sample("x", NORMAL)
    sample("x", NORMAL)


def sampled_and_derived():
    sample("x", NORMAL)
    deterministic("x", 1.0)


def plate_and_site():
    with plate("x", 3):
        sample("x", NORMAL)


def good(y=None):
    a = sample("a", dist.HalfNormal(1.0))
    with plate("three", 3):
        sample("b", NORMAL)
    sample("shares", dist.Dirichlet(np.ones(3)))
    with plate("four", 4):
        sample("y", dist.Gamma(2.0, a), obs=y)


def shares_of(kinds):
    sample("kinds", dist.Categorical(np.array([0.2, 0.3, 0.5])), obs=kinds)


def count_of(count):
    sample("count", dist.Binomial(10, sample("p", dist.Beta(1.0, 1.0))), obs=count)


def unrelated():
    sample("a", dist.HalfNormal(1.0))
    sample("b", NORMAL)


def within(y):
    """The bound is latent, so that y's support cannot be judged, but z's can."""
    low = sample("low", NORMAL)
    sample("y", dist.TruncatedNormal(0.0, 1.0, low=low), obs=y)
    sample("z", dist.Uniform(0.0, 1.0), obs=y)


def wrong_plate():
    with plate("three", 3):
        sample("x", dist.Normal(np.zeros(4), 1.0))


def wrong_inner_plate():
    with plate("three", 3), plate("two", 2):
        sample("x", dist.Normal(np.zeros((3, 3)), 1.0))


def same_dim_twice():
    with plate("three", 3, dim=-1), plate("two", 2, dim=-1):
        sample("x", NORMAL)


def raises(y):
    sample("a", NORMAL)
    sample("b", NORMAL)
    return y["missing"]


def wrong_product(x):
    weight = sample("weight", dist.Normal(np.zeros(2), 1.0).to_event(1))
    sample("y", dist.Normal(jnp.dot(x, weight), 1.0), obs=0.0)


def bad_parameter(scale):
    sample("a", NORMAL)
    sample("x", dist.Normal(0.0, scale))


def discrete():
    sample("a", NORMAL)
    sample("k", dist.Poisson(3.0))


SUM = {"enumerate": "parallel"}


def continuous_to_sum():
    sample("a", NORMAL, infer=SUM)


def unknown_strategy():
    sample("a", NORMAL)
    sample("flag", dist.Bernoulli(0.5), infer={"enumerate": "sequential"})


def flags_without_plate():
    flags = sample("flags", dist.Bernoulli(np.array([0.2, 0.5, 0.7])), infer=SUM)
    sample("x", dist.Normal(flags, 1.0))


def repeated_flags():
    sample("flags", dist.Bernoulli(0.5), sample_shape=(3,), infer=SUM)


def crossing_plates():
    rows, columns = plate("rows", 3, dim=-1), plate("columns", 2, dim=-2)
    with rows:
        a = sample("a", dist.Bernoulli(0.3), infer=SUM)
    with columns:
        b = sample("b", dist.Bernoulli(0.6), infer=SUM)
    with rows, columns:
        sample("x", dist.Normal(a + b, 1.0))


def outside_of_its_plate():
    with plate("three", 3):
        flag = sample("flag", dist.Bernoulli(0.5), infer=SUM)
    sample("x", dist.Normal(flag, sample("a", dist.Exponential(1.0))), obs=0.5)


def support_that_is_summed_out():
    flag = sample("flag", dist.Bernoulli(0.5), infer=SUM)
    sample("x", dist.Uniform(0.0, 1.0 + flag))


def decides():
    if sample("x", NORMAL) > 0:
        sample("y", NORMAL)


def asks_numpy():
    sample("y", dist.Normal(np.exp(sample("x", NORMAL)), 1.0))


def nameless():
    sample(dist.Normal(0.0, 1.0), "x")


Y = np.array([1.0, 2.0, 0.5, 3.0])
START = {"a": 0.0, "b": np.zeros(3), "shares": np.zeros(2)}
UNCONSTRAINED = "{'a': (), 'b': (3,), 'shares': (2,)}"


def started(**changes):
    return {"y": Y, "init_params": {**START, **changes}}


CASES = {
    # Names.
    "two sample sites of one name": Case(twice, {}, ValueError, ("two sample sites", "'x'")),
    "two kinds of one name": Case(sampled_and_derived, {}, ValueError, ("deterministic", "'x'")),
    "a plate and a site of one name": Case(plate_and_site, {}, ValueError, ("plate", "'x'")),
    "where a name is used again": Case(twice, {}, ValueError, ("model twice()", "after site 'x'")),
    "arguments of sample in the wrong order": Case(nameless, {}, TypeError, ("a str",)),
    # Initial values.
    "an unknown site in init_params": Case(
        good, started(c=1.0), ValueError, ("init_params", "unknown", "['c']", UNCONSTRAINED)
    ),
    "a missing site in init_params": Case(
        good,
        {"y": Y, "init_params": {"a": 0.0}},
        ValueError,
        ("init_params", "missing", "['b', 'shares']", UNCONSTRAINED),
    ),
    "an observed site in init_params": Case(
        good, started(y=Y), ValueError, ("init_params", "unknown", "['y']")
    ),
    "a constrained shape in init_params": Case(
        good,
        started(shares=np.ones(3) / 3),
        ValueError,
        ("init_params['shares']", "shape (3,)", "unconstrained", "(2,)"),
    ),
    "init_params that is no dict": Case(
        good, {"y": Y, "init_params": [0.0, 1.0]}, TypeError, ("dict", "list", UNCONSTRAINED)
    ),
    "text in init_params": Case(good, started(a="zero"), TypeError, ("init_params['a']", "'zero'")),
    "init_params without an axis of chains": Case(
        good,
        {**started(), "num_chains": 2},
        ValueError,
        ("init_params['a']", "shape ()", "num_chains=2", "first axis"),
    ),
    "init_params for other chains": Case(
        good,
        {
            "y": Y,
            "num_chains": 2,
            "init_params": {"a": np.zeros(3), "b": np.zeros((3, 3)), "shares": np.zeros((3, 2))},
        },
        ValueError,
        ("init_params['a']", "shape (3,)", "num_chains=2"),
    ),
    "init_params of the wrong shape for every chain": Case(
        good,
        {
            "y": Y,
            "num_chains": 2,
            "init_params": {"a": np.zeros(2), "b": np.zeros((2, 4)), "shares": np.zeros((2, 2))},
        },
        ValueError,
        ("init_params['b']", "(4,)", "(3,)"),
    ),
    "a first value of the wrong shape": Case(
        lambda: sample("x", NORMAL),
        {"settings": {"init_strategy": init_to_value(values={"x": np.zeros(3)})}},
        ValueError,
        ("'x'", "(3,)", "()"),
    ),
    "a first value outside of the support": Case(
        good,
        {"y": Y, "settings": {"init_strategy": init_to_value(values={"a": -1.0})}},
        ValueError,
        ("init_to_value", "'a'", "-1", "HalfNormal"),
    ),
    # Observations.
    "a negative observation of a Gamma": Case(
        good,
        {"y": np.array([1.0, 2.0, -0.5, 3.0])},
        ValueError,
        ("'y'", "value[2] = -0.5", "Gamma"),
    ),
    "a missing observation": Case(
        good, {"y": np.array([1.0, np.nan, 0.5, 3.0])}, ValueError, ("'y'", "[1] = nan", "mask")
    ),
    "an observation on the bound": Case(
        good, {"y": np.array([1.0, 2.0, 0.5, 0.0])}, ValueError, ("'y'", "value[3] = 0")
    ),
    "an observed kind that does not exist": Case(
        shares_of, {"args": (3,)}, ValueError, ("'kinds'", "3", "Categorical")
    ),
    "a count that is none": Case(count_of, {"args": (2.5,)}, ValueError, ("'count'", "2.5")),
    "a count above the total": Case(count_of, {"args": (11,)}, ValueError, ("'count'", "11")),
    "an observation beside a latent bound": Case(
        within, {"args": (1.5,)}, ValueError, ("'z'", "1.5", "Uniform")
    ),
    "a conditioned value outside": Case(
        handlers.condition(unrelated, data={"a": -1.0}),
        {},
        ValueError,
        ("'a'", "-1", "HalfNormal"),
    ),
    # Shapes.
    "data that do not fit a plate": Case(
        good, {"y": np.ones(5)}, ValueError, ("'y'", "'four' (size 4", "(5,)", "model good(")
    ),
    "parameters that do not fit a plate": Case(
        wrong_plate, {}, ValueError, ("'x'", "(4,)", "'three'", "size 3")
    ),
    "parameters that do not fit an inner plate": Case(
        wrong_inner_plate, {}, ValueError, ("'x'", "(3, 3)", "'two'", "size 2")
    ),
    "two plates in one dim": Case(same_dim_twice, {}, ValueError, ("'two'", "dim -1", "'three'")),
    # What a model raises by itself.
    "an error of the model's own": Case(
        raises,
        {"args": ({"y": 1.0},)},
        KeyError,
        ("missing", "while running the model raises(", "after site 'b'"),
    ),
    "shapes that do not multiply": Case(
        wrong_product,
        {"args": (np.ones((4, 3)),)},
        TypeError,
        ("(3,)", "model wrong_product(float64[4,3])", "after site 'weight'"),
    ),
    "a parameter outside its range": Case(
        bad_parameter, {"args": (-1.0,)}, ValueError, ("Normal", "scale = -1", "after site 'a'")
    ),
    "an argument too few": Case(
        raises, {}, TypeError, ("'y'", "model raises()", "before its first site")
    ),
    "an argument too many": Case(twice, {"args": (1, 2)}, TypeError, ("model twice(1, 2)",)),
    # Latent sites that no trajectory can move.
    "a discrete site": Case(discrete, {}, ValueError, ("latent site 'k'", "discrete", "Poisson")),
    # Sites that cannot be summed out.
    "a continuous site to sum out": Case(
        continuous_to_sum, {}, ValueError, ("'a'", "continuous (Normal)", "Remove the mark")
    ),
    "a way to sum out that is not known": Case(
        unknown_strategy, {}, ValueError, ("'flag'", "'sequential'", "'parallel'")
    ),
    "discrete sites without a plate": Case(
        flags_without_plate,
        {},
        ValueError,
        ("Missing a plate statement for batch dimension -1 at site 'flags'", "size 3"),
    ),
    "a discrete site that draws several values": Case(
        repeated_flags, {}, ValueError, ("'flags'", "sample_shape=(3,)", "plate")
    ),
    "discrete sites that meet across plates": Case(
        crossing_plates, {}, ValueError, ("'a' in plate 'rows' and 'b' in plate 'columns'",)
    ),
    "a discrete site used outside of its plate": Case(
        outside_of_its_plate, {}, ValueError, ("'flag' lies in plate 'three'",)
    ),
    "a support that depends on what is summed out": Case(
        support_that_is_summed_out, {}, ValueError, ("'x'", "its support depends", "'flag'")
    ),
    "Python that decides by a latent value": Case(
        decides, {}, jax.errors.TracerBoolConversionError, ("model decides()", "after site 'x'")
    ),
    "NumPy on a latent value": Case(
        asks_numpy, {}, jax.errors.TracerArrayConversionError, ("asks_numpy()", "after site 'x'")
    ),
    # Keys.
    "a seed in place of a key": Case(good, {"y": Y, "key": 0}, TypeError, ("rng_key", "key(0)")),
    "a key of text": Case(good, {"y": Y, "key": "zero"}, TypeError, ("rng_key", "key(0)")),
    "an array that is no key": Case(
        good, {"y": Y, "key": np.arange(3)}, TypeError, ("rng_key", "key(0)")
    ),
    "an array of floats": Case(
        good, {"y": Y, "key": np.zeros(2)}, TypeError, ("rng_key", "key(0)")
    ),
    # Extra fields.
    "a field that the state has not": Case(
        good, {"y": Y, "extra_fields": ("nope",)}, ValueError, ("'nope'", "'num_steps'")
    ),
    "a field of a field that it has not": Case(
        good,
        {"y": Y, "extra_fields": ("adapt_state.nope",)},
        ValueError,
        ("'adapt_state.nope'", "'step_size'"),
    ),
    "a site that the sample has not": Case(
        good, {"y": Y, "extra_fields": ("z.nope",)}, ValueError, ("'z.nope'", "'shares'")
    ),
    "a site to leave out that is not there": Case(
        good, {"y": Y, "extra_fields": ("~z.nope",)}, ValueError, ("~z.nope", "'shares'")
    ),
    "one field without a tuple": Case(
        good, {"y": Y, "extra_fields": "num_steps"}, (TypeError, ValueError), ("extra_fields",)
    ),
    "a field that is no name": Case(
        good, {"y": Y, "extra_fields": (3,)}, (TypeError, ValueError), ("extra_fields", "3")
    ),
    # Settings that depend on the model.
    "a mass matrix of another size": Case(
        good,
        {"y": Y, "settings": {"inverse_mass_matrix": np.ones(3)}},
        ValueError,
        ("inverse_mass_matrix", "(3,)", "(6,)"),
    ),
    "a dense mass matrix of another size": Case(
        good,
        {"y": Y, "settings": {"inverse_mass_matrix": np.eye(5), "dense_mass": True}},
        ValueError,
        ("inverse_mass_matrix", "(5, 5)", "(6, 6)"),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_bad_input_is_refused_before_anything_compiles(name, compilations):
    refused(CASES[name], compilations)


def test_hmc_refuses_what_nuts_refuses(compilations):
    for name in ("two sample sites of one name", "a discrete site"):
        case = CASES[name]
        refused(case._replace(options={**case.options, "kernel": HMC}), compilations)


def test_batches_of_keys_are_counted(compilations):
    three = jax.random.split(jax.random.key(0), 3)
    case = Case(good, {"y": Y, "key": three, "num_chains": 2}, ValueError, ("3 keys", "chains=2"))
    refused(case, compilations)
    square = jax.random.split(jax.random.key(0), (2, 2))
    case = Case(
        good, {"y": Y, "key": square, "num_chains": 2}, (TypeError, ValueError), ("rng_key",)
    )
    refused(case, compilations)


@pytest.mark.parametrize("num_samples", [0, -3, 2.5, "5", None])
def test_a_number_of_samples_must_be_positive(num_samples, compilations):
    with pytest.raises(ValueError, match=f"num_samples must be.*at least 1, got {num_samples!r}"):
        MCMC(NUTS(good), num_warmup=5, num_samples=num_samples)
    assert compilations == []


@pytest.mark.parametrize("kernel", [NUTS, HMC])
def test_a_kernel_needs_one_thing_to_sample(kernel):
    for arguments in ((), (good, lambda z: 0.0), (PotentialTarget(lambda z: 0.0), lambda z: 0.0)):
        with pytest.raises(ValueError, match="exactly one of"):
            kernel(*arguments)
    with pytest.raises(TypeError, match="model must be a function or a target, got 3"):
        kernel(3)


KEY = jax.random.key(0)
OF_MODEL_AND_ARGUMENTS = {
    "log_density": lambda args, kwargs: log_density(good, args, kwargs, {}),
    "compute_log_probs": lambda args, kwargs: compute_log_probs(good, args, kwargs, {}),
    "potential_energy": lambda args, kwargs: potential_energy(good, args, kwargs, {}),
    "get_potential_fn": lambda args, kwargs: get_potential_fn(
        good, {}, model_args=args, model_kwargs=kwargs
    ),
    "constrain_fn": lambda args, kwargs: constrain_fn(good, args, kwargs, {}),
    "unconstrain_fn": lambda args, kwargs: unconstrain_fn(good, args, kwargs, {}),
    "initialize_model": lambda args, kwargs: initialize_model(
        KEY, good, model_args=args, model_kwargs=kwargs
    ),
    "find_valid_initial_params": lambda args, kwargs: find_valid_initial_params(
        KEY, good, model_args=args, model_kwargs=kwargs
    ),
    "get_dependencies": lambda args, kwargs: get_dependencies(good, args, kwargs),
    "pathfinder": lambda args, kwargs: pathfinder(KEY, good, model_args=args, model_kwargs=kwargs),
}


@pytest.mark.parametrize("name", OF_MODEL_AND_ARGUMENTS)
def test_arguments_of_a_model_come_in_a_tuple_and_a_dict(name, compilations):
    call = OF_MODEL_AND_ARGUMENTS[name]
    compilations.clear()
    with pytest.raises(TypeError, match=rf"{name}: model_args must be a tuple.*float.*\(y,\)"):
        call(Y, {})
    with pytest.raises(TypeError, match=rf"{name}: model_kwargs must be a dict.*'y'"):
        call((), "y")
    assert compilations.settle() == []


# --- starts that are not finite: they are seen by one small evaluation --------------------------


def nan_everywhere():
    x = sample("x", NORMAL)
    sample("fine", NORMAL)
    factor("broken", jnp.where(jnp.abs(x) < 1e9, jnp.nan, 0.0))


def impossible():
    sample("x", NORMAL)
    factor("forbidden", -jnp.inf)


def infinite_slope():
    x = sample("x", dist.Normal(np.zeros(3), 1.0).to_event(1))
    sample("fine", NORMAL)
    factor("edge", jnp.sqrt(0.0 * x[1]))


def scaled_data(y):
    scale = sample("scale", dist.HalfNormal(1.0))
    sample("y", dist.Normal(0.0, scale).expand((2,)).to_event(1), obs=y)


REMEDIES = ("init_params", "init_strategy")
NOT_FINITE = {
    "potential is NaN": (
        nan_everywhere,
        {},
        ("potential energy: nan", "observed site 'broken': log density nan", *REMEDIES),
    ),
    "potential is infinite": (
        impossible,
        {},
        ("potential energy: inf", "observed site 'forbidden': log density -inf", *REMEDIES),
    ),
    "gradient is NaN": (
        infinite_slope,
        {},
        ("gradient at ['x']: 1 of 3", "index (1,)", "latent site 'x'", *REMEDIES),
    ),
    "initial value is NaN": (
        scaled_data,
        {"args": (np.ones(2),), "init_params": {"scale": np.nan}},
        ("potential energy: nan", "gradient at ['scale']", "'scale'", "value nan", *REMEDIES),
    ),
    "initial value is far off": (
        scaled_data,
        {"args": (np.ones(2),), "init_params": {"scale": -60.0}},
        ("potential energy: inf", "observed site 'y': log density -inf", *REMEDIES),
    ),
    "only one chain is bad": (
        scaled_data,
        {
            "args": (np.ones(2),),
            "num_chains": 3,
            "init_params": {"scale": np.array([0.0, np.nan, 0.0])},
        },
        ("potential energy: nan", "'scale'", "value nan", *REMEDIES),
    ),
}


@pytest.mark.parametrize("name", NOT_FINITE)
def test_a_start_that_is_not_finite_is_explained(name):
    model, options, words = NOT_FINITE[name]
    options = dict(options)
    with pytest.raises(ValueError, match="cannot start a chain") as raised:
        run(model, *options.pop("args", ()), **options)
    for word in words:
        assert word in said_by(raised)


@pytest.mark.filterwarnings("ignore:.*transitions diverged")
def test_a_bad_first_value_is_drawn_again():
    """Starts are drawn until one is finite, so a model with holes can be sampled."""

    def holes():
        x = sample("x", NORMAL)
        factor("hole", jnp.where(x > 0, 0.0, -jnp.inf))

    mcmc = MCMC(NUTS(holes), num_warmup=50, num_samples=50, progress_bar=False)
    for seed in range(3):
        mcmc.run(jax.random.key(seed))
        assert np.all(mcmc.get_samples()["x"] > 0)


def test_a_deterministic_value_that_is_nan_is_named():
    def half_defined():
        x = sample("x", NORMAL)
        deterministic("fine", jnp.where(x > 0, jnp.inf, 0.0))
        deterministic("root", jnp.sqrt(x) * jnp.ones(2))

    mcmc = MCMC(NUTS(half_defined), num_warmup=50, num_samples=90, progress_bar=False)
    with pytest.warns(SamplingWarning, match=r"NaN: 'root' in \d+ of 90 draws") as said:
        mcmc.run(jax.random.key(0))
    assert "'fine'" not in str(said[0].message)
    assert np.all(np.isfinite(mcmc.get_samples()["x"]))
