"""The kernels under the driver: every placement, a second run, going on, what is collected."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sojourn_distributions as dist
from sojourn_gibbs import CustomGibbs, DiscreteGibbs, Gibbs, MixedHMC
from sojourn_hmc import SamplingWarning
from sojourn_infer import HMC, MCMC, NUTS
from sojourn_primitives import deterministic, plate, sample

pytestmark = pytest.mark.filterwarnings("ignore::sojourn_hmc.SamplingWarning")

Y = np.array([-1.1, 0.2, 1.9, 2.2])


def model(y):
    weight = sample("weight", dist.Beta(2.0, 3.0))
    flipped = sample("flipped", dist.Bernoulli(0.5))
    with plate("points", 4):
        label = sample("label", dist.DiscreteUniform(3, 4))
        sample("y", dist.Normal(label - 3.0, 1.0 + weight), obs=y)
    deterministic("total", label.sum() + flipped)


def flip(rng_key, gibbs_sites, hmc_sites):
    return {"flipped": jax.random.bernoulli(rng_key).astype(int)}


KERNELS = {
    "composition": Gibbs(
        [
            (CustomGibbs(flip), ["flipped"]),
            (DiscreteGibbs(model), ["label"]),
            (NUTS(model, max_tree_depth=3), None),
        ]
    ),
    "mixed": MixedHMC(HMC(model, num_steps=2), num_discrete_updates=2),
}


def run(kernel, chain_method, num_warmup=20, **options):
    mcmc = MCMC(
        kernel,
        num_warmup=num_warmup,
        num_samples=20,
        num_chains=2,
        chain_method=chain_method,
        progress_bar=False,
    )
    mcmc.run(jax.random.key(0), Y, **options)
    return mcmc


@pytest.fixture(scope="module", params=KERNELS)
def kernel(request):
    return KERNELS[request.param]


@pytest.fixture(scope="module")
def sequential(kernel):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SamplingWarning)
        return run(kernel, "sequential")


def test_parallel_is_sequential_bit_for_bit(kernel, sequential, compilations):
    samples = run(kernel, "parallel").get_samples(group_by_chain=True)
    for name, values in sequential.get_samples(group_by_chain=True).items():
        np.testing.assert_array_equal(samples[name], values)
    assert compilations.settle() == []


def test_vectorized_runs_the_same_chains(kernel, sequential):
    # Rounding may differ: without a warmup, chains take longer to part.
    samples, reference = (
        run(kernel, method, num_warmup=0).get_samples(group_by_chain=True)
        for method in ("vectorized", "sequential")
    )
    assert sorted(samples) == ["flipped", "label", "total", "weight"]
    np.testing.assert_allclose(samples["weight"][:, :3], reference["weight"][:, :3], rtol=1e-3)
    np.testing.assert_array_equal(samples["label"][:, :3], reference["label"][:, :3])
    np.testing.assert_array_equal(samples["total"], samples["label"].sum(-1) + samples["flipped"])


def test_going_on_from_the_last_state_is_one_long_run(kernel, sequential):
    mcmc = run(kernel, "sequential")
    mcmc.post_warmup_state = mcmc.last_state
    mcmc.run(mcmc.last_state.rng_key, Y)
    longer = MCMC(
        kernel,
        num_warmup=20,
        num_samples=40,
        num_chains=2,
        chain_method="sequential",
        progress_bar=False,
    )
    longer.run(jax.random.key(0), Y)
    np.testing.assert_array_equal(
        mcmc.get_samples(group_by_chain=True)["weight"],
        longer.get_samples(group_by_chain=True)["weight"][:, 20:],
    )


def test_a_run_that_was_broken_off_goes_on_from_its_checkpoint(kernel, sequential, tmp_path):
    def break_off(view):
        raise KeyboardInterrupt

    where = {"checkpoint": tmp_path / "run", "checkpoint_every": 0.0}
    with pytest.raises(KeyboardInterrupt):
        run(kernel, "sequential", callback=break_off, **where)
    continued = run(kernel, "sequential", **where).get_samples()
    for name, values in sequential.get_samples().items():
        np.testing.assert_array_equal(continued[name], values)


def test_fields_of_states_are_collected():
    fields = ("hmc_state.potential_energy", "block_states.1.accept_prob", "z.weight", "~z.label")
    mcmc = run(KERNELS["composition"], "sequential", extra_fields=fields)
    extra = mcmc.get_extra_fields()
    assert extra["hmc_state.potential_energy"].shape == (40,)
    assert set(np.asarray(extra["block_states.1.accept_prob"])) <= {0.0, 0.25, 0.5, 0.75, 1.0}
    samples = mcmc.get_samples()
    assert sorted(samples) == ["flipped", "total", "weight"]
    np.testing.assert_allclose(jax.nn.sigmoid(extra["z.weight"]), samples["weight"], rtol=1e-5)


def test_legacy_keys_and_an_outer_jit():
    @jax.jit
    def mean(key):
        mcmc = MCMC(KERNELS["composition"], num_warmup=5, num_samples=5, progress_bar=False)
        mcmc.run(key, jnp.asarray(Y))
        return mcmc.get_samples()["weight"].mean()

    assert 0 < mean(jax.random.PRNGKey(0)) < 1
