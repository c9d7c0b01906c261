"""What a run of a model promises, whatever its chains, its display and its history."""

import pickle

import jax
import numpy as np
import pytest

import sojourn
import sojourn.distributions as dist
from sojourn.diagnostics import SamplingWarning
from sojourn.infer import HMC, MCMC, NUTS

# Runs are too short to adapt well, which is not what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore:.*transitions diverged")

SIGMA = np.array([15.0, 10.0, 16.0])
Y = np.array([28.0, 8.0, -3.0])
FIELDS = ("adapt_state.step_size", "z.tau", "num_steps")


def schools(sigma, y=None):
    mu = sojourn.sample("mu", dist.Normal(0, 5))
    tau = sojourn.sample("tau", dist.HalfNormal(5))
    with sojourn.plate("school", len(sigma)):
        z = sojourn.sample("z", dist.Normal(0, 1))
        theta = sojourn.deterministic("theta", mu + tau * z)
        sojourn.sample("y", dist.Normal(theta, sigma), obs=y)


# One kernel for all: its programs are compiled once.
KERNEL = NUTS(schools)


def make(**settings):
    defaults = {"num_warmup": 60, "num_samples": 90, "num_chains": 2, "progress_bar": False}
    return MCMC(KERNEL, **{**defaults, **settings})


def run(key=None, extra_fields=(), **settings):
    mcmc = make(**settings)
    key = jax.random.key(8) if key is None else key
    mcmc.run(key, SIGMA, y=Y, extra_fields=extra_fields)
    return mcmc


def draws(mcmc, **options):
    samples = mcmc.get_samples(group_by_chain=True, **options)
    return {site: np.asarray(values) for site, values in samples.items()}


def assert_same(left, right):
    """Equal bit for bit."""
    assert left.keys() == right.keys()
    for site in left:
        np.testing.assert_array_equal(left[site], right[site], err_msg=site)


def cut(samples, *index):
    return {site: values[index] for site, values in samples.items()}


# --- chain i is chain i -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def four_chains():
    return draws(run(num_chains=4))


def test_samples_hold_latent_and_deterministic_sites(four_chains):
    shapes = {site: values.shape for site, values in four_chains.items()}
    assert shapes == {"mu": (4, 90), "tau": (4, 90), "z": (4, 90, 3), "theta": (4, 90, 3)}
    expected = four_chains["mu"][..., None] + four_chains["tau"][..., None] * four_chains["z"]
    np.testing.assert_allclose(four_chains["theta"], expected, rtol=1e-4, atol=1e-4)
    assert len({values.tobytes() for values in four_chains["mu"]}) == 4  # chains differ


@pytest.mark.parametrize("num_chains", [1, 2, 4])
@pytest.mark.parametrize("chain_method", ["parallel", "sequential"])
def test_a_chain_does_not_depend_on_the_others(four_chains, num_chains, chain_method):
    mcmc = run(num_chains=num_chains, chain_method=chain_method)
    assert_same(draws(mcmc), cut(four_chains, slice(num_chains)))


def test_vectorized_chains_start_the_same(four_chains):
    """One batch computes the same in another order: the first draws are equal within rounding."""
    settings = {"num_warmup": 0, "num_samples": 2, "num_chains": 4}
    batched = draws(run(chain_method="vectorized", **settings))
    single = draws(run(**settings))
    for site, values in single.items():
        np.testing.assert_allclose(batched[site], values, rtol=1e-3, atol=1e-3, err_msg=site)


@pytest.mark.parametrize("make_key", [jax.random.key, jax.random.PRNGKey], ids=["typed", "legacy"])
def test_a_batch_of_keys_gives_each_chain_its_own(four_chains, make_key):
    key = make_key(8)
    assert_same(draws(run(key, num_chains=4)), four_chains)
    keys = jax.vmap(lambda chain: jax.random.fold_in(key, chain))(np.arange(4))
    assert_same(draws(run(keys, num_chains=4)), four_chains)
    assert_same(draws(run(keys[::-1], num_chains=4)), cut(four_chains, slice(None, None, -1)))


def test_another_seed_is_another_run(four_chains):
    other = draws(run(jax.random.key(9), num_chains=4))
    assert not np.any(other["mu"] == four_chains["mu"])


def test_the_display_changes_nothing(four_chains, capsys):
    mcmc = run(num_chains=4, progress_bar=True)
    assert "600/600" in capsys.readouterr().err  # 4 chains of 60 + 90 transitions
    assert_same(draws(mcmc), four_chains)
    silent = run(num_chains=4, progress_bar=False)
    assert capsys.readouterr().err == ""
    jax.tree.map(np.testing.assert_array_equal, *map(numbers, (mcmc.last_state, silent.last_state)))


def numbers(state):
    """A state with its keys as numbers."""
    return state._replace(rng_key=jax.random.key_data(state.rng_key))


# --- which draws are kept -----------------------------------------------------------------------


@pytest.mark.parametrize("thinning", [1, 2, 7, 90])
def test_thinning_keeps_every_nth_and_the_last(thinning):
    every = draws(run(extra_fields=FIELDS))
    mcmc = run(thinning=thinning, extra_fields=FIELDS)
    first = 90 % thinning + thinning - 1
    kept = cut(every, slice(None), slice(first, None, thinning))
    assert_same(draws(mcmc), kept)
    assert_same(cut(kept, slice(None), -1), cut(every, slice(None), -1))
    assert kept["mu"].shape == (2, 90 // thinning)
    assert mcmc.get_extra_fields()["num_steps"].shape == (2 * (90 // thinning),)


def test_extra_fields_are_named_with_dots():
    mcmc = run(extra_fields=FIELDS)
    fields = mcmc.get_extra_fields(group_by_chain=True)
    assert set(fields) == {"diverging", *FIELDS}
    assert all(values.shape == (2, 90) for values in fields.values())
    step_sizes = np.asarray(fields["adapt_state.step_size"])
    assert np.all(step_sizes == step_sizes[:, :1])  # fixed after the warmup
    assert np.all(step_sizes > 0)
    # "z.tau" is the unconstrained value of the positive site.
    tau = np.asarray(mcmc.get_samples(group_by_chain=True)["tau"])
    np.testing.assert_allclose(np.exp(fields["z.tau"]), tau, rtol=1e-5)


def test_a_site_can_be_left_out(four_chains):
    mcmc = run(num_chains=4, extra_fields=("~z.z", "~z.theta"))
    assert_same(draws(mcmc), {site: four_chains[site] for site in ("mu", "tau")})


def test_chains_are_joined_one_after_the_other(four_chains):
    mcmc = run(num_chains=4, extra_fields=("num_steps",))
    for site, values in mcmc.get_samples().items():
        np.testing.assert_array_equal(values, four_chains[site].reshape(360, *values.shape[1:]))
    grouped = mcmc.get_extra_fields(group_by_chain=True)["num_steps"]
    np.testing.assert_array_equal(mcmc.get_extra_fields()["num_steps"], np.ravel(grouped))


# --- warmup, and going on -----------------------------------------------------------------------


@pytest.mark.parametrize("num_chains", [1, 2])
@pytest.mark.parametrize("key", ["same", "of-the-state"])
def test_warmup_and_run_are_one_run(four_chains, num_chains, key):
    mcmc = make(num_chains=num_chains)
    mcmc.warmup(jax.random.key(8), SIGMA, y=Y)
    run_key = jax.random.key(8) if key == "same" else mcmc.post_warmup_state.rng_key
    mcmc.run(run_key, SIGMA, y=Y)
    assert_same(draws(mcmc), cut(four_chains, slice(num_chains)))


def test_the_warmup_can_be_collected():
    mcmc = make()
    mcmc.warmup(jax.random.key(8), SIGMA, y=Y, collect_warmup=True)
    assert mcmc.get_samples(group_by_chain=True)["theta"].shape == (2, 60, 3)


@pytest.mark.parametrize("num_chains", [1, 2])
@pytest.mark.parametrize("chain_method", ["parallel", "vectorized"])
def test_a_run_goes_on_from_its_last_state(num_chains, chain_method):
    settings = {"num_chains": num_chains, "chain_method": chain_method}
    whole = draws(run(num_samples=90, **settings))
    mcmc = run(num_samples=30, **settings)
    parts = [draws(mcmc)]
    for _ in range(2):
        mcmc.post_warmup_state = mcmc.last_state
        mcmc.run(mcmc.post_warmup_state.rng_key, SIGMA, y=Y)
        parts.append(draws(mcmc))
    assert_same({site: np.concatenate([part[site] for part in parts], 1) for site in whole}, whole)


def test_a_state_serves_another_run(four_chains):
    """One warmup, many runs: a state is data, and other data of the same shape may follow."""
    warm = make(num_chains=4)
    warm.warmup(jax.random.key(8), SIGMA, y=Y)
    other = make(num_chains=4)
    other.post_warmup_state = warm.post_warmup_state
    other.run(jax.random.key(8), SIGMA, y=Y)
    assert_same(draws(other), four_chains)
    other.post_warmup_state = None  # a warmup comes first again
    other.run(jax.random.key(8), SIGMA, y=Y)
    assert_same(draws(other), four_chains)


# --- a run that is broken off -------------------------------------------------------------------


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
@pytest.mark.parametrize("num_chains", [1, 2])
def test_a_run_that_is_broken_off_keeps_its_draws(error, num_chains):
    def fail(view):
        if view.phase == "sample":
            raise error("stop")

    num_samples = 40_000  # more than one chunk holds
    settings = {"num_chains": num_chains, "num_samples": num_samples}
    whole = draws(run(**settings))
    mcmc = make(**settings)
    with pytest.warns(SamplingWarning, match="broken off"), pytest.raises(error, match="stop"):
        mcmc.run(jax.random.key(8), SIGMA, y=Y, callback=fail)
    completed = draws(mcmc)
    number = completed["mu"].shape[1]
    assert 0 < number < num_samples
    assert_same(completed, cut(whole, slice(None), slice(number)))
    assert completed["theta"].shape == (num_chains, number, 3)
    # Nothing is left behind: the same object runs again.
    mcmc.run(jax.random.key(8), SIGMA, y=Y)
    assert_same(draws(mcmc), whole)


# --- models without latent sites, and other models ----------------------------------------------


def empty():
    pass


def derived_only():
    sojourn.deterministic("pair", np.array([1.0, 2.0]))


def observed_only():
    sojourn.sample("y", dist.Normal(0, 1), obs=np.array([0.5, -1.0]))


@pytest.mark.parametrize("chain_method", ["parallel", "sequential", "vectorized"])
@pytest.mark.parametrize(
    "model, shapes",
    [(empty, {}), (derived_only, {"pair": (40, 2)}), (observed_only, {})],
    ids=["empty", "derived-only", "observed-only"],
)
def test_a_model_without_latent_sites_runs(model, shapes, chain_method, capsys):
    mcmc = MCMC(
        NUTS(model),
        num_warmup=5,
        num_samples=20,
        num_chains=2,
        chain_method=chain_method,
        progress_bar=False,
    )
    mcmc.run(jax.random.key(0))
    samples = mcmc.get_samples()
    assert {site: values.shape for site, values in samples.items()} == shapes
    for values in samples.values():
        np.testing.assert_array_equal(values, np.tile([1.0, 2.0], (40, 1)))
    mcmc.print_summary()
    assert "Number of divergences: 0" in capsys.readouterr().out
    mcmc.print_summary(exclude_deterministic=False)
    assert ("pair[1]" in capsys.readouterr().out) == bool(shapes)


def either(positive):
    name = "scale" if positive else "location"
    sojourn.sample(name, dist.HalfNormal(1) if positive else dist.Normal(0, 1))


def test_one_object_runs_models_of_different_sites():
    mcmc = MCMC(NUTS(either), num_warmup=10, num_samples=10, progress_bar=False)
    for positive in (True, False, True):
        mcmc.run(jax.random.key(0), positive)
        assert set(mcmc.get_samples()) == {"scale" if positive else "location"}


def test_zero_sized_sites_run():
    def model():
        sojourn.sample("nothing", dist.Normal(np.zeros((0, 3)), 1).to_event(2))
        sojourn.sample("x", dist.Normal(0, 1))

    mcmc = MCMC(NUTS(model), num_warmup=10, num_samples=20, num_chains=2, progress_bar=False)
    mcmc.run(jax.random.key(0))
    shapes = {site: values.shape for site, values in mcmc.get_samples().items()}
    assert shapes == {"nothing": (40, 0, 3), "x": (40,)}
    mcmc.print_summary()


def test_a_kernel_with_programs_can_be_pickled(four_chains):
    assert KERNEL.programs
    copy = MCMC(
        pickle.loads(pickle.dumps(KERNEL)),
        num_warmup=60,
        num_samples=90,
        num_chains=4,
        progress_bar=False,
    )
    copy.run(jax.random.key(8), SIGMA, y=Y)
    assert_same(draws(copy), four_chains)


def test_initial_values_are_where_chains_start():
    """With a tiny step the first draw is next to the start that is given for its chain."""
    kernel = HMC(schools, step_size=1e-6, num_steps=1, adapt_step_size=False)
    mcmc = MCMC(kernel, num_warmup=0, num_samples=1, num_chains=2, progress_bar=False)
    start = {"mu": np.array([1.0, -3.0]), "tau": np.log([2.0, 0.5]), "z": np.ones((2, 3))}
    mcmc.run(jax.random.key(0), SIGMA, y=Y, init_params=start)
    first = draws(mcmc)
    np.testing.assert_allclose(first["mu"], [[1.0], [-3.0]], rtol=1e-4)
    np.testing.assert_allclose(first["tau"], [[2.0], [0.5]], rtol=1e-4)
    np.testing.assert_allclose(first["z"], np.ones((2, 1, 3)), rtol=1e-4)
