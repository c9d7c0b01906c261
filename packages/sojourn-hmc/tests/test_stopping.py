"""Rules that end a run: what they judge, when, and what is left of the run."""

import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sojourn_hmc import (
    MCMC,
    NUTS,
    EffectiveSampleSize,
    RHat,
    SamplingWarning,
    WallTime,
    ess_bulk,
    ess_tail,
)

KERNEL = NUTS(potential_fn=lambda z: jnp.sum(jnp.exp(z["x"]) - z["x"]))
KEY = jax.random.key(2)
START = {"x": np.zeros((2, 3), np.float32)}


def make(**settings):
    settings = {"num_warmup": 100, "num_samples": 200_000, "num_chains": 2} | settings
    return MCMC(KERNEL, progress_bar=False, **settings)


def test_a_run_ends_with_enough_effective_draws():
    mcmc = make(progress_rate=100)
    mcmc.run(KEY, init_params=START, stop_when=EffectiveSampleSize(500))
    draws = np.asarray(mcmc.get_samples(True)["x"])
    assert mcmc.ended_by == "EffectiveSampleSize(500)" and not mcmc.is_complete
    assert draws.shape[1] < 2000
    assert min(ess_bulk(draws).min(), ess_tail(draws).min()) > 490
    # It goes on to another rule, with the draws of one run.
    mcmc.resume(stop_when=lambda view: view.num_draws >= 3000)
    longer = np.asarray(mcmc.get_samples(True)["x"])
    assert longer.shape[1] >= 3000
    np.testing.assert_array_equal(longer[:, : draws.shape[1]], draws)


class View:
    """A view of draws that grow."""

    phase, seconds = "sample", 0.0

    def __init__(self, draws):
        self.all_draws, self.num_draws, self.looks = draws, 0, 0

    def draws(self):
        self.looks += 1
        return {"x": self.all_draws[:, : self.num_draws]}


def test_draws_are_judged_ever_more_rarely():
    independent = np.random.default_rng(0).normal(size=(2, 10_000, 2))
    view, rule = View(independent), EffectiveSampleSize(1e6)
    for view.num_draws in range(0, 10_000, 10):
        assert not rule(view)
    assert view.looks < 30


def test_the_worst_component_decides():
    draws = np.random.default_rng(0).normal(size=(4, 1000, 3))
    draws[0, :, 1] += 3
    view, good = View(draws), View(draws[:, :, ::2])
    view.num_draws = good.num_draws = 1000
    rule = RHat(1.01)
    assert rule(good) and not rule(view)  # it begins anew with each run
    assert EffectiveSampleSize(1000)(good) and not EffectiveSampleSize(1000)(view)
    draws[0, 0, 0] = np.nan
    view = View(draws[:, :, :1])
    view.num_draws = 1000
    assert not RHat(1.01)(view)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (WallTime(seconds=1) & WallTime(seconds=3), False),
        (WallTime(seconds=1) | WallTime(seconds=3), True),
        (WallTime(seconds=1) & (lambda view: view.seconds == 2), True),
        (WallTime(seconds=3) & WallTime(seconds=1) | WallTime(seconds=1), True),
    ],
)
def test_rules_combine(rule, expected):
    view = View(None)
    view.seconds = 2
    assert rule(view) is expected


def test_a_run_that_ends_in_the_warmup():
    mcmc = make(num_warmup=10_000_000)
    begin = time.monotonic()
    mcmc.run(KEY, init_params=START, stop_when=WallTime(seconds=0.5))
    assert time.monotonic() - begin < 60
    with pytest.raises(RuntimeError, match=r"ended by WallTime\(seconds=0.5\) before every chain"):
        mcmc.get_samples()


def test_an_error_in_a_rule_loses_no_draw():
    mcmc = make(num_samples=60_000)
    with pytest.warns(SamplingWarning), pytest.raises(ZeroDivisionError):
        mcmc.run(KEY, init_params=START, stop_when=lambda view: 0 / (view.num_draws < 100))
    assert mcmc.get_samples()["x"].shape[0] >= 200
    assert mcmc.ended_by == "ZeroDivisionError"


@pytest.mark.parametrize(
    "make_rule", [lambda: RHat(1.0), lambda: EffectiveSampleSize(0), lambda: WallTime()]
)
def test_rules_that_cannot_be(make_rule):
    with pytest.raises(ValueError, match="must be"):
        make_rule()
