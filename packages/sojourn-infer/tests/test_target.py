"""`ModelTarget`: what a model is to a sampler that knows no model."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sojourn_distributions as dist
from sojourn_hmc import Target
from sojourn_infer import ModelTarget, init_to_value
from sojourn_primitives import deterministic, factor, plate, sample

Y = np.array([0.5, 2.0, 1.2])


def model(y, shape=2.0):
    rate = sample("rate", dist.Exponential(1.0))
    with plate("observation", 3):
        weight = sample("weight", dist.Beta(2.0, 2.0))
        sample("y", dist.Gamma(shape, rate), obs=y)
    deterministic("mean", shape / rate)
    factor("penalty", -jnp.sum(weight))


def test_it_is_a_target():
    assert isinstance(ModelTarget(model), Target)


def test_setup_binds_the_arguments():
    setup = ModelTarget(model).setup((Y,), {"shape": 3.0})
    position = setup.start(jax.random.key(0))
    assert {name: value.shape for name, value in position.items()} == {"rate": (), "weight": (3,)}
    assert all(value.dtype == jnp.float32 for value in position.values())
    values = setup.constrain(position)
    assert list(values) == ["rate", "weight", "mean"]  # what a user reads: no data, no factor
    np.testing.assert_allclose(values["rate"], jnp.exp(position["rate"]), rtol=1e-6)
    np.testing.assert_allclose(values["mean"], 3 / values["rate"], rtol=1e-6)
    other = ModelTarget(model).setup((2 * Y,), {"shape": 3.0})
    assert other.potential(position) != setup.potential(position)


def test_arguments_may_be_traced():
    target = ModelTarget(model)
    position = {"rate": jnp.asarray(0.3), "weight": jnp.zeros(3)}

    def potential(y, position):
        return target.setup((y,), {}).potential(position)

    np.testing.assert_allclose(jax.jit(potential)(Y, position), potential(Y, position), rtol=1e-5)
    gradient = jax.grad(lambda position: potential(Y, position))(position)
    assert all(np.all(np.isfinite(leaf)) for leaf in gradient.values())


def test_initial_values_are_taken_as_floats():
    setup = ModelTarget(model).setup((Y,), {}, {"weight": np.zeros(3, int), "rate": 1})
    position = setup.start(jax.random.key(0))
    assert jax.tree.map(lambda leaf: leaf.dtype, position) == {
        "rate": jnp.float32,
        "weight": jnp.float32,
    }
    assert position["rate"] == 1


@pytest.mark.parametrize(
    "init_params", [None, {"rate": 0.0, "weight": np.zeros(3)}, {"weight": np.zeros(3), "rate": 0}]
)
def test_a_check_of_good_input_runs_nothing(compilations, init_params):
    ModelTarget(model).check((Y,), {}, init_params)
    ModelTarget(model, init_to_value(values={"rate": 2.0})).check((Y,), {"shape": 1.5}, init_params)
    assert compilations == []


def test_a_support_that_depends_on_latent_sites_is_left_to_the_density(compilations):
    def above(y):
        low = sample("low", dist.Normal(0.0, 1.0))
        width = sample("width", dist.HalfNormal(1.0))
        sample("y", dist.TruncatedNormal(0.0, 1.0, low=low).expand((3,)), obs=y)
        sample("z", dist.Uniform(low, low + width), obs=0.3)

    ModelTarget(above).check((Y,), {}, None)
    assert compilations == []
    potential = ModelTarget(above).setup((Y,), {}).potential
    assert np.isfinite(potential({"low": jnp.asarray(0.2), "width": jnp.asarray(0.0)}))
    assert np.isposinf(potential({"low": jnp.asarray(0.6), "width": jnp.asarray(0.0)}))


def test_missing_values_may_be_masked_out(compilations):
    from sojourn_primitives import handlers

    def partly(y, seen):
        with handlers.mask(mask=seen):
            sample("y", dist.Gamma(2.0, 1.0).expand((3,)), obs=y)

    y, seen = np.array([1.0, np.nan, 2.0]), np.array([True, False, True])
    ModelTarget(partly).check((y, seen), {}, None)
    with pytest.raises(ValueError, match=r"'y'.*value\[1\] = nan"):
        ModelTarget(partly).check((y, np.array([True, True, True])), {}, None)
    assert compilations == []


def lines_of(explanation):
    return [line.strip() for line in explanation.splitlines()[1:]]


def test_explain_lists_the_sites_suspects_first():
    def hopeless(y):
        rate = sample("rate", dist.Exponential(1.0))
        sample("y", dist.Normal(0.0, 1.0).expand((3,)), obs=y * jnp.log(rate - 100))
        factor("never", -jnp.inf)

    position = {"rate": jnp.asarray(0.0)}
    lines = lines_of(ModelTarget(hopeless).explain(position, (Y,), {}))
    assert len(lines) == 3
    assert {line.split("'")[1] for line in lines[:2]} == {"y", "never"}
    assert "3 numbers, 3 of them NaN" in "".join(lines[:2])
    assert "log density -inf" in "".join(lines[:2])
    assert lines[2].startswith("latent site 'rate': log density -1, value 1")


def test_explain_reads_values_that_no_distribution_accepts():
    """An explanation is asked for when something is wrong, a NaN scale for example."""

    def scaled(y):
        scale = sample("scale", dist.HalfNormal(1.0))
        sample("y", dist.Normal(0.0, scale).expand((3,)), obs=y)

    lines = lines_of(ModelTarget(scaled).explain({"scale": jnp.asarray(jnp.nan)}, (Y,), {}))
    assert {line.split("'")[1] for line in lines} == {"scale", "y"}
    assert any("'scale'" in line and "value nan" in line for line in lines)
