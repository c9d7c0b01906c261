"""Constrained and unconstrained values of sites are each other's images."""

import jax
import numpy as np
import pytest

import sojourn_distributions as dist
from sojourn_infer import HMC, MCMC, constrain_fn, transform_fn, unconstrain_fn
from sojourn_primitives import deterministic, plate, sample


def model(y=None):
    low = sample("low", dist.Normal(3.0, 1.0))
    with plate("two", 2):
        x = sample("x", dist.TruncatedNormal(0.0, 1.0, low=low))
    sample("shares", dist.Dirichlet(np.ones(3)))
    deterministic("twice", 2 * x)
    sample("y", dist.Normal(low, 1.0), obs=y)


VALUES = {
    "low": np.float32(2.5),
    "x": np.array([2.6, 7.0], np.float32),
    "shares": np.array([0.2, 0.5, 0.3], np.float32),
}


def test_there_and_back():
    z = unconstrain_fn(model, (1.0,), {}, VALUES)
    np.testing.assert_allclose(z["x"], np.log(VALUES["x"] - 2.5), rtol=1e-4)
    assert z["shares"].shape == (2,)
    back = constrain_fn(model, (1.0,), {}, z)
    assert set(back) == set(VALUES)
    for name, value in VALUES.items():
        np.testing.assert_allclose(back[name], value, rtol=1e-5)
    both = constrain_fn(model, (1.0,), {}, z, return_deterministic=True)
    np.testing.assert_allclose(both["twice"], 2 * VALUES["x"], rtol=1e-5)


@pytest.mark.parametrize("batch", [(3,), (2, 3)])
def test_batches(batch):
    many = {name: np.broadcast_to(v, batch + np.shape(v)) for name, v in VALUES.items()}
    z = unconstrain_fn(model, (1.0,), {}, many, batch_ndims=len(batch))
    assert z["shares"].shape == (*batch, 2)
    back = constrain_fn(model, (1.0,), {}, z, True, batch_ndims=len(batch))
    assert back["twice"].shape == (*batch, 2)
    np.testing.assert_allclose(back["shares"], many["shares"], rtol=1e-5)


def batch_of(size, values=VALUES):
    return {name: np.broadcast_to(v, (size, *np.shape(v))) for name, v in values.items()}


def model_in_halves(y):
    """Reads a datum in Python, and has deterministic sites that a program computes."""
    low = sample("low", dist.Normal(3.0, 1.0))
    deterministic("half", low / 2 if y[0] > 0 else low)
    sample("y", dist.Normal(low, 1.0), obs=y)


def test_a_batch_takes_one_program(compilations):
    many = batch_of(17)  # of a size that no other test has
    compilations.settle().clear()
    z = unconstrain_fn(model, (1.0,), {}, many, batch_ndims=1)
    assert len(compilations.settle()) == 1
    compilations.clear()
    constrain_fn(model, (1.0,), {}, z, True, batch_ndims=1)
    assert len(compilations.settle()) == 1
    compilations.clear()
    for y in (2.0, 3.0):
        constrain_fn(model, (y,), {}, unconstrain_fn(model, (y,), {}, many, 1), True, 1)
    assert compilations.settle() == []


def test_a_batch_in_a_model_that_reads_data():
    for y, expected in ((jax.numpy.ones(2), 1.25), (-jax.numpy.ones(2), 2.5)):
        z = unconstrain_fn(model_in_halves, (y,), {}, {"low": np.full(3, 2.5)}, batch_ndims=1)
        back = constrain_fn(model_in_halves, (y,), {}, z, True, batch_ndims=1)
        np.testing.assert_allclose(back["half"], np.full(3, expected))


def test_a_batch_inside_of_a_transformation():
    @jax.jit
    def there_and_back(many, y):
        z = unconstrain_fn(model, (y,), {}, many, batch_ndims=1)
        return constrain_fn(model, (y,), {}, z, batch_ndims=1)

    for name, value in there_and_back(batch_of(3), 1.0).items():
        np.testing.assert_allclose(value, batch_of(3)[name], rtol=1e-5)


def test_a_scale_is_latent():
    """No valid scale stands for the given one while names are checked."""

    def centered():
        scale = sample("scale", dist.HalfCauchy(5.0))
        sample("effect", dist.Normal(0.0, scale))

    z = unconstrain_fn(centered, (), {}, {"scale": np.exp(1.5), "effect": 0.3})
    assert float(z["scale"]) == pytest.approx(1.5)
    assert float(z["effect"]) == pytest.approx(0.3)


def test_each_chain_starts_from_a_value_of_its_own():
    starts = {name: np.stack([v, v]) for name, v in VALUES.items()}
    starts["low"] = np.array([1.0, 2.0], np.float32)
    z = unconstrain_fn(model, (1.0,), {}, starts, batch_ndims=1)
    mcmc = MCMC(
        HMC(model, step_size=1e-6, num_steps=1, trajectory_length=None),
        num_warmup=0,
        num_samples=1,
        num_chains=2,
        progress_bar=False,
    )
    mcmc.run(jax.random.key(0), 1.0, init_params=z)
    np.testing.assert_allclose(mcmc.get_samples()["low"], starts["low"], atol=1e-2)


def test_what_is_not_latent_is_handed_back():
    given = {**VALUES, "twice": np.ones(2)}
    assert unconstrain_fn(model, (1.0,), {}, given)["twice"] is given["twice"]


@pytest.mark.parametrize(
    "values, words",
    [
        ({**VALUES, "unheard": 1.0}, ("'unheard'", "no sites", "'low'")),
        ({**VALUES, "x": np.array([2.6, 1.0])}, ("'x'", "value[1] = 1.0")),
        ({**VALUES, "low": np.ones(3)}, ("'low'", "(3,)", "()", "batch_ndims")),
        ({**VALUES, "x": 2.6}, ("'x'", "()", "(2,)")),
    ],
)
def test_values_that_cannot_be_moved(values, words):
    with pytest.raises(ValueError, match="unconstrain_fn") as raised:
        unconstrain_fn(model, (1.0,), {}, values)
    for word in words:
        assert word in str(raised.value)


def test_a_batch_with_a_value_outside():
    many = {name: np.stack([v, v]) for name, v in VALUES.items()}
    many["x"] = np.array([[2.6, 7.0], [2.6, 1.0]], np.float32)
    with pytest.raises(ValueError, match=r"'x'.*index \(1, 1\)"):
        unconstrain_fn(model, (1.0,), {}, many, batch_ndims=1)


@pytest.mark.parametrize("move", [constrain_fn, unconstrain_fn])
def test_lists_serve_and_arrays_alone_do_not(move):
    def pair():
        sample("x", dist.Normal(np.zeros(2), 1.0))

    assert move(pair, (), {}, {"x": [0.5, 1.0]})["x"].tolist() == [0.5, 1.0]
    assert move(pair, (), {}, {"x": [[0.5, 1.0]]}, batch_ndims=1)["x"].shape == (1, 2)
    with pytest.raises(TypeError, match=rf"{move.__name__}: params must be a dict.*ndarray"):
        move(pair, (), {}, np.ones(2))


@pytest.mark.parametrize("move", [constrain_fn, unconstrain_fn])
def test_batches_of_different_sizes(move):
    values = {"low": np.zeros(3), "x": np.zeros((4, 2)), "shares": np.zeros((3, 2))}
    if move is unconstrain_fn:
        values = {**batch_of(3), "x": batch_of(4)["x"]}
    with pytest.raises(ValueError, match=rf"{move.__name__}: .*params.*'x' has \(4,\).*\(3,\)"):
        move(model, (1.0,), {}, values, batch_ndims=1)


@pytest.mark.parametrize(
    "z, batch_ndims, words",
    [
        ({"low": 0.0, "x": np.zeros(2)}, 0, ("missing", "'shares'")),
        ({"low": 0.0, "x": np.zeros(3), "shares": np.zeros(2)}, 0, ("'x'", "(3,)", "(2,)")),
        ({"low": 0.0, "x": np.zeros((4, 2)), "shares": np.zeros((4, 2))}, 1, ("'low'", "()")),
    ],
)
def test_positions_that_do_not_fit(z, batch_ndims, words):
    with pytest.raises(ValueError) as raised:
        constrain_fn(model, (1.0,), {}, z, batch_ndims=batch_ndims)
    for word in words:
        assert word in str(raised.value)


def test_transforms_are_applied_by_name():
    transforms = {"a": dist.transforms.ExpTransform()}
    there = transform_fn(transforms, {"a": np.log(2.0), "b": 3.0})
    assert float(there["a"]) == pytest.approx(2.0)
    assert there["b"] == 3.0
    back = transform_fn(transforms, there, invert=True)
    assert float(back["a"]) == pytest.approx(np.log(2.0))
