"""Joint distributions of TensorFlow Probability: their structures, bijectors and constraints."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sojourn_hmc import MCMC, NUTS

pytestmark = [
    pytest.mark.filterwarnings("default"),  # what TFP says of its own use of JAX
    pytest.mark.filterwarnings("error::sojourn_hmc.SamplingWarning"),
]

METHODS = ["parallel", "sequential", "vectorized"]
COUNTS = np.array([3.0, 0.0, 7.0], np.float32)


@pytest.fixture(scope="module")
def tfd(foreign):
    return foreign("tensorflow_probability.substrates.jax").distributions


def parts_of(tfd, form):
    """The same model as a dict, a list, and a coroutine: shares of three kinds, and a scale."""
    if form == "dict":
        return tfd.JointDistributionNamedAutoBatched(
            {
                "shares": tfd.Dirichlet([1.0, 1.0, 2.0]),
                "scale": tfd.HalfNormal(2.0),
                "counts": lambda shares: tfd.Multinomial(10.0, probs=shares),
            }
        )
    if form == "list":
        return tfd.JointDistributionSequentialAutoBatched(
            [
                tfd.Dirichlet([1.0, 1.0, 2.0]),
                tfd.HalfNormal(2.0),
                lambda scale, shares: tfd.Multinomial(10.0, probs=shares),
            ]
        )

    @tfd.JointDistributionCoroutineAutoBatched
    def coroutine():
        shares = yield tfd.Dirichlet([1.0, 1.0, 2.0], name="shares")
        yield tfd.HalfNormal(2.0, name="scale")
        yield tfd.Multinomial(10.0, probs=shares, name="counts")

    return coroutine


@pytest.mark.parametrize(
    ("form", "method"), [("dict", "parallel"), ("list", "sequential"), ("coroutine", "vectorized")]
)
def test_a_simplex_and_a_scale_in_any_structure(tfd, form, method):
    joint = parts_of(tfd, form)
    pinned = joint.experimental_pin(None, None, COUNTS) if form == "list" else None
    posterior = pinned if pinned is not None else joint.experimental_pin(counts=COUNTS)
    bijector = posterior.experimental_default_event_space_bijector()

    def potential(position):
        log_jacobian = bijector.forward_log_det_jacobian(position)
        return -posterior.unnormalized_log_prob(bijector.forward(position)) - log_jacobian

    mcmc = MCMC(
        NUTS(potential_fn=potential),
        num_warmup=300,
        num_samples=1000,
        num_chains=2,
        chain_method=method,
        postprocess_fn=bijector.forward,
        progress_bar=False,
    )
    start = bijector.inverse(posterior.sample_unpinned(2, seed=jax.random.key(1)))
    mcmc.run(jax.random.key(2), init_params=start)
    samples = mcmc.get_samples()
    assert jax.tree.structure(samples) == jax.tree.structure(start)
    shares, scale = (
        (samples["shares"], samples["scale"]) if form == "dict" else (samples[0], samples[1])
    )
    shares, scale = np.asarray(shares, float), np.asarray(scale, float)
    assert shares.shape == (2000, 3)  # one more than there are unconstrained components
    np.testing.assert_allclose(shares.sum(1), 1, rtol=1e-5)
    concentration = np.array([1, 1, 2]) + COUNTS
    mean = concentration / concentration.sum()
    variance = mean * (1 - mean) / (1 + concentration.sum())
    # At least 600 of 2000 draws are effective.
    assert (abs(shares.mean(0) - mean) < 4.5 * np.sqrt(variance / 600)).all()
    assert abs(scale.mean() - 2 * np.sqrt(2 / np.pi)) < 4.5 * 2 * 0.603 / np.sqrt(600)
    assert scale.min() > 0


def test_a_second_run_compiles_nothing_although_bijectors_cache(tfd, compilations):
    joint = tfd.JointDistributionNamedAutoBatched({"x": tfd.LogNormal(jnp.zeros(2), 1.0)})
    bijector = joint.experimental_default_event_space_bijector()

    def potential(position):
        value = bijector.forward(position)
        return -joint.log_prob(value) - bijector.forward_log_det_jacobian(position)

    mcmc = MCMC(
        NUTS(potential_fn=potential),
        num_warmup=50,
        num_samples=50,
        postprocess_fn=bijector.forward,
        progress_bar=False,
        report=False,
    )
    start, key, other = {"x": np.zeros(2, np.float32)}, jax.random.key(0), jax.random.key(1)
    mcmc.run(key, init_params=start)
    compilations.settle().clear()
    mcmc.run(other, init_params=start)
    assert compilations.settle() == []
    assert mcmc.get_samples()["x"].shape == (50, 2)
