"""Compositions leave the joint posterior invariant, whatever moves each block."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from chains import assert_frequencies, assert_mean, draws_of, normalized

import sojourn_distributions as dist
from sojourn_gibbs import (
    CustomGibbs,
    DiscreteGibbs,
    DiscreteHMCGibbs,
    Gibbs,
    HMCGibbs,
    MixedHMC,
    discrete_latent_sites,
)
from sojourn_infer import HMC, MCMC, NUTS, BarkerMH
from sojourn_primitives import plate, sample

PROBS, LOCS = np.array([0.2, 0.3, 0.5]), np.array([-1.0, 0.0, 1.5])
QUIET = {"adapt_step_size": False, "adapt_mass_matrix": False}


def values(state):
    return state.values


def two_normals():
    x = sample("x", dist.Normal(0.0, 2.0))
    y = sample("y", dist.Normal(0.0, 2.0))
    sample("obs", dist.Normal(x + y, 1.0), obs=jnp.array([1.0]))


def draw_x(rng_key, gibbs_sites, hmc_sites):
    return {"x": dist.Normal(0.8 * (1 - hmc_sites["y"]), jnp.sqrt(0.8)).sample(rng_key)}


@pytest.mark.parametrize(
    "inner",
    [
        NUTS(two_normals, step_size=0.7, **QUIET),
        BarkerMH(two_normals, step_size=1.2, **QUIET),
    ],
    ids=["NUTS", "Barker"],
)
def test_the_example_of_the_specification(inner):
    kernel = HMCGibbs(inner, gibbs_fn=draw_x, gibbs_sites=["x"])
    draws = draws_of(kernel, burn=60, draws=60)
    # Both have the prior variance 4 and sum to what is observed with noise of variance 1.
    for name in ("x", "y"):
        assert_mean(draws[name], 4 / 9)
        assert_mean(draws[name] ** 2, 4 - 16 / 9 + (4 / 9) ** 2)
    assert_mean(draws["x"] * draws["y"], -16 / 9 + (4 / 9) ** 2)


def three_kinds():
    c = sample("c", dist.Categorical(PROBS))
    x = sample("x", dist.Normal(jnp.asarray(LOCS)[c], 0.5))
    y = sample("y", dist.Normal(0.0, 2.0))
    w = sample("w", dist.Gamma(2.0, 1.0))
    sample("obs", dist.Normal(x + y, 1.0), obs=1.0)
    sample("count", dist.Poisson(w), obs=4)


def draw_y(rng_key, gibbs_sites, hmc_sites):
    noise = jnp.sqrt(0.8) * jax.random.normal(rng_key)
    return {"y": 0.8 * (1.0 - hmc_sites["x"]) + noise}


def draw_w(rng_key, gibbs_sites, hmc_sites):
    return {"w": jax.random.gamma(rng_key, 2.0 + 4.0) / (1.0 + 1.0)}


def test_several_blocks_of_every_kind():
    kernel = Gibbs(
        [
            (CustomGibbs(draw_w), ["w"]),
            (DiscreteGibbs(three_kinds, modified=True), discrete_latent_sites),
            (CustomGibbs(draw_y), ["y"]),
            (HMC(three_kinds, step_size=0.4, num_steps=3, **QUIET), None),
        ]
    )
    draws = draws_of(kernel, burn=40, draws=40, read=values)
    # Given c, x + y is normal with variance 0.25 + 4, observed with noise of variance 1.
    weights = normalized(np.log(PROBS) - 0.5 * (1.0 - LOCS) ** 2 / 5.25)
    assert_frequencies(draws["c"], [0, 1, 2], weights)
    assert_mean(draws["x"], weights @ (LOCS + 0.25 / 5.25 * (1.0 - LOCS)))
    assert_mean(draws["y"], weights @ (4 / 5.25 * (1.0 - LOCS)))
    assert_mean(draws["w"], 6 / 2)
    assert_mean(draws["w"] ** 2, 6 * 7 / 4)


def partly_summed_out():
    c = sample("c", dist.Categorical(PROBS), infer={"enumerate": "parallel"})
    with plate("pairs", 2):
        k = sample("k", dist.DiscreteUniform(1, 2))
        d = sample("d", dist.Bernoulli(0.3), infer={"enumerate": "parallel"})
        sample("pair", dist.Normal(k + d, 1.0), obs=np.array([1.2, 3.0]))
    x = sample("x", dist.Normal(jnp.asarray(LOCS)[c] + 0.5 * k.sum(-1), 0.5))
    sample("obs", dist.Normal(x, 1.0), obs=1.0)


@pytest.mark.parametrize(
    "kernel",
    [
        DiscreteHMCGibbs(HMC(partly_summed_out, step_size=0.5, num_steps=3, **QUIET)),
        pytest.param(
            MixedHMC(HMC(partly_summed_out, step_size=0.5, num_steps=3, **QUIET)),
            marks=pytest.mark.statistics,
        ),
    ],
    ids=["Gibbs", "mixed"],
)
def test_some_discrete_sites_are_summed_out(kernel):
    draws = draws_of(kernel, burn=40, draws=60)
    assert sorted(draws) == ["k", "x"]
    c, first, second = np.meshgrid([0, 1, 2], [1, 2], [1, 2], indexing="ij")
    mean = LOCS[c] + 0.5 * (first + second)
    density = np.log(PROBS)[c] - 0.5 * (1.0 - mean) ** 2 / 1.25
    for k, y in ((first, 1.2), (second, 3.0)):
        faulty, sound = np.exp(-0.5 * (y - k - 1) ** 2), np.exp(-0.5 * (y - k) ** 2)
        density = density + np.log(0.3 * faulty + 0.7 * sound)
    joint = normalized(density)
    assert_mean(draws["k"][..., 0], (joint * first).sum())
    assert_mean(draws["k"][..., 1], (joint * second).sum())
    assert_mean(draws["x"], (joint * (mean + 0.2 * (1.0 - mean))).sum())


def moving_support():
    y = sample("y", dist.Gamma(3.0, 1.0))
    sample("x", dist.Uniform(0.0, y))
    k = sample("k", dist.DiscreteUniform(2, 4))
    sample("z", dist.Uniform(-1.0, k))


def draw_beyond_x(rng_key, gibbs_sites, hmc_sites):
    # Given x, y - x is a mixture: Gamma(3) and the density 1 / y leave y exp(-y) beyond x.
    x = hmc_sites["x"]
    key_which, key_size = jax.random.split(rng_key)
    shape = jnp.where(jax.random.uniform(key_which) < x / (1 + x), 1.0, 2.0)
    return {"y": x + jax.random.gamma(key_size, shape)}


def test_supports_that_other_blocks_move():
    kernel = Gibbs(
        [
            (CustomGibbs(draw_beyond_x), ["y"]),
            (DiscreteGibbs(moving_support), ["k"]),
            (HMC(moving_support, step_size=0.9, num_steps=2, **QUIET), None),
        ]
    )
    draws = draws_of(kernel, burn=60, draws=60, read=values)
    assert_mean(draws["y"], 3.0)
    assert_mean(draws["x"], 1.5)
    assert_mean(draws["x"] ** 2, 12 / 3)
    assert_frequencies(draws["k"], [2, 3, 4], np.full(3, 1 / 3))
    assert_mean(draws["z"], (3 - 1) / 2)


def hierarchy(y):
    tau = sample("tau", dist.Gamma(4.0, 3.0))
    mean = sample("mean", dist.Normal(1.0, 1.5))
    with plate("groups", 3):
        group = sample("group", dist.Normal(mean, 1 / jnp.sqrt(tau)))
        sample("y", dist.Normal(group, 0.8), obs=y)


def draw_groups(rng_key, gibbs_sites, hmc_sites, y):
    precision = hmc_sites["tau"] + 1 / 0.8**2
    centre = (hmc_sites["tau"] * hmc_sites["mean"] + y / 0.8**2) / precision
    return {"group": centre + jax.random.normal(rng_key, (3,)) / jnp.sqrt(precision)}


def labels(y):
    weight = sample("weight", dist.Beta(2.0, 3.0))
    with plate("points", 4):
        label = sample("label", dist.Bernoulli(weight))
        sample("y", dist.Normal(1.5 * label, 1.0), obs=y)


def geweke(kernel_for, new_data, read, *, chains=300, sweeps=300):
    """Alternate between parameters given data and data given parameters (Geweke 2004)."""

    def run(key):
        y = jnp.zeros(0)  # replaced at once
        key, key_y, key_init = jax.random.split(key, 3)
        y = new_data(None, key_y)
        state = kernel_for(y).init(key_init, 0, None, (y,), {})

        def step(carry, key):
            state, y = carry
            state = kernel_for(y).sample(state, (y,), {})
            return (state, new_data(state.values, key)), read(state.values)

        return jax.lax.scan(step, (state, y), jax.random.split(key, sweeps))[1]

    draws = jax.jit(jax.vmap(run))(jax.random.split(jax.random.key(1), chains))
    return jax.tree.map(lambda leaf: leaf[:, sweeps // 4 :], draws)


def test_joint_distribution_of_hmc_gibbs():
    inner = NUTS(hierarchy, step_size=0.4, max_tree_depth=4, **QUIET)

    def kernel_for(y):
        return HMCGibbs(inner, lambda **sites: draw_groups(**sites, y=y), ["group"])

    def new_data(values, key):
        group = jnp.zeros(3) if values is None else values["group"]
        return group + 0.8 * jax.random.normal(key, (3,))

    draws = geweke(kernel_for, new_data, lambda v: v)
    assert_mean(draws["tau"], 4 / 3)
    assert_mean(draws["tau"] ** 2, 20 / 9)
    assert_mean(draws["mean"], 1.0)
    assert_mean(draws["mean"] ** 2, 1 + 1.5**2)
    assert_mean(draws["group"].mean(2), 1.0)
    assert_mean((draws["group"] ** 2).mean(2), 1 + 1.5**2 + 3 / 3)  # E[1 / tau] = 3 / (4 - 1)


def test_joint_distribution_of_discrete_hmc_gibbs():
    kernel = DiscreteHMCGibbs(HMC(labels, step_size=0.5, num_steps=3, **QUIET), modified=True)

    def new_data(values, key):
        label = jnp.zeros(4) if values is None else values["label"]
        return 1.5 * label + jax.random.normal(key, (4,))

    draws = geweke(lambda y: kernel, new_data, lambda v: v)
    assert_mean(draws["weight"], 0.4)
    assert_mean(draws["weight"] ** 2, 2 * 3 / (5 * 6))
    assert_mean(draws["label"].sum(2), 4 * 0.4)
    assert_mean(draws["label"].sum(2) * draws["weight"], 4 * 2 * 3 / (5 * 6))


def clusters(probs, locs):
    c = sample("c", dist.Categorical(probs))
    sample("x", dist.Normal(locs[c], 0.5))


@pytest.mark.statistics
@pytest.mark.parametrize(
    "kernel",
    [
        DiscreteHMCGibbs(NUTS(clusters), modified=True),
        MixedHMC(HMC(clusters, trajectory_length=1.2), num_discrete_updates=20),
    ],
    ids=["DiscreteHMCGibbs", "MixedHMC"],
)
def test_the_mixtures_of_the_specification(kernel):
    probs, locs = jnp.array([0.15, 0.3, 0.3, 0.25]), jnp.array([-2, 0, 2, 4])
    mcmc = MCMC(kernel, num_warmup=1000, num_samples=100_000, progress_bar=False)
    mcmc.run(jax.random.PRNGKey(0), probs, locs)
    samples = mcmc.get_samples()
    assert "x" in samples and "c" in samples
    assert abs(jnp.mean(samples["x"]) - 1.3) < 0.1
    assert abs(jnp.var(samples["x"]) - 4.36) < 0.5
