"""Draws as ArviZ's DataTree: its groups, names and axes, and ArviZ's functions on them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import sojourn
import sojourn.distributions as dist
from sojourn.infer import MCMC, NUTS, Predictive, log_likelihood
from sojourn_hmc import HMC

SCHOOLS = ["Choate", "Deerfield", "Andover", "Exeter"]
Y = np.array([28.0, 8.0, -3.0, 7.0], np.float32)
SIGMA = np.array([15.0, 10.0, 16.0, 11.0], np.float32)


@pytest.fixture(scope="module", autouse=True)
def arviz_base(foreign):
    return foreign("arviz_base")


def model(sigma, y=None):
    mu = sojourn.sample("mu", dist.Normal(0.0, 5.0))
    weights = sojourn.sample("weights", dist.Dirichlet(jnp.ones(3)), infer={"event_dims": ["kind"]})
    with sojourn.plate("school", len(sigma)):
        effect = sojourn.sample("effect", dist.Normal(mu, 5.0))
        sojourn.deterministic("double", 2 * effect)
        sojourn.deterministic("total", jnp.sum(effect))
        sojourn.sample("y", dist.Normal(effect, sigma), obs=y)
    sojourn.factor("pull", -0.1 * weights[0])


@pytest.fixture(scope="module")
def mcmc():
    mcmc = MCMC(
        NUTS(model),
        num_warmup=150,
        num_samples=200,
        num_chains=2,
        chain_method="vectorized",
        progress_bar=False,
        report=False,
    )
    fields = ("potential_energy", "accept_prob", "num_steps", "energy", "adapt_state.step_size")
    mcmc.warmup(jax.random.key(0), SIGMA, y=Y, collect_warmup=True, extra_fields=fields)
    mcmc.run(jax.random.key(1), SIGMA, y=Y, extra_fields=fields)
    return mcmc


@pytest.fixture(scope="module")
def tree(mcmc):
    samples = mcmc.get_samples()
    predict = Predictive(model, samples)
    anew = Predictive(model, {name: samples[name] for name in ("mu", "weights")})
    prior = Predictive(model, num_samples=100)
    return mcmc.to_datatree(
        log_likelihood=True,
        posterior_predictive={"y": predict(jax.random.key(2), SIGMA)["y"]},
        predictions={"y": anew(jax.random.key(2), SIGMA[:2])["y"]},
        prior=prior(jax.random.key(3), SIGMA),
        constant_data={"sigma": SIGMA},
        predictions_constant_data={"sigma": SIGMA[:2]},
        coords={"school": SCHOOLS},
        dims={"sigma": ["school"]},
        pred_coords={"school": SCHOOLS[:2]},
    )


def test_groups_and_axes_follow_the_schema(tree):
    assert {group.strip("/") for group in tree.groups} - {""} == {
        "posterior",
        "sample_stats",
        "warmup_posterior",
        "warmup_sample_stats",
        "log_likelihood",
        "posterior_predictive",
        "predictions",
        "prior",
        "prior_predictive",
        "observed_data",
        "constant_data",
        "predictions_constant_data",
    }
    axes = {name: values.dims for name, values in tree["posterior"].data_vars.items()}
    assert axes == {
        "mu": ("chain", "draw"),
        "weights": ("chain", "draw", "kind"),
        "effect": ("chain", "draw", "school"),
        "double": ("chain", "draw", "school"),
        "total": ("chain", "draw"),
    }
    assert list(tree["posterior"]["school"].values) == SCHOOLS
    assert list(tree["predictions"]["school"].values) == SCHOOLS[:2]
    assert tree["observed_data"]["y"].dims == tree["constant_data"]["sigma"].dims == ("school",)
    assert tree["log_likelihood"]["y"].dims == ("chain", "draw", "school")
    assert set(tree["prior"].data_vars) == {"mu", "weights", "effect", "double", "total"}
    assert set(tree["prior_predictive"].data_vars) == {"y"}
    assert tree["prior"]["effect"].shape == (1, 100, 4)
    assert tree.attrs["inference_library"] == "sojourn"
    assert tree["posterior"].attrs["inference_library_version"] == sojourn.__version__


def test_values_are_those_of_the_run(mcmc, tree):
    for name, value in mcmc.get_samples(group_by_chain=True).items():
        np.testing.assert_array_equal(tree["posterior"][name], value)
    np.testing.assert_array_equal(tree["observed_data"]["y"], Y)
    expected = log_likelihood(model, mcmc.get_samples(), SIGMA, y=Y)["y"]
    computed = np.asarray(tree["log_likelihood"]["y"]).reshape(-1, 4)
    np.testing.assert_allclose(computed, expected, rtol=1e-5)
    effect = np.asarray(tree["posterior"]["effect"])
    density = -0.5 * ((Y - effect) / SIGMA) ** 2 - np.log(SIGMA) - 0.5 * np.log(2 * np.pi)
    np.testing.assert_allclose(tree["log_likelihood"]["y"], density, rtol=1e-4)


def test_statistics_have_the_names_and_signs_of_arviz(mcmc, tree):
    stats = tree["sample_stats"]
    fields = mcmc.get_extra_fields(group_by_chain=True)
    assert set(stats.data_vars) == {
        "lp",
        "acceptance_rate",
        "n_steps",
        "tree_depth",
        "energy",
        "step_size",
        "diverging",
    }
    np.testing.assert_array_equal(stats["lp"], -fields["potential_energy"])
    np.testing.assert_array_equal(stats["n_steps"], fields["num_steps"])
    # 1 step is a tree of depth 1; 2 and 3 are of depth 2; 4 to 7 of depth 3.
    steps = np.asarray(stats["n_steps"])
    np.testing.assert_array_equal(stats["tree_depth"], np.floor(np.log2(steps)) + 1)
    # lp is the log density up to the transforms and the factor: it rises and falls with it.
    posterior = {name: np.asarray(tree["posterior"][name], float) for name in ("mu", "effect")}
    effect, mu = posterior["effect"], posterior["mu"]
    log_density = -0.5 * (mu / 5) ** 2 - 0.5 * np.sum(((effect - mu[..., None]) / 5) ** 2, -1)
    log_density += np.asarray(tree["log_likelihood"]["y"]).sum(-1)
    assert np.corrcoef(log_density.ravel(), np.asarray(stats["lp"]).ravel())[0, 1] > 0.5


def test_a_warmup_has_groups_of_its_own(mcmc, tree):
    assert tree["warmup_posterior"]["effect"].shape == (2, 150, 4)
    assert tree["warmup_sample_stats"]["step_size"].shape == (2, 150)
    early = np.asarray(tree["warmup_sample_stats"]["step_size"])
    assert (np.ptp(early, axis=1) > 0).all()
    late = np.asarray(tree["sample_stats"]["step_size"])
    assert (np.ptp(late, axis=1) == 0).all()


def test_arviz_summarises_compares_and_plots(tree, foreign):
    stats, plots = foreign("arviz_stats"), foreign("arviz_plots")
    foreign("matplotlib").use("agg")
    table = stats.summary(tree, var_names=["mu", "effect"])
    assert len(table) == 5 and "effect[Andover]" in table.index
    loo = stats.loo(tree, pointwise=True)
    assert np.isfinite(loo.elpd) and loo.elpd_i.shape == (4,)
    plots.plot_trace_dist(tree, var_names=["mu"], backend="none")
    plots.plot_forest(tree, var_names=["effect"], backend="none")
    plots.plot_ppc_dist(tree, backend="none")
    plots.plot_energy(tree, backend="none")


@pytest.fixture(scope="module")
def on_a_potential():
    mcmc = MCMC(
        HMC(potential_fn=lambda z: 0.5 * jnp.sum(z**2), trajectory_length=1.5),
        num_warmup=5,
        num_samples=8,
        thinning=2,
        progress_bar=False,
    )
    mcmc.run(jax.random.key(0), init_params=jnp.zeros(3))
    return mcmc


def test_a_run_on_a_potential_has_the_statistics_of_its_report(on_a_potential):
    tree = on_a_potential.to_datatree()
    assert tree["posterior"]["Param:0"].shape == (1, 4, 3)
    assert set(tree["sample_stats"].data_vars) == {"diverging", "energy"}
    assert {group.strip("/") for group in tree.groups} == {"", "posterior", "sample_stats"}
    with pytest.raises(ValueError, match="needs a model with observed sites"):
        on_a_potential.to_datatree(log_likelihood=True)


def test_arviz_own_converter_reads_it_too(on_a_potential, arviz_base):
    pytest.importorskip("numpyro")  # which that converter imports
    # From ArviZ 1.0 on the converter takes what is not NumPyro's by an adapter.
    adapt = getattr(arviz_base.io_numpyro, "MCMCAdapter", lambda mcmc: mcmc)
    tree = arviz_base.from_numpyro(adapt(on_a_potential))
    ours = on_a_potential.to_datatree()
    np.testing.assert_array_equal(tree["posterior"]["Param:0"], ours["posterior"]["Param:0"])


def test_what_does_not_fit_is_named(mcmc):
    with pytest.raises(ValueError, match=r"posterior_predictive\['y'\] has shape \(7, 4\)"):
        mcmc.to_datatree(posterior_predictive={"y": np.zeros((7, 4))})
    with pytest.raises(ValueError, match=r"coords\['school'\] has 3 labels, but that axis"):
        mcmc.to_datatree(coords={"school": SCHOOLS[:3]})
    with pytest.raises(ValueError, match=r"dims\['mu'\] names 1 axes"):
        mcmc.to_datatree(dims={"mu": ["school"]})
    fresh = MCMC(NUTS(model), num_warmup=1, num_samples=1, progress_bar=False)
    with pytest.raises(RuntimeError, match="call run"):
        fresh.to_datatree()


def test_a_warmup_alone_and_a_traced_run(mcmc, on_a_potential):
    kernel = on_a_potential.sampler
    alone = MCMC(kernel, num_warmup=5, num_samples=8, progress_bar=False)
    alone.warmup(jax.random.key(0), init_params=jnp.zeros(3), collect_warmup=True)
    tree = alone.to_datatree()
    assert {group.strip("/") for group in tree.groups} == {
        "",
        "warmup_posterior",
        "warmup_sample_stats",
    }
    with pytest.raises(ValueError, match="needs draws of the posterior"):
        alone.to_datatree(posterior_predictive={"y": np.zeros(8)})

    def traced(key):
        run = MCMC(kernel, num_warmup=0, num_samples=2, progress_bar=False)
        run.run(key, init_params=jnp.zeros(3))
        run.to_datatree()

    with pytest.raises(RuntimeError, match="while the run is traced"):
        jax.jit(traced)(jax.random.key(0))
