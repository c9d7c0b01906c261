"""Tempered priors: the product of the subposteriors is the posterior, exactly."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sojourn_distributions as dist
from sojourn_distributions.transforms import ExpTransform
from sojourn_infer import ModelTarget, TemperedDistribution, log_density, temper
from sojourn_infer.reparam import ExplicitReparam
from sojourn_primitives import handlers, plate, sample


def model(x, y):
    """A skewed prior with a bound, group effects that all shards share, an effect of each row."""
    scale = sample("scale", dist.Gamma(2.0, 3.0))
    with plate("groups", 2):
        center = sample("center", dist.Normal(1.0, scale))
    with plate("rows", len(y)):
        effect = sample("effect", dist.Exponential(1.0))
        sample("y", dist.Normal(center[x] + effect, scale), obs=y)


X = np.array([0, 1, 0, 0, 1, 1])
Y = np.array([0.3, 2.0, 1.1, -0.4, 3.0, 0.9])
SHARDS = [slice(0, 2), slice(2, 4), slice(4, 6)]
EFFECT = np.array([0.1, 0.7, 1.3, 0.2, 0.5, 2.0])


@pytest.mark.parametrize("local", [("effect",), ("rows",)])
def test_densities_of_shards_multiply_to_that_of_the_whole(local):
    values = {"scale": 0.7, "center": np.array([0.5, 1.5])}
    of_shard = temper(model, num_shards=3, local=local)
    parts = [
        log_density(of_shard, (X[rows], Y[rows]), {}, {**values, "effect": EFFECT[rows]})[0]
        for rows in SHARDS
    ]
    whole, _ = log_density(model, (X, Y), {}, {**values, "effect": EFFECT})
    np.testing.assert_allclose(sum(parts), whole, rtol=1e-5)


def test_densities_on_the_unconstrained_space_multiply_too():
    position = {"scale": jnp.array(-0.4), "center": jnp.array([0.5, 1.5])}

    def potential(model, rows):
        setup = ModelTarget(model).setup((X[rows], Y[rows]), {})
        return setup.potential({**position, "effect": jnp.log(EFFECT[rows])})

    of_shard = temper(model, num_shards=3, local=("effect",), space="unconstrained")
    parts = [potential(of_shard, rows) for rows in SHARDS]
    np.testing.assert_allclose(sum(parts), potential(model, slice(None)), rtol=1e-5)
    # On the constrained space each shard keeps the whole volume of the map of `scale`, exp(-0.4).
    of_shard = temper(model, num_shards=3, local=("effect",))
    parts = [potential(of_shard, rows) for rows in SHARDS]
    np.testing.assert_allclose(sum(parts) - potential(model, slice(None)), 2 * 0.4, rtol=1e-4)


def test_a_tempered_distribution_is_a_distribution():
    base = dist.Gamma(jnp.array([2.0, 3.0]), 1.0)
    tempered = jax.jit(TemperedDistribution)(base, 0.25)  # a pytree
    assert tempered.batch_shape == (2,) and tempered.event_shape == ()
    np.testing.assert_allclose(tempered.log_prob(1.5), 0.25 * base.log_prob(1.5), rtol=1e-6)
    key = jax.random.key(0)
    np.testing.assert_array_equal(tempered.sample(key, (3,)), base.sample(key, (3,)))
    assert tempered.expand((4, 2)).log_prob(1.5).shape == (4, 2)
    assert tempered.support is base.support


@pytest.mark.parametrize(
    "arguments, error, match",
    [
        ({"num_shards": 0}, ValueError, "num_shards must be a positive integer, got 0"),
        ({"num_shards": 2.5}, TypeError, "positive integer, got 2.5"),
        ({"num_shards": 2, "space": "real"}, ValueError, "'constrained' or 'unconstrained'"),
        ({"num_shards": 2, "local": "effect"}, TypeError, r"write \('effect',\)"),
    ],
)
def test_bad_arguments(arguments, error, match):
    with pytest.raises(error, match=match):
        temper(model, **arguments)


def test_local_names_are_those_of_the_model():
    """A prior that is tempered by mistake would be that of another posterior."""
    values = {"scale": 0.7, "center": np.array([0.5, 1.5]), "effect": EFFECT}
    shard = temper(model, num_shards=3, local=("effect", "row"))
    for _ in range(2):
        with pytest.raises(ValueError, match=r"\['row'\].*'rows'"):
            log_density(shard, (X, Y), {}, values)
    moved = handlers.reparam(model, config={"effect": ExplicitReparam(ExpTransform().inv)})
    shard = temper(moved, num_shards=3, local=("effect",))
    with pytest.raises(ValueError, match=r"\['effect'\].*'effect_base'.*other coordinates"):
        handlers.seed(shard, 0)(X, Y)
    with temper(num_shards=3, local=("rows",)) as block, handlers.seed(rng_seed=0):
        model(X, Y)
    with pytest.raises(ValueError, match=r"\['rows'\]"), block:
        pass


def test_an_error_of_the_model_is_not_hidden():
    def broken():
        raise KeyError("own")

    with pytest.raises(KeyError, match="own"):
        temper(broken, num_shards=3, local=("effect",))()
