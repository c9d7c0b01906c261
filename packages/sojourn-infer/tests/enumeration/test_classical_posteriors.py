"""NUTS on classical models with discrete sites, against NUTS on densities marginalised by hand.

Both are given the same priors and data; the means of all parameters agree within their Monte Carlo
standard errors. The density marginalised by hand is written without a discrete site.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.nn import logsumexp

import sojourn_distributions as dist
from sojourn_hmc import MCMC
from sojourn_hmc.diagnostics import effective_sample_size
from sojourn_infer import NUTS, log_density
from sojourn_infer.enumeration import config_enumerate
from sojourn_primitives import Vindex, factor, handlers, plate, sample
from sojourn_primitives.control_flow import scan


class Pair(NamedTuple):
    """A model with discrete sites and one without them, that have the same posterior."""

    discrete: object
    marginal: object
    data: tuple


def hierarchical_annotators():
    """Confusion by annotator with a common prior (Paun et al. 2018), in logits."""
    rng = np.random.default_rng(1)
    items, positions, annotators, classes = 40, 3, 5, 3
    who = rng.permuted(np.tile(np.arange(annotators), (items, 1)), axis=1)[:, :positions]
    truth = rng.integers(0, classes, items)
    wrong = rng.uniform(size=who.shape) < np.array([0.1, 0.3, 0.3, 0.5, 0.7])[who]
    labels = np.where(wrong, rng.integers(0, classes, who.shape), truth[:, None])

    def parameters():
        loc = sample("loc", dist.Normal(2 * jnp.eye(classes), 1.0).to_event(2))
        spread = sample("spread", dist.HalfNormal(jnp.full(classes, 0.5)).to_event(1))
        with plate("annotator", annotators):
            # Not beta itself: it makes a funnel with its spread.
            deviation = sample("deviation", dist.Normal(jnp.zeros((classes, classes))).to_event(2))
        beta = loc + spread[:, None] * deviation
        return beta, sample("prevalence", dist.Dirichlet(5.0 * jnp.ones(classes)))

    @config_enumerate
    def discrete(labels):
        beta, prevalence = parameters()
        with plate("item", items, dim=-2):
            c = sample("c", dist.Categorical(prevalence))
            with plate("position", positions, dim=-1):
                logits = Vindex(beta)[who, c, :]
                sample("y", dist.Categorical(logits=logits), obs=labels)

    def marginal(labels):
        beta, prevalence = parameters()
        log_mass = beta - logsumexp(beta, -1, keepdims=True)
        terms = log_mass[who[..., None], jnp.arange(classes), labels[..., None]]
        factor("y", logsumexp(jnp.log(prevalence) + terms.sum(1), -1).sum())

    return Pair(discrete, marginal, (labels,))


def annotators_who_guess():
    """MACE (Hovy et al. 2013)."""
    rng = np.random.default_rng(2)
    items, annotators, classes = 50, 4, 3
    truth = rng.integers(0, classes, items)
    guesses = rng.uniform(size=(items, annotators)) < np.array([0.1, 0.3, 0.6, 0.8])
    labels = np.where(guesses, rng.integers(0, classes, guesses.shape), truth[:, None])

    def parameters():
        with plate("annotator", annotators, dim=-1):
            habit = sample("habit", dist.Dirichlet(4.0 * jnp.ones(classes)))
            return habit, sample("guessing", dist.Beta(1.5, 2.0))

    @config_enumerate
    def discrete(labels):
        habit, guessing = parameters()
        with plate("item", items, dim=-2):
            c = sample("c", dist.DiscreteUniform(0, classes - 1))
            with plate("annotator", annotators, dim=-1):
                guess = sample("guess", dist.Bernoulli(guessing))
                known = jax.nn.one_hot(c, classes)
                probs = jnp.where(guess[..., None] == 0, known, habit)
                sample("y", dist.Categorical(probs), obs=labels)

    def marginal(labels):
        habit, guessing = parameters()
        guess = guessing * habit[jnp.arange(annotators), labels]
        knows = jax.nn.one_hot(labels, classes) * (1 - guessing)[:, None]
        terms = jnp.log(guess[..., None] + knows).sum(1)
        factor("y", (logsumexp(terms, -1) - jnp.log(classes)).sum())

    return Pair(discrete, marginal, (labels,))


def capture_recapture():
    """Cormack-Jolly-Seber, one survival for all years and a chance of capture by year."""
    rng = np.random.default_rng(3)
    animals, years = 40, 5
    alive = np.cumprod(rng.uniform(size=(animals, years)) < 0.8, 1)
    alive[:, 0] = 1
    seen = np.where(rng.uniform(size=alive.shape) < 0.6, alive, 0)
    seen[:, 0] = 1

    def parameters():
        survival = sample("survival", dist.Beta(1.0, 1.0))
        return survival, sample("capture", dist.Beta(jnp.ones(years - 1), 1.0).to_event(1))

    @config_enumerate
    def discrete(seen):
        survival, capture = parameters()

        def step(alive, x):
            now, chance = x
            with plate("animal", animals):
                alive = sample("alive", dist.Bernoulli(survival * alive))
                sample("seen", dist.Bernoulli(chance * alive), obs=now)
            return alive, None

        scan(step, jnp.ones(animals, int), (seen.T[1:], capture))

    def marginal(seen):
        # What is left to see of an animal that is alive, from the last year back.
        survival, capture = parameters()
        rest = jnp.ones(animals)
        for year in range(years - 1, 0, -1):
            here = jnp.where(seen[:, year] == 1, capture[year - 1], 1 - capture[year - 1])
            never_again = jnp.all(seen[:, year:] == 0, 1)
            rest = survival * here * rest + (1 - survival) * never_again
        factor("seen", jnp.log(rest).sum())

    return Pair(discrete, marginal, (seen,))


def topics():
    """Kinds of documents in one plate, topics of words in two."""
    rng = np.random.default_rng(4)
    documents, words, vocabulary = 25, 12, 5
    of_kind = np.array([[0.85, 0.15], [0.1, 0.9]])
    of_topic = np.array([[0.6, 0.2, 0.1, 0.05, 0.05], [0.05, 0.05, 0.1, 0.3, 0.5]])
    kind = rng.integers(0, 2, documents)
    topic = (rng.uniform(size=(words, documents)) > of_kind[kind, 0]).astype(int)
    w = np.array([[rng.choice(vocabulary, p=of_topic[t]) for t in row] for row in topic])

    def parameters():
        # Priors that tell kinds and topics apart, so that the posterior has one mode.
        kinds = sample("kinds", dist.Beta(5.0, 5.0))
        mix = jnp.array([[12.0, 3.0], [3.0, 12.0]])
        topics_of = sample("topics", dist.Dirichlet(mix).to_event(1))
        masses = jnp.array([[9.0, 4.0, 2.0, 1.0, 1.0], [1.0, 1.0, 2.0, 4.0, 9.0]])
        return (
            jnp.stack([1 - kinds, kinds]),
            topics_of,
            sample("words", dist.Dirichlet(masses).to_event(1)),
        )

    @config_enumerate
    def discrete(w):
        kinds, topics_of, masses = parameters()
        with plate("document", documents, dim=-1):
            kind = sample("kind", dist.Categorical(kinds))
            with plate("word", words, dim=-2):
                topic = sample("topic", dist.Categorical(topics_of[kind]))
                sample("w", dist.Categorical(masses[topic]), obs=w)

    def marginal(w):
        kinds, topics_of, masses = parameters()
        by_kind = jnp.log(topics_of @ masses)[:, w].sum(1)
        factor("w", logsumexp(jnp.log(kinds)[:, None] + by_kind, 0).sum())

    return Pair(discrete, marginal, (w,))


PAIRS = [hierarchical_annotators, annotators_who_guess, capture_recapture, topics]


@pytest.mark.parametrize("make", PAIRS)
def test_densities_agree(make):
    discrete, marginal, data = make()
    seeded = handlers.seed(marginal, rng_seed=5)
    trace = handlers.trace(seeded).get_trace(*data)
    values = {
        name: site["value"]
        for name, site in trace.items()
        if site["type"] == "sample" and not site["is_observed"]
    }

    def both(values):
        one = jax.value_and_grad(lambda v: log_density(discrete, data, {}, v)[0])(values)
        return one, jax.value_and_grad(lambda v: log_density(marginal, data, {}, v)[0])(values)

    (found, slopes), (expected, expected_slopes) = jax.jit(both)(values)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    for name, slope in slopes.items():
        scale = np.abs(expected_slopes[name]).max()
        np.testing.assert_allclose(slope / scale, expected_slopes[name] / scale, atol=1e-4)


def posterior(model, data, num_samples, seed):
    mcmc = MCMC(NUTS(model), num_warmup=400, num_samples=num_samples, num_chains=2,
                chain_method="vectorized", progress_bar=False)  # fmt: skip
    mcmc.run(jax.random.key(seed), *data)
    return mcmc.get_samples(group_by_chain=True)


def compare(make, num_samples):
    discrete, marginal, data = make()
    found = posterior(discrete, data, num_samples, 0)
    expected = posterior(marginal, data, num_samples, 1)
    assert found.keys() == expected.keys()
    for name in found:
        a, b = np.asarray(found[name], float), np.asarray(expected[name], float)
        variance = sum(np.var(x, (0, 1)) / effective_sample_size(x) for x in (a, b))
        z = (a.mean((0, 1)) - b.mean((0, 1))) / np.sqrt(variance)
        # Tens of parameters: the largest of their standard normal deviates.
        assert np.all(np.abs(z) < 4.5), (name, z)


def test_nuts_on_capture_and_recapture():
    compare(capture_recapture, 500)


@pytest.mark.statistics
@pytest.mark.parametrize("make", PAIRS)
def test_nuts_has_the_posterior_of_the_density_marginalised_by_hand(make):
    compare(make, 4000)
