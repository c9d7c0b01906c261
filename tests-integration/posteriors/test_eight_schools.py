"""Eight schools as programs write it: under NumPyro's name, and with the funnel that diverges."""

import importlib
import sys

import jax
import numpy as np
import pytest

from sojourn.diagnostics import SamplingWarning
from sojourn.infer import MCMC, NUTS

from . import models
from .agreement import compare, load, table

DATA, REFERENCE = load("eight_schools-eight_schools_noncentered")
ARGUMENTS = (DATA["J"], DATA["sigma"])


def numpyro_program(monkeypatch):
    """Import a module that is written for NumPyro, with Sojourn in its place."""
    import sojourn

    for name in [name for name in sys.modules if name.partition(".")[0] == "sojourn"]:
        renamed = "numpyro" + name.removeprefix("sojourn")
        monkeypatch.setitem(sys.modules, renamed, sys.modules[name])
    assert importlib.import_module("numpyro") is sojourn


def test_a_program_for_numpyro_runs_unchanged(monkeypatch, capsys):
    numpyro_program(monkeypatch)
    program = """
import numpyro
import numpyro.distributions as dist
from numpyro.infer import MCMC, NUTS

def model(J, sigma, y=None):
    mu = numpyro.sample("mu", dist.Normal(0, 5))
    tau = numpyro.sample("tau", dist.HalfCauchy(5))
    with numpyro.plate("J", J):
        theta = numpyro.deterministic("theta", mu + tau * numpyro.sample("z", dist.Normal(0, 1)))
        numpyro.sample("obs", dist.Normal(theta, sigma), obs=y)

mcmc = MCMC(
    NUTS(model, target_accept_prob=0.95),
    num_warmup=1000, num_samples=1000, num_chains=4, progress_bar=False,
)
mcmc.run(key, J, sigma, y=y)
mcmc.print_summary()
"""
    names = {"key": jax.random.key(7), "J": DATA["J"], "sigma": DATA["sigma"], "y": DATA["y"]}
    exec(program, names)
    comparisons = compare(names["mcmc"].get_samples(group_by_chain=True), REFERENCE)
    assert all(row.agrees() for row in comparisons), "\n" + table(comparisons)

    lines = capsys.readouterr().out.splitlines()
    rows = [line.split()[0] for line in lines if line.strip() and ":" not in line][1:]
    assert rows == ["mu", "tau", *(f"z[{n}]" for n in range(8))]


def test_the_centred_form_reports_its_divergences(capsys):
    mcmc = MCMC(
        NUTS(models.eight_schools_centered),
        num_warmup=500,
        num_samples=500,
        num_chains=4,
        progress_bar=False,
    )
    with pytest.warns(SamplingWarning, match=r"\d+ of 2000 transitions diverged.*non-centred"):
        mcmc.run(jax.random.key(0), *ARGUMENTS, y=DATA["y"])
    diverging = np.asarray(mcmc.get_extra_fields()["diverging"])
    assert diverging.shape == (2000,)
    assert diverging.sum() >= 5  # between 7 and 147 in ten runs, in the funnel's neck
    mcmc.print_summary()
    assert f"Number of divergences: {diverging.sum()}" in capsys.readouterr().out
