"""Distributions of directions, with references built of scipy's functions."""

from types import SimpleNamespace

import numpy as np
from scipy import integrate, special, stats

import sojourn_distributions as dist
from distribution_cases.case import Case


def von_mises(loc, concentration):
    """Angles between -pi and pi; scipy's cdf counts from loc - pi and goes on beyond."""
    unrolled = stats.vonmises(concentration, loc)

    def cdf(x):
        return unrolled.cdf(np.clip(x, -np.pi, np.pi)) - unrolled.cdf(-np.pi)

    return SimpleNamespace(
        logpdf=unrolled.logpdf,
        cdf=cdf,
        ppf=lambda q: np.linspace(-3.1, 3.1, len(q)),
        entropy=unrolled.entropy,
    )


def projected_normal(concentration):
    """The density is the integral over the length of the vector."""
    size = len(concentration)
    normal = stats.multivariate_normal(concentration)

    def logpdf(values):
        def mass(x):
            return integrate.quad(lambda r: r ** (size - 1) * normal.pdf(r * x), 0, 20)[0]

        return np.log([mass(x) for x in values])

    def rvs(size, random_state):
        x = normal.rvs(size, random_state=random_state)
        return x / np.linalg.norm(x, axis=-1, keepdims=True)

    return SimpleNamespace(logpdf=logpdf, rvs=rvs)


def sine_model(phi_loc, psi_loc, phi_concentration, psi_concentration, correlation):
    """With the normalizing constant by the series of Singh, Hnizdo & Demchuk (2002)."""
    k1, k2, c = phi_concentration, psi_concentration, correlation
    m = np.arange(100)
    terms = special.iv(m, k1) * special.iv(m, k2) * (c * c / (4 * k1 * k2)) ** m
    log_constant = np.log(4 * np.pi**2 * np.sum(special.binom(2 * m, m) * terms))

    def logpdf(x):
        phi, psi = x[..., 0] - phi_loc, x[..., 1] - psi_loc
        exponent = k1 * np.cos(phi) + k2 * np.cos(psi) + c * np.sin(phi) * np.sin(psi)
        return exponent - log_constant

    def rvs(size, random_state):
        return np.random.default_rng(random_state).uniform(-np.pi, np.pi, (size, 2))

    return SimpleNamespace(logpdf=logpdf, rvs=rvs)


def skewed_von_mises(skewness):
    return dist.SineSkewed(dist.VonMises(np.array([0.5, -2.0]), 1.5).to_event(1), skewness)


def skewed_reference(skewness):
    loc = np.array([0.5, -2.0])

    def logpdf(x):
        base = stats.vonmises(1.5, loc).logpdf(x).sum(-1)
        return base + np.log1p(np.sum(skewness * np.sin(x - loc), axis=-1))

    def rvs(size, random_state):
        return np.random.default_rng(random_state).uniform(-np.pi, np.pi, (size, 2))

    return SimpleNamespace(logpdf=logpdf, rvs=rvs)


LOCS = {"phi_loc": 0.7, "psi_loc": -2.0}

CASES = [
    # Moments of angles are those of points of the circle: compared in a test of their own.
    Case(dist.VonMises, {"loc": 0.5, "concentration": 2.5}, von_mises, moments=False),
    Case(dist.VonMises, {"loc": -8.0, "concentration": 0.3}, von_mises, "turned", moments=False),
    Case(
        dist.ProjectedNormal,
        {"concentration": np.array([0.5, -1.5])},
        projected_normal,
        "circle",
        moments=False,
    ),
    Case(
        dist.ProjectedNormal,
        {"concentration": np.array([0.5, -1.5, 1.0, 0.2])},
        projected_normal,
        "in-four-dimensions",
        moments=False,
    ),
    Case(
        dist.SineBivariateVonMises,
        {**LOCS, "phi_concentration": 2.0, "psi_concentration": 3.0, "correlation": 1.5},
        sine_model,
        "one-mode",
        moments=False,
    ),
    Case(
        dist.SineBivariateVonMises,
        {**LOCS, "phi_concentration": 2.0, "psi_concentration": 1.0, "correlation": -4.0},
        sine_model,
        "two-modes",
        moments=False,
    ),
    Case(skewed_von_mises, {"skewness": np.array([0.6, -0.3])}, skewed_reference, moments=False),
]
