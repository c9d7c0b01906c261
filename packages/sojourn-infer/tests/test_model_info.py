"""What `initialize_model` and its parts give is the model's own density, from one program."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import sojourn_distributions as dist
from sojourn_hmc import MCMC, NUTS
from sojourn_infer import (
    ModelInfo,
    ParamInfo,
    compute_log_probs,
    constrain_fn,
    find_valid_initial_params,
    get_potential_fn,
    init_to_value,
    initialize_model,
    log_density,
    log_likelihood,
    potential_energy,
)
from sojourn_primitives import deterministic, factor, handlers, param, plate, sample

Y = np.array([0.3, 2.0, 1.1])


def model(y=None, width=4.0):
    half = param("half", 0.5)
    low = sample("low", dist.Exponential(2.0))
    x = sample("x", dist.Uniform(low, low + width))
    deterministic("middle", low + half * width)
    with plate("N", 3), handlers.scale(scale=2.0):
        sample("y", dist.Normal(x, 1.0), obs=y)


def negative_log_joint(low, x, width=4.0):
    """By SciPy, Jacobian terms included."""
    u = (x - low) / width
    likelihood = 2 * stats.norm(x, 1).logpdf(Y).sum()
    jacobian = np.log(low) + np.log(width * u * (1 - u))
    return -(stats.expon(scale=0.5).logpdf(low) - np.log(width) + likelihood + jacobian)


@pytest.fixture(scope="module")
def info():
    return initialize_model(jax.random.key(3), model, model_args=(Y,))


def test_a_model_info_is_four_things(info):
    param_info, potential_fn, postprocess_fn, _ = info
    assert isinstance(info, ModelInfo)
    assert isinstance(param_info, ParamInfo)
    values = {name: float(value) for name, value in postprocess_fn(param_info.z).items()}
    assert set(values) == {"low", "x", "middle"}
    assert values["middle"] == pytest.approx(values["low"] + 2.0)
    assert values["low"] < values["x"] < values["low"] + 4.0
    expected = negative_log_joint(values["low"], values["x"])
    assert float(param_info.potential_energy) == pytest.approx(expected, rel=1e-4)
    assert float(potential_fn(param_info.z)) == pytest.approx(expected, rel=1e-4)
    slope = jax.grad(potential_fn)(param_info.z)
    for name in slope:
        np.testing.assert_allclose(param_info.z_grad[name], slope[name], rtol=1e-4)


def test_the_trace_is_concrete_and_in_the_order_of_the_model(info):
    trace = info.model_trace
    assert list(trace) == ["half", "low", "x", "middle", "N", "y"]
    low = float(trace["low"]["value"])
    assert float(trace["x"]["fn"].low) == low
    assert trace["x"]["fn"].support(np.asarray(trace["x"]["value"]))
    np.testing.assert_allclose(trace["y"]["value"], Y, rtol=1e-6)
    assert trace["y"]["is_observed"]
    assert trace["y"]["scale"] == 2.0
    assert trace["y"]["cond_indep_stack"][0].name == "N"
    # Nothing of the program that made it is left inside.
    density, _ = log_density(model, (Y,), {}, {name: trace[name]["value"] for name in ("low", "x")})
    each = sum(
        float(jnp.sum(site["fn"].log_prob(site["value"])) * (site["scale"] or 1.0))
        for site in trace.values()
        if site["type"] == "sample"
    )
    assert each == pytest.approx(float(density), rel=1e-5)


def test_it_is_one_program_for_all_keys_and_attempts(compilations):
    def holes(bound):
        x = sample("x", dist.Normal(0.25, 1.0))
        factor("hole", jnp.where(x > bound, 0.0, -jnp.inf))

    keys = jax.random.split(jax.random.key(0), 6)
    keys = [keys[i] for i in range(6)]
    compilations.settle().clear()
    found = [initialize_model(key, holes, model_args=(1.0,)).param_info for key in keys]
    assert len(compilations.settle()) == 1
    assert min(float(info.z["x"]) for info in found) > 1.0


def runs_of(function, argument):
    """How often a model is run by a function that is given it."""
    count = 0

    def counted(y):
        nonlocal count
        count += 1
        return model(y)

    function(counted, argument)
    return count


def test_a_model_is_run_few_times():
    """To be checked, for the shapes of its sites, for the gradient, for the trace."""
    assert runs_of(lambda f, y: initialize_model(jax.random.key(0), f, model_args=(y,)), Y) == 4
    assert runs_of(lambda f, y: log_likelihood(f, {"low": Y, "x": Y + 1}, y), Y) == 1


def test_a_batch_of_keys_gives_a_batch_of_starts():
    keys = jax.random.split(jax.random.PRNGKey(0), 4)
    info = initialize_model(keys, model, model_args=(Y,)).param_info
    assert {leaf.shape for leaf in jax.tree.leaves(info)} == {(4,)}
    assert len(np.unique(info.z["x"])) == 4
    alone = initialize_model(keys[2], model, model_args=(Y,)).param_info
    np.testing.assert_array_equal(alone.z["x"], info.z["x"][2])


def test_arguments_may_come_later():
    _, potential_fn, postprocess_fn, _ = initialize_model(
        jax.random.key(0), model, dynamic_args=True, model_args=(Y,), model_kwargs={"width": 4.0}
    )
    z = {"low": np.log(0.7), "x": 0.0}
    for width in (4.0, 6.0):
        expected = negative_log_joint(0.7, 0.7 + width / 2, width)
        found = potential_fn(Y, width=width)(z)
        assert float(found) == pytest.approx(expected, rel=1e-5)
        assert float(postprocess_fn(Y, width=width)(z)["x"]) == pytest.approx(0.7 + width / 2)


def test_a_sampler_of_potentials_takes_it(info):
    kernel = NUTS(potential_fn=info.potential_fn)
    mcmc = MCMC(kernel, num_warmup=50, num_samples=50, progress_bar=False)
    mcmc.run(jax.random.key(0), init_params=info.param_info.z)
    draws = constrain_fn(model, (Y,), {}, mcmc.get_samples(), True, batch_ndims=1)
    assert draws["middle"].shape == (50,)
    assert np.all(draws["x"] > draws["low"])


def loops(y):
    x = sample("x", dist.Normal(0.0, 1.0))
    _, total = jax.lax.while_loop(
        lambda state: state[0] < 3, lambda state: (state[0] + 1, state[1] + x), (0, 0.0)
    )
    sample("y", dist.Normal(total, 1.0), obs=y)


def test_forward_mode_goes_through_loops():
    with pytest.raises(ValueError, match="Reverse-mode"):
        initialize_model(jax.random.key(0), loops, model_args=(1.0,))
    info = initialize_model(
        jax.random.key(0), loops, model_args=(1.0,), forward_mode_differentiation=True
    ).param_info
    x = float(info.z["x"])
    assert float(info.z_grad["x"]) == pytest.approx(x + 3 * (3 * x - 1), rel=1e-4)


def edge():
    x = sample("x", dist.Normal(0.0, 1.0))
    factor("edge", jnp.sqrt(0.0 * x))


def test_the_gradient_is_judged_unless_told_otherwise():
    with pytest.raises(RuntimeError, match="Cannot find valid initial parameters") as raised:
        initialize_model(jax.random.key(0), edge)
    for word in ("gradient at ['x']", "latent site 'x'", "init_strategy"):
        assert word in str(raised.value)
    info = initialize_model(jax.random.key(0), edge, validate_grad=False).param_info
    assert np.isfinite(info.potential_energy)
    assert np.isnan(info.z_grad["x"])


def test_a_start_is_searched_for_and_its_failure_reported():
    def holes(bound):
        x = sample("x", dist.Normal(0.0, 1.0))
        factor("hole", jnp.where(x > bound, 0.0, -jnp.inf))

    keys = jax.random.split(jax.random.key(0), 3)
    (z, _, slope), valid = find_valid_initial_params(keys, holes, model_args=(1.5,))
    assert np.all(valid)
    assert np.all(z["x"] > 1.5)
    np.testing.assert_allclose(slope["x"], z["x"], rtol=1e-5)
    _, valid = find_valid_initial_params(keys, holes, model_args=(3.0,))
    assert not np.any(valid)
    with pytest.raises(RuntimeError, match=r"(?s)potential energy: inf.*'hole': log density -inf"):
        initialize_model(keys, holes, model_args=(3.0,))
    with pytest.raises(ValueError, match=r"unknown sites \['z'\]"):
        find_valid_initial_params(keys, holes, model_args=(1.5,), prototype_params={"z": 0.0})


def test_it_works_inside_a_transformation():
    def start(key, y):
        return initialize_model(key, model, model_args=(y,)).param_info

    inside = jax.jit(start)(jax.random.key(3), Y)
    outside = start(jax.random.key(3), Y)
    np.testing.assert_allclose(inside.z["x"], outside.z["x"], rtol=1e-6)


def test_python_control_flow_on_data_makes_constants_of_them():
    def decides(y):
        scale = 1.0 if y[0] > 0 else 2.0
        sample("x", dist.Normal(0.0, scale))

    strategy = init_to_value(values={"x": 2.0})
    for sign, expected in ((1.0, stats.norm(0, 1)), (-1.0, stats.norm(0, 2))):
        info = initialize_model(
            jax.random.key(0), decides, init_strategy=strategy, model_args=(sign * np.ones(2),)
        ).param_info
        assert float(info.potential_energy) == pytest.approx(-expected.logpdf(2.0), rel=1e-5)


def test_potentials_of_the_parts():
    z = {"low": np.log(0.7), "x": 0.0}
    expected = negative_log_joint(0.7, 2.7)
    assert float(potential_energy(model, (Y,), {}, z)) == pytest.approx(expected, rel=1e-5)
    for replay in (False, True):
        transforms = {"low": dist.transforms.ExpTransform()}
        potential_fn, postprocess_fn = get_potential_fn(
            model, transforms, replay_model=replay, model_args=(Y,)
        )
        assert float(potential_fn(z)) == pytest.approx(expected, rel=1e-5)
        values = postprocess_fn(z)
        assert float(values["low"]) == pytest.approx(0.7, rel=1e-5)
        assert ("middle" in values) is replay
        assert float(values["x"]) == pytest.approx(2.7 if replay else 0.0, rel=1e-5)
    later, _ = get_potential_fn(model, {}, dynamic_args=True)
    assert float(later(Y, width=4.0)(z)) == pytest.approx(expected, rel=1e-5)


def test_log_probs_of_sites():
    values = {"low": 0.7, "x": 2.7}
    sums, trace = compute_log_probs(model, (Y,), {}, values)
    assert list(sums) == ["low", "x", "y"]
    assert trace["y"]["is_observed"]
    assert float(sums["low"]) == pytest.approx(stats.expon(scale=0.5).logpdf(0.7), rel=1e-5)
    elements, _ = compute_log_probs(model, (Y,), {}, values, sum_log_prob=False)
    np.testing.assert_allclose(elements["y"], 2 * stats.norm(2.7, 1).logpdf(Y), rtol=1e-5)
    joint, _ = log_density(model, (Y,), {}, values)
    assert sum(map(float, sums.values())) == pytest.approx(float(joint), rel=1e-5)
