"""A model names the axes of its sites after its plates, and knows its data."""

import jax.numpy as jnp
import numpy as np
import pytest

import sojourn_distributions as dist
from sojourn_hmc.variables import describe
from sojourn_infer import NUTS
from sojourn_infer.variables import describe_model
from sojourn_primitives import deterministic, factor, plate, sample

Y = np.array([[1.0, 2.0, 4.0], [0.5, 1.5, 2.5]], np.float32)


def model(y):
    rate = sample("rate", dist.Gamma(2.0, 1.0), sample_shape=(5,))
    with plate("column", 3, dim=-1):
        shares = sample("shares", dist.Dirichlet(jnp.ones(4)), infer={"event_dims": ["kind"]})
        sample("vectors", dist.MultivariateNormal(jnp.zeros(2), jnp.eye(2)))
        with plate("row", 2, dim=-2):
            mean = sample("mean", dist.Normal(0.0, 1.0))
            deterministic("twice", 2 * mean)
            deterministic("number", jnp.sum(rate))
            sample("y", dist.Normal(mean + shares[..., 0], 1.0), obs=y)
    with plate("rows", 100, subsample_size=2, dim=-2):
        sample("part", dist.Normal(0.0, 1.0))
    factor("penalty", -jnp.sum(mean**2))


def test_axes_have_the_names_of_plates():
    known = describe_model(model, (Y,), {})
    assert known.dims == {
        "shares": ("column", "kind"),
        "vectors": ("column",),
        "mean": ("row", "column"),
        "twice": ("row", "column"),
        "y": ("row", "column"),
        "part": ("rows",),
    }


def test_data_are_the_observed_values_without_factors():
    known = describe_model(model, (Y,), {})
    assert list(known.observed) == ["y"]
    np.testing.assert_array_equal(known.observed["y"], Y)
    assert describe_model(lambda: factor("f", 1.0), (), {}).log_likelihood is None


def test_keywords_of_a_model_may_be_those_of_log_likelihood():
    def batched(y, batch_size, parallel):
        mean = sample("mean", dist.Normal(0.0, 1.0))
        sample("y", dist.Normal(mean, batch_size), obs=y)

    known = describe_model(batched, (Y[0],), {"batch_size": 2, "parallel": "yes"})
    draws = np.zeros((1, 2), np.float32)
    values = known.log_likelihood({"mean": draws})["y"]
    expected = -0.5 * (Y[0] / 2) ** 2 - np.log(2) - 0.5 * np.log(2 * np.pi)
    np.testing.assert_allclose(values, np.broadcast_to(expected, (1, 2, 3)), rtol=1e-5)


def test_log_likelihoods_are_grouped_as_the_draws_are():
    def small(y):
        mean = sample("mean", dist.Normal(0.0, 1.0))
        factor("pull", mean)
        sample("y", dist.Normal(mean, 2.0), obs=y)

    known = describe(NUTS(small), (Y[0],), {})
    draws = np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3)
    (values,) = known.log_likelihood({"mean": draws}).values()
    expected = -0.5 * ((Y[0] - draws[..., None]) / 2) ** 2 - np.log(2) - 0.5 * np.log(2 * np.pi)
    np.testing.assert_allclose(values, expected, rtol=1e-5)


@pytest.mark.parametrize("names", [["a", "b"], "a"])
def test_names_that_do_not_fit_an_event(names):
    def vector():
        sample("x", dist.Normal(jnp.zeros(3), 1.0).to_event(1), infer={"event_dims": names})

    with pytest.raises(ValueError, match=r"site 'x': infer\['event_dims'\].*which has 1"):
        describe_model(vector, (), {})
