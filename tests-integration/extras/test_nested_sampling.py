"""jaxns on our models: evidence and posterior against closed forms and quadrature."""

import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import dblquad
from scipy.special import gammaln
from scipy.stats import multivariate_normal, norm, vonmises

import sojourn
import sojourn.distributions as dist


@pytest.fixture(scope="module")
def nested(wrapped):
    return wrapped("sojourn.contrib.nested_sampling", needs="jaxns")


def conjugate(y, counts):
    """Means of two groups, and shares of three kinds: an event, a plate, a deterministic site."""
    with sojourn.plate("groups", 2):
        mean = sojourn.sample("mean", dist.Normal(0.5, 2.0))
    shares = sojourn.sample("shares", dist.Dirichlet(jnp.array([0.8, 1.0, 2.0])))
    sojourn.deterministic("difference", mean[1] - mean[0])
    sojourn.sample("y", dist.Normal(mean, 1.0).expand([3, 2]), obs=y)
    sojourn.sample("counts", dist.Multinomial(total_count=6, probs=shares), obs=counts)


def conjugate_evidence(y, counts):
    covariance = np.eye(3) + 4.0
    normal = sum(multivariate_normal(np.full(3, 0.5), covariance).logpdf(group) for group in y.T)
    a = np.array([0.8, 1.0, 2.0])
    orders = gammaln(7) - gammaln(counts + 1).sum()
    shares = gammaln(a.sum()) - gammaln(a).sum()
    return normal + orders + shares + gammaln(a + counts).sum() - gammaln(a.sum() + 6)


@pytest.fixture(scope="module")
def runs(nested):
    """The same model with four keys and data sets: one program for all."""
    sampler = nested.NestedSampler(
        conjugate, constructor_kwargs={"num_live_points": 200.0, "initial_capacity": 4000}
    )
    outcomes = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        y = rng.normal([1.0, -2.0], 1.0, (3, 2)).astype(np.float32)
        counts = rng.multinomial(6, [0.2, 0.3, 0.5])
        sampler.run(jax.random.key(seed), y, jnp.asarray(counts))
        outcomes.append((y, counts, sampler.diagnostics(), sampler.get_weighted_samples()))
    return sampler, outcomes


def test_the_evidence_is_that_of_the_closed_form(runs):
    _, outcomes = runs
    scores = []
    for y, counts, found, _ in outcomes:
        error = found.log_evidence - conjugate_evidence(y, counts)
        scores.append(error / found.log_evidence_error)
        assert 0.02 < found.log_evidence_error < 0.25
        assert not found.reached_max_samples
    assert np.max(np.abs(scores)) < 3.5
    assert abs(np.mean(scores)) < 3.5 / 2  # four runs


def test_weighted_samples_have_the_moments_of_the_posterior(runs):
    _, outcomes = runs
    for y, counts, found, (samples, log_weights) in outcomes:
        weights = np.exp(np.asarray(log_weights, float))
        np.testing.assert_allclose(weights.sum(), 1, rtol=1e-4)
        effective = 1 / np.sum(weights**2)
        np.testing.assert_allclose(effective, found.effective_sample_size, rtol=0.02)
        variance = 1 / (3 + 1 / 4)
        expected = {"mean": variance * (y.sum(0) + 0.5 / 4)}
        concentration = np.array([0.8, 1.0, 2.0]) + counts
        expected["shares"] = concentration / concentration.sum()
        spread = {
            "mean": np.sqrt(variance),
            "shares": np.sqrt(expected["shares"] * (1 - expected["shares"]) / 10.8),
        }
        for name in expected:
            mean = weights @ np.asarray(samples[name], float)
            error = spread[name] / np.sqrt(effective)
            assert (abs(mean - expected[name]) < 4.5 * error).all(), name
        difference = np.asarray(samples["mean"][:, 1] - samples["mean"][:, 0])
        np.testing.assert_allclose(samples["difference"], difference, atol=1e-5)


def test_samples_of_equal_weight(runs):
    sampler, outcomes = runs
    y = outcomes[-1][0]
    key = jax.random.key(9)
    samples = sampler.get_samples(key, 4000)
    assert {name: value.shape for name, value in samples.items()} == {
        "mean": (4000, 2),
        "shares": (4000, 3),
        "difference": (4000,),
    }
    grouped = sampler.get_samples(key, 4000, group_by_chain=True)
    np.testing.assert_array_equal(grouped["mean"][0], samples["mean"])
    variance = 1 / (3 + 1 / 4)
    error = np.sqrt(variance / outcomes[-1][2].effective_sample_size)
    assert (abs(samples["mean"].mean(0) - variance * (y.sum(0) + 0.125)) < 4.5 * error).all()
    np.testing.assert_allclose(np.asarray(samples["mean"]).var(0), variance, rtol=0.5)


def test_the_precision_of_the_process_is_left_alone(runs):
    sampler, _ = runs
    assert jnp.ones(()).dtype == jnp.float32 and not jax.config.jax_enable_x64
    assert sampler.get_samples(jax.random.key(0), 1)["mean"].dtype == jnp.float32
    samples, log_weights = sampler.get_weighted_samples()
    assert samples["shares"].dtype == log_weights.dtype == jnp.float32


def test_the_summary_names_every_component(runs, capsys):
    runs[0].print_summary()
    printed = capsys.readouterr().out
    for text in ("log evidence:", "nats", "mean[1]", "shares[2]", "difference"):
        assert text in printed


def bounded(y):
    """A truncated law, an angle without quantile function, a scale, a factor, flow on data."""
    scale = sojourn.sample("scale", dist.TruncatedNormal(0.0, 1.0, low=0.5))
    with sojourn.handlers.scale(scale=1.5):
        angle = sojourn.sample("angle", dist.VonMises(0.5, 2.0))
    sojourn.factor("lean", 0.5 * jnp.sin(angle))
    rate = scale * jnp.exp(jnp.cos(angle)) if y[0] > 0 else scale
    sojourn.sample("y", dist.Exponential(rate), obs=y)


def test_a_bounded_skewed_model_until_the_evidence_is_sure(nested):
    y = np.array([0.4, 1.1], np.float32)

    def joint(angle, scale):
        rate = scale * np.exp(np.cos(angle))
        prior = norm.pdf(scale) / norm.sf(0.5) * vonmises.pdf(angle, 2.0, loc=0.5) ** 1.5
        return prior * np.exp(0.5 * np.sin(angle)) * rate**2 * np.exp(-rate * y.sum())

    def integrate(function):
        return dblquad(lambda a, s: function(a, s) * joint(a, s), 0.5, 8, -np.pi, np.pi)[0]

    evidence = integrate(lambda angle, scale: 1.0)
    sampler = nested.NestedSampler(
        bounded,
        constructor_kwargs={"initial_capacity": 6000},
        termination_kwargs={"evidence_uncert": 0.1, "ess": 500, "dlogZ": 1e-3},
    )
    sampler.run(jax.random.PRNGKey(1), y)
    found = sampler.diagnostics()
    assert found.log_evidence_error <= 0.1 and found.effective_sample_size >= 500
    assert abs(found.log_evidence - np.log(evidence)) < 4 * found.log_evidence_error
    samples, log_weights = sampler.get_weighted_samples()
    weights = np.exp(np.asarray(log_weights, float))
    for name, mean in {
        "scale": integrate(lambda angle, scale: scale) / evidence,
        "angle": integrate(lambda angle, scale: angle) / evidence,
    }.items():
        values = np.asarray(samples[name], float)
        error = np.sqrt(weights @ (values - mean) ** 2 / found.effective_sample_size)
        assert abs(weights @ values - mean) < 4.5 * error, name


def test_mistakes_are_named_before_anything_runs(nested):
    with pytest.raises(TypeError, match=r"constructor_kwargs: \['num_parallel_workers'\] is not"):
        nested.NestedSampler(conjugate, constructor_kwargs={"num_parallel_workers": 2})
    with pytest.raises(TypeError, match=r"termination_kwargs: \['ESS'\] is not among"):
        nested.NestedSampler(conjugate, termination_kwargs={"ESS": 2})
    with pytest.raises(RuntimeError, match="call run"):
        nested.NestedSampler(conjugate).diagnostics()
    discrete = nested.NestedSampler(lambda: sojourn.sample("k", dist.Poisson(2.0)))
    with pytest.raises(ValueError, match="latent site 'k' is discrete and has no"):
        discrete.run(jax.random.key(0))
    with pytest.raises(ValueError, match="no continuous latent site"):
        nested.NestedSampler(lambda: None).run(jax.random.key(0))


@pytest.mark.checkout
def test_the_example_of_the_documentation_finds_its_closed_form(nested, capsys):
    page = (Path(__file__).parents[2] / "docs" / "other-samplers.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names = {}
    exec(example, names)
    found = names["found"]
    exact = gammaln(10) - 10 * np.log(4) - np.log(6 * 24)
    assert found.log_evidence_error <= 0.1
    assert abs(found.log_evidence - exact) < 4 * found.log_evidence_error
    assert names["samples"]["rate"].shape == (1000,)
    weights = np.exp(np.asarray(names["log_weights"], float))
    mean = weights @ np.asarray(names["weighted"]["rate"], float)
    assert abs(mean - 2.5) < 4.5 * np.sqrt(10 / 16 / found.effective_sample_size)
    assert "log evidence" in capsys.readouterr().out
