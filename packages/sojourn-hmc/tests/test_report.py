"""The report: it names what is wrong, says nothing of a good run, and costs next to nothing."""

import re
import subprocess
import sys
import warnings
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sojourn_hmc import MCMC, NUTS, MCMCKernel, SamplingWarning, problems
from sojourn_hmc.report import report
from sojourn_hmc.screening import screen

KEY = jax.random.key(0)


def independent(seed=0, shape=(4, 1000, 8)):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def correlated(time, seed=0, shape=(4, 1000, 8)):
    """AR(1) chains of which ``time`` draws count as one."""
    x = independent(seed, shape)
    r = (time - 1) / (time + 1)
    for t in range(1, shape[1]):
        x[:, t] = r * x[:, t - 1] + np.sqrt(1 - r**2) * x[:, t]
    return x


def lines(**sites):
    return report(sites, sites, []).splitlines()


@pytest.mark.parametrize("shape", [(1, 400, 20), (1, 2000, 20), (4, 500, 20), (4, 1000, 20)])
@pytest.mark.parametrize("time", [0.5, 1, 2])
def test_good_chains_are_passed_over(shape, time):
    assert lines(x=correlated(time, 3, shape)) == []


@pytest.mark.parametrize("num_draws", [1, 3, 99, 399])
def test_short_chains_are_not_judged(num_draws):
    assert lines(x=np.cumsum(independent(shape=(2, num_draws, 3)), 1)) == []


def test_constants_counts_and_wide_ranges_are_no_problems():
    x = independent()
    matrix = np.zeros((4, 1000, 2, 2), np.float32)  # a Cholesky factor
    matrix[..., 0, 0] = 1
    matrix[..., 1, :] = x[..., :2]
    counts = np.random.default_rng(1).poisson(0.3, (4, 1000))
    cauchy = np.random.default_rng(2).standard_cauchy((4, 1000))
    far = 1e6 + x[..., 0].astype(float)
    assert lines(m=matrix, n=counts, flag=counts > 0, c=cauchy, far=far, empty=x[..., :0]) == []


def apart(x):
    x[0, :, 3] += 0.5


def of_unlike_scale(x):
    x[0, :, 3] *= 2


def with_a_trend(x):
    x[:, :, 3] += np.linspace(0, 2, 1000)


def in_two_modes(x):
    x[2:, :, 3] += 50


@pytest.mark.parametrize("spoil", [apart, of_unlike_scale, with_a_trend, in_two_modes])
def test_chains_that_disagree(spoil):
    theta = independent()
    spoil(theta)
    found = lines(mu=independent(1)[..., 0], theta=theta)
    assert re.match(r"R-hat is above 1.01 \(theta\[3\] \d+\.\d\d\): ", found[0])


def test_few_effective_draws_and_where():
    found = lines(ok=independent(), slow=correlated(40, shape=(4, 1000, 2, 3)))
    (size,) = [line for line in found if "effective sample size" in line]
    assert "below 400" in size and "slow[" in size and "and 3 more" in size and "ok" not in size
    # Shorter chains are held to a tenth of their draws.
    (size,) = lines(slow=correlated(30, 1, (4, 500)))[-1:]
    assert "below 200" in size and "slow " in size


def test_draws_that_rarely_reach_the_tails():
    """Bulk is fine; now and then a chain goes far out and stays for a while."""
    x = independent()[..., 0]
    for chain, start in ((0, 100), (1, 300), (2, 800)):
        x[chain, start : start + 90] += 6
    assert any("effective sample size" in line for line in lines(x=x))


def test_a_chain_that_never_moves():
    x, y = independent(), independent(1)[..., 0]
    x[2], y[2] = 0.25, 1.0
    found = lines(x=x, y=y)
    assert found[0].startswith("chain 2 of 4 never moved")
    y[2, 500] = 2
    assert not any("never moved" in line for line in lines(x=x, y=y))


def test_draws_that_are_not_finite():
    x = independent()
    x[1, 7, 4] = np.inf
    x[2, 7, 5] = np.nan
    (line,) = lines(x=x)
    assert line.startswith("draws of x[4], x[5] are infinite or NaN")


def test_screening_passes_good_components_to_no_library():
    suspects = screen(independent(shape=(4, 1000, 300)), 400)
    assert suspects.doubtful.size == 0
    bad = correlated(30, shape=(4, 1000, 300))
    bad[..., 100:] = independent(1, (4, 1000, 200))
    assert screen(bad, 400).doubtful.size == 100
    assert set(screen(bad, 400).doubtful) == set(range(100))


def test_energies():
    rng = np.random.default_rng(0)
    good = rng.normal(size=(3, 1000))
    assert problems.low_energy_information(good) == []
    slow = correlated(20, shape=(3, 1000))
    slow[1] = good[1]
    (line,) = problems.low_energy_information(slow)
    assert line.startswith("E-BFMI is below 0.3 (chain 0 0.") and "chain 1" not in line
    assert problems.low_energy_information(slow[:, :99]) == []
    assert problems.low_energy_information(np.ones((2, 500))) == []


def test_saturated_trees():
    steps = np.full((2, 500), 3)
    assert problems.saturated_trees(steps, 3) == []
    steps[0, :9] = 7
    assert problems.saturated_trees(steps, 3) == []
    steps[0, :10] = 7
    (line,) = problems.saturated_trees(steps, 3)
    assert line.startswith("10 of 1000 trajectories") and "max_tree_depth" in line


class WalkState(NamedTuple):
    x: jax.Array
    far: jax.Array
    rng_key: jax.Array


class Walk(MCMCKernel):
    """A random walk that nothing holds back, and that watches a field of its own."""

    sample_field = "x"
    watched_fields = ("far",)
    pull = 1.0

    def init(self, rng_key, num_warmup, init_params, model_args, model_kwargs):
        return WalkState(init_params, jnp.zeros(()), rng_key)

    def sample(self, state, model_args, model_kwargs):
        rng_key, for_step = jax.random.split(state.rng_key)
        x = self.pull * state.x + jax.random.normal(for_step, state.x.shape)
        return WalkState(x, jnp.abs(x[0]), rng_key)

    def find_problems(self, fields):
        assert fields["far"].shape == (2, 500)
        return [f"went as far as {fields['far'].max():.0f}"]


def walk(kernel, **settings):
    mcmc = MCMC(kernel, num_warmup=0, num_samples=500, num_chains=2, progress_bar=False, **settings)
    mcmc.run(KEY, init_params=np.zeros((2, 3), np.float32))
    return mcmc


@pytest.mark.parametrize("method", ["parallel", "vectorized"])
def test_one_warning_with_what_the_kernel_and_the_draws_say(method):
    with pytest.warns(SamplingWarning) as caught:
        mcmc = walk(Walk(), chain_method=method)
    (warning,) = caught
    found = str(warning.message).splitlines()
    assert found[0].startswith("went as far as ")
    assert found[1].startswith("R-hat is above 1.01 (Param:0[")
    assert "effective sample size is below 100" in found[2] and len(found) == 3
    assert warning.filename == __file__
    assert mcmc.get_extra_fields() == {}


def test_the_report_can_be_turned_off():
    quiet = walk(Walk(), report=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SamplingWarning)
        mcmc = walk(Walk())
    np.testing.assert_array_equal(mcmc.get_samples(), quiet.get_samples())


def test_watched_fields_are_shown_if_they_are_asked_for():
    kernel = Walk()
    kernel.pull = 0.0
    kernel.find_problems = lambda fields: []
    mcmc = MCMC(kernel, num_warmup=0, num_samples=500, progress_bar=False)
    mcmc.run(KEY, init_params=np.zeros(3, np.float32), extra_fields=("far",))
    assert mcmc.get_extra_fields()["far"].shape == (500,)


def test_a_funnel_tells_of_divergences_and_energies():
    """Neal's: nine values of which the scale is the exponential of a tenth."""
    kernel = NUTS(
        potential_fn=lambda z: (
            z["v"] ** 2 / 18 + 4.5 * z["v"] + 0.5 * jnp.sum(z["x"] ** 2) * jnp.exp(-z["v"])
        )
    )
    mcmc = MCMC(kernel, num_warmup=300, num_samples=1000, num_chains=2, progress_bar=False)
    start = {"v": np.zeros(2, np.float32), "x": np.ones((2, 9), np.float32)}
    with pytest.warns(SamplingWarning) as caught:
        mcmc.run(KEY, init_params=start)
    text = str(caught[0].message)
    assert "transitions diverged" in text and "E-BFMI is below 0.3 (chain" in text
    assert "effective sample size is below 200" in text and "(v " in text
    assert set(mcmc.get_extra_fields()) == {"diverging"}


def test_trees_that_are_cut_off():
    kernel = NUTS(
        potential_fn=lambda z: 0.5 * jnp.sum(z**2),
        step_size=0.05,
        max_tree_depth=(6, 3),
        adapt_step_size=False,
    )
    mcmc = MCMC(kernel, num_warmup=0, num_samples=200, progress_bar=False)
    with pytest.warns(SamplingWarning, match=r"200 of 200 trajectories .* of depth 3 \(7 steps\)"):
        mcmc.run(KEY, init_params=np.zeros(3, np.float32))


def test_deterministic_values_are_not_judged():
    kernel = NUTS(potential_fn=lambda z: 0.5 * jnp.sum(z["x"] ** 2))
    mcmc = MCMC(
        kernel,
        num_warmup=200,
        num_samples=500,
        progress_bar=False,
        postprocess_fn=lambda z: {**z, "same": 0 * z["x"], "far": jnp.inf + z["x"]},
    )
    mcmc.run(KEY, init_params={"x": np.zeros(3, np.float32)})
    assert np.all(mcmc.get_samples()["same"] == 0)


def test_deterministic_values_that_are_not_defined_are_named():
    kernel = NUTS(potential_fn=lambda z: 0.5 * jnp.sum(z["x"] ** 2))
    mcmc = MCMC(
        kernel,
        num_warmup=200,
        num_samples=500,
        progress_bar=False,
        postprocess_fn=lambda z: {**z, "nan": jnp.nan * z["x"]},
    )
    with pytest.warns(SamplingWarning, match="NaN: 'nan' in 500 of 500 draws"):
        mcmc.run(KEY, init_params={"x": np.zeros(3, np.float32)})
    assert np.all(np.isnan(mcmc.get_samples()["nan"]))


def test_a_good_run_does_not_import_the_library():
    code = """if True:
        import sys, jax, numpy as np
        from sojourn_hmc import MCMC, NUTS
        kernel = NUTS(potential_fn=lambda z: 0.5 * (z**2).sum())
        mcmc = MCMC(kernel, num_warmup=300, num_samples=1000, num_chains=2, progress_bar=False)
        mcmc.run(jax.random.key(0), init_params=np.zeros((2, 3), np.float32))
        assert not any(name.startswith(("arviz", "scipy.stats")) for name in sys.modules)
    """
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
