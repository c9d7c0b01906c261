"""Fixing sites leaves the density of the others, up to a constant, and hides nothing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sojourn_distributions as dist
from sojourn_gibbs.conditional_target import Given, conditional_target
from sojourn_gibbs.latents import find_latents
from sojourn_hmc import PotentialTarget
from sojourn_infer import HMC, NUTS, BarkerMH, ModelTarget
from sojourn_primitives import plate, sample, subsample


def model(y, *, scale):
    c = sample("c", dist.Categorical(jnp.array([0.2, 0.3, 0.5])))
    mean = sample("mean", dist.Exponential(2.0))
    sample("y", dist.Normal(jnp.array([-1.0, 0.5, 2.0])[c] * mean, scale), obs=y)


Y = np.array([0.3, 1.2])


def given(c):
    return Given({"c": jnp.int32(c)}, (Y,), {"scale": 0.7})


@pytest.mark.parametrize("kernel", [HMC, NUTS, BarkerMH])
def test_refreshing_is_starting_anew_at_the_same_place(kernel):
    original = kernel(model)
    conditional = original.with_target(conditional_target(original.target))
    state = conditional.init(jax.random.key(0), 10, {"mean": 0.4}, given(0), {})
    there = conditional.init(jax.random.key(0), 10, {"mean": 0.4}, given(2), {})
    refreshed = conditional.refresh(state, given(2), {})
    for field in ("potential_energy", "z_grad"):
        fresh, anew, stale = (
            jax.tree.leaves(getattr(s, field))[0] for s in (refreshed, there, state)
        )
        np.testing.assert_allclose(fresh, anew, rtol=1e-5)
        assert abs(fresh - stale) > 0.5
    assert original.model is model


def test_fixed_sites_count_in_the_density():
    potential = conditional_target(ModelTarget(model)).setup(given(2), {}).potential
    prior = jnp.log(0.5) + dist.Exponential(2.0).log_prob(1.0)
    expected = prior + dist.Normal(2.0, 0.7).log_prob(Y).sum()
    np.testing.assert_allclose(-potential({"mean": 0.0}), expected, rtol=1e-6)


def test_indices_of_plates_can_be_fixed():
    data = np.arange(10.0)

    def subsampled():
        x = sample("x", dist.Normal(0.0, 1.0))
        with plate("data", 10, subsample_size=2):
            sample("y", dist.Normal(x, 1.0), obs=subsample(data, event_dim=0))

    target = conditional_target(ModelTarget(subsampled))
    potential = target.setup(Given({"data": jnp.array([3, 3])}, (), {}), {}).potential
    expected = dist.Normal(0.0, 1.0).log_prob(1.0) + 10 * dist.Normal(1.0, 1.0).log_prob(3.0)
    np.testing.assert_allclose(-potential({"x": 1.0}), expected, rtol=1e-6)


def test_a_target_without_a_model_is_refused():
    with pytest.raises(TypeError, match="give the kernel a model"):
        conditional_target(PotentialTarget(lambda z: 0.5 * z**2))
    with pytest.raises(NotImplementedError, match="not made from a model function"):
        HMC(potential_fn=lambda z: 0.5 * z**2).wrap_model(lambda m: m)


@pytest.mark.parametrize("array", [np.asarray, jnp.asarray])
def test_latent_sites_are_found_where_python_reads_the_data(array):
    def reads(switch):
        high = sample("high", dist.Uniform(0.0, 1.0 if switch[0] > 0 else 2.0))
        sample("x", dist.Uniform(0.0, high))
        sample("k", dist.Bernoulli(0.5))

    found = find_latents(reads, (array([1.0]),), {})
    assert {name: site.depends_on for name, site in found.sites.items()} == {
        "high": (),
        "x": ("high",),
        "k": (),
    }
