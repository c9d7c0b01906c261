"""Models under NUTS with discrete sites summed out, and these sites drawn back."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sojourn_distributions as dist
from sojourn_infer import MCMC, NUTS, ModelTarget, Predictive
from sojourn_infer.enumeration import config_enumerate, infer_discrete
from sojourn_primitives import deterministic, factor, handlers, plate, sample
from sojourn_primitives.control_flow import scan

SUM = {"enumerate": "parallel"}
RNG = np.random.default_rng(3)
TRANSITION = RNG.dirichlet(np.ones(2), 2).astype("float32")
LOC = np.array([-0.5, 1.0], "float32")
Y = RNG.normal(size=(4, 2)).astype("float32")
LENGTHS = np.array([4, 3])


def hmm(y, reverse=False):
    """Two sequences, the second one shorter; a state before and a local site in each step."""
    with plate("sequence", 2):
        z0 = sample("z0", dist.Bernoulli(0.3), infer=SUM)

    def step(z, x):
        y, t = x
        with plate("sequence", 2), handlers.mask(mask=t < LENGTHS):
            z = sample("z", dist.Categorical(jnp.asarray(TRANSITION)[z]), infer=SUM)
            outlier = sample("outlier", dist.Bernoulli(0.2), infer=SUM)
            loc = jnp.asarray(LOC)[z] + 3 * outlier
            sample("y", dist.Normal(loc, 1.0), obs=y)
        return z, None

    scan(step, z0, (y, np.arange(4)), reverse=reverse)


def posterior(n, reverse):
    """Joint probabilities of z0 and z at the steps of sequence n, outliers summed out."""
    steps = range(LENGTHS[n])
    order = list(reversed(steps)) if reverse else list(steps)
    table = np.zeros((2,) * (1 + len(order)))
    for states in itertools.product(range(2), repeat=1 + len(order)):
        p, before = [0.7, 0.3][states[0]], states[0]
        for z, t in zip(states[1:], order, strict=True):
            emission = sum(
                q * np.exp(-0.5 * (Y[t, n] - LOC[z] - shift) ** 2)
                for q, shift in ((0.8, 0), (0.2, 3))
            )
            p, before = p * TRANSITION[before, z] * emission, z
        table[states] = p
    return table / table.sum()


@pytest.mark.parametrize("reverse", [False, True])
def test_states_are_drawn_from_their_joint_posterior(reverse):
    number = 4000

    def run(key):
        trace = handlers.trace(handlers.seed(infer_discrete(hmm), rng_seed=key)).get_trace(
            Y, reverse
        )
        return {name: trace[name]["value"] for name in ("z0", "z", "outlier")}

    draws = jax.jit(jax.vmap(run))(jax.random.split(jax.random.key(1), number))
    assert draws["z0"].shape == (number, 2) and draws["z"].shape == (number, 4, 2)
    for n in range(2):
        expected = posterior(n, reverse)
        z = np.asarray(draws["z"])[:, : LENGTHS[n], n]
        z = z[:, ::-1] if reverse else z
        counts = np.zeros(expected.shape)
        np.add.at(counts, (np.asarray(draws["z0"])[:, n], *z.T), 1)
        # Where the longer sequence runs in reverse, the masked step comes first and is uniform.
        if reverse and n == 1:
            continue
        error = np.sqrt(expected * (1 - expected) / number)
        assert np.all(np.abs(counts / number - expected) < 4.5 * error + 1e-3)


def test_the_mode_is_the_most_probable_path():
    trace = handlers.trace(infer_discrete(hmm, temperature=0)).get_trace(Y)
    densities = {}
    for states in itertools.product(range(2), repeat=9):
        z0, z, outlier = states[0], states[1:5], states[5:]
        p, before = np.log([0.7, 0.3])[z0], z0
        for t in range(4):
            p += np.log(TRANSITION[before, z[t]]) + np.log([0.8, 0.2])[outlier[t]]
            p += -0.5 * (Y[t, 0] - LOC[z[t]] - 3 * outlier[t]) ** 2
            before = z[t]
        densities[states] = p
    found = (
        int(trace["z0"]["value"][0]),
        *np.asarray(trace["z"]["value"])[:, 0],
        *np.asarray(trace["outlier"]["value"])[:, 0],
    )
    assert densities[tuple(map(int, found))] > max(densities.values()) - 1e-4


# --- a mixture whose posterior is known by quadrature -----------------------------------------

DATA = np.array([-1.6, 0.2, 1.9, 2.4, 0.9], "float32")


def mixture(y):
    """Supports that do not start at 0; a deterministic value of them, and one of the weight."""
    weight = sample("weight", dist.Beta(2.0, 1.5))
    deterministic("odds", weight / (1 - weight))
    with plate("data", 5):
        flag = sample("flag", dist.Bernoulli(weight))
        kind = sample("kind", dist.DiscreteUniform(2, 3))
        sample("y", dist.Normal(2.0 * flag - 1 + 0.2 * kind, 0.8), obs=y)
    deterministic("number", jnp.sum(flag))


def weight_grid():
    """Posterior of the weight on a grid, and probability of each flag given it."""
    w = (np.arange(4000) + 0.5) / 4000
    prior = w * (1 - w) ** 0.5
    terms = [
        sum(np.exp(-0.5 * ((DATA - (2 * f - 1 + 0.2 * k)) / 0.8) ** 2) for k in (2, 3))
        for f in (0, 1)
    ]
    each = (1 - w)[:, None] * terms[0] + w[:, None] * terms[1]
    density = prior * each.prod(1)
    return w, density / density.sum(), w[:, None] * terms[1] / each


@pytest.fixture(scope="module")
def draws():
    mcmc = MCMC(NUTS(config_enumerate(mixture)), num_warmup=300, num_samples=1500, num_chains=2,
                chain_method="vectorized", progress_bar=False)  # fmt: skip
    mcmc.run(jax.random.key(0), DATA)
    return mcmc


def test_nuts_has_the_marginal_posterior(draws):
    samples = draws.get_samples(group_by_chain=True)
    assert set(samples) == {"weight", "odds"}  # what depends on summed-out sites has no value
    w, p, _ = weight_grid()
    mean, sd = np.sum(p * w), np.sqrt(np.sum(p * (w - np.sum(p * w)) ** 2))
    found = np.asarray(samples["weight"])
    from sojourn_hmc.diagnostics import effective_sample_size

    error = sd / np.sqrt(effective_sample_size(found))
    assert abs(found.mean() - mean) < 4 * error
    np.testing.assert_allclose(found.std(), sd, rtol=0.1)


def test_predictive_draws_discrete_sites_from_their_posterior(draws):
    samples = draws.get_samples()
    predict = Predictive(mixture, samples, infer_discrete=True, parallel=True)
    found = predict(jax.random.key(2), DATA)
    assert found["flag"].shape == (3000, 5) and set(np.unique(found["kind"])) == {2, 3}
    np.testing.assert_array_equal(found["number"], found["flag"].sum(1))
    _, p, flags = weight_grid()
    expected = p @ flags
    error = np.sqrt(expected * (1 - expected) / 1000)  # a third of the draws, for autocorrelation
    assert np.all(np.abs(np.mean(found["flag"], 0) - expected) < 4.5 * error)


def test_unmarked_sites_are_announced_once_and_by_name():
    with pytest.warns(UserWarning, match=r"\['flag', 'kind'\] are summed out") as caught:
        ModelTarget(mixture).check((DATA,), {}, None)
    assert len(caught) == 1
    ModelTarget(config_enumerate(mixture)).check((DATA,), {}, None)


def test_the_density_is_one_compact_program():
    def size(length):
        def step(z, y):
            z = sample("z", dist.Categorical(jnp.asarray(TRANSITION)[z]), infer=SUM)
            sample("y", dist.Normal(sample("loc", dist.Normal(0.0, 1.0)) + z, 1.0), obs=y)
            return z, None

        target = ModelTarget(lambda y: scan(step, 0, y))
        setup = target.setup((np.zeros(length, "float32"),), {})
        program = jax.make_jaxpr(setup.potential)({"loc": jnp.zeros(length)})
        return len(program.jaxpr.eqns)

    assert size(50) == size(2000) < 400


def test_a_bad_start_names_sites_beside_summed_out_ones():
    def model():
        z = sample("z", dist.Bernoulli(0.5), infer=SUM)
        x = sample("x", dist.Normal(z, 1.0))
        factor("never", jnp.where(x > 1e9, 0.0, -jnp.inf))

    with pytest.raises(ValueError, match="observed site 'never': log density -inf"):
        MCMC(NUTS(model), num_warmup=5, num_samples=5, progress_bar=False).run(jax.random.key(0))
