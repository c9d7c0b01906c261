"""What cannot be sampled is refused before anything compiles, with site and remedy."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

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
from sojourn_hmc import SamplingWarning
from sojourn_infer import HMC, MCMC, NUTS, SA
from sojourn_infer.sites import abstract_trace
from sojourn_primitives import plate, sample


def model():
    x = sample("x", dist.Normal(0.0, 1.0))
    rate = sample("rate", dist.Exponential(1.0))
    with plate("three", 3):
        k = sample("k", dist.Poisson(rate))
    sample("y", dist.Normal(x + k.sum(), 1.0), obs=2.0)


def other():
    sample("x", dist.Normal(0.0, 1.0))


def vectors():
    sample("x", dist.Normal(0.0, 1.0))
    sample("v", dist.Multinomial(3, np.ones(3) / 3))


def shifting():
    n = sample("n", dist.Gamma(2.0, 1.0))
    sample("x", dist.Uniform(0.0, n))
    sample("c", dist.Bernoulli(0.5))


def run(kernel, **options):
    mcmc = MCMC(kernel, num_warmup=2, num_samples=2, progress_bar=False)
    mcmc.run(jax.random.key(0), **options)


def returning(value, sites=("k",), on=model):
    return HMCGibbs(NUTS(on), lambda rng_key, gibbs_sites, hmc_sites: value, list(sites))


def case(name, make, error, match, **options):
    return pytest.param(
        SimpleNamespace(make=make, error=error, match=match, options=options), id=name
    )


CONSTRUCTION = [
    case("no kernel", lambda: HMCGibbs(NUTS, None, ["x"]), TypeError, r"NUTS\(model\)"),
    case("no function", lambda: HMCGibbs(NUTS(model), 3, ["x"]), TypeError, "gibbs_fn must be a"),
    case("a string", lambda: Gibbs([(NUTS(model), "x")]), TypeError, r"write \['x'\]"),
    case("no sites", lambda: returning({}, ()), ValueError, "name its sites"),
    case("no model", lambda: HMCGibbs(NUTS(potential_fn=lambda z: z), dict, ["x"]),
         TypeError, "model function"),
    case("NUTS inside", lambda: MixedHMC(NUTS(model)), TypeError, r"needs HMC\(model"),
    case("no updates", lambda: MixedHMC(HMC(model), num_discrete_updates=0), ValueError,
         "at least 1, got 0"),
    case("two models", lambda: Gibbs([(DiscreteGibbs(model), ["k"]), (NUTS(other), None)]),
         ValueError, "one model"),
    case("two remainders", lambda: Gibbs([(NUTS(model), None), (HMC(model), None)]),
         ValueError, "only one block"),
    case("a composition", lambda: Gibbs([(returning({}), ["k"]), (NUTS(model), None)]),
         TypeError, "list its blocks"),
    case("a population", lambda: DiscreteHMCGibbs(SA(model)), TypeError, "lacks refresh"),
    case("functions alone", lambda: Gibbs([(CustomGibbs(dict), ["k"])]), ValueError,
         "at least one block"),
]  # fmt: skip

RUNS = [
    case("unknown site", lambda: returning({}, ["z"]), ValueError, "no latent site 'z'"),
    case("observed site", lambda: returning({}, ["y"]), ValueError, "'y' is observed"),
    case("not a dict", lambda: returning(3.0), TypeError, "must return a dict"),
    case("another name", lambda: returning({"z": 1}), ValueError, r"exactly its sites \['k'\]"),
    case("another shape", lambda: returning({"k": jnp.ones(2, int)}), ValueError,
         r"shape \(2,\) for site 'k', which has shape \(3,\)"),
    case("another type", lambda: returning({"k": jnp.ones(3)}), TypeError,
         "float32 for site 'k', which holds int32"),
    case("outside", lambda: returning({"k": jnp.array([1, -1, -2])}), ValueError,
         "'k' that lies outside of the site's support, in 2"),
    case("left over", lambda: Gibbs([(NUTS(model), ["x", "rate"])]), ValueError,
         r"no block moves \['k'\]"),
    case("twice", lambda: Gibbs([(DiscreteGibbs(model), ["k"]), (NUTS(model), ["x", "k"])]),
         ValueError, "'k' belongs to blocks 0 and 1"),
    case("discrete under NUTS", lambda: Gibbs([(NUTS(model), None)]), ValueError,
         r"NUTS moves continuous sites only, but \['k'\]"),
    case("continuous under Gibbs", lambda: DiscreteGibbs(model), ValueError, "are continuous"),
    case("nothing discrete", lambda: DiscreteHMCGibbs(NUTS(other)), ValueError,
         "no discrete latent site"),
    case("nothing discrete, mixed", lambda: MixedHMC(HMC(other)), ValueError,
         "no discrete latent site"),
    case("vectors", lambda: DiscreteHMCGibbs(NUTS(vectors)), ValueError, "'v' .*vectors of shape"),
    case("a support that moves",
         lambda: Gibbs([(NUTS(shifting), ["n"]), (MixedHMC(HMC(shifting)), None)]),
         ValueError, r"support of \['x'\] depends on \['n'\]"),
    case("function alone", lambda: CustomGibbs(dict), ValueError, "make it a block"),
    case("init_params of no site", lambda: DiscreteHMCGibbs(NUTS(model)), ValueError, "'q'",
         init_params={"q": 1.0}),
    case("init_params of a wrong shape", lambda: DiscreteHMCGibbs(NUTS(model)), ValueError,
         r"'k'\] has shape \(\), but the value of this site has shape \(3,\)",
         init_params={"k": 1}),
    case("init_params no integers", lambda: MixedHMC(HMC(model)), TypeError, "must be integers",
         init_params={"k": np.ones(3)}),
    case("init_params outside", lambda: DiscreteHMCGibbs(NUTS(model)), ValueError,
         "cannot start a chain", init_params={"x": 0.0, "rate": 0.0, "k": np.array([1, -1, 0])}),
]  # fmt: skip


@pytest.mark.parametrize("case", CONSTRUCTION)
def test_refused_at_construction(case):
    with pytest.raises(case.error, match=case.match):
        case.make()


@pytest.mark.parametrize("case", RUNS)
def test_refused_before_sampling(case):
    kernel = case.make()
    with pytest.raises(case.error, match=case.match):
        run(kernel, **case.options)


def test_values_outside_of_the_support_are_reported_after_a_run():
    def later(rng_key, gibbs_sites, hmc_sites):
        return {"k": gibbs_sites["k"] - 1}  # below zero after some transitions

    start = {"x": 0.0, "rate": 0.0, "k": np.array([1, 5, 5])}
    kernel = HMCGibbs(HMC(model, num_steps=1), later, ["k"])
    mcmc = MCMC(kernel, num_warmup=0, num_samples=20, progress_bar=False)
    with pytest.warns(SamplingWarning, match="outside of its support"):
        mcmc.run(jax.random.key(0), init_params=start)


def test_the_selection_of_discrete_sites_leaves_out_what_is_summed_out():
    def marked():
        sample("a", dist.Bernoulli(0.5), infer={"enumerate": "parallel"})
        sample("b", dist.Bernoulli(0.5))
        sample("x", dist.Normal(0.0, 1.0))

    names = []
    abstract_trace(
        marked, (), {}, lambda site: None, lambda trace: names.extend(discrete_latent_sites(trace))
    )
    assert names == ["b"]
