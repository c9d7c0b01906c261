"""Chains of HMCECS against exact answers: enumerated subsamples, quadrature, conjugate models."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sojourn_distributions as dist
from sojourn_gibbs import HMCECS, HMCECSState
from sojourn_gibbs.ecs import TaylorOneProxyState, TaylorTwoProxyState
from sojourn_hmc import effective_sample_size
from sojourn_infer import HMC, MCMC, NUTS, ModelTarget, init_to_value
from sojourn_primitives import deterministic, plate, sample, subsample

TIMES = np.array([0.3, 0.7, 1.2, 1.6], np.float32)


def skewed(times, subsample_size=2):
    """A rate from few data; its posterior is skewed and bounded.

    The prior's tails are lighter than those of a quadratic expansion, or a subsample of twice the
    same datum would make the density improper.
    """
    rate = sample("rate", dist.LogNormal(0.0, 0.6))
    with plate("N", times.shape[0], subsample_size=subsample_size):
        batch = subsample(times, event_dim=0)
        sample("t", dist.Exponential(rate), obs=batch)


def perturbed_expectations(degree, reference):
    """Quadrature over the rate, enumeration of all subsamples of two of the four data.

    The density is written down once more, in double precision: with z = log(rate) a term is
    z - exp(z) t, its derivatives at the reference 1 - rate t and -rate t.
    """
    z = np.linspace(-7, 4, 4001)
    rate, step = np.exp(z), z - np.log(reference)
    log_prior = -0.5 * (z / 0.6) ** 2
    times = TIMES.astype(float)[:, None]
    terms = z - rate * times
    if degree is None:
        variates = np.zeros_like(terms)
    else:
        variates = np.log(reference) - reference * times + (1 - reference * times) * step
        if degree == 2:
            variates = variates - reference * times * step**2 / 2
    differences = terms - variates
    pairs = list(itertools.product(range(4), repeat=2))
    log_joint = []
    for pair in pairs:
        chosen = differences[list(pair)]
        variance = 0.0 if degree is None else 16 / 2 * chosen.var(0)
        log_joint.append(log_prior + variates.sum(0) + 4 * chosen.mean(0) - variance / 2)
    weights = np.exp(np.array(log_joint) - np.max(log_joint))
    weights /= weights.sum()
    last = np.array([pair[0] == 3 for pair in pairs])
    return {
        "rate": np.sum(weights * rate),
        "log rate": np.sum(weights * z),
        "square": np.sum(weights * rate**2),
        "datum 3 is in slot 0": np.sum(weights[last]),
    }


@pytest.mark.parametrize(
    "degree, keep, num_blocks, reference",
    [(None, False, 2, 1.0), (1, False, 2, 0.9), (2, True, 1, 0.7)],
)
def test_draws_follow_the_perturbed_posterior(degree, keep, num_blocks, reference):
    proxy = None if degree is None else HMCECS.taylor_proxy({"rate": reference}, degree, keep=keep)
    inner = HMC(
        skewed,
        step_size=0.5,
        num_steps=3,
        adapt_step_size=False,
        adapt_mass_matrix=False,
        init_strategy=init_to_value(values={"rate": 0.8}),
    )
    mcmc = MCMC(
        HMCECS(inner, num_blocks=num_blocks, proxy=proxy),
        num_warmup=100,
        num_samples=8000,
        num_chains=8,
        chain_method="vectorized",
        progress_bar=False,
        report=False,
    )
    mcmc.run(jax.random.key(0), TIMES, extra_fields=("gibbs_state.indices.N",))
    rate = np.asarray(mcmc.get_samples(group_by_chain=True)["rate"], float)
    indices = mcmc.get_extra_fields(group_by_chain=True)["gibbs_state.indices.N"]
    observed = {
        "rate": rate,
        "log rate": np.log(rate),
        "square": rate**2,
        "datum 3 is in slot 0": (indices[..., 0] == 3).astype(float),
    }
    for name, expected in perturbed_expectations(degree, reference).items():
        draws = observed[name]
        error = draws.std() / np.sqrt(effective_sample_size(draws))
        assert abs(draws.mean() - expected) < 4 * error, name
        assert error < 0.05 * max(draws.std(), 1e-3), name


DATA = np.random.default_rng(5).normal([1.0], 2.0, size=(50,)).astype(np.float32)
COVARIATE = np.random.default_rng(6).gamma(2.0, size=(50,)).astype(np.float32)


def regression(y, subsample_size):
    """A quadratic log likelihood under skewed priors; sites not in the order of their names."""
    slope = sample("slope", dist.Gumbel(0.0, 1.0))
    level = sample("level", dist.Gumbel(1.0, 2.0))
    with plate("rows", 50, subsample_size=subsample_size):
        x, batch = subsample(COVARIATE, event_dim=0), subsample(y, event_dim=0)
        sample("y", dist.Normal(level + slope * x, 2.0), obs=batch)


def test_an_exact_expansion_gives_the_chain_of_all_data():
    # Every difference is 0, so that neither estimates nor corrections depend on the subsample.
    proxy = HMCECS.taylor_proxy({"level": 0.5, "slope": 0.1}, keep=False)
    settings = {"step_size": 0.2, "num_steps": 4, "adapt_step_size": False}
    draws = {}
    for kernel, size in ((HMC, 50), (HMCECS, 5)):
        inner = HMC(regression, adapt_mass_matrix=False, **settings)
        kernel = inner if kernel is HMC else HMCECS(inner, num_blocks=2, proxy=proxy)
        mcmc = MCMC(kernel, num_warmup=0, num_samples=60, progress_bar=False, report=False)
        start = {"level": 0.3, "slope": 0.2}
        mcmc.run(jax.random.key(2), DATA, size, init_params=start)
        draws[size] = mcmc.get_samples()
    for name in ("level", "slope"):
        np.testing.assert_allclose(draws[5][name], draws[50][name], rtol=2e-3, atol=2e-3)
    state = mcmc.last_state
    assert float(state.log_likelihood_variance) < 1e-6
    assert float(state.accept_prob) > 0.99


def test_data_drawn_anew_and_the_chain_keep_the_joint_distribution():
    # Geweke 2004: parameters given data by the kernel, data given parameters by the model, by
    # turns; then parameters follow their prior. The expansion is exact: nothing is perturbed.
    inner = HMC(regression, step_size=0.25, num_steps=4, adapt_step_size=False)
    kernel = HMCECS(inner, num_blocks=2, proxy=HMCECS.taylor_proxy({"level": 0.5, "slope": 0.1}))

    def step(carry, key):
        state, y = carry
        noise = 2 * jax.random.normal(key, (50,))
        state = kernel.sample(kernel.refresh(state, (y, 5), {}), (y, 5), {})
        y = state.z["level"] + state.z["slope"] * COVARIATE + noise
        return (state, y), (state.z, y.mean())

    @jax.jit
    def run(key):
        state = kernel.init(key, 0, None, (DATA, 5), {})
        return jax.lax.scan(step, (state, DATA), jax.random.split(key, 12_000))[1]

    z, mean = jax.vmap(run)(jax.random.split(jax.random.key(11), 4))
    level, slope = np.asarray(z["level"], float), np.asarray(z["slope"], float)
    euler, variance = 0.5772156649, np.pi**2 / 6
    expected = {
        "level": (level, 1 + 2 * euler),
        "slope": (slope, euler),
        "level squared": (level**2, 4 * variance + (1 + 2 * euler) ** 2),
        "slope squared": (slope**2, variance + euler**2),
        "product": (level * slope, (1 + 2 * euler) * euler),
        "mean of data": (np.asarray(mean, float), 1 + 2 * euler + euler * COVARIATE.mean()),
    }
    for name, (draws, truth) in expected.items():
        error = draws.std() / np.sqrt(effective_sample_size(draws))
        assert abs(draws.mean() - truth) < 4 * error, (name, draws.mean(), truth, error)
        assert error < 0.15 * draws.std(), name


def two_plates(y):
    level = sample("level", dist.Normal(0.0, 5.0))
    scale = sample("scale", dist.HalfNormal(2.0))
    deterministic("twice", 2 * level)
    with plate("rows", 50, subsample_size=8):
        deterministic("inside", level + subsample(COVARIATE, event_dim=0))
        sample("y", dist.Normal(level, scale), obs=subsample(y, event_dim=0))
    with plate("others", 50, subsample_size=5):
        sample("x", dist.Gamma(2.0, 1 / scale), obs=subsample(COVARIATE, event_dim=0))


REFERENCE = {"level": np.float32(1.1), "scale": np.float32(1.5)}


@pytest.fixture(scope="module")
def run_on_two_plates():
    kernel = HMCECS(
        HMC(two_plates, num_steps=3, dense_mass=True),
        num_blocks=3,
        proxy=HMCECS.taylor_proxy(REFERENCE, keep=True),
    )
    mcmc = MCMC(kernel, num_warmup=50, num_samples=50, progress_bar=False, report=False)
    mcmc.run(jax.random.key(4), DATA, extra_fields=("gibbs_state.indices.rows",))
    return mcmc


def test_a_state_after_many_updates_is_what_its_indices_say(run_on_two_plates):
    kernel, state = run_on_two_plates.sampler, run_on_two_plates.last_state
    assert isinstance(state, HMCECSState)
    assert isinstance(state.gibbs_state.expansion, TaylorTwoProxyState)
    indices = run_on_two_plates.get_extra_fields()["gibbs_state.indices.rows"]
    assert len(np.unique(indices, axis=0)) > 25
    again = jax.jit(lambda state: kernel.refresh(state, (DATA,), {}))(state)
    for old, new in zip(jax.tree.leaves(state), jax.tree.leaves(again), strict=True):
        if not jnp.issubdtype(old.dtype, jax.dtypes.prng_key):
            np.testing.assert_allclose(old, new, rtol=2e-4, atol=2e-4)


def test_the_gradient_is_that_of_the_corrected_density(run_on_two_plates):
    kernel, state = run_on_two_plates.sampler, run_on_two_plates.last_state
    away = {"level": state.z["level"] + 1.0, "scale": state.z["scale"] - 0.7}
    with jax.enable_x64(True):

        def to64(leaf):
            floating = jnp.issubdtype(leaf.dtype, jnp.floating)
            return np.asarray(leaf, np.float64) if floating else leaf

        subsample_64 = jax.tree.map(to64, state.gibbs_state)
        conditions = (subsample_64, (DATA.astype(float),), {})
        target = kernel.conditional_kernel.target
        potential = target.setup(conditions, {}).potential
        position = jax.tree.map(to64, away)

        @jax.jit
        def differences(z):
            steps = {
                name: (
                    potential({**z, name: z[name] + 1e-4}) - potential({**z, name: z[name] - 1e-4})
                )
                / 2e-4
                for name in z
            }
            return steps, jax.grad(potential)(z), target.estimate(conditions, z)[1].variance

        steps, gradient, variance = jax.tree.map(np.asarray, differences(position))
    assert variance > 1.0  # the correction matters
    for name in steps:
        np.testing.assert_allclose(gradient[name], steps[name], rtol=1e-5)


def test_samples_leave_out_what_belongs_to_a_subsample(run_on_two_plates):
    samples = run_on_two_plates.get_samples()
    assert sorted(samples) == ["level", "scale", "twice"]
    np.testing.assert_allclose(samples["twice"], 2 * samples["level"], rtol=1e-6)


@pytest.fixture(scope="module")
def run_with_proxy():
    """Run one kernel, whose programs are compiled once, by a chain method."""
    kernel = HMCECS(
        HMC(skewed, step_size=0.1, num_steps=3, adapt_step_size=False),
        num_blocks=2,
        proxy=HMCECS.taylor_proxy({"rate": 0.9}, 1, keep=True),
    )

    def run(method, **options):
        mcmc = MCMC(
            kernel,
            num_warmup=5,
            num_samples=15,
            num_chains=2,
            chain_method=method,
            progress_bar=False,
            report=False,
        )
        mcmc.run(jax.random.key(5), TIMES, **options)
        return mcmc

    return run


def test_every_chain_method_gives_the_same_chains(run_with_proxy):
    runs = {method: run_with_proxy(method) for method in ("sequential", "parallel", "vectorized")}
    draws = {method: r.get_samples(group_by_chain=True)["rate"] for method, r in runs.items()}
    np.testing.assert_array_equal(draws["sequential"], draws["parallel"])
    np.testing.assert_allclose(draws["sequential"], draws["vectorized"], rtol=1e-4)
    expansion = runs["vectorized"].last_state.gibbs_state.expansion
    assert isinstance(expansion, TaylorOneProxyState)


@pytest.mark.filterwarnings("ignore::sojourn_hmc.SamplingWarning")  # that it was broken off
def test_a_run_that_was_broken_off_goes_on_from_its_checkpoint(run_with_proxy, tmp_path):
    def break_off(view):
        raise KeyboardInterrupt

    where = {"checkpoint": tmp_path / "run", "checkpoint_every": 0.0}
    with pytest.raises(KeyboardInterrupt):
        run_with_proxy("sequential", callback=break_off, **where)
    continued = run_with_proxy("sequential", **where)
    whole = run_with_proxy("sequential")
    np.testing.assert_array_equal(continued.get_samples()["rate"], whole.get_samples()["rate"])


def test_a_run_goes_on_from_its_last_state_and_with_another_key(run_on_two_plates):
    mcmc = run_on_two_plates
    state = mcmc.last_state
    mcmc.post_warmup_state = state
    first = []
    for seed in (7, 7, 8):
        mcmc.run(jax.random.key(seed), DATA, extra_fields=("gibbs_state.indices.rows",))
        first.append(mcmc.get_samples()["level"])
    np.testing.assert_array_equal(first[0], first[1])
    assert not np.array_equal(first[0], first[2])


def test_other_data_compile_nothing(run_on_two_plates, compilations):
    run_on_two_plates.run(jax.random.key(9), DATA + 1, extra_fields=("gibbs_state.indices.rows",))
    assert not compilations.settle()


def test_sites_are_summed_out_beside_subsampling():
    def mixture(y):
        weight = sample("weight", dist.Beta(2.0, 3.0))
        with plate("rows", 50, subsample_size=5):
            batch = subsample(y, event_dim=0)
            which = sample("which", dist.Bernoulli(weight), infer={"enumerate": "parallel"})
            sample("y", dist.Normal(3.0 * which, 1.0), obs=batch)

    kernel = HMCECS(HMC(mixture, num_steps=1))
    kernel.check((DATA,), {}, None)

    @jax.jit
    def two_states(key):
        state = kernel.init(key, 0, None, (DATA,), {})
        return state, kernel.sample(state, (DATA,), {})

    for state in two_states(jax.random.key(0)):
        z, y = float(state.z["weight"]), DATA[state.gibbs_state.indices["rows"]].astype(float)
        weight = 1 / (1 + np.exp(-z))
        terms = np.log(
            weight * np.exp(-0.5 * (y - 3) ** 2) + (1 - weight) * np.exp(-0.5 * y**2)
        ) - 0.5 * np.log(2 * np.pi)
        log_prior = np.log(12 * weight * (1 - weight) ** 2) + np.log(weight * (1 - weight))
        expected = -log_prior - 10 * terms.sum()
        np.testing.assert_allclose(state.hmc_state.potential_energy, expected, rtol=1e-4)
    assert np.isnan(state.log_likelihood_variance)


def specified(data):
    x = sample("x", dist.Normal(0, 1))
    with plate("N", data.shape[0], subsample_size=100):
        batch = subsample(data, event_dim=0)
        sample("obs", dist.Normal(x, 1), obs=batch)


def test_the_example_of_the_specification_and_its_warning():
    data = jax.random.normal(jax.random.PRNGKey(0), (10000,)) + 1
    kernel = HMCECS(NUTS(specified), num_blocks=10)
    mcmc = MCMC(kernel, num_warmup=1000, num_samples=1000, progress_bar=False)
    with pytest.warns(UserWarning, match="without control variates"):
        mcmc.run(jax.random.PRNGKey(0), data)
    samples = mcmc.get_samples()["x"]
    assert abs(jnp.mean(samples) - 1.0) < 0.1
    assert list(mcmc.get_samples()) == ["x"]


def test_what_is_reported():
    kernel = HMCECS(NUTS(specified), num_blocks=10, proxy=HMCECS.taylor_proxy({"x": 1.0}))
    fields = {
        f"hmc_state.{name}": np.zeros((2, 9)) for name in ("diverging", "energy", "num_steps")
    }
    fields["log_likelihood_variance"] = np.full((2, 9), 0.4)
    fields["accept_prob"] = np.full((2, 9), 0.9)
    assert set(fields) == set(kernel.watched_fields)
    assert kernel.find_problems(fields) == []
    (poor,) = kernel.find_problems({**fields, "log_likelihood_variance": np.full((2, 9), 7.0)})
    assert "a variance of 7, more than 3: the draws are biased" in poor
    (stuck,) = kernel.find_problems({**fields, "accept_prob": np.full((2, 9), 0.03)})
    assert "a probability of 0.03 only" in stuck
    fields["hmc_state.diverging"] = np.ones((2, 9), bool)
    assert "18 of 18 transitions diverged" in kernel.find_problems(fields)[0]


def test_wrap_model_keeps_the_settings():
    kernel = HMCECS(NUTS(specified), num_blocks=7, proxy=HMCECS.taylor_proxy({"x": 0.0}))
    seen = []
    other = kernel.wrap_model(lambda model: lambda *args: (seen.append(1), model(*args)))
    assert other.num_blocks == 7 and other.proxy is kernel.proxy and other.model is not specified
    other.check((np.zeros(200, np.float32),), {}, None)
    assert seen and kernel.model is specified
    assert isinstance(kernel.inner_kernel.target, ModelTarget)
