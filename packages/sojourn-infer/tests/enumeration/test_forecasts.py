"""Latent sites below discrete ones: drawn given them, after their posterior given what is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sojourn_distributions as dist
from sojourn_infer import Predictive
from sojourn_infer.enumeration import config_enumerate, infer_discrete
from sojourn_primitives import handlers, plate, sample
from sojourn_primitives.control_flow import scan

LOC = jnp.array([-1.0, 1.5])
TRANSITION = jnp.array([[0.8, 0.2], [0.3, 0.7]])
DRAWS = 4000


def draw(model, *args, data=None, how=handlers.substitute):
    """Draw all sites many times."""
    decoded = infer_discrete(config_enumerate(model))

    def once(key):
        trace = handlers.trace(handlers.seed(how(decoded, data=data or {}), key)).get_trace(*args)
        return {name: s["value"] for name, s in trace.items() if s["type"] == "sample"}

    keys = jax.random.split(jax.random.key(0), DRAWS)
    return jax.tree.map(np.asarray, jax.jit(jax.vmap(once))(keys))


def close(draws, expected):
    """Compare means, within four standard errors."""
    error = np.std(draws, 0) / np.sqrt(len(draws))
    assert np.all(np.abs(np.mean(draws, 0) - expected) < 4 * error), (np.mean(draws, 0), expected)


def weights(y):
    """Return the density of data in both states."""
    return np.exp(np.asarray(dist.Normal(LOC, 1.0).log_prob(np.asarray(y)[..., None])))


def test_missing_values_and_what_depends_on_them():
    y = np.array([0.4, -0.6], "float32")

    def model():
        with plate("data", 2):
            z = sample("z", dist.Bernoulli(0.3))
            sample("y", dist.Normal(LOC[z], 1.0), obs=y)
            missing = sample("missing", dist.Normal(2 * LOC[z], 0.5))
            sample("count", dist.Poisson(jnp.exp(missing / 2)))

    drawn = draw(model)
    posterior = weights(y) * np.array([0.7, 0.3])
    one = posterior[:, 1] / posterior.sum(1)
    close(drawn["z"], one)
    for z in (0, 1):
        values = np.where(drawn["z"] == z, drawn["missing"], np.nan)
        number = (drawn["z"] == z).sum(0)
        assert np.all(np.abs(np.nanmean(values, 0) - 2 * LOC[z]) < 4 * 0.5 / np.sqrt(number))
    # The count follows the very value that was drawn.
    close(drawn["count"] - np.exp(drawn["missing"] / 2), 0.0)


@pytest.mark.parametrize("how", [handlers.substitute, handlers.condition])
def test_forecasts_of_a_hidden_markov_model(how):
    y = np.array([0.2, -1.4, 1.1], "float32")

    def model(steps):
        def step(carry, _):
            z, trend = carry
            z = sample("z", dist.Categorical(TRANSITION[z]))
            # A state space that grows with the steps, but no data depend on it.
            trend = sample("trend", dist.Normal(trend + LOC[z], 0.1))
            sample("y", dist.Normal(LOC[z], 1.0))
            return (z, trend), None

        scan(step, (0, jnp.zeros(())), None, length=steps)

    drawn = draw(model, 5, data={"y": y}, how=how)
    forward, p = np.array([1.0, 0.0]), np.asarray(TRANSITION, float)
    for w in weights(y):
        forward = (forward @ p) * w
    forward /= forward.sum()
    state = np.stack([forward, forward @ p, forward @ p @ p])[:, 1]
    close(drawn["z"][:, 2:], state)
    np.testing.assert_allclose(drawn["y"][:, :3], np.broadcast_to(y, (DRAWS, 3)))
    close(drawn["y"][:, 3:], LOC[0] + (LOC[1] - LOC[0]) * state[1:])
    close(drawn["trend"] - np.cumsum(np.asarray(LOC)[drawn["z"]], 1), 0.0)


def test_an_autoregressive_series_goes_on():
    y = np.array([0.2, -1.4, 1.1], "float32")

    def model(steps):
        def step(carry, _):
            z, last = carry
            z = sample("z", dist.Categorical(TRANSITION[z]))
            last = sample("y", dist.Normal(LOC[z] + 0.9 * last, 1.0))
            return (z, last), None

        scan(step, (0, jnp.zeros(())), None, length=steps)

    drawn = draw(model, 4, data={"y": y})
    forward, p = np.array([1.0, 0.0]), np.asarray(TRANSITION, float)
    for w in weights(y - 0.9 * np.array([0, *y[:-1]])):
        forward = (forward @ p) * w
    state = (forward / forward.sum() @ p)[1]
    close(drawn["z"][:, 3], state)
    close(drawn["y"][:, 3], LOC[0] + (LOC[1] - LOC[0]) * state + 0.9 * y[-1])


def test_predictive_without_data_draws_from_the_prior():
    @config_enumerate
    def model(y=None):
        with plate("data", 3):
            z = sample("z", dist.Bernoulli(0.3))
            sample("y", dist.Normal(LOC[z], 1.0), obs=y)

    predict = Predictive(model, num_samples=DRAWS, infer_discrete=True, parallel=True)
    drawn = jax.tree.map(np.asarray, predict(jax.random.key(1)))
    close(drawn["z"], 0.3)
    close(drawn["y"] - np.asarray(LOC)[drawn["z"]], 0.0)
