"""Mixed HMC is exact at a coarse step: trajectories and their mirror images are equally likely."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest
from chains import assert_frequencies, assert_mean, draws_of

import sojourn_distributions as dist
from sojourn_gibbs import MixedHMC
from sojourn_infer import HMC
from sojourn_primitives import factor, sample

PROBS = np.array([0.2, 0.3, 0.5])
LOCS = np.array([-1.0, 0.5, 2.0])
SDS = np.array([0.5, 1.0, 2.0])
VALUES = np.array([3, 4, 5])


def model():
    c = sample("c", dist.DiscreteUniform(3, 5))
    factor("weight", jnp.log(PROBS * len(PROBS))[c - 3])
    sample(
        "q",
        dist.Normal(
            LOCS[c - 3] if isinstance(c, int) else jnp.asarray(LOCS)[c - 3], jnp.asarray(SDS)[c - 3]
        ),
    )


SETTINGS = [
    {"random_walk": random_walk, "modified": modified, "num_discrete_updates": number}
    for random_walk, modified, number in itertools.product((False, True), (False, True), (1, 2, 4))
]


def check_coarse(setting, **size):
    inner = HMC(
        model, step_size=0.9, trajectory_length=2.5, adapt_step_size=False, adapt_mass_matrix=False
    )
    draws = draws_of(MixedHMC(inner, **setting), **size)
    assert_frequencies(draws["c"], VALUES, PROBS)
    assert_mean(draws["q"], PROBS @ LOCS)
    assert_mean(draws["q"] ** 2, PROBS @ (LOCS**2 + SDS**2))


@pytest.mark.parametrize("setting", [SETTINGS[n] for n in (0, 4, 8, 9)], ids=str)
def test_exact_at_a_coarse_step(setting):
    check_coarse(setting, chains=400, burn=60, draws=200)


@pytest.mark.statistics
@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_exact_at_a_coarse_step_at_length(setting):
    check_coarse(setting, chains=4000, burn=100, draws=500)
