"""Draws of NUTS agree with the reference statistics of eight posteriors of posteriordb."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np
import pytest

from sojourn.infer import MCMC, NUTS

from . import models
from .agreement import compare, load, table


class Posterior(NamedTuple):
    """How a posterior of posteriordb is sampled.

    Attributes
    ----------
    name : str
        posteriordb's name.
    model : Callable
        The model.
    arguments : Callable
        Makes the model's arguments of the data.
    settings : dict
        Of the kernel.
    """

    name: str
    model: Callable
    arguments: Callable
    settings: dict = {}


def pick(*names):
    return lambda data: {name: data[name] for name in names}


QUICK = [
    Posterior(
        "eight_schools-eight_schools_noncentered",
        models.eight_schools,
        pick("J", "sigma", "y"),
        {"target_accept_prob": 0.95},
    ),
    Posterior("kidiq-kidscore_momiq", models.kidscore_momiq, pick("mom_iq", "kid_score")),
    Posterior(
        "earnings-logearn_interaction",
        models.logearn_interaction,
        lambda data: {**pick("height", "male")(data), "log_earn": np.log(data["earn"])},
        {"dense_mass": True},
    ),
    Posterior("arK-arK", models.ar, pick("K", "y")),
    Posterior("low_dim_gauss_mix-low_dim_gauss_mix", models.gauss_mix, pick("y")),
    Posterior("gp_pois_regr-gp_regr", models.gp_regr, pick("x", "y")),
]
SLOW = [
    Posterior("hmm_example-hmm_example", models.hmm, pick("y")),
    Posterior("hudson_lynx_hare-lotka_volterra", models.lotka_volterra, pick("y_init", "y", "ts")),
]


@pytest.mark.parametrize(
    "posterior",
    [
        *(pytest.param(posterior, id=posterior.name) for posterior in QUICK),
        *(
            pytest.param(posterior, id=posterior.name, marks=pytest.mark.statistics)
            for posterior in SLOW
        ),
    ],
)
def test_draws_agree_with_the_reference(posterior):
    data, reference = load(posterior.name)
    mcmc = MCMC(
        NUTS(posterior.model, **posterior.settings),
        num_warmup=1000,
        num_samples=2000,
        num_chains=4,
        progress_bar=False,
    )
    mcmc.run(jax.random.key(2024), **posterior.arguments(data))
    comparisons = compare(mcmc.get_samples(group_by_chain=True), reference)
    assert all(row.agrees() for row in comparisons), "\n" + table(comparisons)
